"""Input validation in SOAJS's words: which fields a call must have, and of what type."""

from collections.abc import Mapping, Sequence
from typing import Any

from lastcall.dialects.soajs.envelope import Fault, Said

TYPE = "instance is not of a type(s) string"
MISSING, FAILED = 172, 173


def texts(
    given: Mapping[str, Any],
    required: Sequence[str],
    optional: Sequence[str] = (),
    choices: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, str]:
    """The named fields, all texts. Raises `Said` with 172, 173 or both; null is missing."""
    missing: list[str] = []
    failed: list[tuple[str, list[str]]] = []
    for name in (*required, *optional):
        value = given.get(name)
        if value is None:
            missing += [name] if name in required else []
            continue
        problems = [] if isinstance(value, str) else [TYPE]
        allowed = (choices or {}).get(name)
        if allowed is not None and value not in allowed:
            problems.append(f"instance is not one of enum values: {','.join(allowed)}")
        if problems:
            failed.append((name, problems))
    faults = []
    if missing:
        faults.append(Fault(MISSING, f"Missing required field: {', '.join(missing)}"))
    if failed:
        faults.append(Fault(FAILED, _told(failed)))
    if faults:
        raise Said(*faults)
    return {name: given[name] for name in (*required, *optional) if given.get(name) is not None}


def _told(failed: Sequence[tuple[str, Sequence[str]]]) -> str:
    """The first field with its reasons; of further ones the names alone."""
    (name, problems), *others = failed
    reasons = "".join(
        f" -> The parameter '{name}' failed due to: {problem}" for problem in problems
    )
    return f"Validation failed for field: {name}{reasons}" + "".join(
        f", {other}" for other, _ in others
    )
