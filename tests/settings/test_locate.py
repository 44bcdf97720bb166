"""Every key of a TOML text is found on its line."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastcall.settings.locate import Path, line_of, lines_of

TEXT = '''# a comment = 1
top = """
not = 1
[nor] this \\""" yet
"""
[server] # comment [x]
port = 1
'quoted.key' = "a # b"
nested.deep.er = [
  "]", # ] comment
  [1, 2],
]
inline = { a = 1, b = { c = 2 } }
[tenants."with space".limit]
tries = 3
literal = \'\'\'
tries = 4
\'\'\'
[[list]]
a = 1
[list.below]
b = 2
[[list]]
a = 3
  [[list.inner]]
  c = 4
last = 1979-05-27T07:32:00Z'''

PLACES = [
    (("top",), 2),
    (("server",), 6),
    (("server", "port"), 7),
    (("server", "quoted.key"), 8),
    (("server", "nested", "deep"), 9),
    (("server", "nested", "deep", "er"), 9),
    (("server", "inline"), 13),
    (("tenants", "with space", "limit"), 14),
    (("tenants", "with space", "limit", "tries"), 15),
    (("tenants", "with space", "limit", "literal"), 16),
    (("list", 0), 19),
    (("list", 0, "a"), 20),
    (("list", 0, "below", "b"), 22),
    (("list", 1), 23),
    (("list", 1, "a"), 24),
    (("list", 1, "inner", 0, "c"), 26),
    (("list", 1, "inner", 0, "last"), 27),
]


@pytest.mark.parametrize(("path", "line"), PLACES)
def test_lines(path: Path, line: int) -> None:
    tomllib.loads(TEXT)
    assert lines_of(TEXT)[path] == line


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("server", "inline", "b", "c"), 13),
        (("server", "nested", "deep", "er", 0), 9),
        (("server", "absent"), 6),
        (("absent",), None),
    ],
)
def test_the_nearest_thing_that_holds_it(path: Path, line: int | None) -> None:
    assert line_of(lines_of(TEXT), path) == line


KEYS = st.one_of(
    st.from_regex(r"[A-Za-z0-9_-]{1,6}", fullmatch=True),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=5),
)
VALUES = st.one_of(
    st.integers(-9, 9),
    st.booleans(),
    st.text(st.sampled_from("ab \"'#[]{}=\n\\"), max_size=8),
    st.lists(st.text(st.sampled_from("x]#'\""), max_size=3), max_size=3),
)


@given(st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=4), max_size=4))
def test_every_key_is_found_where_it_was_written(document: dict[str, dict[str, Any]]) -> None:
    lines, wanted = _written(document)
    text = "\n".join(lines)
    assert tomllib.loads(text) == document
    found = lines_of(text)
    assert {path: found[path] for path in wanted} == wanted


def _written(document: dict[str, dict[str, Any]]) -> tuple[list[str], dict[Path, int]]:
    lines: list[str] = []
    places: dict[Path, int] = {}
    for table, body in document.items():
        places[(table,)] = len(lines) + 1
        lines.append(f"[ {_quoted(table)} ] # [no]")
        for key, value in body.items():
            places[(table, key)] = len(lines) + 1
            lines.extend(f"{_quoted(key)} = {_value(value)} # k = 1".split("\n"))
    return lines, places


def _quoted(text: str) -> str:
    escaped = "".join(_escape(character) for character in text)
    return f'"{escaped}"'


def _escape(character: str) -> str:
    return f"\\u{ord(character):04x}" if character in '"\\\n' else character


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[ # ]\n" + "".join(f"{_quoted(one)}, # '\n" for one in value) + "]"
    if isinstance(value, str):
        return '"""\n' + value.replace("\\", "\\\\").replace('"', '\\"') + '"""'
    return str(value)
