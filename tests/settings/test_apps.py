"""Applications in the configuration: their secrets, and rules over more than one key."""

from pathlib import Path

import pytest

from lastcall.settings import Complaint, LastcallSettings, SettingsWrong, read
from tests.settings.dialects import DIALECTS

WIKI = """\
[apps.wiki]
connector = "webhook"
timeout = "2s"
[apps.wiki.settings]
url = "https://wiki.example.com"
[apps.wiki.secrets]
"""

MUTE = 'is missing; an application that cannot be told says can = "none"'


def settings(text: str, base: Path, **environ: str) -> LastcallSettings:
    return read(text, environ, DIALECTS, base=base)


def wrong(text: str, base: Path) -> list[str]:
    with pytest.raises(SettingsWrong) as caught:
        settings(text, base)
    return [str(problem) for problem in caught.value.problems]


def test_a_secret_from_a_file_or_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "wiki.secret"
    file.write_text("s3cret\n")
    file.chmod(0o600)
    (app,) = settings(WIKI + 'secret_file = "wiki.secret"', tmp_path).apps.values()
    assert app.secrets == {"secret": "s3cret"}
    assert "s3cret" not in repr(app)
    name = "LASTCALL__APPS__WIKI__SECRETS__SECRET"
    (app,) = settings(WIKI, tmp_path, **{name: "12345"}).apps.values()
    assert app.secrets == {"secret": "12345"}
    (app,) = settings(WIKI, tmp_path, **{f"{name}_FILE": str(file)}).apps.values()
    assert app.secrets == {"secret": "s3cret"}
    url = {"LASTCALL__APPS__WIKI__SETTINGS__URL": "https://other.example.com"}
    (app,) = settings(WIKI, tmp_path, **url).apps.values()
    assert app.settings == {"url": "https://other.example.com"}


def test_every_mistake_is_told_with_its_line(tmp_path: Path) -> None:
    text = WIKI + 'secret = 5\nkey_file = "none"\n[apps.fax]\n[apps.x]\ncan = "fly"\n'
    told = wrong(text, tmp_path)
    assert told[0].startswith("line 7: apps.wiki.secrets.secret: expected text")
    assert "s3cret" not in told[0]
    assert "cannot be read" in told[1]
    assert told[2].startswith('line 11: apps.x.can: expected one of "new-tokens"')
    text = (
        '[apps.fax]\n[apps.mail]\ncan = "none"\ntenant = "acme"\n'
        '[apps.other]\ncan = "none"\nname = "fax"\ntimeout = "2m"\n'
    )
    assert wrong(text, tmp_path) == [
        f"line 1: apps.fax.connector: {MUTE}",
        "line 4: apps.mail.tenant: no such tenant, expected one of default",
        "line 7: apps.other.name: fax is apps.fax already",
        "line 8: apps.other.timeout: expected 100ms to 1m",
    ]


def test_rules_that_somebody_else_knows(tmp_path: Path) -> None:
    def odd(read_so_far: LastcallSettings) -> list[Complaint]:
        return [(("apps", name, "settings", "url"), "is odd") for name in read_so_far.apps]

    with pytest.raises(SettingsWrong) as caught:
        read(WIKI, {}, DIALECTS, base=tmp_path, more=odd)
    assert str(caught.value) == "line 5: apps.wiki.settings.url: is odd"
