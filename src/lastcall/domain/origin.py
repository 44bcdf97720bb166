"""Where a request came from: what sessions and audit records remember of it."""

from dataclasses import dataclass

from lastcall.domain.types import DialectName


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """`address` and `port` are the client's, as seen by us or by a trusted proxy."""

    dialect: DialectName
    address: str = ""
    port: int = 0
    host: str = ""
    user_agent: str = ""
    request_id: str = ""
