"""For pytest: the fixtures of `lastcall.client.testing`, which is loaded when one is asked for."""

from typing import Any

import pytest


@pytest.fixture(scope="session")
def lastcall_authority() -> Any:
    """Where the authority under test is; from the environment unless it is overridden."""
    from lastcall.client.testing import AuthorityAccess

    try:
        return AuthorityAccess.from_environment()
    except ValueError as error:
        return pytest.fail(str(error), pytrace=False)


@pytest.fixture
def assert_logged_out(request: pytest.FixtureRequest) -> Any:
    """Fails unless tokens, or all sessions of a subject, are refused by everybody; says who does
    not."""
    from lastcall.client.testing import AssertLoggedOut

    return AssertLoggedOut(lambda: request.getfixturevalue("lastcall_authority"))
