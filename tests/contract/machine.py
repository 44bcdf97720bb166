"""Random lives of sessions, told by the verbs and compared at every step with a plain dictionary.

Never does a token count after its session was ended; never is one refused that nobody ended.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from lastcall.authority.credentials import Credentials, prove
from lastcall.authority.impersonate import impersonate
from lastcall.authority.login import LoggedIn, Start, login
from lastcall.authority.logout import logout
from lastcall.authority.refresh import refresh
from lastcall.authority.step_up import step_up
from lastcall.authority.subjects import change_subject
from lastcall.authority.sweep import sweep
from lastcall.authority.validate import validate
from lastcall.domain.access import operator
from lastcall.domain.errors import AuthorityError, BadCredentials, NotAuthenticated
from lastcall.domain.logout import OfDialect, OfSubject, OfTenant, OneSession, Scope
from lastcall.domain.origin import Origin
from lastcall.domain.policy import Policy
from lastcall.domain.session import Lifetime
from lastcall.domain.subject import Subject
from lastcall.domain.token import digest_password
from lastcall.domain.types import (
    HOUR,
    MINUTE,
    DialectName,
    Duration,
    Instant,
    Kind,
    SessionId,
    SubjectId,
    TenantId,
)
from lastcall.index import IndexStore
from lastcall.ports import Entropy, Env, SessionQuery
from tests.world import OTHER, TENANT, World, make_world

T = TypeVar("T")

IDLE, ABSOLUTE, TOKEN_LIFE = Duration(10 * MINUTE), Duration(HOUR), Duration(5 * MINUTE)
CAP = 3
POLICY = Policy(sessions_per_subject=CAP, batch=2)
WIRES = [DialectName(name) for name in ("web", "app")]
PEOPLE = [(TENANT, "john"), (TENANT, "monitor"), (TENANT, "admin"), (OTHER, "john")]

people = st.sampled_from(PEOPLE)
tenants = st.sampled_from([TENANT, OTHER])
wires = st.sampled_from(WIRES)


def mint(entropy: Entropy, *_: object) -> str:
    return entropy.bytes(32).hex()


PLAIN = Start(
    kind=Kind.API, lifetime=Lifetime(idle=IDLE, absolute=ABSOLUTE), mint=mint, admission=()
)
SITTING = replace(PLAIN, lifetime=Lifetime(idle=None, absolute=Duration(15 * MINUTE)))
REFRESHED = replace(PLAIN, mint_refresh=mint, token_life=TOKEN_LIFE)


@dataclass
class Life:
    """What must be true of one session."""

    tenant: TenantId
    subject: SubjectId
    dialect: DialectName
    id: SessionId
    number: int
    token: str
    refresh: str
    seen: int
    expires: int
    token_expires: int | None
    idle: int | None = IDLE
    impersonator: SubjectId | None = None
    ended: bool = False

    def live(self, now: int) -> bool:
        idle = self.idle is not None and now >= self.seen + self.idle
        return not self.ended and not idle and now < self.expires

    def accepts(self, now: int) -> bool:
        return self.live(now) and (self.token_expires is None or now < self.token_expires)


class Machine(RuleBasedStateMachine):
    """Subclasses say how a store is opened, and whether it can be opened again."""

    lives = Bundle("lives")
    dead_tokens = Bundle("dead_tokens")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.all: list[Life] = []
        self.passwords = dict.fromkeys(PEOPLE, 0)
        self.disabled: set[tuple[TenantId, str]] = set()
        self.world: World
        self.store: IndexStore

    async def open_store(self) -> IndexStore:
        raise LookupError("each backend opens its own")

    def run_(self, verb: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(verb)

    @property
    def env(self) -> Env:
        return self.world.env

    @property
    def now(self) -> Instant:
        return self.world.clock.now()

    @initialize()
    def begin(self) -> None:
        async def build() -> None:
            self.store = await self.open_store()
            self.world = await make_world(self.store, POLICY)

        self.run_(build())
        for person in PEOPLE:
            self.set_password(person)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.run_(self.store.close())
        self.runner.close()

    # --- what happens ---

    @rule(target=lives, person=people, wire=wires, start=st.sampled_from([PLAIN, REFRESHED]))
    def log_in(self, person: tuple[TenantId, str], wire: DialectName, start: Start) -> Any:
        tenant, name = person
        origin = Origin(dialect=wire)
        given = Credentials(name=name, password=self.password(person))
        try:
            proven = self.run_(prove(self.env, tenant, origin, given))
        except BadCredentials:
            assert person in self.disabled
            return multiple()
        assert person not in self.disabled
        new = self.run_(login(self.env, origin, proven, start))
        mine = [
            one
            for one in self.of(proven.subject)
            if one.live(self.now) and one.impersonator is None
        ]
        for surplus in sorted(mine, key=lambda one: one.number)[: max(0, len(mine) + 1 - CAP)]:
            surplus.ended = True
        life = Life(
            tenant=tenant,
            subject=proven.subject.id,
            dialect=wire,
            id=new.session.id,
            number=new.session.serial,
            token=new.token,
            refresh=new.refresh,
            seen=self.now,
            expires=self.now + ABSOLUTE,
            token_expires=self.now + TOKEN_LIFE if new.refresh else None,
        )
        self.all.append(life)
        return life

    @rule(target=lives, life=lives, name=st.sampled_from(["john", "monitor", "gone"]))
    def sit_in_anothers_place(self, life: Life, name: str) -> Any:
        """With the factor proved just now; refused to whoever is not the administrator itself."""

        async def verb() -> LoggedIn:
            origin = Origin(dialect=life.dialect)
            caller = await validate(self.env, life.tenant, life.token, origin)
            digest = digest_password(self.password((TENANT, "admin")))
            caller = (await step_up(self.env, caller, digest)).caller
            return await impersonate(self.env, caller, SITTING, "to see", username=name)

        itself = life.subject == "u-admin" and life.accepts(self.now)
        there = name != "gone" and (TENANT, name) not in self.disabled
        try:
            new = self.run_(verb())
        except AuthorityError:
            if life.accepts(self.now):
                life.seen = self.now
            assert not (itself and there)
            return multiple()
        assert itself
        assert there
        life.seen = self.now
        sitting = Life(
            tenant=TENANT,
            subject=SubjectId(f"u-{name}"),
            dialect=life.dialect,
            id=new.session.id,
            number=new.session.serial,
            token=new.token,
            refresh="",
            seen=self.now,
            expires=self.now + 15 * MINUTE,
            token_expires=None,
            idle=None,
            impersonator=life.subject,
        )
        self.all.append(sitting)
        return sitting

    @rule(life=lives)
    def use(self, life: Life) -> None:
        accepted = self.accepted(life)
        assert accepted == life.accepts(self.now)
        if accepted:
            life.seen = self.now

    @rule(target=dead_tokens, life=lives)
    def renew(self, life: Life) -> Any:
        if not life.refresh:
            return multiple()
        new = self.refreshed(life, life.refresh)
        assert (new is not None) == life.live(self.now)
        if new is None:
            return multiple()
        old = (life, life.token, life.refresh)
        life.token, life.refresh = new.token, new.refresh
        life.token_expires = self.now + TOKEN_LIFE
        return old

    @rule(old=consumes(dead_tokens))
    def use_a_spent_refresh_token(self, old: tuple[Life, str, str]) -> None:
        life, _, spent = old
        assert self.refreshed(life, spent) is None
        if life.live(self.now):
            life.ended = True

    @rule(life=lives)
    def log_out(self, life: Life) -> None:
        self.end_own(life, OneSession(session=life.id), [life])

    @rule(life=lives, wire=st.none() | wires)
    def log_out_others(self, life: Life, wire: DialectName | None) -> None:
        scope = OfSubject(subject=life.subject, dialect=wire, keep=life.id)
        others = [
            one
            for one in self.all
            if one.tenant == life.tenant
            and life.subject in (one.subject, one.impersonator)
            and wire in (None, one.dialect)
            and one is not life
            and life.impersonator is None
        ]
        self.end_own(life, scope, others)

    @rule(person=people, wire=st.none() | wires)
    def log_out_subject(self, person: tuple[TenantId, str], wire: DialectName | None) -> None:
        tenant, name = person
        subject = SubjectId(f"u-{name}")
        self.end_as_operator(tenant, OfSubject(subject=subject, dialect=wire))
        self.expect_ended(tenant, subject=subject, wire=wire)

    @rule(tenant=tenants, wire=wires)
    def log_out_dialect(self, tenant: TenantId, wire: DialectName) -> None:
        self.end_as_operator(tenant, OfDialect(dialect=wire))
        self.expect_ended(tenant, wire=wire)

    @rule(tenant=tenants)
    def log_out_tenant(self, tenant: TenantId) -> None:
        self.end_as_operator(tenant, OfTenant())
        self.expect_ended(tenant)

    @rule(person=people)
    def change_password(self, person: tuple[TenantId, str]) -> None:
        self.passwords[person] += 1
        self.set_password(person)
        self.expect_ended(person[0], subject=SubjectId(f"u-{person[1]}"))

    @rule(person=people)
    def disable_or_enable(self, person: tuple[TenantId, str]) -> None:
        enable = person in self.disabled
        self.change(person, enabled=enable)
        if enable:
            self.disabled.remove(person)
        else:
            self.disabled.add(person)
            self.expect_ended(person[0], subject=SubjectId(f"u-{person[1]}"))

    @rule()
    def one_slice_of_sweeping(self) -> None:
        self.run_(sweep(self.env))

    @rule(minutes=st.sampled_from([1, 4, 5, 9, 10, 11, 60]))
    def time_passes(self, minutes: int) -> None:
        self.world.clock.advance(minutes * MINUTE)

    @rule()
    def restart(self) -> None:
        async def reopen() -> IndexStore:
            await self.store.close()
            return await self.open_store()

        if self.reopens():
            self.store = self.run_(reopen())
            self.world.env = replace(self.env, store=self.store)

    def reopens(self) -> bool:
        return False

    # --- what is true at every moment ---

    @invariant()
    def every_token_is_judged_as_it_should_be(self) -> None:
        for life in self.all:
            assert self.accepted(life, use=False) == life.accepts(self.now), life

    @invariant()
    def nothing_is_lost_and_nothing_is_counted_twice(self) -> None:
        if not hasattr(self, "world"):
            return
        for tenant in (TENANT, OTHER):
            mine = [one for one in self.all if one.tenant == tenant]
            everything, live = self.run_(self.listed(tenant))
            assert everything == {one.id for one in mine}
            assert live == {one.id for one in mine if one.live(self.now)}

    def finish(self) -> None:
        """Once all is swept, what is unended is what lives."""
        while self.run_(sweep(self.env)):
            continue
        live = [one for one in self.all if one.live(self.now)]
        assert self.run_(self.store.live_sessions()) == len(live)
        assert not self.run_(self.store.unswept())

    @rule()
    def sweep_to_the_end(self) -> None:
        self.finish()

    # --- how it is done ---

    def password(self, person: tuple[TenantId, str]) -> str:
        return f"password {self.passwords[person]} of {person[1]}"

    def set_password(self, person: tuple[TenantId, str]) -> None:
        self.change(person, password_hash=f"fake${digest_password(self.password(person))}")

    def change(self, person: tuple[TenantId, str], **fields: Any) -> None:
        def changed(subject: Subject) -> Subject:
            return replace(subject, **fields)

        tenant, name = person
        who = operator(tenant, Origin(dialect=WIRES[0]))
        self.run_(change_subject(self.env, who, SubjectId(f"u-{name}"), changed))

    def of(self, subject: Subject) -> list[Life]:
        return [
            one for one in self.all if one.tenant == subject.tenant and one.subject == subject.id
        ]

    def accepted(self, life: Life, *, use: bool = True) -> bool:
        origin = Origin(dialect=life.dialect)
        try:
            self.run_(validate(self.env, life.tenant, life.token, origin, counts_as_use=use))
        except NotAuthenticated:
            return False
        return True

    def refreshed(self, life: Life, token: str) -> LoggedIn | None:
        origin = Origin(dialect=life.dialect)
        verb = refresh(
            self.env,
            life.tenant,
            token,
            origin,
            mint=mint,
            mint_refresh=mint,
            token_life=TOKEN_LIFE,
        )
        try:
            return self.run_(verb)
        except NotAuthenticated:
            return None

    def end_own(self, life: Life, scope: Scope, named: list[Life]) -> None:
        async def verb() -> None:
            origin = Origin(dialect=life.dialect)
            caller = await validate(self.env, life.tenant, life.token, origin)
            await logout(self.env, caller, scope)

        lives = life.accepts(self.now)
        try:
            self.run_(verb())
        except AuthorityError:
            assert not lives
            return
        assert lives
        life.seen = self.now
        for one in named:
            one.ended = True

    def end_as_operator(self, tenant: TenantId, scope: Scope) -> None:
        self.run_(logout(self.env, operator(tenant, Origin(dialect=WIRES[0])), scope))

    def expect_ended(
        self,
        tenant: TenantId,
        subject: SubjectId | None = None,
        wire: DialectName | None = None,
    ) -> None:
        for one in self.all:
            if (
                one.tenant == tenant
                and (subject is None or subject in (one.subject, one.impersonator))
                and wire in (None, one.dialect)
            ):
                one.ended = True

    async def listed(self, tenant: TenantId) -> tuple[set[str], set[str]]:
        async with self.store.transaction(tenant) as tx:
            everything = await tx.sessions(SessionQuery(limit=1_000))
            live = await tx.sessions(SessionQuery(limit=1_000, live_at=self.now))
        assert everything.total == len(everything.sessions)
        assert live.total == len(live.sessions)
        for one in everything.sessions:
            found = await self.store.find(one.token_hash)
            assert found is not None
            assert found.session == one
        return {one.id for one in everything.sessions}, {one.id for one in live.sessions}
