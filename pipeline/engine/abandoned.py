"""Jobs that commands left on a cluster when they were killed: they would work on beside the next one's."""

from __future__ import annotations

import time

import grpc
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc

from pipeline.engine.attendance import Called, left_behind, remove_list
from pipeline.engine.flink_rest import FlinkJob
from pipeline.engine.service import ANSWER_SECONDS, CALL_SECONDS, ENDED, POLL_SECONDS, say

STOP_SECONDS = 40.0


def end_abandoned(root: str, name: str | None = None) -> None:
    """Stops the jobs of commands that were killed, and says so.

    Where the output is on an object store nothing tells a killed command from one at work: there the job is only told
    of.

    Args:
        root: The folder that the commands wrote to.
        name: The one list of workers that is meant, that of a part; all of them where None.
    """
    for folder, called, is_dead in left_behind(root, name):
        if not called.job or _is_over(called, is_dead):
            remove_list(root, folder)


def _is_over(called: Called, is_dead: bool) -> bool:
    """Whether nobody needs a list any more; has the job stopped where its command is dead."""
    place = " and ".join(filter(None, [called.endpoint, called.flink])) or "the cluster"
    flink = FlinkJob(called.flink, called.job) if called.flink else None
    ids = _running(called)
    on_flink = flink.is_running() if flink is not None else None
    if ids is None and on_flink is None:
        say(f"job {called.job} of a command that was killed may still run, for nobody answers at {place}.")
        return is_dead
    if not ids and not on_flink:
        return True
    if not is_dead:
        say(
            f"job {called.job} of another command that writes here runs on {place}. If that command was killed, stop "
            "its job there: both make the same files, and it keeps its slots till it ends."
        )
        return False
    say(f"job {called.job} of a command that was killed still runs on {place}; it is stopped first.")
    _cancel(called, ids or [])
    if flink is not None:
        flink.cancel()
    elif _is_of_flink(called.endpoint):
        say("whether it has ended, only Flink's web interface tells, and to a command with --flink_master.")
        return True
    deadline = time.monotonic() + STOP_SECONDS
    while (goes_on := _goes_on(called, flink)) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    if goes_on:
        say(f"job {called.job} does not stop. This command goes on, for both make the same files; stop it by hand.")
    return True


def _goes_on(called: Called, flink: FlinkJob | None) -> bool:
    return bool(_running(called) if flink is None else flink.is_running())


def _is_of_flink(endpoint: str) -> bool:
    """Whether a job service hands its jobs to Flink: it takes them for cancelled while they run on there."""
    with grpc.insecure_channel(endpoint) as channel:
        stub = beam_job_api_pb2_grpc.JobServiceStub(channel)
        try:
            request = beam_job_api_pb2.DescribePipelineOptionsRequest()
            options = stub.DescribePipelineOptions(request, timeout=ANSWER_SECONDS).options
        except grpc.RpcError:
            return False
        return any(option.name == "flink_master" for option in options)


def _running(called: Called) -> list[str] | None:
    """The ids, on the job service, of the job while it has not ended; None where no service answers."""
    if not called.endpoint:
        return None
    with grpc.insecure_channel(called.endpoint) as channel:
        stub = beam_job_api_pb2_grpc.JobServiceStub(channel)
        try:
            found = stub.GetJobs(beam_job_api_pb2.GetJobsRequest(), timeout=ANSWER_SECONDS).job_info
        except grpc.RpcError:
            return None
        return [job.job_id for job in found if job.job_name == called.job and job.state not in ENDED]


def _cancel(called: Called, ids: list[str]) -> None:
    with grpc.insecure_channel(called.endpoint or "localhost:1") as channel:
        stub = beam_job_api_pb2_grpc.JobServiceStub(channel)
        for job in ids:
            try:
                stub.Cancel(beam_job_api_pb2.CancelJobRequest(job_id=job), timeout=CALL_SECONDS)
            except grpc.RpcError:  # it has ended, or the engine's own interface stops it
                continue
