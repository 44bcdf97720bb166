"""Checks sessions inside an application's own process: `SessionGuard`, and middleware on it.

Knows nothing of the rest of Lastcall but what the native API's reference says.
"""

from lastcall.client.guard import SessionGuard, Standing
from lastcall.client.identity import CannotKnow, Identity, Verdict
from lastcall.client.threaded import ThreadedGuard

__all__ = ["CannotKnow", "Identity", "SessionGuard", "Standing", "ThreadedGuard", "Verdict"]
