"""Elvis DAM, since then WoodWing Assets: `/services/*`, and `/logout` that leads on."""

from lastcall.dialects.elvis.faults import refuse, unknown
from lastcall.dialects.elvis.pages import style
from lastcall.dialects.elvis.redirect import log_out_and_lead_on, show_landing
from lastcall.dialects.elvis.services import log_in, log_in_api, log_out, ping, show_profile
from lastcall.dialects.elvis.settings import Settings
from lastcall.domain.types import DialectName
from lastcall.wire import Call, Dialect, Hot, Route


def enter(call: Call[Settings]) -> Call[Settings]:
    """Drop `;jsessionid=...` from the path: an address is no place for a token."""
    path, parameters, _ = call.path.partition(";")
    return call.with_(path=path) if parameters else call


ELVIS = Dialect(
    name=DialectName("elvis"),
    settings=Settings,
    prefixes=("/services/", "/logout", "/app"),
    routes=(
        Route("POST", "/services/login", log_in),
        Route("POST", "/services/apilogin", log_in_api),
        Route("POST", "/services/logout", log_out, Hot.CALL),
        Route("GET,POST", "/services/profile", show_profile, Hot.CHECK),
        Route("GET,POST", "/services/ping", ping, Hot.CHECK),
        Route("GET,POST", "/logout", log_out_and_lead_on, Hot.CALL),
        Route("GET", "/app", show_landing),
        Route("GET", "/app/page.css", style),
    ),
    refuse=refuse,
    unknown=unknown,
    enter=enter,
)
