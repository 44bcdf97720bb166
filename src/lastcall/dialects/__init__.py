"""The inbound wires: one file a vendor, and the tuple that names them all."""

from typing import Any

from lastcall.dialects.multitech import MULTITECH
from lastcall.wire import Dialect

DIALECTS: tuple[Dialect[Any], ...] = (MULTITECH,)
