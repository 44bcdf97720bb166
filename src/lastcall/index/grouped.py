"""Sessions by whose they are: one alone, a few in a tuple, many so that one goes quickly."""

from collections.abc import Iterable, Iterator

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

    def add(self, subject: SubjectId, *held: Held) -> None:
        found = self._rows.get(subject)
        if isinstance(found, dict):
            found.update(dict.fromkeys(held))
        elif found is None:
            self._keep(subject, held)
        else:
            self._keep(subject, (*(found if isinstance(found, tuple) else (found,)), *held))

    def add_each(self, rows: Iterable[tuple[Held, object]]) -> None:
        """The same for rows of many subjects, and whatever stands beside them."""
        known = self._rows
        for held, _ in rows:
            subject = held.subject
            found = known.setdefault(subject, held)
            if found is held:
                continue
            if type(found) is tuple and len(found) < FEW:
                known[subject] = (*found, held)
            else:
                self.add(subject, held)

    def take(self, subject: SubjectId, *held: Held) -> None:
        found = self._rows[subject]
        if isinstance(found, dict):
            for one in held:
                del found[one]
            if len(found) <= FEW:
                self._keep(subject, tuple(found))
        elif isinstance(found, Held) or len(found) == len(held):
            del self._rows[subject]
        else:
            self._keep(subject, tuple(other for other in found if other not in held))

    def _keep(self, subject: SubjectId, held: tuple[Held, ...]) -> None:
        if not held:
            del self._rows[subject]
        elif len(held) == 1:
            self._rows[subject] = held[0]
        else:
            self._rows[subject] = held if len(held) <= FEW else dict.fromkeys(held)


def _serial(held: Held) -> Serial:
    return held.serial
