import time
from types import SimpleNamespace

import pytest

from pipeline.engine import attendance
from pipeline.engine.attendance import WHOLE, Attendance, Called, attend
from pipeline.engine.flink_rest import FlinkJob, Slots
from pipeline.engine.service import Job, check_slots
from pipeline.errors import UserError
from tests.pipeline.engine.flink_stand_in import flink_stand_in
from tests.pipeline.engine.test_causes import NOT_BEGUN


def test_too_few_slots_are_told_before_a_job_is_submitted():
    with flink_stand_in() as flink, pytest.raises(UserError, match="has 2 slots, and --parallelism wants 4"):
        check_slots(FlinkJob(flink.address, "corpus-1"), 4)


@pytest.mark.parametrize(
    "settings",
    [{"kubernetes.cluster-id": "corpus"}, {"jobmanager.scheduler": "Adaptive"}, {"scheduler-mode": "REACTIVE"}],
)
def test_a_cluster_that_grows_or_makes_do_with_fewer_slots_is_not_refused(settings):
    with flink_stand_in() as flink:
        flink.settings = settings
        check_slots(FlinkJob(flink.address, "corpus-1"), 4)


def test_slots_that_others_hold_are_told(capsys):
    with flink_stand_in() as flink:
        flink.slots = (2, 1)
        check_slots(FlinkJob(flink.address, "corpus-1"), 2)
    assert "of the Flink cluster's 2 slots 1 are free, and the job wants 2" in " ".join(capsys.readouterr().err.split())


def test_a_job_that_the_cluster_sizes_and_an_interface_that_does_not_answer_pass(capsys):
    with flink_stand_in() as flink:
        check_slots(FlinkJob(flink.address, "corpus-1"), -1)
        assert FlinkJob(flink.address, "corpus-1").slots() == Slots(2, 2, True)
        assert FlinkJob(flink.address, "corpus-1").is_running() is False
    check_slots(FlinkJob("localhost:1", "corpus-1"), 4)
    assert FlinkJob("localhost:1", "corpus-1").is_running() is None
    assert capsys.readouterr().err == ""


def test_the_second_equal_failure_ends_a_job_with_the_cure_and_the_clusters_version(tmp_path, capsys):
    with (
        flink_stand_in({"corpus-1": "RUNNING"}) as flink,
        Attendance(str(tmp_path), WHOLE, Called("corpus-1")) as list_,
    ):
        submitted = SimpleNamespace(_job_service=None, _job_id="1", _message_stream=())
        job = Job(submitted, list_, FlinkJob(flink.address, "corpus-1"), wanted=2, patience=300.0)
        flink.failures.append(NOT_BEGUN)
        job._ask_flink()
        assert (
            "a part of the job failed and begins anew (1.): java.lang.NullPointerException" in capsys.readouterr().err
        )
        flink.failures.append(NOT_BEGUN)
        with pytest.raises(UserError, match=r"do not fit each other .* The cluster is Flink 2\.0\.2\. Finished shards"):
            job._ask_flink()


def test_workers_that_give_no_more_signs_are_told_once(tmp_path, monkeypatch, capsys):
    with Attendance(str(tmp_path), WHOLE, Called("corpus-1")) as list_:
        attend(str(tmp_path))  # it signs again after 20 seconds
        monkeypatch.setattr(attendance, "SIGN_SECONDS", 0.02)
        submitted = SimpleNamespace(_job_service=None, _job_id="1", _message_stream=())
        job = Job(submitted, list_, None, wanted=0, patience=300.0)
        job._look_for_workers()
        assert capsys.readouterr().err == ""
        time.sleep(0.1)
        job._look_for_workers()
        job._look_for_workers()
    assert capsys.readouterr().err.count("no worker has given a sign of life for") == 1
