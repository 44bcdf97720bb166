"""The demonstration: a real server, accounts to try, and applications that are told."""

from lastcall.demo.demonstration import folder_of, prepare

__all__ = ["folder_of", "prepare"]
