"""Connectors: outbound wires, one module each, through which applications are told."""

from collections.abc import Callable, Mapping

from lastcall.connectors.backchannel import Backchannel
from lastcall.connectors.elvis import Elvis
from lastcall.connectors.global_token_revocation import GlobalTokenRevocation
from lastcall.connectors.multitech import MultiTech
from lastcall.connectors.rocketchat import RocketChat
from lastcall.connectors.rsa import Rsa
from lastcall.connectors.shared_signals import SharedSignals
from lastcall.connectors.soajs import Soajs
from lastcall.connectors.webhook import Webhook
from lastcall.outward import Connector, Egress, Signer

Make = Callable[[Egress, Signer], Connector]

CONNECTORS: Mapping[str, Make] = {
    Backchannel.name: Backchannel,
    GlobalTokenRevocation.name: GlobalTokenRevocation,
    SharedSignals.name: SharedSignals,
    Webhook.name: Webhook,
    MultiTech.name: MultiTech,
    Soajs.name: Soajs,
    Elvis.name: Elvis,
    Rsa.name: Rsa,
    RocketChat.name: RocketChat,
}
"""How to make each of them, by the name clients are configured with."""
