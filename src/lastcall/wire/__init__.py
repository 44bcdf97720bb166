"""What every inbound wire is made of: the call, the reply, the route table, and parsing.

A dialect knows nothing of sockets or of the web framework: `http` turns a request into a `Call`,
finds the dialect's handler and sends its `Reply`, and so can a test or another server.
"""

from lastcall.domain.types import iso_time
from lastcall.wire.call import Call, DialectSettings, Hit, Limiter, TooLarge, TooSlow, Trail
from lastcall.wire.dialect import Dialect, Handler, Hot, Quick, Refusing, Route
from lastcall.wire.reading import (
    Pairs,
    bearer,
    content_type,
    cross_site,
    form,
    json_body,
    one,
    pairs,
)
from lastcall.wire.reply import (
    Holder,
    Reply,
    clear_cookie,
    json_reply,
    retry_after,
    set_cookie,
    whole_seconds,
)

__all__ = [
    "Call",
    "Dialect",
    "DialectSettings",
    "Handler",
    "Hit",
    "Holder",
    "Hot",
    "Limiter",
    "Pairs",
    "Quick",
    "Refusing",
    "Reply",
    "Route",
    "TooLarge",
    "TooSlow",
    "Trail",
    "bearer",
    "clear_cookie",
    "content_type",
    "cross_site",
    "form",
    "iso_time",
    "json_body",
    "json_reply",
    "one",
    "pairs",
    "retry_after",
    "set_cookie",
    "whole_seconds",
]
