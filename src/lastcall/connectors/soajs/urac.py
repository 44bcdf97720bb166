"""urac 0.x: a session is logged out with its own handle, and looked at with it afterwards."""

import re
from base64 import b64encode
from collections.abc import Mapping

from lastcall.connectors.soajs.envelope import fault, read
from lastcall.domain.delivery import Outcome
from lastcall.errand import BEARER, Errand, quoted, ruled, seen
from lastcall.outward import Notice, Told
from lastcall.telling import nobody_named

SID = re.compile(r"[A-Za-z0-9_-]{32}")
SWAPPED = ((3, 11), (7, 15))
"""Which characters of a session id trade places in a handle of the kind C01."""

NOT_IN = frozenset({158, 161})
"""A login is needed and there is none."""

NO_GROUP = frozenset({157, 160})
"""There is a login, of a user without the group that is needed."""

GOT_THROUGH = frozenset({0, 405})
"""A record, or no such record."""

WORDS = {404: "no such user there"}


def handle_of(sid: str) -> str | None:
    """A value for `soajsauth`; a bare session id is put under its mask. None for neither."""
    if sid.startswith("Basic ") and BEARER.fullmatch(sid[6:]):
        return sid
    if not SID.fullmatch(sid):
        return None
    letters = list(sid)
    for left, right in SWAPPED:
        letters[left], letters[right] = letters[right], letters[left]
    return "Basic " + b64encode(f"soajs:C01{''.join(letters)}".encode()).decode("ascii")


async def by_handle(errand: Errand, notice: Notice) -> Told:
    """urac says yes to any handle, known or not: what counts is the look afterwards.

    `username` is what 0.1.x asks for, and nothing to later versions.
    """
    handle = handle_of(notice.sid)
    if handle is None:
        return nobody_named()
    query = f"username={quoted(notice.account)}"
    key = {"key": errand.value("key")}
    with_handle = {**key, "soajsauth": handle}
    answer = await errand.ask("GET", f"/urac/logout?{query}", headers=with_handle, ends=True)
    told = ruled(answer, Outcome.DONE) if fault(answer) in NOT_IN else read(answer, WORDS)
    if told.outcome is not Outcome.DONE:
        return told
    path = f"/urac/account/getUser?{query}"
    return seen(told, await dead(errand, path, with_handle, key))


async def dead(
    errand: Errand, path: str, with_handle: Mapping[str, str], without: Mapping[str, str]
) -> bool | None:
    """Whether the handle is logged in no more; None where the call tells nothing of logins.

    A handle that gets through is logged in only where nobody gets through without one.
    """
    code = fault(await errand.look("GET", path, headers=with_handle))
    if code in NOT_IN:
        return True
    if code in NO_GROUP:
        return False
    if code not in GOT_THROUGH:
        return None
    return False if fault(await errand.look("GET", path, headers=without)) in NOT_IN else None
