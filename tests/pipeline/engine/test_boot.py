import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
from apache_beam.portability.api import beam_provision_api_pb2, beam_provision_api_pb2_grpc

from pipeline.engine import boot


class Provision(beam_provision_api_pb2_grpc.ProvisionServiceServicer):
    """An engine that says nothing but that it is there."""

    def GetProvisionInfo(self, request, context):
        return beam_provision_api_pb2.GetProvisionInfoResponse()


def test_a_worker_that_lacks_the_project_ends_with_a_status_of_its_own(tmp_path):
    """It would report to the engine, fail while it reads the graph, and keep the engine waiting."""
    room = tmp_path / "pipeline" / "engine"
    room.mkdir(parents=True)
    for folder in (room, room.parent):
        (folder / "__init__.py").touch()
    shutil.copy(boot.__file__, room)
    server = grpc.server(ThreadPoolExecutor(1))
    beam_provision_api_pb2_grpc.add_ProvisionServiceServicer_to_server(Provision(), server)
    endpoint = f"localhost:{server.add_insecure_port('localhost:0')}"
    server.start()
    command = [sys.executable, str(room / "boot.py"), "--id=1-1", f"--provision_endpoint={endpoint}"]
    try:
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    finally:
        server.stop(None)
    assert done.returncode == boot.CANNOT_IMPORT
    assert done.stderr.splitlines()[-1] == (
        f"{sys.executable} cannot start a worker: No module named 'pipeline.engine.graph'"
    )
