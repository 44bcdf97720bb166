"""Native routes that tell what became of a logout, and of a person."""

from collections.abc import AsyncIterator
from contextlib import nullcontext

import msgspec

from lastcall.authority.receipts import receipt, signed_receipt
from lastcall.authority.showing import shown_receipt, shown_status
from lastcall.authority.status import status
from lastcall.authority.watching import finished_receipt, watch
from lastcall.dialects.native.callers import known
from lastcall.dialects.native.proof_shapes import ReceiptQuery
from lastcall.dialects.native.reading import query_as
from lastcall.dialects.native.settings import Settings
from lastcall.domain.access import Caller
from lastcall.domain.errors import AuthorityError
from lastcall.domain.types import SECOND, Duration, ReceiptId, SubjectId
from lastcall.wire import Call, Holder, Reply, json_reply

WATCHED = 50
"""Deliveries in an event."""

QUIET = 75
"""Looks without a change after which a watcher hears that somebody is still there."""


async def show_receipt(call: Call[Settings]) -> Reply:
    caller = (await known(call)).caller
    asked = query_as(call, ReceiptQuery)
    with call.waiting(_holder(caller)) if asked.wait else nullcontext():
        view = await finished_receipt(
            call.env,
            caller,
            _receipt_id(call),
            Duration(asked.wait * SECOND),
            after=asked.after,
            limit=asked.limit,
        )
    return json_reply(shown_receipt(view))


async def receipt_events(call: Call[Settings]) -> Reply:
    """Server-sent events: the receipt at every change, until it is finished."""
    caller = (await known(call)).caller
    await receipt(call.env, caller, _receipt_id(call), limit=0)
    headers = (("Content-Type", "text/event-stream"), ("X-Accel-Buffering", "no"))
    return Reply(headers=headers, stream=_events(call, caller), holder=_holder(caller))


async def signed(call: Call[Settings]) -> Reply:
    caller = (await known(call)).caller
    text = await signed_receipt(call.env, caller, _receipt_id(call), shown_receipt)
    return Reply(body=text.encode("ascii"), headers=(("Content-Type", "application/jose"),))


async def subject_status(call: Call[Settings]) -> Reply:
    caller = (await known(call)).caller
    found = await status(call.env, caller, SubjectId(call.segments["id"]))
    return json_reply(shown_status(found))


async def _events(call: Call[Settings], caller: Caller) -> AsyncIterator[bytes]:
    quiet = 0
    try:
        async for view in watch(call.env, caller, _receipt_id(call), limit=WATCHED):
            quiet = 0 if view else quiet + 1
            if view is not None:
                yield _event("receipt", shown_receipt(view))
            elif quiet % QUIET == 0:
                yield b": still here\n\n"
    except AuthorityError as error:
        yield _event("closed", {"code": error.code})
    else:
        yield _event("end", {})


def _event(name: str, data: object) -> bytes:
    """JSON holds no line end, so one `data` line is enough."""
    return b"event: %s\ndata: %s\n\n" % (name.encode("ascii"), msgspec.json.encode(data))


def _holder(caller: Caller) -> Holder:
    """Who waits and who watches are bounded together."""
    return Holder("account", f"{caller.tenant}/{caller.subject}")


def _receipt_id(call: Call[Settings]) -> ReceiptId:
    return ReceiptId(call.segments["id"])
