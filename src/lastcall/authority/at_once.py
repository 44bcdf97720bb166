"""Checking at once: what can be said of a token without waiting, for as long as it stands."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from lastcall.authority.validate import objection, use
from lastcall.domain.session import lapses, next_use
from lastcall.domain.token import hash_bytes
from lastcall.domain.types import Instant, TenantId, TokenHash
from lastcall.ports import Env, Found
from lastcall.ports.reading import MustWait

MOST_STANDING = 16_384
"""Good tokens that are remembered; then all are forgotten, and looked up again."""


@dataclass(slots=True)
class Verdict:
    """A token found good, and what is said of it.

    It stands for as long as the era lasts, but at most until `until`: no state the check looks at
    has changed, and a session that counts goes on counting until it lapses. A use before
    `next_use` is not worth remembering.
    """

    found: Found
    words: bytes
    era: int
    until: Instant
    next_use: Instant


def at_once(
    env: Env,
    tenants: frozenset[TenantId],
    said: Callable[[Found], bytes],
    *,
    room: int = MOST_STANDING,
) -> Callable[[bytes], bytes | None]:
    """`validate` for bearer tokens of any wire in these tenants, as often as it can say yes.

    The function takes a token's bytes and gives what is `said` of a good one. Who gets None asks
    `validate`, which knows why not, and waits where that is needed.
    """
    store, now, era = env.store, env.clock.now, env.store.era
    standing: dict[bytes, Verdict] = {}

    def check(token: bytes) -> bytes | None:
        key = sha256(token).digest()  # `hash_bytes`, and calls are what is saved here
        verdict = standing.get(key)
        if verdict is not None and verdict.era == era.number:
            at = now()
            if at < verdict.until:
                if at >= verdict.next_use:
                    store.touch(verdict.found, at)
                    verdict.next_use = next_use(verdict.found.session, at)
                return verdict.words
        return look(TokenHash(key))

    def look(key: TokenHash) -> bytes | None:
        number, found = era.number, store.peek(key)
        if found is None or isinstance(found, MustWait):
            return None
        at = now()
        session = found.session
        if session.tenant not in tenants or objection(found, at, None):
            return None
        if len(standing) >= room:
            standing.clear()
        verdict = standing[key] = Verdict(
            found, said(found), number, lapses(session), use(env, found, at)
        )
        return verdict.words

    return check


def refused_at_once(env: Env, tenants: frozenset[TenantId]) -> Callable[[bytes], Found | None]:
    """What is known of a bearer token that does not count in these tenants.

    Nothing of one that counts, of one that nobody knows, and where only waiting would tell.
    """
    store, now = env.store, env.clock.now

    def check(token: bytes) -> Found | None:
        found = store.peek(hash_bytes(token))
        if found is None or isinstance(found, MustWait):
            return None
        if found.session.tenant in tenants and not objection(found, now(), None):
            return None
        return found

    return check
