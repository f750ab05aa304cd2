import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from filters.native import library
from filters.native.library import INTERFACE, address

SOURCES = sorted((Path(library.__file__).parent).glob("*.c"))


def test_address():
    values = np.arange(4)
    assert address(values[1:]) == address(values) + values.itemsize
    with pytest.raises(AssertionError):
        address(values[::2])


def test_the_interface_has_a_number():
    assert f"int native_interface(void) {{ return {INTERFACE}; }}" in "".join(p.read_text() for p in SOURCES)


@pytest.mark.skipif(shutil.which("cc") is None or sys.platform == "win32", reason="there is no compiler")
def test_it_compiles_without_python_and_without_warnings(tmp_path):
    command = ["cc", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", str(tmp_path / "compiled.so")]
    subprocess.run([*command, *map(str, SOURCES)], check=True)
