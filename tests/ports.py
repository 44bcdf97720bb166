"""Ports for what tests start and cannot have choose one by itself."""

import socket
from random import SystemRandom

BELOW = range(20_000, 32_000)
"""Under those that a kernel gives to connections: none is taken by one while a server restarts."""

_given: set[int] = set()


def free_port() -> int:
    """Of 127.0.0.1, free at this moment, and never given before."""
    for port in SystemRandom().sample(BELOW, 100):
        if port in _given:
            continue
        try:
            with socket.create_server(("127.0.0.1", port)):
                _given.add(port)
                return port
        except OSError:
            continue
    raise AssertionError("a hundred ports are taken")
