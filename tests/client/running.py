"""A real authority, real applications in processes of their own, and a network that can be cut."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.e2e.server import Server, clean_environ, demo
from tests.ports import free_port

SECRET = "a secret that is long enough"
ENVIRON = {"LASTCALL__DIALECTS__NATIVE__SERVICES__WIKI__SECRET": SECRET}
PATIENCE = 180.0
PASSWORDS = {"monitor": "Monitor_1234", "engineer": "Engineer_1234", "admin": "Admin_1234"}


@contextmanager
def authority(folder: Path) -> Iterator[Server]:
    with demo(folder, environ=ENVIRON) as server:
        yield server


def log_in(url: str, username: str = "monitor") -> str:
    body = {"username": username, "password": PASSWORDS[username]}
    reply = requests.post(f"{url}/v1/login", json=body, timeout=30)
    assert reply.status_code == 200, reply.text
    token: str = reply.json()["token"]
    return token


def log_out(url: str, token: str) -> None:
    reply = requests.post(f"{url}/v1/logout", headers=bearer(token), timeout=30)
    assert reply.status_code == 200, reply.text


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@dataclass
class App:
    process: subprocess.Popen[bytes]
    url: str

    def me(self, token: str = "") -> int:
        headers = bearer(token) if token else {}
        return requests.get(f"{self.url}/me", headers=headers, timeout=30).status_code


@contextmanager
def app(kind: str, authority_url: str, **environ: str) -> Iterator[App]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.client.apps", kind, str(port)],
        stdin=subprocess.PIPE,
        env={
            **clean_environ(),
            "LASTCALL_URL": authority_url,
            "LASTCALL_SECRET": SECRET,
            **environ,
        },
    )
    try:
        one = App(process, f"http://127.0.0.1:{port}")
        _wait(one)
        yield one
    finally:
        process.send_signal(18)  # SIGCONT, for one that was stopped
        process.terminate()
        assert process.stdin is not None
        process.stdin.close()
        process.wait(PATIENCE)


def _wait(one: App) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        assert one.process.poll() is None, "the application ended"
        with suppress(requests.ConnectionError):
            if requests.get(f"{one.url}/public/hello", timeout=30).status_code == 200:
                return
        assert time.monotonic() < end, "the application does not come up"
        time.sleep(0.05)


class Proxy:
    """A TCP connection between two, in a thread of its own, that can be told to drop everything.

    `dropping` bytes are read and lost, on connections that stay open, as a broken network does;
    `port` is where it listens, `target` where it goes.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.dropping = False
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop
        ).result()
        self.port: int = self._server.sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def reset(self) -> None:
        """Break every connection there is; new ones may be made."""

        async def broken() -> None:
            for task in list(self._tasks):
                task.cancel()

        asyncio.run_coroutine_threadsafe(broken(), self._loop).result()

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(OSError):
                there, back = await asyncio.open_connection("127.0.0.1", self.target)
                try:
                    await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
                finally:
                    back.close()
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65_536):
            if not self.dropping:
                writer.write(piece)
                await writer.drain()
        raise ConnectionResetError


@contextmanager
def proxy(target_url: str) -> Iterator[Proxy]:
    one = Proxy(int(target_url.rsplit(":", 1)[1]))
    try:
        yield one
    finally:
        one.close()
