"""Rows: which values a fact has in a table, in which order, and the fact made from them again.

Every store that keeps facts in tables keeps these; how it writes and reads them is its own affair.
"""

from lastcall.rows.sessions import OWN, Agent, end_of, session_of, session_row
from lastcall.rows.table import Column, Row, Table
from lastcall.rows.tables import TABLES
from lastcall.rows.values import Value, Values, json, not_text, refused, storable

__all__ = [
    "OWN",
    "TABLES",
    "Agent",
    "Column",
    "Row",
    "Table",
    "Value",
    "Values",
    "end_of",
    "json",
    "not_text",
    "refused",
    "session_of",
    "session_row",
    "storable",
]
