"""How much memory a process has held at most."""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.M)


def peak_bytes() -> int:
    """The most memory, in bytes, that this process has held since its program began.

    Linux hands ``ru_maxrss`` on from a parent to what it starts: a worker that a Java engine starts would show the
    engine's memory. The high-water mark of ``/proc`` is the program's own.
    """
    try:
        found = _PEAK.search(Path("/proc/self/status").read_text())
    except OSError:
        found = None
    if found:
        return int(found[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
