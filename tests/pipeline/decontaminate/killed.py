"""``python -m tests.pipeline.decontaminate.killed N ...``: pipeline.decontaminate, killed as it has written N files."""

import os
import sys

from pipeline.decontaminate.command import main
from tests.pipeline.optout.killed import dying

if __name__ == "__main__":
    os.replace = dying(os.replace, [int(sys.argv[1])])
    main(sys.argv[2:])
