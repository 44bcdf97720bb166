"""`lastcall` under Python's profiler: `python -m benchmarks.profiled FILE serve --config ...`.

It costs about half the speed, so no figure is ever taken of a server that runs so.
"""

import cProfile
import sys
from contextlib import suppress

from lastcall.cli import main

if __name__ == "__main__":
    _, into, *sys.argv[1:] = sys.argv
    profile = cProfile.Profile()
    with suppress(SystemExit):
        profile.runcall(main)
    profile.dump_stats(into)
