"""The compiled inner loops: found beside this file, where the installation had a compiler, and called by ``ctypes``.

They are plain C without Python in it: no reference is counted, and the interpreter's lock is free while they run.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import numpy as np
import numpy.typing as npt

NAME = "_compiled"
# The layout of the structures and arguments; a library left by another version is not used.
INTERFACE = 6


@functools.cache
def compiled() -> ctypes.CDLL | None:
    """The library; None where it was not built, is of another version, or the machine is not of its kind."""
    if sys.byteorder != "little" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return None
    for suffix in EXTENSION_SUFFIXES:
        path = Path(__file__).with_name(NAME + suffix)
        if path.exists():
            try:
                library = ctypes.CDLL(str(path))
                return library if library.native_interface() == INTERFACE else None
            except (OSError, AttributeError):  # built for another machine, or of another version
                return None
    return None


def address(array: npt.NDArray[np.generic]) -> int:
    """Where the values of a contiguous array lie; the caller keeps the array alive."""
    assert array.flags.c_contiguous
    return int(array.ctypes.data)
