"""SOAJS: `/urac` of 0.x, which logs in and out, and `/oauth`, which took its place."""

from lastcall.dialects.soajs import oauth, urac
from lastcall.dialects.soajs.envelope import refuse
from lastcall.dialects.soajs.gateway import enter, leave
from lastcall.dialects.soajs.keys import mint_key
from lastcall.dialects.soajs.settings import Settings
from lastcall.domain.types import DialectName
from lastcall.wire import Dialect, Hot, Route

__all__ = ["SOAJS", "mint_key"]

SOAJS = Dialect(
    name=DialectName("soajs"),
    settings=Settings,
    prefixes=("/urac", "/oauth"),
    routes=(
        Route("POST", "/urac/login", urac.in_session(urac.log_in, jsonp=True)),
        Route("GET,HEAD", "/urac/logout", urac.in_session(urac.log_out, jsonp=True), Hot.CALL),
        Route("GET,HEAD", "/urac/account/getUser", urac.in_session(urac.get_user), Hot.CHECK),
        Route("POST", "/urac:2/login", oauth.withdrawn),
        Route("GET,HEAD", "/urac:2/logout", oauth.withdrawn),
        Route("GET,HEAD", "/urac:2/account/getUser", oauth.get_user, Hot.CHECK),
        Route("GET,HEAD", "/oauth/authorization", oauth.authorization),
        Route("POST", "/oauth/token", oauth.token),
        Route("DELETE", "/oauth/accessToken/{token}", oauth.delete_access_token, Hot.CALL),
        Route("DELETE", "/oauth/refreshToken/{token}", oauth.delete_refresh_token, Hot.CALL),
        Route("DELETE", "/oauth/tokens/user/{userId}", oauth.delete_user_tokens, Hot.CALL),
        Route("DELETE", "/oauth/tokens/tenant/{clientId}", oauth.delete_tenant_tokens, Hot.CALL),
    ),
    refuse=refuse,
    unknown=urac.unknown,
    enter=enter,
    leave=leave,
    fold_case=True,
)
