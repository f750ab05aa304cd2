"""``python -m tests.pipeline.decontaminate.killed N[:ENDING] ...``: it, killed before its N-th file.

Of those whose name ends so, where an ending is given.
"""

import os
import sys

from pipeline.decontaminate.command import main
from tests.pipeline.optout.killed import dying, told

if __name__ == "__main__":
    os.replace = dying(os.replace, *told(sys.argv[1]))
    main(sys.argv[2:])
