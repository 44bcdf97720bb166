"""The collector of traces: where it is, and what is sent along."""

from pathlib import Path

import pytest

from lastcall.settings import LastcallSettings, SettingsWrong, read
from tests.settings.dialects import DIALECTS


def settings(text: str, base: Path) -> LastcallSettings:
    return read(f"[telemetry]\n{text}", {}, DIALECTS, base=base)


def test_a_header_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("Bearer s3cret\n")
    (tmp_path / "key").chmod(0o600)
    text = 'otlp_endpoint = "https://traces.example.com/v1/traces"\nsample = 0.1\n'
    found = settings(f'{text}headers = {{ authorization_file = "key" }}', tmp_path).telemetry
    assert found.headers == {"authorization": "Bearer s3cret"}
    assert "s3cret" not in repr(found)
    assert (found.sample, found.service, found.tell_applications) == (0.1, "lastcall", False)


@pytest.mark.parametrize(
    "text",
    [
        'otlp_endpoint = "collector:4318"',
        'otlp_endpoint = "ftp://collector/v1/traces"',
        'otlp_endpoint = "http://name:password@collector/v1/traces"',
        'otlp_endpoint = "http://[::1/v1/traces"',
        'headers = { "a b" = "c" }',
        'headers = { authorization = "Bearer \u00e9" }',
        'headers = { authorization = "a\\nb" }',
        "sample = 1.5",
        "sample = -0.1",
    ],
)
def test_what_cannot_be(text: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsWrong) as caught:
        settings(text, tmp_path)
    (problem,) = caught.value.problems
    assert problem.key.startswith("telemetry.")
