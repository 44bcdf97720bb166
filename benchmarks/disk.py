"""Scene: how often a second the disk takes what is appended to a file, each time synced."""

import json
import os
import sys
import tempfile
import time
from statistics import median

PAGE = bytes(4_096)


def syncs(many: int) -> list[float]:
    """Seconds to append a page to a file and have it on the disk."""
    times: list[float] = []
    with tempfile.TemporaryFile() as file:
        for _ in range(many):
            began = time.perf_counter()
            os.write(file.fileno(), PAGE)
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return times


if __name__ == "__main__":
    print(json.dumps({"syncs_per_second": 1 / median(syncs(int(sys.argv[1])))}))
