"""Boots a Beam worker as a container's entry point would: fetches the staged packages, installs them, serves.

Beam's own boot program is in its images only. This one follows the same contract, so that a test can show that a worker
which has the dependencies, but not the project, gets the project from the sdist that the command staged.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import grpc
from apache_beam.portability.api import (
    beam_artifact_api_pb2,
    beam_artifact_api_pb2_grpc,
    beam_provision_api_pb2,
    beam_provision_api_pb2_grpc,
    beam_runner_api_pb2,
    endpoints_pb2,
)
from google.protobuf import json_format, text_format


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("id", "logging_endpoint", "artifact_endpoint", "provision_endpoint", "control_endpoint"):
        parser.add_argument(f"--{name}")
    args = parser.parse_args()
    metadata = [("worker_id", args.id)]
    with grpc.insecure_channel(args.provision_endpoint) as channel:
        info = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel).GetProvisionInfo(
            beam_provision_api_pb2.GetProvisionInfoRequest(), metadata=metadata
        )
    folder = Path(os.environ["WORKER_PACKAGES"])
    for package in fetch(args.artifact_endpoint, info.info.dependencies, folder / "staged"):
        install(package, folder / "site")
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder / "site"),
        "WORKER_ID": args.id,
        "PIPELINE_OPTIONS": json_format.MessageToJson(info.info.pipeline_options),
        "CONTROL_API_SERVICE_DESCRIPTOR": descriptor(args.control_endpoint),
        "LOGGING_API_SERVICE_DESCRIPTOR": descriptor(args.logging_endpoint),
    }
    os.chdir(folder)
    os.execve(sys.executable, [sys.executable, "-m", "apache_beam.runners.worker.sdk_worker_main"], environment)


def descriptor(url: str) -> str:
    return text_format.MessageToString(endpoints_pb2.ApiServiceDescriptor(url=url))


def fetch(endpoint: str, dependencies: list, folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    with grpc.insecure_channel(endpoint) as channel:
        stub = beam_artifact_api_pb2_grpc.ArtifactRetrievalServiceStub(channel)
        for dependency in dependencies:
            payload = beam_runner_api_pb2.ArtifactStagingToRolePayload.FromString(dependency.role_payload)
            request = beam_artifact_api_pb2.GetArtifactRequest(artifact=dependency)
            path = folder / Path(payload.staged_name).name
            path.write_bytes(b"".join(part.data for part in stub.GetArtifact(request)))
            found.append(path)
    return found


def install(package: Path, site: Path) -> None:
    if package.name.endswith(".tar.gz"):
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
        subprocess.run([*command, "--target", str(site), str(package)], check=True)


if __name__ == "__main__":
    main()
