"""Which role holds which permission, and what it takes: the table in permissions.txt."""

import os
from itertools import pairwise
from pathlib import Path

import pytest

from lastcall.domain.access import (
    OPERATOR_ROLE,
    ROLES,
    SERVICE_ROLE,
    Permission,
    Rank,
    Role,
    role_named,
)
from lastcall.domain.errors import Invalid

TABLE = Path(__file__).with_name("permissions.txt")
HEAD = """\
# Role by permission; `rank` is what a role weighs against another's. LASTCALL_GOLDEN=write
# rewrites this file: read every changed line as a change of who may do what.
"""


def table() -> str:
    roles: list[Role] = [*ROLES.values(), OPERATOR_ROLE, SERVICE_ROLE]
    rows = [("", [role.name for role in roles]), ("rank", [role.rank.name for role in roles])]
    for permission in sorted(Permission):
        held = ["yes" if permission in role.permissions else "-" for role in roles]
        rows.append((permission, held))
    lines = [f"{name:24}" + "".join(f"{cell:10}" for cell in cells) for name, cells in rows]
    return HEAD + "\n".join(line.rstrip() for line in lines) + "\n"


def test_the_table_is_as_agreed() -> None:
    if os.environ.get("LASTCALL_GOLDEN") == "write":
        TABLE.write_text(table(), encoding="utf-8")
    assert TABLE.read_text(encoding="utf-8") == table()


def test_a_higher_role_holds_all_a_lower_one_does() -> None:
    by_rank = sorted(ROLES.values(), key=lambda role: role.rank)
    for lower, higher in pairwise(by_rank):
        assert lower.rank < higher.rank
        assert lower.permissions <= higher.permissions


def test_every_rank_is_some_roles() -> None:
    assert {role.rank for role in ROLES.values()} == set(Rank)


@pytest.mark.parametrize("name", ["", "Admin", "administrator", "root", "admin ", "operator"])
def test_nobody_is_ranked_by_accident(name: str) -> None:
    with pytest.raises(Invalid):
        role_named(name)
