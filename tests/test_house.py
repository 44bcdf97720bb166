"""House rules that import contracts cannot express: sizes, and how pure the domain really is."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import lastcall

SOURCE = Path(lastcall.__file__).parent
LIMITS = {"domain": 180, "authority": 130}  # lines a file, by top-level package
LIMIT = 400  # lines, for every other file
LONGEST = 60  # lines of a function, its docstring left out

# Calls that ask the machine for the time, for chance or for the world. Ports answer those.
IMPURE_CALLS = {
    "date.today",
    "datetime.now",
    "datetime.today",
    "datetime.utcnow",
    "input",
    "open",
    "print",
}


def modules(*parts: str) -> list[Path]:
    return sorted(SOURCE.joinpath(*parts).rglob("*.py"))


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def limit(path: Path) -> int:
    return LIMITS.get(path.relative_to(SOURCE).parts[0], LIMIT)


def named(path: Path) -> str:
    return path.relative_to(SOURCE.parent).as_posix()


def judge(offences: list[str]) -> None:
    if offences:
        pytest.fail("\n  ".join(["house rules broken:", *offences]), pytrace=False)


def test_files_stay_short() -> None:
    offences = [
        f"{named(path)}: {lines(path)} lines, at most {limit(path)}"
        for path in modules()
        if lines(path) > limit(path)
    ]
    judge(offences)


def test_functions_stay_short() -> None:
    offences = [
        f"{named(path)}:{function.lineno}: {function.name} has {long} lines, at most {LONGEST}"
        for path in modules()
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        if (long := length(function)) > LONGEST
    ]
    judge(offences)


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The options of a command are described in its docstring, however many there are."""
    first = function.body[0]
    said = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    told = (first.end_lineno or 0) - first.lineno + 1 if said else 0
    return (function.end_lineno or 0) - function.lineno + 1 - told


def test_every_folder_with_code_is_a_package() -> None:
    """The import contracts see packages only: a folder without __init__.py would escape them."""
    folders = {path.parent for path in modules()}
    offences = [
        f"{named(folder)}: no __init__.py"
        for folder in sorted(folders)
        if not (folder / "__init__.py").exists()
    ]
    judge(offences)


def test_the_domain_is_pure() -> None:
    offences = [
        f"{named(path)}:{line}: {what}"
        for path in modules("domain")
        for line, what in impurities(ast.parse(path.read_text(encoding="utf-8")))
    ]
    judge(offences)


def test_the_client_knows_nothing_of_the_server() -> None:
    offences = [
        f"{named(path)}:{line}: imports {module}"
        for path in modules("client")
        for line, module in imported(ast.parse(path.read_text(encoding="utf-8")))
        if module.split(".")[0] == "lastcall" and module.split(".")[:2] != ["lastcall", "client"]
    ]
    judge(offences)


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=str(module)):
                yield node.lineno, module
            case _:
                pass


def impurities(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    if foreign(alias.name):
                        yield node.lineno, f"imports {alias.name}"
            case ast.ImportFrom(module=str(module)) if foreign(module):
                yield node.lineno, f"imports {module}"
            case ast.AsyncFunctionDef(name=name):
                yield node.lineno, f"async def {name}"
            case ast.Await() | ast.AsyncFor() | ast.AsyncWith():
                yield node.lineno, "awaits"
            case ast.Call(func=func) if (call := last_two(func)) in IMPURE_CALLS:
                yield node.lineno, f"calls {call}"
            case _:
                pass


def foreign(module: str) -> bool:
    """Neither the standard library nor the domain itself."""
    return module.split(".")[0] not in sys.stdlib_module_names and not (
        module == "lastcall.domain" or module.startswith("lastcall.domain.")
    )


def last_two(func: ast.expr) -> str:
    return ".".join(ast.unparse(func).split(".")[-2:])


def test_impurities_are_noticed() -> None:
    planted = """
import apsw
from lastcall.ports import Store
from datetime import datetime
import datetime as dt
async def later() -> None:
    await later()
datetime.now()
dt.datetime.now()
open("x")
"""
    found = [what for _, what in impurities(ast.parse(planted))]
    assert sorted(found) == [
        "async def later",
        "awaits",
        "calls datetime.now",
        "calls datetime.now",
        "calls open",
        "imports apsw",
        "imports lastcall.ports",
    ]
