"""The device API of MultiTech rCell and mPower: `/api/login`, `/api/logout`, `/api/whoami`."""

from lastcall.dialects.multitech.calls import enter, log_in, log_out, who_am_i
from lastcall.dialects.multitech.layout import LOGOUT, refuse, unknown
from lastcall.dialects.multitech.settings import Settings
from lastcall.domain.types import DialectName
from lastcall.wire import Dialect, Hot, Route

MULTITECH = Dialect(
    name=DialectName("multitech"),
    settings=Settings,
    prefixes=("/api/",),
    routes=(
        Route("GET,POST", "/api/login", log_in),
        Route("GET,POST", LOGOUT, log_out, Hot.CALL),
        Route("GET,POST", "/api/whoami", who_am_i, Hot.CHECK),
    ),
    refuse=refuse,
    unknown=unknown,
    enter=enter,
)
