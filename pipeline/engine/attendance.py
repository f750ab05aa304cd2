"""Who works for a command on a cluster: each worker signs a list in the output folder, and keeps signing.

The list shows that workers have begun and still live, whatever the engine, and that they see the command's output
folder: a worker that does not find the list stops with a message, instead of writing where nobody looks. It is gone
when the job is.
"""

from __future__ import annotations

import functools
import os
import socket
import threading
import time
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.engine.options import runner_of
from pipeline.errors import OutputError
from pipeline.storage.filesystem import delete_tree, exists, file_sizes, is_remote, join, read_bytes, write_bytes

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

FOLDER = ".attendance"
CALLED = "called"
SIGN_SECONDS = 20.0
SIGN_SECONDS_REMOTE = 60.0
SERVICES = {"portablerunner", "flinkrunner", "sparkrunner"}


def is_service(options: PipelineOptions) -> bool:
    """Tells whether a run goes to a job service, whose workers sign."""
    return runner_of(options) in SERVICES


class Attendance:
    """The command's side of the list; a context manager.

    Args:
        root: The folder that the command writes to.
    """

    def __init__(self, root: str) -> None:
        self._folder = join(root, FOLDER)

    def __enter__(self) -> Attendance:
        delete_tree(self._folder)
        write_bytes(join(self._folder, CALLED), uuid.uuid4().hex.encode())
        return self

    def __exit__(self, *_: object) -> None:
        delete_tree(self._folder)

    def look(self) -> dict[str, int]:
        """How often each worker has signed."""
        sizes = file_sizes(self._folder, "") if is_remote(self._folder) or os.path.isdir(self._folder) else {}
        return {name: size for name, size in sizes.items() if name.endswith(".worker")}


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

    options = PipelineOptions(list(flags))
    FileSystems.set_options(options)
    if is_service(options):
        attend(root)


def attend(root: str) -> None:
    """Signs the list, and goes on signing as long as it is there; once in a process for each list.

    Raises:
        OutputError: There is no list: this worker does not see the command's output folder.
    """
    called = join(root, FOLDER, CALLED)
    if not exists(called):
        raise OutputError(
            f"a worker on {socket.gethostname()} does not see the output folder {root} of the command (or the command "
            "is gone). All machines must see it under this path: choose an --output on a shared file system, gs:// or "
            "s3://, and give an absolute path."
        )
    _sign(root, read_bytes(called))


@functools.lru_cache(maxsize=16)
def _sign(root: str, token: bytes) -> None:
    name = join(root, FOLDER, f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.worker")
    write_bytes(name, b".")
    threading.Thread(target=_go_on, args=(root, token, name), name="attendance", daemon=True).start()


def _go_on(root: str, token: bytes, name: str) -> None:
    called, signs = join(root, FOLDER, CALLED), 1
    while True:
        time.sleep(SIGN_SECONDS_REMOTE if is_remote(root) else SIGN_SECONDS)
        try:
            if not exists(called) or read_bytes(called) != token:
                return
            signs += 1
            write_bytes(name, b"." * signs)
        except (OSError, OutputError):  # a worker's own writes tell what is wrong there
            continue
