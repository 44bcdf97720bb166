"""Rocket.Chat's REST API, as far as sessions go: `/api/v1/login` to `sessions/logout`."""

from lastcall.dialects.rocketchat.gate import Proof, Rate, guarded
from lastcall.dialects.rocketchat.login import log_in, log_out, who_am_i
from lastcall.dialects.rocketchat.parameters import anything, listing, session_id, user_id
from lastcall.dialects.rocketchat.sessions import (
    info,
    list_all,
    list_own,
    log_out_any,
    log_out_own,
    own_info,
)
from lastcall.dialects.rocketchat.settings import Settings
from lastcall.dialects.rocketchat.users import (
    disable_email,
    enable_email,
    log_out_others,
    log_out_user,
    remove_other_tokens,
    send_email_code,
)
from lastcall.dialects.rocketchat.words import (
    LOGIN,
    USERS_LOGOUT,
    enter,
    leave,
    refuse,
    unknown,
)
from lastcall.domain.access import Permission
from lastcall.domain.types import DialectName
from lastcall.wire import Dialect, Hot, Route

VIEW = Permission.SESSION_LIST_OTHERS
END = Permission.SESSION_END_OTHERS

API = "/api/v1"

ROUTES: tuple[Route[Settings], ...] = (
    Route("POST", LOGIN, log_in),
    Route("POST,GET", f"{API}/logout", guarded(anything, log_out, rate=Rate.SPARED), Hot.CALL),
    Route("GET", f"{API}/me", guarded(anything, who_am_i), Hot.CHECK),
    Route("GET", f"{API}/sessions/list", guarded(listing, list_own, licensed=True)),
    Route("GET", f"{API}/sessions/info", guarded(session_id, own_info, licensed=True)),
    Route(
        "GET",
        f"{API}/sessions/list.all",
        guarded(listing, list_all, needs=VIEW, licensed=True, proof=Proof.REMEMBERED),
    ),
    Route(
        "GET",
        f"{API}/sessions/info.admin",
        guarded(session_id, info, needs=VIEW, licensed=True, proof=Proof.REMEMBERED),
    ),
    Route(
        "POST",
        f"{API}/sessions/logout.me",
        guarded(session_id, log_out_own, licensed=True, rate=Rate.SPARED),
        Hot.CALL,
    ),
    Route(
        "POST",
        f"{API}/sessions/logout",
        guarded(session_id, log_out_any, needs=END, licensed=True, proof=Proof.REMEMBERED),
        Hot.CALL,
    ),
    Route(
        "POST",
        f"{API}/users.logoutOtherClients",
        guarded(anything, log_out_others, rate=Rate.SPARED),
        Hot.CALL,
    ),
    Route(
        "POST",
        f"{API}/users.removeOtherTokens",
        guarded(anything, remove_other_tokens, rate=Rate.SPARED),
        Hot.CALL,
    ),
    Route("POST", USERS_LOGOUT, guarded(user_id, log_out_user, rate=Rate.BY_HANDLER), Hot.CALL),
    Route("POST", f"{API}/users.2fa.sendEmailCode", send_email_code),
    Route("POST", f"{API}/users.2fa.enableEmail", guarded(anything, enable_email)),
    Route(
        "POST",
        f"{API}/users.2fa.disableEmail",
        guarded(anything, disable_email, proof=Proof.ALWAYS),
    ),
)

ROCKETCHAT = Dialect(
    name=DialectName("rocketchat"),
    settings=Settings,
    prefixes=(f"{API}/",),
    routes=ROUTES,
    refuse=refuse,
    unknown=unknown,
    enter=enter,
    leave=leave,
)
