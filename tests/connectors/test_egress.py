"""The way out, against receivers that are everything but nice."""

import asyncio
import gzip
import os
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lastcall.domain.types import Duration
from lastcall.egress import MOST_OF_A_BODY, HttpEgress
from lastcall.outward import Answer, NoAnswer
from tests.connectors.certificates import DAY, Authority, authority
from tests.connectors.making import Names
from tests.connectors.receivers import Exchange, Liar, answers, hangs, liars, receiver, reset

SECOND = Duration(1_000)
LONG = Duration(60_000)
LIARS = liars()


async def ask(
    egress: HttpEgress, url: str, within: Duration = LONG, *, private: bool = True
) -> Answer:
    return await egress.request("POST", url, body=b"told", within=within, private=private)


async def refusal(
    egress: HttpEgress, url: str, within: Duration = LONG, *, private: bool = True
) -> NoAnswer:
    with pytest.raises(NoAnswer) as caught:
        await ask(egress, url, within, private=private)
    return caught.value


@asynccontextmanager
async def way(names: Names, authorities: Path | None = None) -> AsyncIterator[HttpEgress]:
    made = HttpEgress(look_up=names, authorities=authorities)
    try:
        yield made
    finally:
        await made.close()


async def test_a_request_arrives_as_it_was_made(egress: HttpEgress) -> None:
    async with receiver(answers(200, body=b"yes", headers={"X-Odd": "1", "x-odd": "2"})) as there:
        answer = await egress.request(
            "POST",
            there.url("/a/../b%2F?x=%20+&y"),
            headers={"Content-Type": "text/plain"},
            body=b"told",
            within=LONG,
            private=True,
        )
    assert (answer.status, answer.body) == (200, b"yes")
    assert answer.headers["x-odd"] == "1, 2"
    (seen,) = there.seen
    assert (seen.method, seen.target, seen.body) == ("POST", "/a/../b%2F?x=%20+&y", b"told")
    assert seen.headers["host"] == f"127.0.0.1:{there.port}"
    assert seen.headers["content-type"] == "text/plain"
    assert seen.headers["accept-encoding"] == "identity"
    assert not {"cookie", "authorization", "referer", "expect"} & set(seen.headers)


async def test_nothing_is_said_of_a_body_that_is_not_there(egress: HttpEgress) -> None:
    async with receiver(answers(200)) as there:
        await egress.request("POST", there.url(), within=LONG, private=True)
    (seen,) = there.seen
    assert seen.body == b""
    assert "content-type" not in seen.headers


@pytest.mark.parametrize("liar", LIARS.values(), ids=LIARS)
async def test_what_each_liar_comes_to(egress: HttpEgress, liar: Liar) -> None:
    within = SECOND if liar.reason == "timeout" else LONG
    began = time.monotonic()
    async with receiver(liar.behave) as there:
        if liar.reason:
            error = await refusal(egress, there.url(), within)
            assert (error.reason, error.sent) == (liar.reason, True)
        for status in liar.statuses:
            assert (await ask(egress, there.url())).status == status
    assert len(there.seen) == max(1, len(liar.statuses))
    assert time.monotonic() - began < LONG / 1_000


async def test_nothing_is_unpacked(egress: HttpEgress) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    assert len(bomb) < MOST_OF_A_BODY
    async with receiver(answers(200, body=bomb, headers={"Content-Encoding": "gzip"})) as there:
        assert (await ask(egress, there.url())).body == bomb


async def test_as_much_as_is_read_at_most(egress: HttpEgress) -> None:
    async with receiver(answers(200, body=b"x" * MOST_OF_A_BODY)) as there:
        assert len((await ask(egress, there.url())).body) == MOST_OF_A_BODY
    async with receiver(answers(200, body=b"x" * (MOST_OF_A_BODY + 1))) as there:
        assert (await refusal(egress, there.url())).reason == "too-large"


async def test_a_body_in_chunks_is_capped_the_same(egress: HttpEgress) -> None:
    async def chunks(exchange: Exchange) -> None:
        body = b"x" * (MOST_OF_A_BODY + exchange.number - 1)
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        await exchange.raw(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))

    async with receiver(chunks) as there:
        assert len((await ask(egress, there.url())).body) == MOST_OF_A_BODY
        assert (await refusal(egress, there.url())).reason == "too-large"


async def test_no_cookie_is_kept(egress: HttpEgress) -> None:
    async with receiver(answers(200, headers={"Set-Cookie": "a=b; Path=/"})) as there:
        await ask(egress, there.url())
        await ask(egress, there.url())
    assert "cookie" not in there.seen[1].headers


async def test_a_connection_serves_many_requests(egress: HttpEgress) -> None:
    async with receiver(answers(204)) as there:
        for _ in range(5):
            await ask(egress, there.url())
        assert there.connections == 1


async def test_one_that_hangs_holds_up_nobody_else(egress: HttpEgress) -> None:
    async with receiver(hangs) as bad, receiver(answers(204)) as good:
        waiting = [asyncio.create_task(ask(egress, bad.url())) for _ in range(20)]
        assert (await ask(egress, good.url())).status == 204
        assert not any(one.done() for one in waiting)
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_nobody_there_is_known_not_to_have_been_told(egress: HttpEgress) -> None:
    async with receiver(answers(204)) as there:
        pass
    error = await refusal(egress, there.url())
    assert (error.reason, error.sent) == ("connect", False)


async def test_a_connection_reset_at_once(egress: HttpEgress) -> None:
    async with receiver(answers(204), greet=reset) as there:
        assert (await refusal(egress, there.url())).reason in ("lost", "connect")


async def test_a_name_nobody_knows() -> None:
    async with way(Names({"empty.example": [[]]})) as egress:
        for host in ("unknown.example", "empty.example"):
            error = await refusal(egress, f"http://{host}:8080/")
            assert (error.reason, error.sent) == ("connect", False)


async def test_a_look_up_that_takes_too_long() -> None:
    async def never(host: str) -> list[str]:
        await asyncio.sleep(3_600)
        return []

    egress = HttpEgress(look_up=never)
    try:
        error = await refusal(egress, "http://slow.example:8080/", Duration(200))
    finally:
        await egress.close()
    assert (error.reason, error.sent) == ("timeout", False)


async def test_a_header_cannot_carry_another(egress: HttpEgress) -> None:
    async with receiver(answers(204)) as there:
        with pytest.raises(NoAnswer) as caught:
            await egress.request(
                "POST",
                there.url(),
                headers={"Authorization": "Bearer x\r\nX-Evil: 1"},
                within=LONG,
                private=True,
            )
    assert not caught.value.sent
    assert there.seen == []


async def test_117_no_connection_to_an_address_that_is_not_public() -> None:
    names = Names({"inside.example": [["127.0.0.1"]], "mapped.example": [["::ffff:127.0.0.1"]]})
    async with receiver(answers(204)) as there, way(names) as egress:
        for host in ("127.0.0.1", "inside.example", "mapped.example"):
            error = await refusal(egress, f"https://{host}:{there.port}/", private=False)
            assert (error.reason, error.sent) == ("address", False)
        error = await refusal(egress, f"http://mapped.example:{there.port}/")
        assert error.reason == "address"
        assert there.connections == 0


async def test_118_a_name_is_looked_up_once_and_what_was_checked_is_connected_to() -> None:
    names = Names({"rp.example": [["127.0.0.1"], ["127.0.0.2"]]})
    async with (
        receiver(answers(204)) as there,
        receiver(answers(200), host="127.0.0.2", port=there.port) as evil,
        way(names) as egress,
    ):
        assert (await ask(egress, there.url(host="rp.example"))).status == 204
        assert names.asked == ["rp.example"]
        assert there.seen[0].headers["host"] == f"rp.example:{there.port}"
        assert evil.connections == 0


async def test_118_a_name_that_comes_to_point_inside_is_refused() -> None:
    """The first answer is allowed, the second a metadata service."""
    names = Names({"rp.example": [["127.0.0.1"], ["169.254.169.254"]]})
    async with way(names) as egress:
        async with receiver(answers(204)) as there:
            assert (await ask(egress, there.url(host="rp.example"))).status == 204
        await asyncio.sleep(0)
        errors = [await refusal(egress, there.url(host="rp.example")) for _ in range(2)]
    assert errors[-1].reason == "address"


async def test_118_of_several_addresses_only_those_that_pass_are_used() -> None:
    """The first two would lead to 127.0.0.1 as well as its plain spelling does."""
    names = Names(
        {
            "rp.example": [["0.0.0.0", "::ffff:127.0.0.1", "127.0.0.2"]],
            "rebound.example": [["10.0.0.1", "127.0.0.1"]],
        }
    )
    async with (
        receiver(answers(500)) as evil,
        receiver(answers(204), host="127.0.0.2", port=evil.port) as there,
        way(names) as egress,
    ):
        for _ in range(4):
            answer = await egress.request(
                "POST",
                there.url(host="rp.example"),
                headers={"Connection": "close"},
                within=LONG,
                private=True,
            )
            assert answer.status == 204
        error = await refusal(egress, f"https://rebound.example:{there.port}/", private=False)
        assert error.reason == "address"
        assert evil.connections == 0


async def test_118_a_private_connection_serves_no_public_client(tmp_path: Path) -> None:
    ours, names = authority(tmp_path / "ca"), Names({"rp.example": [["127.0.0.1"]]})
    async with (
        receiver(answers(204), tls=ours.serving("rp.example")) as there,
        way(names, ours.file) as egress,
    ):
        assert (await ask(egress, there.url(host="rp.example"))).status == 204
        error = await refusal(egress, there.url(host="rp.example"), private=False)
        assert error.reason == "address"


async def test_an_address_may_change() -> None:
    names = Names({"rp.example": [["127.0.0.1"], ["127.0.0.2"]]})
    async with way(names) as egress:
        async with receiver(answers(204)) as there:
            assert (await ask(egress, there.url(host="rp.example"))).status == 204
        async with receiver(answers(202), host="127.0.0.2", port=there.port):
            error = await refusal(egress, there.url(host="rp.example"))
            assert error.reason == "connect"
            assert (await ask(egress, there.url(host="rp.example"))).status == 202


async def test_119_redirects_are_not_followed(egress: HttpEgress) -> None:
    async with receiver(answers(204)) as elsewhere:
        targets = ("file:///etc/passwd", elsewhere.url(), "//127.0.0.1/", "/again")
        for status in (301, 302, 303, 307, 308):
            for location in targets:
                behave = answers(status, headers={"Location": location})
                async with receiver(behave) as there:
                    assert (await ask(egress, there.url())).status == status
                    assert len(there.seen) == 1
    assert elsewhere.seen == []


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return authority(tmp_path / "ours")


async def test_121_a_certificate_of_a_known_authority_is_good(ours: Authority) -> None:
    names = Names({"rp.example": [["127.0.0.1"]]})
    async with (
        receiver(answers(204), tls=ours.serving("rp.example")) as there,
        way(names, ours.file) as egress,
    ):
        assert (await ask(egress, there.url(host="rp.example"))).status == 204
        assert (await refusal(egress, there.url())).reason == "tls"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
@pytest.mark.parametrize("fault", ["expired", "not yet", "other host", "unknown authority", "old"])
async def test_121_any_other_is_not(ours: Authority, tmp_path: Path, fault: str) -> None:
    match fault:
        case "expired":
            tls = ours.serving("rp.example", age=3 * DAY, life=DAY)
        case "not yet":
            tls = ours.serving("rp.example", age=-DAY)
        case "other host":
            tls = ours.serving("other.example")
        case "unknown authority":
            tls = authority(tmp_path / "theirs").serving("rp.example")
        case _:
            tls = ours.serving("rp.example")
            tls.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            tls.maximum_version = ssl.TLSVersion.TLSv1_1
            tls.set_ciphers("ALL:@SECLEVEL=0")
    names = Names({"rp.example": [["127.0.0.1"]]})
    async with receiver(answers(204), tls=tls) as there, way(names, ours.file) as egress:
        error = await refusal(egress, there.url(host="rp.example"))
        assert error.reason == "tls" or (fault == "old" and error.reason == "connect")
        assert not error.sent
        assert there.seen == []


async def test_121_a_server_that_wants_a_certificate_of_ours_is_not_told(ours: Authority) -> None:
    tls = ours.serving("rp.example")
    tls.load_verify_locations(ours.file)
    tls.verify_mode = ssl.CERT_REQUIRED
    names = Names({"rp.example": [["127.0.0.1"]]})
    async with receiver(answers(204), tls=tls) as there, way(names, ours.file) as egress:
        assert (await refusal(egress, there.url(host="rp.example"))).reason in ("tls", "lost")
        assert there.seen == []


async def test_121_https_to_a_server_without_tls(egress: HttpEgress) -> None:
    async with receiver(answers(204)) as there:
        error = await refusal(egress, there.url().replace("http:", "https:"), SECOND)
        assert not error.sent
        assert there.seen == []


@pytest.fixture
def proxied() -> Iterator[None]:
    named = {f"{scheme}_proxy": "http://127.0.0.1:9" for scheme in ("http", "https", "all")}
    before = {name: os.environ.get(name) for name in named}
    os.environ.update(named)
    yield
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


@pytest.mark.usefixtures("proxied")
async def test_127_no_proxy_is_taken_from_the_environment(egress: HttpEgress) -> None:
    async with receiver(answers(204)) as there:
        assert (await ask(egress, there.url())).status == 204


async def test_127_nothing_of_a_url_is_in_an_error() -> None:
    async with way(Names()) as egress:
        error = await refusal(egress, "https://rp.example/?token=canary", private=False)
    assert "canary" not in str(error)
    assert "canary" not in repr(error)


async def test_bytes_after_the_answer_do_not_reach_the_next_request(egress: HttpEgress) -> None:
    smuggled = asyncio.Event()

    async def smuggles(exchange: Exchange) -> None:
        await exchange.reply(204 if exchange.number == 1 else 500)
        if exchange.number == 1:
            await exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            smuggled.set()

    async with receiver(smuggles) as there:
        await ask(egress, there.url())
        await smuggled.wait()
        await asyncio.sleep(0.05)
        assert (await ask(egress, there.url())).status == 500
