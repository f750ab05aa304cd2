"""Starts commands as ``python -m`` does, from a process that has imported what they share: each is a fork of it.

Beam alone takes a command over a second to import, and the tests run hundreds of them. A request is a line of JSON on
the standard input (module, arguments, environment, files for what is printed); the answer is two lines: the process id
of the command, and in the end its exit status.
"""

import importlib
import json
import os
import runpy
import signal
import sys
import traceback
import warnings

SOURCES = ("arxiv", "books", "c4", "commoncrawl", "github", "stackexchange", "wikipedia")
COMMANDS = ("mix", "verify", "inspect", "report", "card", "publish", "optout")
BEAM = ("pipeline.engine.graph", "pipeline.engine.runners")  # which commands of several workers import when they begin
SHARED = [*BEAM, *(f"sources.{name}.command" for name in SOURCES), *(f"pipeline.{name}.command" for name in COMMANDS)]


def main() -> None:
    """Answers requests until there are no more."""
    warnings.filterwarnings("ignore")
    for module in SHARED:
        importlib.import_module(module)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(request)
        answers.write(f"{child}\n")
        answers.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")


def _become(request: dict) -> None:
    """Runs the command in this process, and ends it."""
    status = 1
    try:
        for number, path in ((0, os.devnull), (1, request["out"]), (2, request["err"])):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), number)
        os.environ.clear()
        os.environ.update(request["environment"])
        signal.signal(signal.SIGINT, signal.default_int_handler)
        words = [request["module"], *request["arguments"]]
        sys.argv, sys.orig_argv = words, [sys.executable, "-m", *words]
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
