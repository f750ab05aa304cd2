"""``python -m tests.pipeline.optout.killed N[:ENDING] ...``: pipeline.optout, killed before its N-th change of a file.

Of files whose name ends so, where an ending is given.
"""

import os
import signal
import sys

from pipeline.optout.command import main


def told(word):
    """How many changes are made, a list of one number, and the ending."""
    number, _, ending = word.partition(":")
    return [int(number)], ending


def dying(call, left, ending):
    """A call that kills the process once it was made too often."""

    def counted(*arguments, **keys):
        left[0] -= str(arguments[-1]).endswith(ending)
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **keys)

    return counted


if __name__ == "__main__":
    when = told(sys.argv[1])
    os.replace, os.remove = dying(os.replace, *when), dying(os.remove, *when)
    main(sys.argv[2:])
