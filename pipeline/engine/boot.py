"""Boots a Beam worker on a cluster's machine, as the entry point of a container would; ``worker.sh`` runs this file.

It asks the engine where to report and what was staged, installs staged packages, and becomes Beam's own worker, which
says nothing on the standard error: what goes wrong in a step goes to the engine, which tells the command. It ends with
its parent, the engine's process on this machine, so that no attempt lives on that nobody follows.

To start, it needs nothing of the project but this file: the project may come with the job (``--extra_package``).
"""

# ruff: noqa: PLC0415 - Beam may be missing, which is to be told and not to be met while this file is imported
from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

CANNOT_IMPORT = 71  # the exit status where Beam or the project is missing: the engine hands it on
# Every graph needs it. Where a module is missing while Beam reads the graph, the engine waits three minutes and more.
GRAPH = "pipeline.engine.graph"
WATCH_SECONDS = 0.5
ENDPOINTS = ("control", "logging", "artifact", "status")


def main() -> None:
    """Asks the engine what to do, and does it until the engine ends it."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--id", required=True)
    parser.add_argument("--provision_endpoint", required=True)
    for name in ENDPOINTS:
        parser.add_argument(
            f"--{name}_endpoint", default=""
        )  # as pools give them; the provision service knows them, too
    args, _ = parser.parse_known_args()
    threading.Thread(target=follow_parent, args=(os.getppid(),), daemon=True).start()
    sys.path[0] = str(Path(__file__).resolve().parents[2])  # the project, and not the files beside this one
    if folder := os.environ.get("LLAMA_CORPUS_FOLDER"):
        os.chdir(folder)  # that of the command: paths may be relative to it
    try:
        info = provision(args.provision_endpoint, args.id)
        for name in ENDPOINTS:
            endpoint = getattr(info, f"{name}_endpoint")
            endpoint.url = endpoint.url or getattr(args, f"{name}_endpoint")
        prepare(info, args.id)
        importlib.import_module(GRAPH)
        from apache_beam.runners.worker import sdk_worker_main
    except ImportError as error:
        sys.stderr.write(f"{sys.executable} cannot start a worker: {error}\n")
        sys.exit(CANNOT_IMPORT)
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
        sdk_worker_main.main(sys.argv)


def follow_parent(parent: int) -> None:
    """Ends this process when its parent is gone: a shard is written whole or not at all, so nothing is lost."""
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    os._exit(0)


def provision(endpoint: str, worker: str) -> Any:
    """What the engine's provision service says: endpoints, options, staged packages."""
    import grpc
    from apache_beam.portability.api import beam_provision_api_pb2, beam_provision_api_pb2_grpc

    with grpc.insecure_channel(endpoint) as channel:
        stub = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
        request = beam_provision_api_pb2.GetProvisionInfoRequest()
        return stub.GetProvisionInfo(request, metadata=[("worker_id", worker)], timeout=60).info


def prepare(info: Any, worker: str) -> None:
    """Installs what was staged, and sets what Beam's worker reads from its environment."""
    from google.protobuf import json_format, text_format

    packages = [file for file in staged(info) if file[0].endswith((".tar.gz", ".whl"))]
    if packages:
        sys.path.insert(0, installed(info.artifact_endpoint.url, packages))
    for name in ENDPOINTS:
        endpoint = getattr(info, f"{name}_endpoint")
        if endpoint.url:
            os.environ[f"{name.upper()}_API_SERVICE_DESCRIPTOR"] = text_format.MessageToString(endpoint)
    os.environ["WORKER_ID"] = worker
    os.environ["PIPELINE_OPTIONS"] = json_format.MessageToJson(info.pipeline_options)
    os.environ["RUNNER_CAPABILITIES"] = " ".join(info.runner_capabilities)


def staged(info: Any) -> Iterable[tuple[str, Any]]:
    """The names of staged files, with what asks for them."""
    from apache_beam.portability.api import beam_runner_api_pb2

    for artifact in info.dependencies:
        payload = beam_runner_api_pb2.ArtifactStagingToRolePayload.FromString(artifact.role_payload)
        yield os.path.basename(payload.staged_name), artifact


def installed(endpoint: str, packages: Iterable[tuple[str, Any]]) -> str:
    """Fetches staged packages and installs them, without what they depend on, into a new folder."""
    import grpc
    from apache_beam.portability.api import beam_artifact_api_pb2, beam_artifact_api_pb2_grpc

    folder = Path(tempfile.mkdtemp(prefix="llama-corpus-worker-"))
    with grpc.insecure_channel(endpoint) as channel:
        stub = beam_artifact_api_pb2_grpc.ArtifactRetrievalServiceStub(channel)
        for name, artifact in packages:
            request = beam_artifact_api_pb2.GetArtifactRequest(artifact=artifact)
            (folder / name).write_bytes(b"".join(part.data for part in stub.GetArtifact(request)))
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
            subprocess.run([*pip, "--target", str(folder / "site"), str(folder / name)], check=True)
    return str(folder / "site")


if __name__ == "__main__":
    main()
