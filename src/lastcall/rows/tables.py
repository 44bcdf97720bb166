"""All tables there are, by the kind of fact."""

from lastcall.domain.audit import Record
from lastcall.domain.session import Session
from lastcall.domain.subject import Subject
from lastcall.rows import authority, outbox
from lastcall.rows.audit import AUDIT
from lastcall.rows.sessions import SESSIONS
from lastcall.rows.table import Table

TABLES: dict[type, Table] = {
    int: authority.TABLES[int],
    Subject: authority.TABLES[Subject],
    Session: SESSIONS,
    **authority.TABLES,
    Record: AUDIT,
    **outbox.TABLES,
}
"""In the order in which they are read: people before their sessions, clients before what they are
owed."""
