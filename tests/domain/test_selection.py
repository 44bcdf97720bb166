"""Selections: every criterion must hold, and an empty one does not narrow."""

from dataclasses import replace
from typing import Any

import pytest

from lastcall.domain.errors import Invalid
from lastcall.domain.factor import Factor, Method
from lastcall.domain.selection import Selection, matches, networks_of
from lastcall.domain.session import Device, Participant
from lastcall.domain.types import HOUR, ClientId, DialectName, Duration, Instant, SubjectId
from tests.domain.samples import session
from tests.world import subject

NOW = Instant(10 * HOUR)
ONE = replace(
    session(),
    subject=SubjectId("u-ann"),
    address="10.1.2.3",
    device=Device(type="browser", name="Firefox", os_name="Linux"),
    factors=(Factor(method=Method.PASSWORD, at=NOW),),
    created=Instant(0),
    last_seen=Instant(8 * HOUR),
    participants=(Participant(client=ClientId("wiki"), sid="s", account=""),),
)
ANN = subject("ann", "x", "engineer", groups=("staff", "oncall"))


def chosen(**criteria: Any) -> bool:
    selection = Selection(**criteria)
    return matches(selection, networks_of(selection), ONE, ANN, NOW, "CH")


def test_no_criterion_is_everybody() -> None:
    assert chosen()


@pytest.mark.parametrize(
    ("hit", "miss"),
    [
        ({"clients": frozenset({"wiki", "mail"})}, {"clients": frozenset({ClientId("mail")})}),
        ({"roles": frozenset({"engineer"})}, {"roles": frozenset({"admin"})}),
        ({"groups": frozenset({"oncall"})}, {"groups": frozenset({"board"})}),
        ({"networks": ("10.1.2.77/24",)}, {"networks": ("10.1.3.0/24", "::/0")}),
        ({"countries": frozenset({"CH"})}, {"countries": frozenset({"DE"})}),
        ({"device": "firefox"}, {"device": "chrome"}),
        ({"dialects": frozenset({DialectName("native")})}, {"dialects": frozenset({"rsa"})}),
        ({"older_than": Duration(9 * HOUR)}, {"older_than": Duration(10 * HOUR)}),
        ({"idle_for": Duration(HOUR)}, {"idle_for": Duration(2 * HOUR)}),
        ({"factor": Method.PASSWORD}, {"factor": Method.TOTP}),
        ({"without_factor": Method.TOTP}, {"without_factor": Method.PASSWORD}),
        ({"subjects": frozenset({"u-ann"})}, {"subjects": frozenset({SubjectId("u-bob")})}),
    ],
)
def test_each_criterion_narrows(hit: dict[str, Any], miss: dict[str, Any]) -> None:
    assert chosen(**hit)
    assert not chosen(**miss)


def test_a_session_without_a_readable_address_is_in_no_network() -> None:
    selection = Selection(networks=("0.0.0.0/0",))
    odd = replace(ONE, address="somewhere")
    assert not matches(selection, networks_of(selection), odd, ANN, NOW, "")


@pytest.mark.parametrize("text", ["", "10.0.0.0/33", "everywhere", "10.0.0.1-10.0.0.9"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        networks_of(Selection(networks=(text,)))
