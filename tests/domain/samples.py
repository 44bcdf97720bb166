"""Sessions and subjects to try the rules on."""

from typing import Any

from hypothesis import strategies as st

from lastcall.domain.session import Device, Session
from lastcall.domain.types import (
    DialectName,
    Instant,
    Kind,
    Serial,
    SessionId,
    SubjectId,
    TenantId,
    TokenHash,
)

TENANT = TenantId("t")


def session(**changes: Any) -> Session:
    values: dict[str, Any] = {
        "id": SessionId("s"),
        "tenant": TENANT,
        "subject": SubjectId("u"),
        "token_hash": TokenHash(b"h"),
        "serial": Serial(5),
        "dialect": DialectName("native"),
        "kind": Kind.API,
        "address": "10.0.0.1",
        "port": 1,
        "host": "",
        "user_agent": "",
        "device": Device(),
        "factors": (),
        "created": Instant(1_000),
        "last_seen": Instant(1_000),
        "idle": None,
        "expires": Instant(10_000),
    }
    return Session(**{**values, **changes})


sessions = st.builds(
    session,
    id=st.sampled_from([SessionId("s1"), SessionId("s2"), SessionId("s3")]),
    subject=st.sampled_from([SubjectId("u1"), SubjectId("u2")]),
    dialect=st.sampled_from([DialectName("elvis"), DialectName("rsa")]),
    impersonator=st.none() | st.sampled_from([SubjectId("u1"), SubjectId("u3")]),
    serial=st.integers(0, 20).map(Serial),
    last_seen=st.integers(0, 20_000).map(Instant),
    idle=st.none() | st.integers(1, 5_000),
    expires=st.integers(0, 20_000).map(Instant),
)
