"""Connectors: outbound wires, one module each, through which applications are told."""

from collections.abc import Callable, Mapping

from lastcall.outward import Connector, Egress, Signer

Make = Callable[[Egress, Signer], Connector]

CONNECTORS: Mapping[str, Make] = {}
"""How to make each of them, by the name clients are configured with."""
