"""The HTTP assembly: what turns the dialects into one server.

`build` gives the ASGI application; `uvicorn_options` are what uvicorn must be told to carry it.
"""

from lastcall.http.app import Asgi, build
from lastcall.http.draining import BACKLOG, Draining
from lastcall.http.facts import Mount, Readiness, ServerFacts
from lastcall.http.fast import uvicorn_options

__all__ = [
    "BACKLOG",
    "Asgi",
    "Draining",
    "Mount",
    "Readiness",
    "ServerFacts",
    "build",
    "uvicorn_options",
]
