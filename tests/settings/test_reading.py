"""Reading settings: defaults, the environment, files of secrets, and every error at once."""

from pathlib import Path

import msgspec
import pytest

from lastcall.domain.policy import Policy, WhenFull
from lastcall.domain.types import Duration, TenantId
from lastcall.settings import LastcallSettings, SettingsWrong, read, read_file
from tests.settings.dialects import DIALECTS, Key

HERE = Path(__file__).parent
DAY = 86_400_000
DEFAULT = TenantId("default")


def reading(text: str = "", base: Path = HERE, **environ: str) -> LastcallSettings:
    return read(text, environ, DIALECTS, base=base)


def refusal(text: str = "", base: Path = HERE, **environ: str) -> str:
    with pytest.raises(SettingsWrong) as caught:
        reading(text, base, **environ)
    return str(caught.value)


def test_an_empty_file_is_a_configuration() -> None:
    settings = reading()
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8700)
    assert list(settings.tenants) == ["default"]
    assert list(settings.dialects) == ["first", "second"]
    assert settings.tenants["default"].policy() == Policy()


def test_every_error_at_once() -> None:
    text = (HERE / "wrong.toml").read_text()
    environ = {
        "LASTCALL__SERVER__PROT": "80",
        "LASTCALL__STORE__KEY_FILE": "",
        "LASTCALL__DIALECTS__FIRST__DAYS": "many",
        "LASTCALLER": "is not ours",
    }
    assert refusal(text, HERE, **environ) + "\n" == (HERE / "wrong.txt").read_text()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[server\n", "line 1, column 8: not TOML: Expected ']' at the end of a table declaration"),
        ("a = 1\na = 2\nb = 3", "line 2, column 6: not TOML: Cannot overwrite a value"),
        ('a = "', "at the end: not TOML: Unterminated string"),
        ("a = " + "9" * 5_000, "not TOML: a number is too long, or it is nested too deeply"),
        ("a = " + "[" * 5_000, "not TOML: a number is too long, or it is nested too deeply"),
    ],
)
def test_what_is_not_toml(text: str, said: str) -> None:
    assert refusal(text) == said


def test_a_limit_may_be_set_in_part() -> None:
    settings = reading("[tenants.default.subject_lockout]\ntries = 3")
    usual = Policy().subject_lockout
    limit = settings.tenants["default"].policy().subject_lockout
    assert (limit.tries, limit.window, limit.lockout) == (3, usual.window, usual.lockout)


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [
        ('"90s"', 90_000),
        ('"5m"', 300_000),
        ('"12h"', 43_200_000),
        ('"250ms"', 250),
        ("30", 30_000),
        ('"1000000d"', 86_400_000_000_000),
    ],
)
def test_durations(written: str, milliseconds: int) -> None:
    settings = reading(f"[tenants.default]\nstep_up_life = {written}\nwhen_full = 'refuse'")
    assert settings.tenants["default"].policy().step_up_life == Duration(milliseconds)
    assert settings.tenants["default"].when_full is WhenFull.REFUSE


@pytest.mark.parametrize(
    "written",
    ['"5"', '"-5m"', '"5 weeks"', "true", "1.5", "-1", '""', '"1000001d"', "9" * 14, "9" * 40],
)
def test_what_is_no_duration(written: str) -> None:
    text = f"[tenants.default]\nstep_up_life = {written}"
    if written == '"5"':
        assert reading(text).tenants["default"].step_up_life == 5_000
    else:
        assert refusal(text).startswith("line 2: tenants.default.step_up_life: expected a duration")


class TestEnvironment:
    def test_it_overrides_the_file(self) -> None:
        settings = reading(
            "[server]\nport = 1\n[tenants.default]\nsecond_factor_for_others = true",
            LASTCALL__SERVER__PORT="8080",
            LASTCALL__SERVER__TRUSTED_PROXIES="10.0.0.0/8, 127.0.0.1",
            LASTCALL__TENANTS__DEFAULT__SECOND_FACTOR_FOR_OTHERS="false",
            LASTCALL__TENANTS__DEFAULT__HOSTS='["One.Example.com"]',
        )
        assert settings.server.port == 8080
        assert settings.server.trusted_proxies == ("10.0.0.0/8", "127.0.0.1/32")
        assert settings.tenants["default"].second_factor_for_others is False
        assert settings.tenants["default"].hosts == ("one.example.com",)

    def test_names_with_capitals_are_reached_in_any_case(self) -> None:
        settings = reading(LASTCALL__DIALECTS__FIRST__LOGOUTREACH="everywhere")
        assert settings.dialects["first"].logoutReach == "everywhere"

    def test_text_that_looks_like_a_number_stays_text(self) -> None:
        assert reading(LASTCALL__MAIL__USERNAME="42").mail.username == "42"

    def test_a_new_tenant_and_an_inline_table(self) -> None:
        settings = reading(
            LASTCALL__TENANTS__DEFAULT__SUBJECT_LOCKOUT='{ tries = 2, window = "1m" }',
        )
        assert settings.tenants["default"].policy().subject_lockout.tries == 2

    def test_problems_name_the_variable(self) -> None:
        said = refusal(LASTCALL__SERVER__PORT="high")
        assert said == (
            "environment LASTCALL__SERVER__PORT: server.port: "
            'expected a whole number from 0 to 65535, found "high"'
        )

    def test_a_section_is_not_a_value(self) -> None:
        said = refusal(LASTCALL__SERVER="x")
        assert said.startswith("environment LASTCALL__SERVER: server: expected a table")


class TestSecretsInFiles:
    def secret(self, folder: Path, mode: int = 0o600) -> None:
        file = folder / "secret"
        file.write_text("s3cret \n")
        file.chmod(mode)

    def test_the_newline_at_the_end_is_not_part_of_it(self, tmp_path: Path) -> None:
        self.secret(tmp_path)
        text = "[mail]\nusername = 'me'\npassword_file = 'secret'"
        assert reading(text, tmp_path).mail.password == "s3cret "

    def test_in_a_dialect_and_deeper(self, tmp_path: Path) -> None:
        self.secret(tmp_path)
        text = "[dialects.first.tenants.default]\nid = 'x'\nsecret_file = 'secret'"
        first = reading(text, tmp_path).dialects["first"]
        assert first.tenants["default"] == Key(id="x", secret="s3cret ")
        text = "[[dialects.first.clients]]\nid = 'x'\nsecret_file = 'secret'"
        assert reading(text, tmp_path).dialects["first"].clients[0].secret == "s3cret "

    def test_the_environment_may_name_the_file(self, tmp_path: Path) -> None:
        self.secret(tmp_path)
        settings = reading(
            "[mail]\nusername = 'me'\npassword = 'other'",
            tmp_path,
            LASTCALL__MAIL__PASSWORD_FILE=str(tmp_path / "secret"),
        )
        assert settings.mail.password == "s3cret "

    @pytest.mark.parametrize("mode", [0o604, 0o602, 0o666])
    def test_a_file_open_to_everybody_is_refused(self, tmp_path: Path, mode: int) -> None:
        self.secret(tmp_path, mode)
        said = refusal("[mail]\nusername = 'me'\npassword_file = 'secret'", tmp_path)
        assert said.startswith("line 3: mail.password_file: ")
        assert "is open to every user" in said
        assert "s3cret" not in said

    def test_not_both(self, tmp_path: Path) -> None:
        self.secret(tmp_path)
        said = refusal("[mail]\npassword = 'x'\npassword_file = 'secret'", tmp_path)
        assert said == "line 3: mail.password_file: set this or mail.password, not both"

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        said = refusal("[mail]\npassword_file = 'nowhere'", tmp_path)
        assert said.endswith("nowhere cannot be read: no such file or directory")

    def test_only_texts_come_from_files(self) -> None:
        assert refusal("[server]\nport_file = 'x'").startswith("line 2: server.port_file: unknown")


class TestRules:
    def test_retention_outlives_every_token(self) -> None:
        said = refusal("[dialects.first]\ndays = 30\n[tenants.default]\nretention = '30d'")
        assert said == (
            "line 4: tenants.default.retention: expected at least 31d: a day more than the "
            "longest session of dialects.first, found 30d"
        )

    def test_retention_left_alone_is_long_enough(self) -> None:
        assert reading().policies()[DEFAULT].retention == Policy().retention
        long = reading("[dialects.first]\ndays = 90").policies()[DEFAULT]
        assert long.retention == 91 * DAY

    def test_a_dialect_that_is_off_counts_for_nothing(self) -> None:
        reading("[dialects.first]\nenabled = false\ndays = 30\ntenant = 'nobody'\nhost = '???'")

    def test_tenants_hosts_and_dialects_hosts(self) -> None:
        said = refusal(
            "[tenants.a]\nhosts = ['x.test']\n[tenants.b]\nhosts = ['X.test']\n"
            "[tenants.'Not this']\n[dialects.first]\nhost = 'y.test'\ntenant = 'a'\n"
            "[dialects.second]\nhost = 'y.test'\ntenant = 'c'"
        )
        assert said.splitlines() == [
            "line 4: tenants.b.hosts: x.test belongs to tenants.a already",
            (
                'line 5: tenants."Not this": '
                "a tenant's name has small letters, digits, - and _ alone"
            ),
            "line 10: dialects.second.host: y.test belongs to dialects.first already",
            ("line 11: dialects.second.tenant: no such tenant, expected one of a, b, Not this"),
        ]

    def test_tenants_a_dialect_speaks_of(self) -> None:
        said = refusal("[dialects.first]\ndays = 1\n[dialects.first.tenants.ghost]\nid = 'x'")
        assert said == "line 1: dialects.first: names the tenant ghost, which does not exist"

    def test_a_dialect_host_has_no_port(self) -> None:
        said = refusal("[dialects.first]\nhost = 'x.test:80'")
        assert said == "line 2: dialects.first.host: expected a host name, without a port"

    @pytest.mark.parametrize(
        ("mail", "key"),
        [
            ("folder = 'x'\nhost = 'y'\nfrom = 'z@y'", "mail.host"),
            ("host = 'y'", "mail.from"),
            ("host = 'y'\nfrom = 'z@y'\npassword = 'p'", "mail.username"),
            ("host = 'y'\nfrom = 'z@y'\nusername = 'p'\ntls = 'none'", "mail.tls"),
        ],
    )
    def test_mail(self, mail: str, key: str) -> None:
        assert f": {key}: " in refusal(f"[mail]\n{mail}")


def test_what_was_read_is_text_and_numbers() -> None:
    """It goes on into tokens and JSON, which know nothing of how a setting is written."""
    settings = reading(
        "[server]\npublic_url = 'https://a.test'\ntrusted_proxies = ['10.0.0.0/8']\n"
        "[tenants.default]\nhosts = ['a.test']\nretention = '90d'\nstep_up_life = '1m'\n"
        "[dialects.first.tenants.default]\nid = 'x'"
    )
    assert b'"public_url":"https://a.test"' in msgspec.json.encode(settings)
    assert b'"trusted_proxies":["10.0.0.0/8"]' in msgspec.json.encode(settings)
    assert type(settings.policies()[DEFAULT].step_up_life) is int
    assert type(reading().policies()[DEFAULT].email_code_life) is int


def test_a_file_and_what_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / "lastcall.toml"
    file.write_bytes(b"[server]\r\nport = 9\r\n")
    assert read_file(file, {}, DIALECTS).server.port == 9
    file.write_bytes(b"\xff")
    with pytest.raises(SettingsWrong, match="not UTF-8"):
        read_file(file, {}, DIALECTS)
    with pytest.raises(SettingsWrong, match="no such file"):
        read_file(tmp_path / "nowhere", {}, DIALECTS)


def test_a_secret_is_not_in_the_representation() -> None:
    settings = reading("[mail]\nhost = 'h'\nfrom = 'f@h'\nusername = 'u'\npassword = 'geheim'")
    assert "geheim" not in repr(settings)
