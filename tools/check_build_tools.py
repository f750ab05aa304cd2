"""Says, before pip fails on it, what is missing to compile fasttext and kenlm. Standard library only."""

import shutil
import sys
import sysconfig
from pathlib import Path

NEEDED = {"g++": "a C++ compiler", "cmake": "the CMake build tool"}
OLDEST_PYTHON = (3, 10)
ADVICE = """\
fasttext and kenlm have no binary wheels and are compiled during set-up. To get what is missing:
  Debian, Ubuntu:  sudo apt-get install g++ cmake python3-dev python3-venv
  Fedora:          sudo dnf install gcc-c++ cmake python3-devel
  macOS:           xcode-select --install && brew install cmake
  conda:           conda install -c conda-forge cxx-compiler cmake
Then type the same make command again."""


def main() -> None:
    """Ends with status 1 and advice where something is missing."""
    missing = [f"{tool} ({what})" for tool, what in NEEDED.items() if not any(map(shutil.which, alternatives(tool)))]
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").exists():
        missing.append("Python.h (the Python headers)")
    if sys.version_info < OLDEST_PYTHON:
        missing.append(f"a later Python than {sys.version.split()[0]} (make PYTHON=python3.11 chooses another)")
    if missing:
        sys.exit(f"set-up needs {', '.join(missing)}.\n{ADVICE}")


def alternatives(tool: str) -> list[str]:
    """Names under which a tool may be found."""
    return ["g++", "c++", "clang++"] if tool == "g++" else [tool]


if __name__ == "__main__":
    main()
