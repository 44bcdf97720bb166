"""C44: whoever sits in another's place cannot turn that against anybody, nor outlast the right."""

import pytest

from lastcall.dialects.native import NATIVE, Service, Settings
from tests.native.client import Client, content
from tests.world import make_world


class Sitting:
    """An administrator in the place of another, whose own rights are as great."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.own = self.other = self.inside = ""

    async def begin(self) -> "Sitting":
        ask = self.client.ask
        first = await self.client.log_in("admin")
        stepped = await ask("POST", "/v1/step-up", {"password": "Admin_1234"}, first)
        self.own = content(stepped)["token"]
        self.other = await self.client.log_in("tess", code="backup01")
        begun = await ask(
            "POST", "/v1/impersonate", {"username": "tess", "reason": "ticket 7"}, self.own
        )
        self.inside = content(begun)["token"]
        return self

    async def session(self, token: str) -> str:
        reply = await self.client.ask("GET", "/v1/session", None, token)
        return str(content(reply)["id"]) if reply.status == 200 else ""

    async def alive(self) -> list[bool]:
        """One's own session, the other's own, and the one inside."""
        return [bool(await self.session(one)) for one in (self.own, self.other, self.inside)]


@pytest.fixture
async def sitting() -> Sitting:
    return await Sitting(Client(await make_world(), Settings())).begin()


async def test_from_inside_nothing_of_anybody_ends(sitting: Sitting) -> None:
    ids = [await sitting.session(one) for one in (sitting.own, sitting.other)]
    scopes = [
        {"kind": "subject", "subject": "u-admin"},
        {"kind": "subject", "subject": "u-monitor"},
        {"kind": "dialect", "dialect": "native"},
        {"kind": "tenant"},
        {"kind": "tenant", "keep_own": True},
        *({"kind": "session", "session": one} for one in ids),
    ]
    ask = sitting.client.ask
    for scope in scopes:
        reply = await ask("POST", "/v1/logout", {"scope": scope}, sitting.inside)
        assert reply.status == 403, scope
    for one in ids:
        reply = await ask("DELETE", f"/v1/sessions/{one}", None, sitting.inside)
        assert reply.status == 403
    reply = await ask("POST", "/v1/logout/preview", {}, sitting.inside)
    assert reply.status == 403
    reply = await ask("POST", "/v1/logout", {"scope": {"kind": "others"}}, sitting.inside)
    assert content(reply)["sessions_ended"] == 0
    assert await sitting.alive() == [True, True, True]


async def test_out_of_everything_from_inside_is_out_of_it_alone(sitting: Sitting) -> None:
    scope = {"scope": {"kind": "subject", "subject": "u-tess"}}
    reply = await sitting.client.ask("POST", "/v1/logout", scope, sitting.inside)
    assert content(reply)["sessions_ended"] == 1
    assert await sitting.alive() == [True, True, False]


@pytest.mark.parametrize("everything", [True, False])
async def test_whoever_is_impersonated_ends_it(sitting: Sitting, everything: bool) -> None:
    inside = await sitting.session(sitting.inside)
    scope = {"kind": "subject", "subject": "u-tess"} if everything else None
    scope = scope or {"kind": "session", "session": inside}
    reply = await sitting.client.ask("POST", "/v1/logout", {"scope": scope}, sitting.other)
    assert reply.status == 200
    assert await sitting.alive() == [True, not everything, False]


async def test_whoever_impersonates_takes_it_along(sitting: Sitting) -> None:
    scope = {"scope": {"kind": "others"}}
    reply = await sitting.client.ask("POST", "/v1/logout", scope, sitting.own)
    assert content(reply)["sessions_ended"] == 1
    assert await sitting.alive() == [True, True, False]


async def test_introspection_names_who_really_acts(sitting: Sitting) -> None:
    services = {"shop": Service(secret="s" * 20)}
    client = Client(sitting.client.world, Settings(services=services))
    for token, actor in ((sitting.inside, {"sub": "u-admin"}), (sitting.other, None)):
        call = client.world.call(
            NATIVE,
            "POST",
            "/v1/introspect",
            {
                "Authorization": "Bearer " + "s" * 20,
                "Content-Type": "application/x-www-form-urlencoded",
            },
            f"token={token}".encode(),
            settings=client.settings,
        )
        told = content(await NATIVE.answer(call))
        assert (told["sub"], told.get("act")) == ("u-tess", actor)
