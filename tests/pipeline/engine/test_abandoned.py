"""Jobs of killed commands, by a stand-in of Flink's web interface; end_to_end/test_engines.py has a real one."""

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc

from pipeline.corpus.shard import Layout
from pipeline.engine.abandoned import end_abandoned
from pipeline.engine.attendance import FOLDER, WHOLE, Attendance, Called
from pipeline.engine.parts import Part
from pipeline.engine.state import held
from tests.pipeline.engine.flink_stand_in import flink_stand_in
from tests.pipeline.engine.test_attendance import dies

STATES = beam_job_api_pb2.JobState
NOBODY = "localhost:1"


def test_a_job_that_nobody_knows_of_is_told_and_forgotten(tmp_path, capsys):
    dies(tmp_path, WHOLE, Called("corpus-1", NOBODY, NOBODY))
    end_abandoned(str(tmp_path))
    said = " ".join(capsys.readouterr().err.split())
    assert said == (
        "cluster: job corpus-1 of a command that was killed may still run, for nobody answers at "
        "localhost:1 and localhost:1."
    )
    assert os.listdir(tmp_path) == []


def test_a_job_that_has_ended_is_not_mentioned(tmp_path, capsys):
    with flink_stand_in({"corpus-1": "FINISHED"}) as flink:
        dies(tmp_path, WHOLE, Called("corpus-1", "", flink.address))
        end_abandoned(str(tmp_path))
    assert (capsys.readouterr().err, flink.cancelled, os.listdir(tmp_path)) == ("", [], [])


@pytest.mark.parametrize(("part", "stopped"), [(None, True), (Part(1, 2), True), (Part(2, 2), False)])
def test_who_takes_over_an_output_stops_the_job_first(tmp_path, capsys, part, stopped):
    layout = Layout(str(tmp_path))
    with flink_stand_in({"other": "RUNNING", "corpus-1": "RUNNING"}) as flink:
        dies(tmp_path, "1-of-2", Called("corpus-1", "", flink.address))
        with held(layout, part):
            assert flink.cancelled == (["corpus-1"] if stopped else [])
            assert (tmp_path / FOLDER).exists() is not stopped
    assert ("still runs" in capsys.readouterr().err) is stopped


def test_the_job_of_a_living_command_is_left_alone(tmp_path, capsys):
    with (
        flink_stand_in({"corpus-1": "RUNNING"}) as flink,
        Attendance(str(tmp_path), WHOLE, Called("corpus-1", "", flink.address)),
    ):
        end_abandoned(str(tmp_path))
        assert flink.cancelled == []
        assert (tmp_path / FOLDER).exists()
    assert "of another command that writes here runs on" in capsys.readouterr().err


class JobService(beam_job_api_pb2_grpc.JobServiceServicer):
    """A stand-in of Beam's job server, with one job; as the real ones do, it says of which engine its options are."""

    def __init__(self, option: str) -> None:
        self.option, self.state, self.asked_after = option, STATES.RUNNING, 0

    def GetJobs(self, request, context):
        if self.state == STATES.CANCELLING:
            self.state = STATES.CANCELLED if self.asked_after else STATES.CANCELLING
            self.asked_after += 1
        job = beam_job_api_pb2.JobInfo(job_id="1", job_name="corpus-1", state=self.state)
        return beam_job_api_pb2.GetJobsResponse(job_info=[job])

    def Cancel(self, request, context):
        self.state = STATES.CANCELLING
        return beam_job_api_pb2.CancelJobResponse(state=self.state)

    def DescribePipelineOptions(self, request, context):
        option = beam_job_api_pb2.PipelineOptionDescriptor(name=self.option)
        return beam_job_api_pb2.DescribePipelineOptionsResponse(options=[option])


@contextlib.contextmanager
def serves(service: JobService):
    server = grpc.server(ThreadPoolExecutor(2))
    beam_job_api_pb2_grpc.add_JobServiceServicer_to_server(service, server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    try:
        yield f"localhost:{port}"
    finally:
        server.stop(None).wait()


@pytest.mark.parametrize(
    ("option", "ended", "hint"), [("spark_master", STATES.CANCELLED, False), ("flink_master", STATES.CANCELLING, True)]
)
def test_the_job_server_stops_what_runs_on_spark_and_is_waited_for(tmp_path, capsys, option, ended, hint):
    """Of Flink it does not know, so nothing is waited for."""
    service = JobService(option)
    with serves(service) as endpoint:
        dies(tmp_path, WHOLE, Called("corpus-1", endpoint))
        end_abandoned(str(tmp_path))
    said = capsys.readouterr().err
    assert (service.state, "is stopped first" in said, "--flink_master" in said) == (ended, True, hint)
    assert os.listdir(tmp_path) == []
