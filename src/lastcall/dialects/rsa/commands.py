"""The five commands, told apart by `cmd`, and the token each is asked with."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from lastcall.authority.credentials import Credentials, prove
from lastcall.authority.login import Start, login
from lastcall.authority.logout import logout
from lastcall.authority.validate import validate
from lastcall.dialects.rsa.layout import echo, lines, page, unknown
from lastcall.dialects.rsa.login_body import credentials
from lastcall.dialects.rsa.settings import Settings
from lastcall.domain.access import Caller
from lastcall.domain.errors import Invalid, NotAuthenticated
from lastcall.domain.logout import OneSession
from lastcall.domain.types import Instant, Kind, SessionId
from lastcall.ports import Entropy
from lastcall.wire import Call, Reply, bearer, json_reply, one, pairs


async def log_in(call: Call[Settings]) -> Mapping[str, str]:
    said = credentials(call.body)
    for name in ("username", "password"):
        if name not in said:
            raise Invalid(name, "is required")
    source = one(pairs(call.query), "authsource") or said.get("authsource", "").strip()
    known = call.settings.authsources
    if source and known and source not in known:
        raise Invalid("authsource", "is not known")
    given = Credentials(name=said["username"].strip(), password=said["password"])
    proven = await prove(call.env, call.tenant, call.origin, given)
    start = Start(kind=Kind.API, lifetime=call.settings.lifetime, mint=mint)
    return {"token": (await login(call.env, call.origin, proven, start)).token}


async def log_out(call: Call[Settings]) -> Mapping[str, str]:
    """The body is never looked at: axios sends the four bytes `null`, others nothing or JSON."""
    caller = await bearer_of(call, counts_as_use=False)
    if caller.session is not None:
        await logout(call.env, caller, OneSession(session=caller.session.id))
    return {}


async def keep_alive(call: Call[Settings]) -> Mapping[str, str]:
    await bearer_of(call)
    return {}


async def security_settings(call: Call[Settings]) -> Mapping[str, str]:
    await bearer_of(call)
    settings = call.settings
    return {
        "allow-username-save": "true" if settings.allow_username_save else "false",
        "token-lifespan-timeout": str(settings.token_lifespan_timeout),
        "token-inactivity-timeout": str(settings.token_inactivity_timeout),
    }


async def login_instructions(call: Call[Settings]) -> Mapping[str, str]:
    settings = call.settings
    return {
        "instructions": settings.instructions,
        "username-label": settings.username_label,
        "password-label": settings.password_label,
    }


@dataclass(frozen=True, slots=True)
class Command:
    methods: tuple[str, ...]
    run: Callable[[Call[Settings]], Awaitable[Mapping[str, str]]]


COMMANDS: Mapping[str, Command] = {
    "loginUser": Command(("POST",), log_in),
    "logoutUser": Command(("POST",), log_out),
    "keepAlive": Command(("GET", "POST"), keep_alive),
    "getSecuritySettings": Command(("GET", "POST"), security_settings),
    "getLoginInstructions": Command(("GET", "POST"), login_instructions),
}


async def submit(call: Call[Settings]) -> Reply:
    said = pairs(call.query)
    name, shape = one(said, "cmd"), one(said, "format")
    if not name:
        raise Invalid("cmd", "is required")
    command = COMMANDS.get(name)
    if command is None:
        return page(404, f"The command is not known.{echo(call)}")
    call.trail.route = f"{call.trail.route}?cmd={name}"
    if call.method not in command.methods:
        return await unknown(call.with_(allow=command.methods))
    values = await command.run(call)
    reply = json_reply({"data": {"type": name, **values}}) if shape == "json" else lines(values)
    return reply.plus(("Cache-Control", "no-store"))


async def bearer_of(call: Call[Settings], *, counts_as_use: bool = True) -> Caller:
    """Who holds the token of the header or, where there is none, of the address."""
    try:
        token = bearer(call) or one(pairs(call.query), "token")
    except Invalid as error:
        raise NotAuthenticated("no readable token") from error
    if not token:
        raise NotAuthenticated("no token")
    return await validate(call.env, call.tenant, token, call.origin, counts_as_use=counts_as_use)


def mint(entropy: Entropy, _session: SessionId, _ends: Instant) -> str:
    """Shaped like `ws31012566e36e3be2c9:-28aff589:18a2758240d:-7c4e0.5767652570173257`.

    The vendor's groups tell host, counter and time; here all 217 bits of them are random.
    """
    digits = entropy.bytes(21).hex()
    fraction = int.from_bytes(entropy.bytes(16)) % 10**16
    return f"ws{digits[:18]}:-{digits[18:26]}:{digits[26:37]}:-{digits[37:41]}0.{fraction:016d}"
