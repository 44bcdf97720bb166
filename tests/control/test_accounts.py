"""Account files: strict, every bad line told, all or none."""

import json
from dataclasses import replace
from typing import Any

import pytest

from lastcall.control.accounts import BadLines, read_lines, subject_of
from lastcall.control.operations import run
from lastcall.domain.errors import AuthorityError, Invalid
from lastcall.domain.subject import Subject
from lastcall.domain.token import digest_password
from lastcall.domain.types import SubjectId, TenantId
from tests.world import OTHER, TENANT, World, make_world

TENANTS = (TENANT, OTHER)
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def line(**fields: Any) -> str:
    return json.dumps({"username": "new", "password": "secret-word", **fields})


def problems(text: str) -> list[tuple[int, str]]:
    with pytest.raises(BadLines) as caught:
        read_lines(text, TENANT, TENANTS)
    assert "secret-word" not in str(caught.value.problems)
    return list(caught.value.problems)


@pytest.fixture
async def world() -> World:
    return await make_world()


async def named(world: World, username: str, tenant: TenantId = TENANT) -> Subject | None:
    async with world.env.store.transaction(tenant) as tx:
        return await tx.subject_named(username)


async def test_every_field(world: World) -> None:
    text = line(
        tenant="other",
        email="new@example.com",
        name="New One",
        first_name="New",
        last_name="One",
        role="engineer",
        groups=["a", "b"],
        profile={"colour": ["red"]},
        totp_secret="jbsw y3dp ehpk 3pxp JBSWY3DPEHPK3PXP",
        backup_codes=["abcd 1234"],
        email_codes=True,
        enabled=False,
    )
    result = await run(world.env, "users.import", {"text": text})
    assert result == {"added": 1, "tenants": {"other": 1}}
    subject = await named(world, "new", OTHER)
    assert subject is not None
    assert await world.env.passwords.verify(subject.password_hash, digest_password("secret-word"))
    assert world.env.vault.open(subject.totp_secret, f"totp:{subject.id}") == SECRET
    mac = world.env.vault.mac("abcd1234", f"backup-code:{subject.id}")
    assert subject.backup_codes == (mac,)
    assert (subject.role, subject.groups, subject.enabled) == ("engineer", ("a", "b"), False)
    assert subject.profile == {"colour": ["red"]}
    assert subject.email_codes
    assert subject.display_name == "New One"
    assert await named(world, "new") is None


async def test_the_least_there_can_be(world: World) -> None:
    digest = digest_password("secret-word").upper()
    text = f'\ufeff\n{{"username":"new","password_sha256":"{digest}"}}\r\n\n'
    await run(world.env, "users.import", {"text": text, "tenant": "default"})
    subject = await named(world, "new")
    assert subject is not None
    assert (subject.role, subject.enabled, subject.email) == ("monitor", True, "")
    assert await world.env.passwords.verify(subject.password_hash, digest_password("secret-word"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "truncated"),
        ("[]", "Expected object, got array"),
        (line(colour="red"), "unknown field colour"),
        ('{"password":"secret-word"}', "missing required field username"),
        (line(username=""), "username: Expected str of length >= 1"),
        (line(username=5), "username: Expected str, got int"),
        (line(username="a" * 300), "username: Expected str of length <= 255"),
        (line(groups="a"), "groups: Expected array, got str"),
        (line(groups=["a", ""]), "groups[1]: Expected str of length >= 1"),
        (line(profile=[]), "profile: Expected object, got array"),
        (line(enabled="yes"), "enabled: Expected bool, got str"),
        (line(tenant="nobody"), "tenant: must be one of default, other"),
        (line(role="root"), "role: must be one of admin, engineer, monitor"),
        (line(role=""), "role: must be one of"),
        ('{"username":"new"}', "password: exactly one of"),
        (line(password_sha256="0" * 64), "password: exactly one of"),
        (line(password=None, password_sha256="0" * 63), "password_sha256: Expected str matching"),
        (line(username="a\u202eb"), "username: holds characters that cannot be shown"),
        (line(username=" new"), "username: begins or ends with a space"),
        (line(name="\x1b[31m"), "name: holds characters that cannot be shown"),
        (line(groups=["a\nb"]), "groups: hold characters that cannot be shown"),
        (line(email="nowhere"), "email: is not an address"),
        (line(email_codes=True), "email_codes: need an email"),
        (line(totp_secret="0189"), "totp_secret: must be base32"),
        (line(totp_secret="JBSWY3DP"), "totp_secret: must be base32 of at least 14 bytes"),
        (line(totp_secret="ä" * 32), "totp_secret: must be base32"),
        (line(backup_codes=["abcd1234"]), "backup_codes: need a totp_secret"),
        (line(totp_secret=SECRET, backup_codes=["abc"]), "backup_codes: must have 8 characters"),
    ],
)
def test_a_bad_line(text: str, told: str) -> None:
    found = problems(f"{line(username='first')}\n{text}\n")
    assert [number for number, _ in found] == [2]
    assert told in found[0][1]


def test_all_bad_lines_are_told() -> None:
    text = "\n".join([line(), line(role="x"), "", "nonsense", line(tenant="other"), line()])
    assert [(number, told.partition(":")[0]) for number, told in problems(text)] == [
        (2, "role"),
        (2, "username"),
        (4, "JSON is malformed"),
        (6, "username"),
    ]


async def test_a_name_that_is_taken_in_one_tenant_keeps_all_of_them_out(world: World) -> None:
    text = f"{line(tenant='default')}\n{line(username='john', tenant='other')}\n"
    with pytest.raises(BadLines) as caught:
        await run(world.env, "users.import", {"text": text})
    assert caught.value.problems == ((2, "username: is taken"),)
    assert await named(world, "new") is None


async def test_an_id_may_be_asked_for(world: World) -> None:
    account = read_lines(line(), TENANT, TENANTS)[0].account
    assert (await subject_of(world.env, account, SubjectId("me"))).id == "me"
    assert "secret-word" not in repr(account)


async def test_a_tenant_that_does_not_exist(world: World) -> None:
    with pytest.raises(Invalid):
        await run(world.env, "users.import", {"text": line(), "tenant": "nobody"})


class TakenMeanwhile:
    """A store in which somebody adds `new` to the tenant `other` between check and write."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def hash(self, digest: str) -> str:
        if await named(self._world, "new", OTHER) is None:
            account = read_lines(line(tenant="other"), TENANT, TENANTS)[0].account
            env = self._world.env
            subject = await subject_of(env, account)
            async with env.store.transaction(OTHER) as tx:
                await tx.add_subject(subject)
        return f"fake${digest}"

    async def verify(self, encoded: str, digest: str) -> bool:
        return bool(encoded and digest)


async def test_what_is_done_in_part_is_told(world: World) -> None:
    env = replace(world.env, passwords=TakenMeanwhile(world))
    text = f"{line()}\n{line(tenant='other')}\n"
    with pytest.raises(AuthorityError, match="added to default; not to other") as caught:
        await run(env, "users.import", {"text": text})
    assert caught.value.code == "partial"
    assert await named(world, "new") is not None
    with pytest.raises(BadLines):
        await run(env, "users.import", {"text": text})
