"""The fixture for applications' tests: what it says, and who still lets a token in."""

from collections.abc import Iterator

import pytest
import requests

from lastcall.client import ThreadedGuard
from lastcall.client.testing import AssertLoggedOut, AuthorityAccess
from tests.client.running import PATIENCE, SECRET, authority, bearer, log_in, log_out
from tests.e2e.server import Server

pytestmark = pytest.mark.e2e
pytest_plugins = ["pytester"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with authority(tmp_path_factory.mktemp("authority")) as one:
        yield one


def asserting(server: Server, list_with: str = "") -> AssertLoggedOut:
    access = AuthorityAccess(url=server.url, service="wiki", secret=SECRET, list_with=list_with)
    return AssertLoggedOut(lambda: access)


def test_it_is_silent_once_everybody_refuses(server: Server) -> None:
    token = log_in(server.url)
    with ThreadedGuard(server.url, "wiki", SECRET, patience=PATIENCE) as guard:
        assert guard.check(token) is not None
        log_out(server.url, token)
        asserting(server)(
            token, where={"my guard": guard, "my app": lambda _: False}, within=PATIENCE
        )


def test_it_names_whoever_accepts_it_still_and_never_the_token(server: Server) -> None:
    token = log_in(server.url)
    with ThreadedGuard(server.url, "wiki", SECRET, patience=PATIENCE) as guard:
        assert guard.check(token) is not None
        with pytest.raises(AssertionError) as told:
            asserting(server)(
                token, where={"my guard": guard, "my app": lambda _: True}, within=0.05
            )
    said = str(told.value)
    assert said.startswith("still logged in after 0.05 s:")
    assert "the authority accepts the token: session " in said
    assert "my guard accepts the token: session " in said
    assert "my app accepts the token." in said
    assert token not in said


def test_every_session_of_a_subject(server: Server) -> None:
    admin = log_in(server.url, "admin")
    token = log_in(server.url, "engineer")
    me = requests.get(f"{server.url}/v1/me", headers=bearer(token), timeout=30).json()
    asked = asserting(server, admin)
    with ThreadedGuard(server.url, "wiki", SECRET, patience=PATIENCE) as guard:
        assert guard.check(token) is not None
        with pytest.raises(AssertionError, match="the authority has session"):
            asked(subject=me["subject"], where={"my guard": guard}, within=0.0)
        scope = {"scope": {"kind": "subject", "subject": me["subject"]}}
        done = requests.post(
            f"{server.url}/v1/logout", json=scope, headers=bearer(admin), timeout=30
        )
        assert done.status_code == 200
        asked(subject=me["subject"], where={"my guard": guard}, within=PATIENCE)


async def test_for_tests_that_are_coroutines(server: Server) -> None:
    token = log_in(server.url)
    log_out(server.url, token)
    await asserting(server).soon(token, within=PATIENCE)
    with pytest.raises(ValueError, match="nothing to look for"):
        await asserting(server).soon()


def test_it_comes_with_the_package(pytester: pytest.Pytester, server: Server) -> None:
    token, gone = log_in(server.url), log_in(server.url)
    log_out(server.url, gone)
    pytester.makepyfile(
        f"""
        def test_out(assert_logged_out):
            assert_logged_out({gone!r}, within=60)

        def test_in(assert_logged_out):
            assert_logged_out({token!r}, within=0.05)
        """
    )
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LASTCALL_URL", server.url)
        environment.setenv("LASTCALL_SERVICE", "wiki")
        environment.setenv("LASTCALL_SECRET", SECRET)
        done = pytester.runpytest_subprocess()
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["*still logged in after 0.05 s:", "*the authority accepts*"])


def test_it_says_what_is_missing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_out(assert_logged_out): assert_logged_out('t')")
    done = pytester.runpytest_subprocess()
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*LASTCALL_URL and LASTCALL_SERVICE and LASTCALL_SECRET not set*"])
