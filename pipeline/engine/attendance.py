"""Who works for a command on a cluster: each worker signs a list in the output folder, and keeps signing.

The list shows that workers have begun and still live, whatever the engine, and that they see the command's output
folder: a worker that does not find the list stops with a message, instead of writing where nobody looks. It is gone
when the job is. Parts of a run have a list each, for they may be on one cluster at a time.

At the head of the list stands which job it is of, and the command holds that file as long as it lives: so the list of
a command that was killed is known, and with it the job that may still run (``pipeline.engine.service.end_abandoned``).
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from pipeline.engine.options import runner_of
from pipeline.errors import OutputError
from pipeline.storage.filesystem import (
    delete_tree,
    exists,
    file_sizes,
    is_remote,
    join,
    read_bytes,
    write_bytes,
)
from pipeline.storage.locks import hold, is_abandoned

if TYPE_CHECKING:
    pass

FOLDER = ".attendance"
WHOLE = "whole"  # the list of a run that is no part
CALLED = "called"
SIGN_SECONDS = 20.0
SIGN_SECONDS_REMOTE = 60.0
SIGNS_MISSED = 2.5  # of workers that are taken for lost
SERVICES = {"portablerunner", "flinkrunner", "sparkrunner"}


def is_service(flags: Sequence[str]) -> bool:
    """Tells whether a run goes to a job service, whose workers sign."""
    return runner_of(flags) in SERVICES


@dataclass(frozen=True)
class Called:
    """What stands at the head of a list.

    Attributes:
        job: The job's name.
        endpoint: The job service's address; empty where the command started that itself.
        flink: The address of Flink's web interface; empty where it is not known.
        token: Tells this list from others of the same name.
    """

    job: str
    endpoint: str = ""
    flink: str = ""
    token: str = ""


class Attendance:
    """The command's side of the list; a context manager.

    Args:
        root: The folder that the command writes to.
        name: The list's name, that of a part or ``WHOLE``.
        called: Of which job it is.
    """

    def __init__(self, root: str, name: str, called: Called) -> None:
        self._root, self._called = root, called
        self._folder = join(root, FOLDER, name)
        self._held = ExitStack()

    def __enter__(self) -> Attendance:
        remove_list(self._root, self._folder)
        head = json.dumps({**asdict(self._called), "token": uuid.uuid4().hex}).encode()
        if is_remote(self._root):
            write_bytes(join(self._folder, CALLED), head)
            return self
        os.makedirs(self._folder, exist_ok=True)
        new = join(self._folder, f".{CALLED}")
        handle = self._held.enter_context(open(new, "wb"))
        handle.write(head)
        handle.flush()
        hold(handle, wait=True)
        os.replace(new, join(self._folder, CALLED))  # it is held before anybody sees it
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()
        remove_list(self._root, self._folder)

    @property
    def silence_seconds(self) -> float:
        """How long no worker gives a sign before they are taken for lost."""
        return SIGNS_MISSED * _sign_seconds(self._folder)

    def look(self) -> dict[str, int]:
        """How often each worker has signed."""
        sizes = file_sizes(self._folder, "") if is_remote(self._folder) or os.path.isdir(self._folder) else {}
        return {name: size for name, size in sizes.items() if name.endswith(".worker")}


def left_behind(root: str, name: str | None = None) -> list[tuple[str, Called, bool]]:
    """The lists that commands did not take away.

    Args:
        root: The folder that they wrote to.
        name: The one list that is meant; all of them where None.

    Returns:
        The folder of each, what stands at its head, and whether its command surely lives no more: on an object store
        nothing tells.
    """
    folder, found = join(root, FOLDER), []
    if not is_remote(root) and not os.path.isdir(folder):
        return []
    names = {entry.partition("/")[0] for entry in file_sizes(folder, "")}
    for list_ in sorted(names if name is None else names & {name}):
        path = join(folder, list_)
        try:
            called = Called(**json.loads(read_bytes(join(path, CALLED))))
            found.append((path, called, _is_dead(join(path, CALLED))))
        except (OSError, ValueError, TypeError):  # half a list: its command was killed before it called anybody
            found.append((path, Called(""), True))
    return found


def _is_dead(called: str) -> bool:
    if is_remote(called):
        return False
    with open(called, "r+b") as handle:
        return is_abandoned(handle)


def remove_list(root: str, folder: str) -> None:
    """Removes a list, and the folder of lists where it was the last."""
    delete_tree(folder)
    if not is_remote(root):
        with contextlib.suppress(OSError):  # there are others, or none was there
            os.rmdir(join(root, FOLDER))


def connect(flags: Sequence[str], root: str) -> None:
    """Tells Beam's file systems their options, in a worker process; on a job service, signs the list.

    Args:
        flags: Beam's flags.
        root: The folder that the command writes to.

    Raises:
        OutputError: This worker does not see that folder.
    """
    from apache_beam.io.filesystems import FileSystems  # noqa: PLC0415 - commands import this room, too
    from apache_beam.options.pipeline_options import PipelineOptions  # noqa: PLC0415

    from pipeline.service_options import ServiceOptions  # noqa: PLC0415

    options = PipelineOptions(list(flags))
    FileSystems.set_options(options)
    if is_service(flags):
        attend(root, options.view_as(ServiceOptions).attendance or WHOLE)


def attend(root: str, name: str = WHOLE) -> None:
    """Signs a list, and goes on signing as long as it is there; once in a process for each list.

    Args:
        root: The folder that the command writes to.
        name: The list's name.

    Raises:
        OutputError: There is no list: this worker does not see the command's output folder.
    """
    folder = join(root, FOLDER, name)
    called = join(folder, CALLED)
    if not exists(called):
        raise OutputError(
            f"a worker on {socket.gethostname()} does not see the output folder {root} of the command (or the command "
            "is gone). All machines must see it under this path: choose an --output on a shared file system, gs:// or "
            "s3://, and give an absolute path."
        )
    _sign(folder, read_bytes(called))


@functools.lru_cache(maxsize=16)
def _sign(folder: str, token: bytes) -> None:
    name = join(folder, f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.worker")
    write_bytes(name, b".")
    threading.Thread(target=_go_on, args=(folder, token, name), name="attendance", daemon=True).start()


def _sign_seconds(folder: str) -> float:
    return SIGN_SECONDS_REMOTE if is_remote(folder) else SIGN_SECONDS


def _go_on(folder: str, token: bytes, name: str) -> None:
    called, signs = join(folder, CALLED), 1
    while True:
        time.sleep(_sign_seconds(folder))
        try:
            if not exists(called) or read_bytes(called) != token:
                return
            signs += 1
            write_bytes(name, b"." * signs)
        except (OSError, OutputError):  # a worker's own writes tell what is wrong there
            continue
