"""``python -m tests.pipeline.optout.killed N ...``: pipeline.optout, killed before its N-th change of a file."""

import os
import signal
import sys

from pipeline.optout.command import main


def dying(call, left):
    """A call that kills the process once it was made too often."""

    def counted(*arguments, **keys):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **keys)

    return counted


if __name__ == "__main__":
    changes = [int(sys.argv[1])]
    os.replace, os.remove = dying(os.replace, changes), dying(os.remove, changes)
    main(sys.argv[2:])
