"""External keys: minted in the vendor's form, and told from what is no key at all."""

import pytest

from lastcall.dialects.soajs.keys import mint_key, tenant_of, well_formed
from lastcall.dialects.soajs.settings import Tenant

PASSWORD = "soajs key lal massa"
TENANT_ID = "10d2cb5fc04ce51e06000001"
CHANCE = bytes.fromhex("1b30007e4ec2e3da26bdc1f4" + "d1eaaf5fdc35c11119330a8a0273fee9")
VENDORS = mint_key(TENANT_ID, CHANCE, PASSWORD, "TPROD_BASIC")


def test_the_vendors_key_comes_out_of_its_parts() -> None:
    """The key of the vendor's own tests, for this tenant, this chance and this package."""
    assert VENDORS == (
        "aa39b5490c4a4ed0e56d7ec1232a428f771e8bb83cfcee16de14f735d0f5da58"
        "7d5968ec4f785e38570902fd24e0b522b46cb171872d1ea038e88328e7d973ff"
        "47d9392f72b2d49566209eb88eb60aed8534a965cf30072c39565bd8d72f68ac"
    )


def test_it_is_a_key() -> None:
    assert well_formed(VENDORS, PASSWORD)
    assert well_formed(VENDORS.upper(), PASSWORD), "it decrypts; nobody knows it all the same"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "z" * 192,
        "0" * 192,
        VENDORS + "00",
        VENDORS[:-2],
        VENDORS[:-1] + "g",
        "ff" + VENDORS[2:],
        " " + VENDORS[1:],
        "\N{SNOWMAN}" * 192,
    ],
)
def test_these_are_no_keys(text: str) -> None:
    assert not well_formed(text, PASSWORD)


def test_another_password_reads_no_key() -> None:
    assert not well_formed(VENDORS, "another password")


@pytest.mark.parametrize("package", ["abc", "LASTC_BASIC", "twelve_chars"])
def test_every_package_that_fits_gives_a_key(package: str) -> None:
    key = mint_key(TENANT_ID, CHANCE, PASSWORD, package)
    assert well_formed(key, PASSWORD)


@pytest.mark.parametrize(
    ("chance", "package"), [(b"short", "LASTC_BASIC"), (CHANCE, "ab"), (CHANCE, "thirteen_char")]
)
def test_what_does_not_fit_is_refused(chance: bytes, package: str) -> None:
    with pytest.raises(ValueError, match="28 random bytes"):
        mint_key(TENANT_ID, chance, PASSWORD, package)


def test_a_key_leads_to_its_tenant_case_and_all() -> None:
    tenants = {
        "default": Tenant(id=TENANT_ID, code="TEST", keys=(VENDORS, "opaque-key")),
        "other": Tenant(id="4442aca8e268c28b650f6a2b", code="OTHR", keys=("another-key",)),
    }
    assert tenant_of(tenants, VENDORS) == ("default", tenants["default"])
    assert tenant_of(tenants, "another-key") == ("other", tenants["other"])
    assert tenant_of(tenants, VENDORS.upper()) is None
    assert tenant_of(tenants, "") is None
