"""Reading settings: the file, the environment over it, secrets from files, every error at once."""

import difflib
import re
import stat
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, NoReturn, TypeVar

import msgspec

from lastcall.settings.expected import expected, found, item_of, struct_of, takes_text
from lastcall.settings.locate import Path, line_of, lines_of
from lastcall.settings.model import LastcallSettings, TenantSettings
from lastcall.settings.rules import Complaint, rules
from lastcall.settings.values import Secret, decode, plain

PREFIX = "LASTCALL__"
FILE = "_file"
FOR_EVERYBODY = stat.S_IRWXO
AFTER_THE_FILE = 1_000_000
"""Where problems of the environment sort, in lines."""

S = TypeVar("S", bound=msgspec.Struct)
Dialects = Mapping[str, type[msgspec.Struct]]
Rules = Callable[[LastcallSettings], Iterable[Complaint]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong. `where` is `line 12`, `line 3, column 5` or `environment NAME`."""

    where: str
    key: str
    text: str
    nearest: str = ""

    def __str__(self) -> str:
        hint = f"; did you mean {self.nearest}?" if self.nearest else ""
        return ": ".join(filter(None, (self.where, self.key, self.text))) + hint


class SettingsWrong(Exception):
    """Everything that is wrong, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class _FromEnvironment:
    """A value that came as text in a variable."""

    variable: str
    text: str


@dataclass(slots=True)
class _Reading:
    """What is being read, and what was found wrong so far."""

    lines: Mapping[Path, int]
    base: FilePath
    variables: dict[Path, str] = field(default_factory=dict)
    problems: list[tuple[int, Problem]] = field(default_factory=list)

    def wrong(self, path: Path, text: str, nearest: str = "") -> None:
        variable = next(
            (name for known, name in self.variables.items() if known == path[: len(known)]), ""
        )
        line = line_of(self.lines, path)
        where = f"environment {variable}" if variable else f"line {line}" if line else ""
        problem = Problem(where=where, key=shown(path), text=text, nearest=nearest)
        self.problems.append((AFTER_THE_FILE if variable else line or 0, problem))


def read_file(
    path: FilePath, environ: Mapping[str, str], dialects: Dialects, more: Rules | None = None
) -> LastcallSettings:
    """Raises `SettingsWrong`, also for a file that cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        _refuse("", f"{path} cannot be read: {(error.strerror or 'unknown reason').lower()}")
    except UnicodeDecodeError:
        _refuse("", f"{path} cannot be read: not UTF-8")
    return read(text, environ, dialects, base=path.absolute().parent, more=more)


def read(
    text: str,
    environ: Mapping[str, str],
    dialects: Dialects,
    *,
    base: FilePath,
    more: Rules | None = None,
) -> LastcallSettings:
    """Settings from TOML `text`; relative paths of secret files begin at `base`.

    `more` are rules that only somebody else knows, asked beside those known here.
    """
    text = text.replace("\r\n", "\n")
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message, _, place = str(error).removesuffix(")").partition(" (at ")
        _refuse(place.replace("end of document", "at the end"), f"not TOML: {message}")
    except (ValueError, RecursionError):  # what the parser did not think of
        _refuse("", "not TOML: a number is too long, or it is nested too deeply")
    reading = _Reading(lines=lines_of(text), base=base)
    for name in sorted(environ):
        if name.startswith(PREFIX):
            _overlay(reading, document, name, environ[name])
    wanted = document.pop("dialects", {})
    whole = _table(reading, (), document, LastcallSettings)
    dressed = _dialects(reading, wanted, dialects)
    if whole is not None and not reading.problems:
        tenants = whole.tenants or {"default": TenantSettings()}
        settings: LastcallSettings = plain(
            msgspec.structs.replace(whole, dialects=dressed, tenants=tenants)
        )
        for path, complaint in (*rules(settings), *(more(settings) if more else ())):
            reading.wrong(path, complaint)
        if not reading.problems:
            return settings
    raise SettingsWrong([one for _, one in sorted(reading.problems, key=lambda pair: pair[0])])


def shown(path: Path) -> str:
    """`tenants.acme.hosts`, `a[0].b`, with quotes where TOML needs them."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        bare = re.fullmatch(r"[A-Za-z0-9_-]+", part)
        text += ("." if text else "") + (part if bare else repr(part).replace("'", '"'))
    return text


def _refuse(where: str, text: str) -> NoReturn:
    raise SettingsWrong([Problem(where=where, key="", text=text)])


def _overlay(reading: _Reading, document: dict[str, Any], variable: str, text: str) -> None:
    """Put one variable into the document: `LASTCALL__SERVER__PORT` is `server.port`."""
    *tables, last = variable.removeprefix(PREFIX).split("__")
    inner = document
    path: Path = ()
    for part in tables:
        key = _same_key(inner, part)
        path = (*path, key)
        below = inner.setdefault(key, {})
        if not isinstance(below, dict):
            below = inner[key] = {}
        inner = below
    key = _same_key(inner, last)
    inner[key] = _FromEnvironment(variable, text)
    inner.pop(key.removesuffix(FILE) if key.endswith(FILE) else key + FILE, None)
    reading.variables[(*path, key)] = variable


def _same_key(table: Mapping[str, Any], part: str) -> str:
    """The key a part of a variable means, whatever its case, `_` for `-` too; else lower case."""
    return next((key for key in table if _folded(key) == _folded(part)), part.lower())


def _folded(key: str) -> str:
    return key.lower().replace("-", "_")


def _table(reading: _Reading, path: Path, value: object, kind: type[S]) -> S | None:
    """A Struct from a table; None when anything in it is wrong."""
    if isinstance(value, _FromEnvironment):
        value = next((one for one in _meanings(value.text) if isinstance(one, dict)), value)
    if not isinstance(value, dict):
        reading.wrong(path, f"expected a table, found {found(value)}")
        return None
    before = len(reading.problems)
    fields = {one.encode_name: one for one in msgspec.structs.fields(kind)}
    given: dict[str, Any] = {}
    for key, item in value.items():
        here = (*path, key)
        name = (
            key if key in fields else _same_key(fields, key) if here in reading.variables else key
        )
        secret = fields.get(name.removesuffix(FILE)) if name.endswith(FILE) else None
        if name in fields:
            given[fields[name].name] = _value(reading, here, item, fields[name].type)
        elif secret is not None and takes_text(secret.type):
            text = _from_file(reading, here, item, both=secret.encode_name in value)
            if text is not None:
                given[secret.name] = _value(reading, here, text, secret.type)
        else:
            near = difflib.get_close_matches(key, fields, 1)
            reading.wrong(here, "unknown key", shown((*path, *near)) if near else "")
    for one in fields.values():
        if one.required and one.name not in given and len(reading.problems) == before:
            here = (*path, one.encode_name)
            reading.wrong(here, f"is missing, expected {expected(one.type)}")
    return _made(reading, path, kind, given) if len(reading.problems) == before else None


def _made(reading: _Reading, path: Path, kind: type[S], given: Mapping[str, Any]) -> S | None:
    try:
        return kind(**given)
    except ValueError as error:  # a rule of the Struct's own, about several keys together
        reading.wrong(path, str(error))
        return None


def _value(reading: _Reading, path: Path, value: object, kind: Any) -> Any:
    """The value of one key, converted; None after telling what is wrong with it."""
    struct = struct_of(kind)
    if struct is not None:
        return _table(reading, path, value, struct)
    item = item_of(kind)
    if item is not None and struct_of(item):
        if isinstance(value, dict):
            return {key: _value(reading, (*path, key), one, item) for key, one in value.items()}
        if isinstance(value, list):
            return tuple(_items(reading, path, value, item))
        reading.wrong(path, f"expected {expected(kind)}, found {found(value)}")
        return None
    if item in (str, Secret) and isinstance(value, dict):
        return _texts(reading, path, value, item)
    return _leaf(reading, path, value, kind)


def _texts(reading: _Reading, path: Path, table: dict[str, Any], kind: Any) -> dict[str, Any]:
    """A table of texts under free keys; of secrets, `NAME_file` gives NAME."""
    texts: dict[str, Any] = {}
    for key, one in table.items():
        name = key.removesuffix(FILE) if kind is Secret else key
        if name == key:
            texts[name] = _leaf(reading, (*path, key), one, kind)
        else:
            text = _from_file(reading, (*path, key), one, both=name in table)
            texts[name] = None if text is None else Secret(text)
    return texts


def _items(reading: _Reading, path: Path, values: Sequence[object], kind: Any) -> list[Any]:
    return [_value(reading, (*path, at), one, kind) for at, one in enumerate(values)]


def _leaf(reading: _Reading, path: Path, value: object, kind: Any) -> Any:
    meanings = _meanings(value.text) if isinstance(value, _FromEnvironment) else (value,)
    strict = not isinstance(value, _FromEnvironment)
    for meaning in meanings:
        try:
            return msgspec.convert(meaning, kind, strict=strict, dec_hook=decode)
        except (msgspec.ValidationError, ValueError):
            continue
    item, before = item_of(kind), len(reading.problems)
    if isinstance(value, list) and item is not None:
        _items(reading, path, value, item)
    if len(reading.problems) == before:
        what = found(value, may_show=not takes_text(kind))
        reading.wrong(path, f"expected {expected(kind)}, found {what}")
    return None


def _meanings(text: str) -> Iterator[object]:
    """What a variable's text may mean: itself, a TOML value, or a list with commas."""
    yield text
    with suppress(tomllib.TOMLDecodeError):
        yield tomllib.loads(f"value = {text}").get("value")
    yield [part.strip() for part in text.split(",") if part.strip()]


def _from_file(reading: _Reading, path: Path, value: object, *, both: bool) -> str | None:
    """A text setting kept in a file of its own, without the newline at its end."""
    name = value.text if isinstance(value, _FromEnvironment) else value
    if both:
        reading.wrong(path, f"set this or {shown(path).removesuffix(FILE)}, not both")
    elif not isinstance(name, str):
        reading.wrong(path, f"expected the path of a file, found {found(value)}")
    else:
        file = reading.base / name
        try:
            if file.stat().st_mode & FOR_EVERYBODY:
                reading.wrong(path, f"{file} is open to every user; take that away (chmod o= FILE)")
                return None
            return re.sub(r"\r?\n\Z", "", file.read_text(encoding="utf-8"))
        except OSError as error:
            why = (error.strerror or "unknown reason").lower()
            reading.wrong(path, f"{file} cannot be read: {why}")
        except UnicodeDecodeError:
            reading.wrong(path, f"{file} cannot be read: not UTF-8")
    return None


def _dialects(reading: _Reading, wanted: object, dialects: Dialects) -> dict[str, Any]:
    """Every dialect's Struct, from its section or its defaults."""
    path: Path = ("dialects",)
    if not isinstance(wanted, dict):
        reading.wrong(path, f"expected a table of tables, found {found(wanted)}")
        return {}
    for name in wanted:
        if name not in dialects:
            near = difflib.get_close_matches(name, dialects, 1)
            known = f"no such dialect, expected one of {', '.join(dialects)}"
            reading.wrong((*path, name), known, shown((*path, *near)) if near else "")
    return {
        name: _table(reading, (*path, name), wanted.get(name, {}), kind)
        for name, kind in dialects.items()
    }
