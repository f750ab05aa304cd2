"""What Flink's and Spark's clusters have in common: parts that are started and waited for, ports, the flags to use."""

from __future__ import annotations

import json
import urllib.request
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tools.engines.processes import Failed, Processes, free_ports, listens

HOST = "localhost"
SOON_WARM = "-XX:TieredStopAtLevel=1"  # what is heavy runs in Python; without it a cluster's first jobs are slow


@dataclass(frozen=True)
class Setting:
    """Where a cluster lies and how big it is.

    Attributes:
        cache: The folder for what is fetched.
        state: The folder for its records, configuration and logs.
        workers: Task managers of one slot, or workers of one core, that are wanted at least.
        any_ports: Whether it takes free ports, instead of its own ones.
    """

    cache: Path
    state: Path
    workers: int = 2
    any_ports: bool = False


class Cluster(ABC):
    """A cluster with a Beam job server, all on this machine and bound to its loopback device.

    Attributes:
        name: The engine's name, as on the command line.
        worker: What the records of its workers are called, before their numbers.
        own_ports: The ports that it takes, by what they are for.
        workers: How many workers it has, or will have.
    """

    name: str
    worker: str
    own_ports: ClassVar[dict[str, int]]

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.processes = Processes(setting.state)
        self.workers = self._recorded() or setting.workers

    @abstractmethod
    def launch(self, ports: dict[str, int]) -> None:
        """Fetches what is missing, starts what does not run, and waits till all of it answers."""

    @abstractmethod
    def flags(self, ports: dict[str, int]) -> list[str]:
        """The flags that a command needs to run on it."""

    @abstractmethod
    def parts(self) -> dict[str, str]:
        """Its processes, with what each is."""

    def start(self) -> dict[str, int]:
        """Brings the cluster up; what runs already stays.

        Returns:
            Its ports.

        Raises:
            Missing: Java, Maven or what they fetch is missing.
            Failed: A port is taken, or a part does not start.
        """
        before = self.ports()
        running = [name for name in self.parts() if self.processes.pid(name) is not None]
        if not running or before is None:
            self.processes.stop()
            before = self._choose()
        self.workers = max(self.setting.workers, self._recorded())
        try:
            self.setting.state.mkdir(parents=True, exist_ok=True)
            (self.setting.state / "cluster.json").write_text(json.dumps(before))
        except OSError as error:
            raise Failed(f"records cannot be written: {error}. --state DIR names another folder for them.") from error
        try:
            self.launch(before)
        except BaseException:
            if not running:
                self.processes.stop()  # no half of it stays behind
            raise
        return before

    def ports(self) -> dict[str, int] | None:
        """The ports of the cluster that was started last; None where there was none."""
        try:
            found: dict[str, int] = json.loads((self.setting.state / "cluster.json").read_text())
        except (OSError, ValueError):
            return None
        return found if found.keys() == self.own_ports.keys() else None

    def command(self, action: str) -> str:
        """What a user types to start, stop or look at this cluster, and no other."""
        state = "" if self.setting.state == self.setting.cache / self.name else f" --state {self.setting.state}"
        return f"python -m tools.engines {self.name} {action}{state}"

    def _recorded(self) -> int:
        return sum(name.startswith(f"{self.worker}-") for name in self.processes.names())

    def _choose(self) -> dict[str, int]:
        if self.setting.any_ports:
            return dict(zip(self.own_ports, free_ports(len(self.own_ports)), strict=True))
        taken = {use: port for use, port in self.own_ports.items() if listens(port)}
        if taken:
            which = ", ".join(f"{port} (for the {use})" for use, port in taken.items())
            raise Failed(
                f"something else listens at port {which}. Stop it, or take free ports:\n"
                f"  {self.command('start')} --any-ports"
            )
        return dict(self.own_ports)


def count_at(port: int, page: str, key: str) -> int | None:
    """A count that a web interface of the cluster tells as JSON; None where it does not answer."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/{page}", timeout=5) as answer:
            return int(json.load(answer)[key])
    except (OSError, ValueError, KeyError):
        return None
