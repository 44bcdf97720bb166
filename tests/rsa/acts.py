"""What the tests of this wire do over and over."""

from typing import Any

from lastcall.dialects.rsa import RSA
from lastcall.wire import Reply
from tests.world import World


def target(command: str, *more: str) -> str:
    return "&".join((f"/aveksa/command.submit?cmd={command}", *more))


def holding(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def ask(world: World, command: str, *more: str, token: str = "", **how: Any) -> Reply:
    headers = how.pop("headers", holding(token) if token else {})
    return await world.ask(RSA, "POST", target(command, *more), headers=headers, **how)


async def log_in(world: World, name: str = "john", password: str = "johnpassword") -> str:
    reply = await ask(world, "loginUser", body=login_body(name, password))
    assert reply.status == 200, reply.body
    return reply.body.decode().removeprefix("token=").removesuffix("\n")


def login_body(name: str, password: str) -> bytes:
    return f"<username>{name}</username><password>{password}</password>".encode()


def text_of(reply: Reply) -> str:
    """The message of an error page, still escaped."""
    page = reply.body.decode("utf-8")
    head, _, rest = page.partition("<body>")
    assert head == "<html>\n<head>\n<title>Error</title>\n</head>\n"
    message, _, end = rest.rpartition("</body>")
    assert end == "\n</html>"
    return message
