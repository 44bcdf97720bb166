"""Selections: which sessions a mass logout is about, as criteria that must all hold."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from lastcall.domain.errors import Invalid
from lastcall.domain.factor import Method
from lastcall.domain.session import Session
from lastcall.domain.subject import Subject
from lastcall.domain.types import (
    ClientId,
    DialectName,
    Duration,
    Instant,
    SubjectId,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """An empty criterion does not narrow; one that lists several holds for any of them.

    `networks` are addresses or CIDR blocks, `countries` ISO 3166 codes, `device` a part of what
    the user agent says. `older_than` and `idle_for` are milliseconds. `factor` selects sessions
    begun or stepped up with it, `without_factor` those that were not.
    """

    clients: frozenset[ClientId] = frozenset()
    roles: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    networks: tuple[str, ...] = ()
    countries: frozenset[str] = frozenset()
    device: str = ""
    dialects: frozenset[DialectName] = frozenset()
    older_than: Duration | None = None
    idle_for: Duration | None = None
    factor: Method | None = None
    without_factor: Method | None = None
    subjects: frozenset[SubjectId] = frozenset()


Network = IPv4Network | IPv6Network


def networks_of(selection: Selection) -> tuple[Network, ...]:
    """Raises `Invalid` for what is no address block; host bits may be set."""
    try:
        return tuple(ip_network(text, strict=False) for text in selection.networks)
    except ValueError as error:
        raise Invalid("networks", "must be IP addresses or CIDR blocks") from error


def matches(
    selection: Selection,
    networks: tuple[Network, ...],
    session: Session,
    subject: Subject,
    now: Instant,
    country: str,
) -> bool:
    """`subject` has the session, or sits in it; `country` is where its address is, if known."""
    joined = {participant.client for participant in session.participants}
    methods = {factor.method for factor in session.factors}
    device = session.device
    said = f"{device.name} {device.type} {device.os_name} {session.user_agent}".lower()
    return (
        _any(selection.clients, joined)
        and _any(selection.roles, (subject.role,))
        and _any(selection.groups, subject.groups)
        and _any(selection.dialects, (session.dialect,))
        and _any(selection.subjects, (subject.id,))
        and _any(selection.countries, (country,))
        and (not networks or _within(session.address, networks))
        and selection.device.lower() in said
        and (selection.older_than is None or now - session.created > selection.older_than)
        and (selection.idle_for is None or now - session.last_seen > selection.idle_for)
        and (selection.factor is None or selection.factor in methods)
        and (selection.without_factor is None or selection.without_factor not in methods)
    )


def _any(wanted: frozenset[str], had: Iterable[str]) -> bool:
    return not wanted or not wanted.isdisjoint(had)


def _within(address: str, networks: tuple[Network, ...]) -> bool:
    """A session without a readable address is in no network."""
    try:
        place = ip_address(address)
    except ValueError:
        return False
    return any(place in network for network in networks)
