"""Ranks and permissions: unknown is refused, lower never ends higher."""

import itertools

import pytest

from lastcall.domain.access import (
    ROLES,
    Caller,
    Permission,
    Rank,
    operator,
    require,
    require_over,
    role_named,
)
from lastcall.domain.errors import Denied, Invalid
from lastcall.domain.origin import Origin
from lastcall.domain.types import DialectName, SubjectId, TenantId

ORIGIN = Origin(dialect=DialectName("native"))


def caller(role: str) -> Caller:
    return Caller(
        tenant=TenantId("t"),
        subject=SubjectId("u"),
        username="u",
        role=role_named(role),
        origin=ORIGIN,
    )


@pytest.mark.parametrize("name", ["", "Admin", "root", "ADMIN", "admin "])
def test_a_role_nobody_defined_is_refused(name: str) -> None:
    with pytest.raises(Invalid):
        role_named(name)


@pytest.mark.parametrize(("mine", "theirs"), list(itertools.product(ROLES, ROLES)))
def test_ending_others_needs_equal_or_greater_rank(mine: str, theirs: str) -> None:
    rank = ROLES[theirs].rank
    if ROLES[mine].rank >= rank:
        require_over(caller(mine), Permission.PEER_LOGOUT, rank)
    else:
        with pytest.raises(Denied):
            require_over(caller(mine), Permission.PEER_LOGOUT, rank)


def test_rank_without_the_permission_is_not_enough() -> None:
    with pytest.raises(Denied):
        require_over(caller("engineer"), Permission.SESSION_END_OTHERS, Rank.MONITOR)


def test_the_operator_may_everything_that_needs_no_name() -> None:
    by = operator(TenantId("t"), ORIGIN)
    for permission in set(Permission) - {Permission.SUBJECT_IMPERSONATE}:
        require(by, permission)
    with pytest.raises(Denied):
        require(by, Permission.SUBJECT_IMPERSONATE)
