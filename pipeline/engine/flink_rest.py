"""What Flink's web interface tells of a job that Beam's job service does not: failures that began anew, free slots."""

from __future__ import annotations

import contextlib
import json
import urllib.request
from dataclasses import dataclass
from typing import Any

SECONDS = 5.0


@dataclass(frozen=True)
class Failure:
    """A failure after which Flink began anew."""

    time: int
    trace: str


class FlinkJob:
    """A job, known by its name.

    Args:
        address: Host and port of the web interface.
        name: The job's name, which no other has.
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

    def slots(self) -> int | None:
        """The cluster's slots; None where the interface does not answer."""
        found = self._ask("/overview")
        return None if found is None else int(found["slots-total"])

    def cancel(self) -> None:
        """Stops the job: Beam's job service leaves it running."""
        if self._known():
            request = urllib.request.Request(f"{self._url}/jobs/{self._id}?mode=cancel", method="PATCH")
            with contextlib.suppress(OSError, ValueError), urllib.request.urlopen(request, timeout=SECONDS):
                pass

    def _known(self) -> str | None:
        if self._id is None:
            jobs = (self._ask("/jobs/overview") or {}).get("jobs", [])
            self._id = next((str(job["jid"]) for job in jobs if job["name"] == self._name), None)
        return self._id

    def _ask(self, path: str) -> dict[str, Any] | None:
        try:
            with urllib.request.urlopen(self._url + path, timeout=SECONDS) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except (OSError, ValueError):
            return None
