"""The inbound wires: one file a vendor, and the tuple that names them all."""

from typing import Any

from lastcall.dialects.elvis import ELVIS
from lastcall.dialects.multitech import MULTITECH
from lastcall.dialects.native import NATIVE
from lastcall.dialects.rocketchat import ROCKETCHAT
from lastcall.dialects.rsa import RSA
from lastcall.dialects.soajs import SOAJS
from lastcall.wire import Dialect

DIALECTS: tuple[Dialect[Any], ...] = (NATIVE, MULTITECH, SOAJS, ELVIS, RSA, ROCKETCHAT)
