"""Checking a receipt, an audit export and signed heads offline, with nothing but public keys."""

from lastcall.verify.checking import Given, Report, check

__all__ = ["Given", "Report", "check"]
