"""Lastcall: one authority that knows every session, and ends them everywhere."""

__version__ = "0.1.0"
