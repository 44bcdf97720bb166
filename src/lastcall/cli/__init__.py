"""The command line: `lastcall`."""

from lastcall.cli.application import main

__all__ = ["main"]
