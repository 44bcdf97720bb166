"""`lastcall` under Python's profiler: `python -m benchmarks.profiled FILE serve --config ...`.

It profiles from when it is sent SIGUSR1, so that its start is no part of it. It costs about half
the speed: no figure is ever taken of a server that runs so.
"""

import cProfile
import signal
import sys
from contextlib import suppress

from lastcall.cli import main

if __name__ == "__main__":
    _, into, *sys.argv[1:] = sys.argv
    profile = cProfile.Profile()
    signal.signal(signal.SIGUSR1, lambda *_: profile.enable())
    with suppress(SystemExit):
        main()
    profile.disable()
    profile.dump_stats(into)
