"""The processes of a cluster: started apart from the terminal, known by records, and stopped by these alone."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

START_SECONDS = 90.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.1
LOG_LINES = 8


class Failed(Exception):
    """A part of the cluster did not start; the text names its log."""


class Processes:
    """The processes whose records lie in a folder.

    Args:
        folder: Where records and logs lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def log(self, name: str) -> Path:
        """The log of a process."""
        return self.folder / "log" / f"{name}.log"

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Starts a process that outlives this one and its terminal; nothing happens where it runs."""
        if self.pid(name) is not None:
            return
        log = self.log(name)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        record = self.folder / f"{name}.json"
        record.write_text(json.dumps({"pid": process.pid, "started": started_at(process.pid)}))

    def names(self) -> list[str]:
        """The processes that were started and not stopped, in the order in which they were."""
        records = sorted(self.folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        return [path.stem for path in records if path.name != "cluster.json"]

    def pid(self, name: str) -> int | None:
        """The process id; None where the process has ended, and where its number is another's by now."""
        try:
            record = json.loads((self.folder / f"{name}.json").read_text())
        except (OSError, ValueError):
            return None
        pid = int(record["pid"])
        return pid if record["started"] and started_at(pid) == record["started"] else None

    def wait(self, name: str, answers: Callable[[], bool], what: str) -> None:
        """Waits till a process answers.

        Raises:
            Failed: It has ended, or does not answer in time.
        """
        deadline = time.monotonic() + START_SECONDS
        while not answers():
            if self.pid(name) is None:
                raise Failed(f"{what} has ended. Its log, {self.log(name)}, ends with:\n{self._tail(name)}")
            if time.monotonic() > deadline:
                raise Failed(
                    f"{what} does not answer after {START_SECONDS:.0f} s. Its log, {self.log(name)}, ends with:\n"
                    + self._tail(name)
                )
            time.sleep(POLL_SECONDS)

    def stop(self) -> int:
        """Stops all, the last started first, and gives how many ran."""
        stopped = 0
        for name in reversed(self.names()):
            pid = self.pid(name)
            if pid is not None:
                stopped += 1
                self._end(name, pid)
            (self.folder / f"{name}.json").unlink(missing_ok=True)
        return stopped

    def _end(self, name: str, pid: int) -> None:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(pid, sign)  # it leads a group of its own
            except ProcessLookupError:
                return
            deadline = time.monotonic() + STOP_SECONDS
            while time.monotonic() < deadline:
                if self.pid(name) is None:
                    return
                time.sleep(POLL_SECONDS)

    def _tail(self, name: str) -> str:
        try:
            lines = self.log(name).read_text(errors="replace").splitlines()
        except OSError:
            return "(nothing)"
        return "\n".join(f"  {line[:300]}" for line in lines[-LOG_LINES:]) or "(nothing)"


def started_at(pid: int) -> str:
    """When a process began, which tells it from a later one of the same number; empty where there is none."""
    try:  # a child of this process that has ended would be there still
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return ""
    except ChildProcessError:
        pass
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] == "Z" else fields[19]
    except OSError:
        if os.path.isdir("/proc/self"):
            return ""
    asked = ["ps", "-o", "lstart=", "-p", str(pid)]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


def listens(port: int) -> bool:
    """Whether something takes connections at a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nothing listens at."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
