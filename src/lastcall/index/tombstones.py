"""Tombstones: the sessions that ended together, each made when somebody looks at it."""

from collections.abc import Iterator, Sequence
from typing import overload

from lastcall.domain.session import Session
from lastcall.index.held import Held


class Tombstones(Sequence[Session]):
    """A sweep ends hundreds of thousands and asks of most of them only how many there were."""

    def __init__(self, rows: Sequence[Held]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Session]:
        return (held.passing() for held in self._rows)

    @overload
    def __getitem__(self, place: int) -> Session: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Session]: ...
    def __getitem__(self, place: int | slice) -> Session | Sequence[Session]:
        if isinstance(place, slice):
            return Tombstones(self._rows[place])
        return self._rows[place].passing()
