"""Handles against the vendor's own: the page's strings, the masks, and the signed cookie."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastcall.dialects.soajs.handles import (
    SID,
    SWAPS,
    cookie_value,
    handle,
    masked,
    new_sid,
    sid_of,
    sid_of_cookie,
)
from tests.fakes import CountingEntropy

FROM_THE_PAGE = {
    "Basic c29hanM6QzAyMzcybVZla3AybWdjODNxNHJOSnQ3QVJkVktlNmdMd0U=": (
        "C02",
        "372m8ekp24gcV3qmrNJt7ARdVKe6gLwE",
    ),
    "Basic c29hanM6QzAxNkh5YXdPclhESVkxeU1makJyYV85OHdza2k5bWVDRTY=": (
        "C01",
        "6Hy1wOrjDIYayMfXBra_98wski9meCE6",
    ),
    "Basic c29hanM6QzAzNXFWNTNVbi1zV1FpNjFWQkloMXZoZG9aTnlwSjV0WHQ=": (
        "C03",
        "5qV531n-sWQB6UViIh1vhdoZNypJ5tXt",
    ),
}
SID_3 = "5qV531n-sWQB6UViIh1vhdoZNypJ5tXt"
SECRET = "this is antoine hage app server"
COOKIE = "s%3A5qV531n-sWQB6UViIh1vhdoZNypJ5tXt.PKbmpztToE9FHsYgahr90bKh%2FznRaxyvtIuv%2F1GS2oQ"

sids = st.from_regex(SID, fullmatch=True)


@pytest.mark.parametrize(("text", "known"), FROM_THE_PAGE.items())
def test_the_known_handles_are_read(text: str, known: tuple[str, str]) -> None:
    assert sid_of(text) == known[1]


@pytest.mark.parametrize(("text", "known"), FROM_THE_PAGE.items())
def test_the_known_handles_are_written(text: str, known: tuple[str, str]) -> None:
    code, sid = known
    entropy = CountingEntropy()
    written = {handle(entropy, sid) for _ in range(60)}
    assert text in written
    assert len(written) == len(SWAPS), "each mask is drawn at some time, and none but these"
    assert masked(masked(sid, code), code) == sid


@given(sids, st.sampled_from(sorted(SWAPS)))
def test_a_mask_undoes_itself(sid: str, code: str) -> None:
    assert masked(masked(sid, code), code) == sid


@given(sids)
def test_every_handle_leads_back_to_its_session(sid: str) -> None:
    assert sid_of(handle(CountingEntropy(), sid)) == sid


@pytest.mark.parametrize(
    "text",
    [
        "junk before Basic c29hanM6QzAyMzcybVZla3AybWdjODNxNHJOSnQ3QVJkVktlNmdMd0U=",
        "Basic%20c29hanM6QzAyMzcybVZla3AybWdjODNxNHJOSnQ3QVJkVktlNmdMd0U%3D",
        "Basic c29hanM6QzAyMzcybVZla3AybWdjODNxNHJOSnQ3QVJkVktlNmdMd0U",
        "Basic c29hanM6QzAyMzcy*bVZla3AybWdjODNxNHJOSnQ3QVJkVktlNmdMd0U=tail",
    ],
)
def test_reading_is_as_lenient_as_the_vendors(text: str) -> None:
    assert sid_of(text) == "372m8ekp24gcV3qmrNJt7ARdVKe6gLwE"


def test_an_unknown_code_means_no_mask() -> None:
    assert (
        sid_of("Basic c29hanM6WDk5NXFWNTMxbi1zV1FCNlVWaUloMXZoZG9aTnlwSjV0WHQ=") == SID_3
    )  # soajs:X99...


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Basic",
        "Basic ",
        "Basic %zz",
        "Basic %",
        "Basic %ff",
        "Basic \udcff",
        "basic c29hanM6QzAyMzcybVZla3AybWdjODNxNHJOSnQ3QVJkVktlNmdMd0U=",
        "Bearer c29hanM6QzAyMzcybVZla3AybWdjODNxNHJOSnQ3QVJkVktlNmdMd0U=",
        "Basic c29hanM6",
        "Basic c29hanM6QzAx",
        "Basic c29hanM6QzAxc2hvcnQ=",
        "Basic bm9ib2R5OkMwMTM3MjhtVmVrcDJtZ2M4M3E0ck5KdDdBUmRWS2U2Z0x3RQ==",
        "Basic \N{SNOWMAN}",
        "Basic ====",
    ],
)
def test_anything_else_is_no_session(text: str) -> None:
    assert sid_of(text) is None


@given(st.text())
def test_nothing_breaks_the_reader(text: str) -> None:
    for found in (sid_of(f"Basic {text}"), sid_of(text), sid_of_cookie(text, SECRET)):
        assert found is None or SID.fullmatch(found)


def test_the_known_cookie() -> None:
    assert cookie_value(SID_3, SECRET) == COOKIE
    assert sid_of_cookie(COOKIE, SECRET) == SID_3
    assert sid_of_cookie(COOKIE.replace("%3A", ":"), SECRET) == SID_3


@pytest.mark.parametrize(
    "value",
    [
        COOKIE.replace("PKbm", "PKbn"),
        COOKIE.replace("5qV5", "5qV6"),
        COOKIE.removeprefix("s%3A"),
        COOKIE.partition(".")[0],
        COOKIE.partition(".")[0] + ".",
        SID_3,
        "s%3A.",
        "",
        "s%zz",
        "s%3A\udc80.x",
    ],
)
def test_a_cookie_that_was_not_signed_here_is_no_session(value: str) -> None:
    assert sid_of_cookie(value, SECRET) is None


def test_a_cookie_of_another_secret_is_no_session() -> None:
    assert sid_of_cookie(COOKIE, SECRET + "!") is None


def test_session_ids_look_like_express_sessions() -> None:
    entropy = CountingEntropy()
    drawn = {new_sid(entropy) for _ in range(100)}
    assert len(drawn) == 100
    assert all(SID.fullmatch(sid) for sid in drawn)
