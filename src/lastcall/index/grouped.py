"""Sessions by whose they are: one alone, a few in a tuple, many so that one goes quickly."""

from collections.abc import Iterator

from lastcall.domain.types import Serial, SubjectId
from lastcall.index.held import Held

FEW = 16
"""Up to so many a tuple is smaller, and quick enough to make anew."""


class Grouped:
    def __init__(self) -> None:
        self._rows: dict[SubjectId, Held | tuple[Held, ...] | dict[Held, None]] = {}

    def __bool__(self) -> bool:
        return bool(self._rows)

    def __iter__(self) -> Iterator[SubjectId]:
        return iter(self._rows)

    def of(self, subject: SubjectId) -> list[Held]:
        """In order of their serials."""
        found = self._rows.get(subject)
        if found is None:
            return []
        if isinstance(found, Held):
            return [found]
        return sorted(found, key=_serial)

    def add(self, subject: SubjectId, held: Held) -> None:
        found = self._rows.get(subject)
        if found is None:
            self._rows[subject] = held
        elif isinstance(found, Held):
            self._rows[subject] = (found, held)
        elif isinstance(found, dict):
            found[held] = None
        elif len(found) < FEW:
            self._rows[subject] = (*found, held)
        else:
            self._rows[subject] = dict.fromkeys((*found, held))

    def take(self, subject: SubjectId, held: Held) -> None:
        found = self._rows[subject]
        if isinstance(found, dict):
            del found[held]
            if len(found) < FEW:
                self._rows[subject] = tuple(found)
        elif found is held:
            del self._rows[subject]
        elif isinstance(found, tuple):
            left = tuple(other for other in found if other is not held)
            self._rows[subject] = left[0] if len(left) == 1 else left


def _serial(held: Held) -> Serial:
    return held.serial
