"""Times in words and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastcall.domain.types import instant_of, iso_time


@given(st.integers(0, 253_402_300_799_999))
def test_there_and_back(at: int) -> None:
    assert instant_of(iso_time(at)) == at


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t01:00:00.5+01:00", 500),
        ("2026-11-21 05:04:03.210z", 1_795_237_443_210),
    ],
)
def test_other_spellings(text: str, at: int) -> None:
    assert instant_of(text) == at


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "2026-11-21",
        "2026-11-21T05:04:03",
        "2026-13-21T05:04:03Z",
        "2026-11-21T05:04:03Z\n",
        "٢026-11-21T05:04:03Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"RFC 3339|range|month"):
        instant_of(text)
