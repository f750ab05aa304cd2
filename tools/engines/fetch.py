"""Brings the engines into the cache folder: from Python's and Java's registries, by the user's pip and Maven."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

# Pairs that were run together. The wheels hold whole distributions; of Beam's runners these come with all they need.
FLINK = ("flink-1.19.3", ("apache-flink==1.19.3", "apache-flink-libraries==1.19.3"), "257 MB")
SPARK = ("spark-3.5.0", ("pyspark==3.5.0",), "317 MB")
BEAM = "2.62.0"
RUNNERS = {"flink": "beam-runners-flink-1.19", "spark": "beam-runners-spark-3"}

FETCH_SECONDS = 1800
JAVAS = (11, 17)
NO_JAVA = """\
a cluster needs Java, 11 or 17, and there is {found}. To get it:
  Debian, Ubuntu:  sudo apt-get install openjdk-17-jre-headless
  macOS:           brew install openjdk@17
Another one than that on PATH is taken from JAVA_HOME."""
NO_MAVEN = """\
Beam's runners for Flink and Spark are fetched by Maven, and there is no mvn on PATH. To get it:
  Debian, Ubuntu:  sudo apt-get install maven
  macOS:           brew install maven"""

_POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>runner</groupId><artifactId>runner</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.beam</groupId><artifactId>{artifact}</artifactId><version>{version}</version></dependency>
  </dependencies>
</project>
"""


class Missing(Exception):
    """Something that only the user can mend; its text says how."""


def java() -> str:
    """The Java that runs the engines.

    Raises:
        Missing: There is none, or none of a version that they know.
    """
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home, "bin", "java")) if home else shutil.which("java")
    if not found or not os.access(found, os.X_OK):
        raise Missing(NO_JAVA.format(found=f"none in JAVA_HOME ({home})" if home else "none on PATH"))
    said = subprocess.run([found, "-version"], capture_output=True, text=True, check=False, timeout=60).stderr
    version = said.partition('"')[2].partition('"')[0]
    number = int("".join(c for c in version.partition(".")[0] if c.isdigit()) or 0)
    if number not in JAVAS:
        raise Missing(NO_JAVA.format(found=f"{version or 'one that does not tell its version'} ({found})"))
    return found


def distribution(cache: Path, engine: tuple[str, Sequence[str], str]) -> Path:
    """The folder of an engine's own distribution, fetched where it is not there."""
    name, packages, size = engine

    def fetch(folder: Path) -> None:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        _run([*pip, "--no-compile", "--target", str(folder), *packages], folder.parent)

    return _once(cache / name, f"{', '.join(packages)} ({size})", fetch)


def runner(cache: Path, engine: str) -> Path:
    """The folder with the jars of Beam's runner for an engine, fetched where it is not there.

    Raises:
        Missing: There is no Maven, or it cannot fetch them.
    """
    artifact = RUNNERS[engine]

    def fetch(folder: Path) -> None:
        maven = shutil.which("mvn")
        if maven is None:
            raise Missing(NO_MAVEN)
        folder.mkdir()
        with tempfile.TemporaryDirectory(dir=folder.parent) as project:
            Path(project, "pom.xml").write_text(_POM.format(artifact=artifact, version=BEAM))
            flags = ["--quiet", "--batch-mode", f"-DoutputDirectory={folder}"]
            _run([maven, *flags, "dependency:copy-dependencies"], Path(project))

    return _once(cache / f"{artifact}-{BEAM}", f"{artifact} {BEAM} (150 MB)", fetch)


def _once(folder: Path, what: str, fetch: Callable[[Path], None]) -> Path:
    """Fills a folder that appears whole or not at all."""
    if folder.is_dir():
        return folder
    print(f"fetching {what} into {folder} ...", flush=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        fetch(part / "new")
        with contextlib.suppress(OSError):  # another one was faster
            (part / "new").rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _run(command: Sequence[str], folder: Path) -> None:
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "PIP_ROOT_USER_ACTION": "ignore"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=FETCH_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise Missing(f"{command[0]} did not end in {FETCH_SECONDS // 60} minutes: {' '.join(command)}") from error
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-10:])
        raise Missing(f"this failed, and what it says tells why:\n  {' '.join(command)}\n{said}")
