"""Units of dedup: what a source hashes of its documents, and the rule that says which copy stays."""

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Policy = Literal["drop_all", "keep_first", "keep_smallest"]
Hashes = npt.NDArray[np.uint64]


class Units(NamedTuple):
    """The units of one document: their hashes in order, and the document's priority (``keep_smallest`` only)."""

    hashes: Hashes
    priority: int = 0
