"""Makes the virtual environment of the Makefile, and installs in it what one kind of work needs. Standard library only.

    python tools/set_up.py .venv corpus     what makes the corpus: no compiler, no torch
    python tools/set_up.py .venv train      what trains on it: torch
    python tools/set_up.py .venv chat       what makes a chat model of it: torch and TRL
    python tools/set_up.py .venv test       what the tests and the linters need beside both

Versions are those of constraints.txt, which were tested together; an empty ``PINS`` in the environment takes the newest
ones. A virtual environment that has plain ``fasttext`` or ``kenlm`` keeps it: the wheels that set-up takes in their
place have the same import names.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

OLDEST_PYTHON = (3, 10)
ROOT = Path(__file__).parents[1]
PARTS = {
    "corpus": ["corpus-base", "report"],
    "train": ["train"],
    "chat": ["corpus-base", "report", "train", "chat"],
    "test": ["corpus-base", "report", "aws", "hub", "train", "chat", "evaluation", "dev"],
}
SIZES = {
    "corpus": "0.6 GB, no compiler needed",
    "train": "torch: with CUDA some 5 GB",
    "chat": "torch and TRL: with CUDA some 5 GB",
    "test": "torch and all test tools: some 6 GB",
}

# Wheels of the two libraries, and the names under which others may have installed them.
WHEELS = {"fasttext-community": ("fasttext", "fasttext-wheel"), "ufal-kenlm": ("kenlm",)}

# What one test alone needs lies in a folder of its own: in the environment, every process that imports Beam would
# import Google's client, too. Where it cannot be had, that test says so and is skipped.
APART = {"test": {"gcp": ["google-cloud-dataflow-client", "google-cloud-storage"]}}

NO_VENV = """\
set-up needs Python's module venv. To get it:
  Debian, Ubuntu:  sudo apt-get install python3-venv
Then type the same make command again."""


def main(venv: str, part: str) -> None:
    """Ends with status 1 and advice where something is missing."""
    if sys.version_info < OLDEST_PYTHON:
        sys.exit(
            f"set-up needs Python 3.10 or later; this is {sys.version.split()[0]} "
            "(make PYTHON=python3.12 chooses another)"
        )
    began = time.monotonic()
    python = environment(Path(venv))
    print(f"setting up {venv} ({part}: {SIZES[part]}) ...", flush=True)
    extras = ",".join(PARTS[part])
    wheels = missing_wheels(python) if "corpus-base" in extras else []
    install = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-compile",  # what is imported is compiled then; the rest of torch and Beam never is
        *(["--constraint", pins] if (pins := os.environ.get("PINS", "constraints.txt")) else []),
    ]
    done = subprocess.run([*install, "--editable", f".[{extras}]", *wheels], cwd=ROOT, env=quiet(), check=False)
    if done.returncode:
        sys.exit(
            "set-up could not install everything; what pip says above tells why. All has wheels for Python "
            "3.10 to 3.14 on Linux, macOS and Windows; elsewhere a C++ compiler may be wanted. Type the same "
            "make command again once it is mended."
        )
    for folder, packages in APART.get(part, {}).items():
        target = Path(venv) / "apart" / folder
        shutil.rmtree(target, ignore_errors=True)  # of an earlier set-up, perhaps with other versions
        subprocess.run([*install, "--target", str(target.absolute()), *packages], cwd=ROOT, env=quiet(), check=False)
    print(f"set up in {time.monotonic() - began:.0f} s", flush=True)


def environment(venv: Path) -> str:
    """The interpreter of the environment, which is made where it is not there."""
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if python.exists():
        return str(python.absolute())
    if venv.exists() and (not venv.is_dir() or any(venv.iterdir())):
        sys.exit(f"set-up makes the environment {venv} in a new folder: move what is there away, or give another VENV=")
    if subprocess.run([sys.executable, "-m", "venv", str(venv)], check=False).returncode:
        shutil.rmtree(venv, ignore_errors=True)  # all that is in it is new
        sys.exit(NO_VENV)
    return str(python.absolute())


def missing_wheels(python: str) -> list[str]:
    """The wheels to install: those whose library the environment has under no other name."""
    code = "import importlib.metadata as m; print(*{d.metadata['Name'] for d in m.distributions()})"
    there = subprocess.run([python, "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout.lower().split()
    return [wheel for wheel, others in WHEELS.items() if not set(others) & set(there)]


def quiet() -> dict[str, str]:
    """The environment of pip, without its warnings."""
    return {**os.environ, "PYTHONWARNINGS": "ignore", "PIP_ROOT_USER_ACTION": "ignore"}


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[2] not in PARTS:
        sys.exit(__doc__)
    main(*sys.argv[1:])
