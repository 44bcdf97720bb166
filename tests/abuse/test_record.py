"""What a refused request may leave in the audit log: no secret, and not much of anything (F, K)."""

from collections.abc import Awaitable, Callable

import pytest

from lastcall.authority.logout import logout
from lastcall.authority.receipts import receipt
from lastcall.authority.sessions import session_by_id
from lastcall.authority.status import status
from lastcall.domain.access import Caller
from lastcall.domain.audit import body_of
from lastcall.domain.canonical import canonical
from lastcall.domain.errors import AuthorityError
from lastcall.domain.logout import OfSubject, OneSession
from lastcall.domain.types import ReceiptId, SessionId, SubjectId
from lastcall.ports import Env
from tests.authority.acts import audit, begin
from tests.world import OTHER, make_world

Act = Callable[[Env, Caller, str], Awaitable[object]]
NAMING: dict[str, Act] = {
    "end": lambda env, by, name: logout(env, by, OneSession(session=SessionId(name))),
    "end all": lambda env, by, name: logout(env, by, OfSubject(subject=SubjectId(name), keep=None)),
    "end some": lambda env, by, name: logout(
        env, by, OfSubject(subject=SubjectId(name), dialect=by.origin.dialect)
    ),
    "look": lambda env, by, name: session_by_id(env, by, SessionId(name)),
    "receipt": lambda env, by, name: receipt(env, by, ReceiptId(name)),
    "status": lambda env, by, name: status(env, by, SubjectId(name)),
}


@pytest.mark.parametrize("act", NAMING.values(), ids=NAMING)
async def test_a_token_put_where_an_id_belongs_is_not_kept(act: Act) -> None:
    world = await make_world()
    victim = await begin(world, "john", refreshable=True)
    foreign = await begin(world, "stranger", tenant=OTHER)
    caller = (await begin(world, "monitor")).caller
    for secret in (victim.token, victim.refresh, foreign.token):
        with pytest.raises(AuthorityError):
            await act(world.env, caller, secret)
        records = [canonical(body_of(one.seq, one.event)) for one in await audit(world)]
        assert b"refused" in records[-1]
        assert secret.encode() not in b"".join(records)


@pytest.mark.parametrize("act", NAMING.values(), ids=NAMING)
async def test_a_refusal_takes_little_room(act: Act) -> None:
    world = await make_world()
    caller = (await begin(world, "monitor")).caller
    with pytest.raises(AuthorityError):
        await act(world.env, caller, "x" * 30_000)
    last = (await audit(world))[-1]
    assert len(canonical(body_of(last.seq, last.event))) < 1_000
