"""The bench: what one node can do on this machine, with nothing but Lastcall itself."""

from lastcall.bench.measuring import Sizes, measure
from lastcall.bench.report import Report
from lastcall.bench.unmeasured import Unmeasured

__all__ = ["Report", "Sizes", "Unmeasured", "measure"]
