"""What went wrong on a cluster, in one line, and what helps: an engine says it in a Java trace of hundreds of lines."""

from __future__ import annotations

import re

from apache_beam.version import __version__ as beam_version

from pipeline.engine.boot import CANNOT_IMPORT
from pipeline.errors import user_message

LINE_CHARACTERS = 300
NO_PACKAGE = (
    "The workers' Python lacks what the command needs. Give them this command's environment (--environment_type "
    "PROCESS with pipeline/engine/worker.sh and LLAMA_CORPUS_PYTHON, or an image), or send the project "
    "along: make sdist, --extra_package."
)
VERSIONS = (
    f"The job server and the engine do not fit each other or Beam {beam_version}: Beam's runner must be of the "
    "engine's version, and as near to this Beam as there is. docs/cluster.md names pairs that were run."
)
NO_SLOTS = (
    "The cluster has fewer free slots than the job wants: a task manager is lost, or another job runs. Start task "
    "managers (make flink, on this machine), or give a smaller --parallelism."
)
ONE_POOL = (
    "Do two task managers share a pool (--environment_config)? Then they stop each other's workers: each needs one of "
    "its own (docs/cluster.md, Pools)."
)
NO_BUFFERS = (
    "Give Flink's task managers more network memory (taskmanager.memory.network.min and .max: 128 MB for each slot), "
    "or the job a smaller --parallelism."
)
# What an engine's trace holds, and what helps. The first that is found counts.
_CURES = (
    (rf"exit code:? {CANNOT_IMPORT}\b|ModuleNotFoundError|ImportError", NO_PACKAGE),
    (
        r"Cannot run program|exit code:? 12[67]\b",
        "The machines of the workers have no such program or interpreter. Give them the project under the same "
        "path, or name another way to start workers (--environment_type, --environment_config; docs/cluster.md).",
    ),
    (
        r"exit code:? (137|143)\b|OutOfMemoryError",
        "Something was killed, or ran out of memory: give the workers more of it, or run fewer on a machine.",
    ),
    (r"NoResourceAvailable|minimum required resources", NO_SLOTS),
    (r"Insufficient number of network buffers", NO_BUFFERS),
    (
        r"InvalidClassException|serialVersionUID|NoSuch(?:Method|Field)Error|ClassNotFoundException|NoClassDefFoundError"
        r"|AbstractMethodError|IncompatibleClassChangeError|UnsupportedClassVersionError|ExceptionInInitializerError"
        r"|NullPointerException[^\n]*\n\s*at org\.apache\.beam\.runners\."  # it was not begun as it should
        r"|UNIMPLEMENTED|[Uu]nknown urn|[Uu]nknown (?:URN|coder|transform)|InvalidProtocolBuffer",
        VERSIONS,
    ),
)
_NUMBER = re.compile(r"\d+")
_CAUSE = re.compile(r"^Caused by: (?P<cause>.*)$", re.M)
_PYTHON = re.compile(r"^(?P<error>(?:\w+\.)*[A-Z]\w*(?:Error|Exception|Interrupt)\b.*)$", re.M)


def cure_of(trace: str) -> str:
    """What helps against what a trace holds; empty where nothing is known."""
    return next((cure for pattern, cure in _CURES if re.search(pattern, trace)), "")


def kind_of(line: str) -> str:
    """A failure's line without its numbers, in which two equal failures differ."""
    return _NUMBER.sub("#", line)


def is_final(trace: str) -> bool:
    """Whether another attempt meets the same: an error that was written for the user."""
    return user_message(Exception(trace)) is not None


def one_line(trace: str) -> str:
    """The innermost error of a trace: the message for the user, a Python error, or the last cause."""
    message = user_message(Exception(trace))
    if message is None:
        python = "Traceback (most recent call last)" in trace and _PYTHON.findall(trace.partition("Traceback")[2])
        causes = _CAUSE.findall(trace)
        message = python[-1] if python else causes[-1] if causes else trace.strip().partition("\n")[0]
    message = " ".join(message.split())
    return message if len(message) <= LINE_CHARACTERS else f"{message[:LINE_CHARACTERS]}..."
