"""What Flink's web interface tells of a job that Beam's job service does not: failures that began anew, free slots."""

from __future__ import annotations

import contextlib
import json
import urllib.request
from dataclasses import dataclass
from typing import Any

SECONDS = 5.0
ENDED = {"FINISHED", "FAILED", "CANCELED", "SUSPENDED"}
# Settings of clusters that start task managers when a job asks for them, or make do with fewer slots.
_GROWING = ("kubernetes.cluster-id", "yarn.application.id", "yarn.properties-file.location")
_MODES = {("jobmanager.scheduler", "adaptive"), ("scheduler-mode", "reactive")}


@dataclass(frozen=True)
class Failure:
    """A failure after which Flink began anew."""

    time: int
    trace: str


@dataclass(frozen=True)
class Slots:
    """The slots of a cluster: all, free ones, and whether no task manager joins them for a job's sake."""

    total: int
    free: int
    fixed: bool


class FlinkJob:
    """A job, known by its name: of several the one that was started last.

    Args:
        address: Host and port of the web interface.
        name: The job's name.
    """

    def __init__(self, address: str, name: str) -> None:
        self._url = f"http://{address.removeprefix('http://').rstrip('/')}"
        self._name = name
        self._id: str | None = None
        self._seen = 0

    def failures(self) -> list[Failure]:
        """Those since the last call; none where the interface does not answer."""
        found = self._ask(f"/jobs/{self._known()}/exceptions?maxExceptions=50") if self._known() else None
        entries = (found or {}).get("exceptionHistory", {}).get("entries", [])
        failures = [Failure(int(entry["timestamp"]), str(entry["stacktrace"])) for entry in entries]
        new = sorted((f for f in failures if f.time > self._seen), key=lambda f: f.time)
        self._seen = max([self._seen, *(f.time for f in new)])
        return new

    def slots(self) -> Slots | None:
        """The cluster's slots; None where the interface does not answer."""
        found = self._ask("/overview")
        if found is None or "slots-total" not in found:
            return None
        return Slots(int(found["slots-total"]), int(found.get("slots-available", 0)), self._is_fixed())

    def version(self) -> str:
        """The cluster's version; empty where the interface does not answer."""
        return str((self._ask("/overview") or {}).get("flink-version", ""))

    def is_running(self) -> bool | None:
        """Whether the job is there and has not ended; None where the interface does not answer."""
        jobs = self._jobs()
        return None if jobs is None else any(job["state"] not in ENDED for job in jobs)

    def cancel(self) -> None:
        """Stops the job: Beam's job service leaves it running."""
        for job in self._jobs() or ():
            if job["state"] not in ENDED:
                request = urllib.request.Request(f"{self._url}/jobs/{job['jid']}?mode=cancel", method="PATCH")
                with contextlib.suppress(OSError, ValueError), urllib.request.urlopen(request, timeout=SECONDS):
                    pass

    def _known(self) -> str | None:
        if self._id is None and (jobs := self._jobs()):
            self._id = str(max(jobs, key=lambda job: int(job.get("start-time", 0)))["jid"])
        return self._id

    def _jobs(self) -> list[dict[str, Any]] | None:
        found = self._ask("/jobs/overview")
        return None if found is None else [job for job in found.get("jobs", []) if job["name"] == self._name]

    def _is_fixed(self) -> bool:
        entries = self._ask("/jobmanager/config")
        if not isinstance(entries, list):
            return False
        settings = {(str(entry["key"]), str(entry["value"]).lower()) for entry in entries}
        return not settings & _MODES and not any(key in _GROWING for key, _ in settings)

    def _ask(self, path: str) -> Any:
        """What the interface answers; None where it does not."""
        try:
            with urllib.request.urlopen(self._url + path, timeout=SECONDS) as answer:
                return json.load(answer)
        except (OSError, ValueError):
            return None
