"""KenLM's two programs that the Python package does not bring: ``lmplz`` (estimates a model) and ``build_binary``.

They are taken from a folder that the user names, from ``PATH``, or from a cache folder; when they are in none of these,
they are built once from KenLM's source distribution of a pinned version (checked by its SHA-256), with cmake, a C++
compiler and Boost.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

KENLM_VERSION = "0.3.0"
KENLM_SHA256 = "c4628bb9fb63c8a6f9240035b8b037385cfc404cb72e933cf48878291edac1e8"
PROGRAMS = ("lmplz", "build_binary")
DEBIAN_PACKAGES = "cmake g++ libboost-program-options-dev libboost-system-dev libboost-thread-dev libboost-test-dev"
LOG_LINES_SHOWN = 15


@dataclass(frozen=True)
class KenlmTools:
    """Where the two programs are.

    Attributes:
        lmplz: estimates an n-gram model from text.
        build_binary: turns an ARPA file into KenLM's mapped format.
    """

    lmplz: Path
    build_binary: Path


def default_cache_folder() -> Path:
    """Returns the folder of built programs, by the XDG convention."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "llama-corpus" / f"kenlm-{KENLM_VERSION}"


def find_or_build(folder: Path | None = None, cache: Path | None = None) -> KenlmTools:
    """Returns the programs; builds them if they are nowhere.

    Args:
        folder: where both programs must be, if given; nothing is searched or built then.
        cache: where built programs are kept; :func:`default_cache_folder` if None.

    Raises:
        ValueError: ``folder`` lacks a program.
        RuntimeError: a tool for building is missing, or the build failed; the message says what to install.
    """
    if folder is not None:
        tools = _tools_in(folder)
        if tools is None:
            raise ValueError(f"{folder} must hold the programs {' and '.join(PROGRAMS)}; one of them is missing")
        return tools
    cache = cache or default_cache_folder()
    return find(cache) or _build(cache)


def find(cache: Path) -> KenlmTools | None:
    """Returns the programs on ``PATH``, or else in the cache folder, or else None."""
    on_path = [shutil.which(program) for program in PROGRAMS]
    if on_path[0] and on_path[1]:
        return KenlmTools(Path(on_path[0]), Path(on_path[1]))
    return _tools_in(cache)


def _tools_in(folder: Path) -> KenlmTools | None:
    found = [folder / program for program in PROGRAMS]
    return KenlmTools(*found) if all(os.access(path, os.X_OK) for path in found) else None


def _build(cache: Path) -> KenlmTools:
    """Downloads and builds the programs, and moves them to the cache folder."""
    missing = [name for name in ("cmake", "c++") if shutil.which(name) is None]
    if missing:
        raise RuntimeError(f"building lmplz needs {' and '.join(missing)}. {_advice()}")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="build-", dir=cache) as folder:
        work = Path(folder)
        source = _download(work)
        build = work / "build"
        # Boost 1.69 and later need no library for Boost.System; older cmake files look for it all the same.
        configure = ["cmake", "-S", str(source), "-B", str(build), "-DCMAKE_BUILD_TYPE=Release"]
        _run(configure, "configuring KenLM failed (most often a missing Boost)")
        compile_ = ["cmake", "--build", str(build), "--parallel", str(os.cpu_count() or 1), "--target", *PROGRAMS]
        _run(compile_, "compiling KenLM failed")
        for program in PROGRAMS:
            os.replace(build / "bin" / program, cache / program)
    return KenlmTools(cache / PROGRAMS[0], cache / PROGRAMS[1])


def _download(work: Path) -> Path:
    """Fetches KenLM's source distribution through pip, and returns its unpacked folder."""
    requirement = work / "requirements.txt"
    requirement.write_text(f"kenlm=={KENLM_VERSION} --hash=sha256:{KENLM_SHA256}\n", encoding="ascii")
    command = [sys.executable, "-m", "pip", "download", "--no-binary", "kenlm", "--no-deps"]
    command += ["--require-hashes", "--dest", str(work), "--requirement", str(requirement)]
    _run(command, f"downloading the source of kenlm {KENLM_VERSION} failed")
    archives = list(work.glob("kenlm-*.tar.gz"))
    if len(archives) != 1:
        raise RuntimeError(f"pip downloaded {len(archives)} archives of kenlm's source, not one. {_advice()}")
    with tarfile.open(archives[0]) as archive:
        archive.extractall(work, filter="data")
    return work / f"kenlm-{KENLM_VERSION}"


def _run(command: list[str], failure: str) -> None:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False
    )
    if done.returncode:
        tail = "\n".join(done.stdout.strip().splitlines()[-LOG_LINES_SHOWN:])
        raise RuntimeError(f"{failure}. {_advice()}\nThe last lines of the log:\n{tail}")


def _advice() -> str:
    return (
        f"On Debian and Ubuntu: apt-get install {DEBIAN_PACKAGES}. "
        f"Or build KenLM yourself and name the folder of {' and '.join(PROGRAMS)} with --kenlm-programs"
    )
