"""What a guard remembers, for how long it may, and what makes it forget; no waiting, no network.

One thread changes it; others may look at `entries`, `refused` and `lease_until` meanwhile.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeVar

from lastcall.client.feed import Event, Forget, Marks, Position, Reset
from lastcall.client.identity import Identity

REFUSED_SECONDS = 1.0
"""How long a refusal is answered from memory; a token that was refused never counts again."""

MOST_REFUSED = 10_000
MOST_RENEWALS = 64
RECENT_CHANGES = 1_000
RECENT_MARKS = 50_000
TRIES = 32
"""Entries looked at for one that may go, before the oldest goes whatever it is."""

USE_SECONDS = 60.0
USE_SHARE = 0.1
"""A use is told to the authority when the last one told is so old, or this share of what was left
to the session then, whichever is less."""

N = TypeVar("N", bound=Hashable)


@dataclass(slots=True)
class Herd:
    """All entries of a tenant and dialect, so that one flag can end them."""

    alive: bool = True


@dataclass(slots=True, eq=False)
class Entry:
    """An answer. It counts until `until`; a use of it at `use_at` or later is to be told.

    `hot`: looked at since it was last considered for leaving. `watchers` are called when it goes.
    """

    key: bytes
    identity: Identity
    until: float
    use_at: float
    herd: Herd
    hot: bool = False
    watchers: set[Callable[[], None]] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the authority said of a token from a state not older than `position`.

    `identity` None: it does not count. `lasts` in seconds from the moment it was asked.
    """

    position: Position | None
    identity: Identity | None
    lasts: float = 0.0


@dataclass(frozen=True, slots=True)
class Question:
    """Asked of the authority when the guard had `applied` so much; `use`: to count as a use."""

    key: bytes
    applied: Position | None
    sent: float
    use: bool


class Kept(Enum):
    KEPT = auto()
    NOT_KEPT = auto()
    """It was right when it was given, and cannot be remembered."""
    DOUBTFUL = auto()
    """Something that concerns it may have happened since: ask again."""


class Cache:
    def __init__(self, most: int) -> None:
        self.entries: OrderedDict[bytes, Entry] = OrderedDict()
        self.refused: OrderedDict[bytes, float] = OrderedDict()
        self.lease_until = 0.0
        self.applied: Position | None = None
        self._most = most
        self._sessions: dict[str, bytes | set[bytes]] = {}
        self._subjects: dict[tuple[str, str], bytes | set[bytes]] = {}
        self._herds: dict[tuple[str, str], Herd] = {}
        self._watched: set[Entry] = set()
        self._recent: deque[tuple[int, Marks]] = deque()
        self._recent_marks = 0
        self._floor = 0
        self._renewals: deque[tuple[Position, float]] = deque(maxlen=MOST_RENEWALS)

    # --- following ---

    def apply(self, event: Event) -> None:
        """Raises `ValueError` for an event that cannot follow what has been applied."""
        if isinstance(event, Reset):
            self._forget_everything(event.at)
            return
        applied = self.applied
        if applied is None or event.at.epoch != applied.epoch:
            raise ValueError("an event of another epoch")
        if event.at.seq < applied.seq or (event.at == applied and isinstance(event, Forget)):
            raise ValueError("an event that has been told before")
        if isinstance(event, Forget):
            self._remember_change(event.at.seq, event.marks)
            self._forget(event.marks)
            if not event.whole:
                return
        if event.at.seq > applied.seq:
            self.applied = event.at
            self._settle()

    def renew(self, position: Position, until: float) -> None:
        """The lease runs `until`, once the guard has come as far as `position`."""
        self._renewals.append((position, until))
        self._settle()

    def behind(self, now: float) -> bool:
        """Whether the feed did not come as far as it had to in the time of a whole lease.

        What is said here is said once.
        """
        late = any(until <= now for _, until in self._renewals)
        if late:
            self._renewals.clear()
        return late

    def _settle(self) -> None:
        waiting = list(self._renewals)
        self._renewals.clear()
        for position, until in waiting:
            if self._reached(position):
                self.lease_until = max(self.lease_until, until)
            else:
                self._renewals.append((position, until))

    def _reached(self, position: Position) -> bool:
        applied = self.applied
        return applied is not None and applied.epoch == position.epoch and applied >= position

    def _remember_change(self, seq: int, marks: Marks) -> None:
        self._recent.append((seq, marks))
        self._recent_marks += len(marks)
        while len(self._recent) > RECENT_CHANGES or self._recent_marks > RECENT_MARKS:
            self._floor, oldest = self._recent.popleft()
            self._recent_marks -= len(oldest)

    # --- answers ---

    def keep(self, question: Question, answer: Answer, heard: float) -> Kept:
        """Raises `ValueError` for an answer that is older than its question."""
        asked, key = question.applied, question.key
        who, position, applied = answer.identity, answer.position, self.applied
        if position and asked and position.epoch == asked.epoch and position < asked:
            raise ValueError("an answer older than its question")
        if who is None:
            self.drop(key)
            self._refuse(key, heard)
            return Kept.NOT_KEPT
        if self.refused.get(key, 0.0) > question.sent:
            return Kept.DOUBTFUL
        if position is None or applied is None or position.epoch != applied.epoch:
            return Kept.NOT_KEPT
        if self._doubtful(key, who, position.seq):
            return Kept.DOUBTFUL
        self._place(question, who, answer.lasts)
        return Kept.KEPT

    def _doubtful(self, key: bytes, who: Identity, seq: int) -> bool:
        """Whether anything applied after `seq` concerns it, or may."""
        if seq < self._floor:
            return True
        return any(at > seq and marks.concern(key, who) for at, marks in self._recent)

    def _place(self, question: Question, who: Identity, lasts: float) -> None:
        key, sent = question.key, question.sent
        before = self.entries.get(key)
        if before is None and len(self.entries) >= self._most and not self._make_room():
            return
        herd = self._herds.setdefault((who.tenant, who.dialect), Herd())
        use_at = sent + min(USE_SECONDS, USE_SHARE * lasts) if question.use else sent
        entry = Entry(key, who, sent + lasts, use_at, herd)
        if before is not None:
            self._unlink(before)
            entry.watchers = before.watchers
            if before.watchers:
                self._watched.remove(before)
                self._watched.add(entry)
        self.entries[key] = entry
        _link(self._sessions, who.session, key)
        for subject in _subjects(who):
            _link(self._subjects, subject, key)

    def _make_room(self) -> bool:
        """The least recently used goes, as far as a second chance tells; never a watched one."""
        for _ in range(TRIES):
            key, entry = next(iter(self.entries.items()))
            if not (entry.hot or entry.watchers) or not entry.herd.alive:
                self.drop(key)
                return True
            entry.hot = False
            self.entries.move_to_end(key)
        if entry.watchers:
            return False
        self.drop(key)
        return True

    def _refuse(self, key: bytes, heard: float) -> None:
        self.refused[key] = heard
        self.refused.move_to_end(key)
        if len(self.refused) > MOST_REFUSED:
            self.refused.popitem(last=False)

    # --- forgetting ---

    def drop(self, key: bytes) -> None:
        entry = self.entries.pop(key, None)
        if entry is not None:
            self._unlink(entry)
            self._watched.discard(entry)
            _wake(entry)

    def _forget(self, marks: Marks) -> None:
        for key in marks.tokens:
            self.drop(key)
        for session in marks.sessions:
            for key in _keys(self._sessions, session):
                self.drop(key)
        for scope in marks.scopes:
            if scope.subject is None:
                self._end_herds(scope.tenant, scope.dialect)
                continue
            for key in _keys(self._subjects, (scope.tenant, scope.subject)):
                if scope.covers(self.entries[key].identity):
                    self.drop(key)

    def _end_herds(self, tenant: str, dialect: str | None) -> None:
        """At once, however many there are; each leaves when it is met, or to make room."""
        ended = [one for one in self._herds if one[0] == tenant and dialect in (None, one[1])]
        for one in ended:
            self._herds.pop(one).alive = False
        for entry in list(self._watched):
            if not entry.herd.alive:
                _wake(entry)

    def _forget_everything(self, at: Position) -> None:
        gone = list(self._watched)
        self._watched.clear()
        for herd in self._herds.values():
            herd.alive = False
        for table in (self.entries, self.refused, self._sessions, self._subjects, self._herds):
            table.clear()
        self._recent.clear()
        self._renewals.clear()
        self._recent_marks, self._floor = 0, at.seq
        self.lease_until, self.applied = 0.0, at
        for entry in gone:
            _wake(entry)

    # --- watching ---

    def watch(self, key: bytes, call: Callable[[], None]) -> Entry | None:
        """Have `call` called when the entry goes or is doubted; None when there is none."""
        entry = self.entries.get(key)
        if entry is None or not entry.herd.alive:
            return None
        entry.watchers = (entry.watchers or set()) | {call}
        self._watched.add(entry)
        return entry

    def unwatch(self, key: bytes, call: Callable[[], None]) -> None:
        entry = self.entries.get(key)
        if entry is not None and entry.watchers:
            entry.watchers.discard(call)
            if not entry.watchers:
                self._watched.discard(entry)

    def wake_all(self) -> None:
        for entry in list(self._watched):
            _wake(entry)

    def _unlink(self, entry: Entry) -> None:
        _unlink(self._sessions, entry.identity.session, entry.key)
        for subject in _subjects(entry.identity):
            _unlink(self._subjects, subject, entry.key)


def _wake(entry: Entry) -> None:
    for call in tuple(entry.watchers or ()):
        call()


def _subjects(who: Identity) -> Iterator[tuple[str, str]]:
    yield who.tenant, who.subject
    if who.impersonator is not None and who.impersonator != who.subject:
        yield who.tenant, who.impersonator


def _link(index: dict[N, bytes | set[bytes]], name: N, key: bytes) -> None:
    """Hardly any name has more than one key, and a set takes more room than its entry."""
    there = index.get(name)
    if there is None:
        index[name] = key
    elif isinstance(there, set):
        there.add(key)
    else:
        index[name] = {there, key}


def _unlink(index: dict[N, bytes | set[bytes]], name: N, key: bytes) -> None:
    there = index.get(name)
    if isinstance(there, set):
        there.discard(key)
        if not there:
            del index[name]
    elif there == key:
        del index[name]


def _keys(index: dict[N, bytes | set[bytes]], name: N) -> list[bytes]:
    there = index.get(name)
    if there is None:
        return []
    return [there] if isinstance(there, bytes) else list(there)
