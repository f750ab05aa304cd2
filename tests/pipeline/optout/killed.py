"""``python -m tests.pipeline.optout.killed N[:ENDING] ...``: pipeline.optout, killed before its N-th change of a file.

Of files whose name ends so, where an ending is given.
"""

import os
import signal
import sys

from pipeline.optout.command import main


def dying(call, left, ending=""):
    """A call that kills the process once it was made too often."""

    def counted(*arguments, **keys):
        left[0] -= str(arguments[-1]).endswith(ending)
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **keys)

    return counted


if __name__ == "__main__":
    number, _, ending = sys.argv[1].partition(":")
    changes = [int(number)]
    os.replace, os.remove = dying(os.replace, changes, ending), dying(os.remove, changes, ending)
    main(sys.argv[2:])
