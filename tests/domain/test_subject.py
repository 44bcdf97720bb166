"""Accounts: which changes end sessions, and which second factors are on."""

from dataclasses import replace

import pytest

from lastcall.domain.factor import Factor, Method, fresh
from lastcall.domain.subject import role_of, second_factors, why_sessions_end
from lastcall.domain.types import Duration, EndReason, Instant
from tests.world import subject

BEFORE = subject("ann", "secret", "engineer", email="ann@example.com")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"enabled": False}, EndReason.SUBJECT_DISABLED),
        ({"password_hash": "other"}, EndReason.PASSWORD_CHANGED),
        ({"role": "monitor"}, EndReason.ROLE_CHANGED),
        ({"role": "admin"}, EndReason.ROLE_CHANGED),
        ({"totp_secret": "sealed"}, EndReason.FACTOR_CHANGED),
        ({"email_codes": True}, EndReason.FACTOR_CHANGED),
        ({"name": "Ann"}, None),
        ({"backup_codes": ("x",)}, None),
        ({"totp_step": 7}, None),
    ],
)
def test_what_ends_sessions(change: dict[str, object], why: EndReason | None) -> None:
    assert why_sessions_end(BEFORE, replace(BEFORE, **change)) == why  # type: ignore[arg-type]


def test_another_address_for_codes_is_another_factor() -> None:
    """Else whoever gets hold of a session has the next code mailed to themselves."""
    coded = replace(BEFORE, email_codes=True)
    moved = replace(coded, email="mallory@example.com")
    assert why_sessions_end(coded, moved) is EndReason.FACTOR_CHANGED
    assert why_sessions_end(coded, replace(coded, email="Ann@Example.com")) is None
    assert why_sessions_end(BEFORE, replace(BEFORE, email="mallory@example.com")) is None


def test_enabling_again_ends_nothing() -> None:
    off = replace(BEFORE, enabled=False)
    assert why_sessions_end(off, BEFORE) is None


def test_second_factors_strongest_first_and_email_only_with_an_address() -> None:
    both = replace(BEFORE, totp_secret="sealed", email_codes=True)
    assert second_factors(both) == (Method.TOTP, Method.EMAIL)
    assert second_factors(replace(both, email="")) == (Method.TOTP,)
    assert second_factors(BEFORE) == ()


def test_names_and_roles() -> None:
    assert BEFORE.display_name == ""
    assert replace(BEFORE, first_name="Ann", last_name="Lee").display_name == "Ann Lee"
    assert replace(BEFORE, name="A. Lee", first_name="Ann").display_name == "A. Lee"
    assert role_of(BEFORE).name == "engineer"


def test_a_factor_is_fresh_in_its_own_place_and_for_its_time_only() -> None:
    given = (
        Factor(method=Method.PASSWORD, at=Instant(0)),
        Factor(method=Method.TOTP, at=Instant(0), context="here"),
    )
    assert fresh(given, Instant(9), Duration(10), "here")
    assert not fresh(given, Instant(10), Duration(10), "here")
    assert not fresh(given, Instant(9), Duration(10), "there")
    assert not fresh(given, Instant(9), Duration(10), "")
