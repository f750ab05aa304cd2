"""A run on a job service (PortableRunner, FlinkRunner, SparkRunner): its workers, its submission, and how it goes.

Beam waits for the job's end and says nothing meanwhile. Here the job's state, its messages, the workers' attendance
and, for Flink, the web interface are followed: what fails and begins anew is said in a line, and a job that cannot go
on ends with what to do.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import grpc
from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    GoogleCloudOptions,
    PipelineOptions,
    PortableOptions,
)
from apache_beam.portability.api import beam_job_api_pb2
from rich.console import Console

from pipeline.engine.attendance import WHOLE, Attendance, Called
from pipeline.engine.causes import NO_SLOTS, ONE_POOL, VERSIONS, cure_of, is_final, kind_of, one_line
from pipeline.engine.flink_rest import FlinkJob
from pipeline.errors import UserError, user_message
from pipeline.service_options import ServiceOptions

LOOPBACK = ("localhost", "127.", "[::1]", "::1")
ANSWER_SECONDS = 8.0
POLL_SECONDS = 1.0
FLINK_POLL_SECONDS = 3.0
CALL_SECONDS = 20.0
LOST_SECONDS = 40.0  # without an answer of the job service
HINT_SECONDS = 40.0  # without any worker, or with fewer slots than wanted
EQUAL_FAILURES = 2
KEPT = "Finished shards are kept: the same command goes on from here."
STATES = beam_job_api_pb2.JobState
ENDED = {STATES.DONE, STATES.DRAINED, STATES.FAILED, STATES.CANCELLED}


def start_workers_here(options: PipelineOptions) -> None:
    """Has the engine start workers with this interpreter and this project, where the job service is on this machine.

    Nothing happens where the user says how workers start; only ``--environment_type PROCESS`` alone means this, too.
    """
    portable = options.view_as(PortableOptions)
    here = (portable.job_endpoint or "").startswith(LOOPBACK)
    if portable.environment_config or portable.environment_options:
        return
    if portable.environment_type == "PROCESS" or (here and portable.environment_type is None):
        environment = {"LLAMA_CORPUS_PYTHON": sys.executable, "LLAMA_CORPUS_FOLDER": os.getcwd()}
        environment |= {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
        launcher = str(Path(__file__).with_name("worker.sh"))
        portable.environment_type = "PROCESS"
        portable.environment_config = json.dumps({"command": launcher, "env": environment})


def check_answers(options: PipelineOptions) -> None:
    """Tells at once where no job service answers; Beam waits a minute, and raises an error without a message.

    Raises:
        UserError: None does.
    """
    endpoint = options.view_as(PortableOptions).job_endpoint
    if not endpoint or endpoint == "embed":
        return
    with grpc.insecure_channel(endpoint) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=ANSWER_SECONDS)
        except grpc.FutureTimeoutError as error:
            raise UserError(
                f"no Beam job server answers at --job_endpoint {endpoint}. make flink, or make spark, starts one on "
                "this machine and prints the flags; a cluster's own is started as docs/cluster.md says. (Flink's "
                "port 8081 and Spark's 7077 are not job servers.)"
            ) from error


def check_slots(flink: FlinkJob, wanted: int) -> None:
    """Tells at once of slots that a job waits for; Flink does so when it has waited for them, in vain.

    Args:
        flink: The job to be.
        wanted: Its parallelism; less than 1 where the cluster decides.

    Raises:
        UserError: The cluster has too few, and will not have more.
    """
    slots = flink.slots()
    if slots is None or not slots.fixed or wanted < 1:
        return
    if slots.total < wanted:
        raise UserError(
            f"the Flink cluster has {slots.total} slots, and --parallelism wants {wanted}. Give a smaller "
            "--parallelism, or start task managers: is one lost? On this machine python -m tools.engines flink start "
            f"--workers {wanted} does so."
        )
    if slots.free < wanted:
        say(f"of the Flink cluster's {slots.total} slots {slots.free} are free, and the job wants {wanted}. {NO_SLOTS}")


def run_on_service(build: Callable[[beam.Pipeline], object], options: PipelineOptions, root: str) -> None:
    """Runs a pipeline on a job service, and follows it to its end.

    Args:
        build: Adds the steps to the pipeline that it is given.
        options: Beam's, of which the runner is a job service.
        root: The folder that workers write to.

    Raises:
        UserError: It failed, or cannot go on; says what to do.
    """
    check_answers(options)
    start_workers_here(options)
    google = options.view_as(GoogleCloudOptions)
    google.job_name = google.job_name or f"corpus-{uuid.uuid4().hex[:12]}"
    flink, wanted = _flink(options, google.job_name), options.view_as(FlinkRunnerOptions).parallelism
    if flink is not None:
        check_slots(flink, wanted)
    own = options.view_as(ServiceOptions)
    endpoint = options.view_as(PortableOptions).job_endpoint
    called = Called(
        google.job_name,
        endpoint if endpoint and endpoint != "embed" else "",
        options.view_as(FlinkRunnerOptions).flink_master if flink is not None else "",
    )
    pipeline = beam.Pipeline(options=options)
    build(pipeline)
    with Attendance(root, own.attendance or WHOLE, called) as attendance:
        result = _submit(pipeline, options)
        pooled = options.view_as(PortableOptions).environment_type == "EXTERNAL"
        job = Job(result, attendance, flink, wanted, 60 * own.patience_minutes, pooled)
        try:
            job.follow()
        except BaseException:
            job.cancel()
            raise
        finally:
            result._cleanup()  # of workers in this process (LOOPBACK)


def _flink(options: PipelineOptions, name: str) -> FlinkJob | None:
    master = options.view_as(FlinkRunnerOptions).flink_master
    return FlinkJob(master, name) if master and not master.startswith("[") else None


def _submit(pipeline: beam.Pipeline, options: PipelineOptions) -> Any:
    endpoint = options.view_as(PortableOptions).job_endpoint
    try:
        return pipeline.run()
    except (grpc.RpcError, grpc.FutureTimeoutError) as error:
        said = error.details() if isinstance(error, grpc.Call) else "it does not answer"
        trace = f"{error.code().name if isinstance(error, grpc.Call) else ''} {said}"
        raise UserError(
            f"the job server at {endpoint} refused the job: {one_line(str(said))}. {cure_of(trace) or VERSIONS}"
        ) from error


class Job:
    """A job that was submitted.

    Args:
        result: Beam's handle of it.
        attendance: The list of its workers.
        flink: The job on Flink's web interface, where that is known.
        wanted: Its parallelism; less than 1 where the cluster decides.
        patience: Seconds without any sign of life after which it ends.
        pooled: Whether its workers are of pools.
    """

    def __init__(
        self,
        result: Any,
        attendance: Attendance,
        flink: FlinkJob | None,
        wanted: int,
        patience: float,
        pooled: bool = False,
    ) -> None:
        self._service, self._id = result._job_service, result._job_id  # Beam has no public names for them
        self._stream = result._message_stream
        self._attendance, self._flink, self._wanted, self._patience = attendance, flink, wanted, patience
        self._pooled = pooled
        self._messages: list[str] = []
        self._failures: Counter[str] = Counter()  # by kind
        self._lines: dict[str, str] = {}  # the last of each kind
        self._signs: dict[str, int] = {}
        self._moved = self._heard = self._began = time.monotonic()
        self._hinted: set[str] = set()

    def follow(self) -> None:
        """Waits for the job's end.

        Raises:
            UserError: It failed, or cannot go on.
        """
        threading.Thread(target=self._listen, name="job messages", daemon=True).start()
        asked = 0.0
        while (state := self._state()) not in ENDED:
            if time.monotonic() - asked > FLINK_POLL_SECONDS:
                self._ask_flink()
                self._look_for_workers()
                asked = time.monotonic()
            time.sleep(POLL_SECONDS)
        if state not in (STATES.DONE, STATES.DRAINED):
            time.sleep(POLL_SECONDS)  # for the last messages
            self._ask_flink()
            raise self._failed(state)

    def cancel(self) -> None:
        """Stops the job on the cluster, if that answers in time."""
        request = beam_job_api_pb2.CancelJobRequest(job_id=self._id)
        with contextlib.suppress(grpc.RpcError, TypeError):
            self._service.Cancel(request, timeout=CALL_SECONDS)
        if self._flink is not None:
            self._flink.cancel()

    def _state(self) -> int:
        request = beam_job_api_pb2.GetJobStateRequest(job_id=self._id)
        try:
            state: int = self._service.GetState(request, timeout=CALL_SECONDS).state
            self._heard = time.monotonic()
            return state
        except grpc.RpcError as error:
            if time.monotonic() - self._heard < LOST_SECONDS:
                return int(STATES.RUNNING)
            raise UserError(
                "the job server does not answer any more. What it had handed to the engine may still run: stop it "
                f"there, start the job server again, then run the same command. {KEPT}"
            ) from error

    def _listen(self) -> None:
        try:
            for message in self._stream:
                if message.HasField("message_response"):
                    self._messages.append(message.message_response.message_text)
                self._moved = time.monotonic()
        except grpc.RpcError:  # the state tells what matters
            return

    def _ask_flink(self) -> None:
        for failure in self._flink.failures() if self._flink is not None else ():
            if self._signs:  # without a worker, beginning anew is no progress
                self._moved = time.monotonic()
            if is_final(failure.trace):
                raise UserError(user_message(Exception(failure.trace)))
            line, cure = one_line(failure.trace), self._cure(failure.trace)
            kind = kind_of(line)
            self._failures[kind] += 1
            self._lines[kind] = line
            say(f"a part of the job failed and begins anew ({self._failures.total()}.): {line}")
            if self._failures[kind] == EQUAL_FAILURES:
                if cure:
                    raise UserError(f"the same failure again: {line}. {cure} {KEPT}")
                say(f"that was the same failure {EQUAL_FAILURES} times; Ctrl-C stops the job")
                if self._pooled:
                    self._hint(ONE_POOL)
            elif cure:
                self._hint(cure)

    def _look_for_workers(self) -> None:
        signs = self._attendance.look()
        if signs != self._signs:
            self._signs, self._moved = signs, time.monotonic()
        quiet, slots = time.monotonic() - self._moved, None
        if time.monotonic() - self._began > HINT_SECONDS / 2 and self._flink is not None and self._wanted > 0:
            slots = self._flink.slots()
        if slots is not None and slots.total < self._wanted:
            self._hint(f"the Flink cluster has {slots.total} slots, and the job wants {self._wanted}. {NO_SLOTS}")
        elif quiet > HINT_SECONDS and not signs:
            self._hint(
                f"no worker has begun for {HINT_SECONDS:.0f} s. Look whether the cluster has as many free slots as "
                "--parallelism; whether workers can start (a pool's python must have Beam and the project; each task "
                "manager needs a pool of its own); and at the engine's logs. docs/cluster.md, When nothing moves."
            )
        elif signs and quiet > self._attendance.silence_seconds:
            self._hint(
                f"no worker has given a sign of life for {self._attendance.silence_seconds:.0f} s. Are "
                "their machines gone, or does the engine start others? Its web interface and its logs tell."
            )
        if quiet > self._patience:
            raise UserError(
                f"nothing was heard of the job for {self._patience / 60:.3g} minutes (--patience_minutes), and it was "
                f"stopped: {'its workers are gone' if signs else 'no worker has begun'}. Look at the engine's logs, "
                f"and whether workers can start there (docs/cluster.md, When nothing moves). {KEPT}"
            )

    def _failed(self, state: int) -> UserError:
        traces = [text for text in self._messages if text]
        whole = "\n".join(traces)
        message = user_message(Exception(whole))
        if message is not None:
            return UserError(message)
        if state == STATES.CANCELLED:
            return UserError(f"the job was cancelled on the cluster. {KEPT}")
        known = self._lines[self._failures.most_common(1)[0][0]] if self._failures else ""
        line = known or (one_line(max(traces, key=len)) if traces else "it says nothing; look at the engine's logs")
        return UserError(
            f"the job failed on the cluster: {line}. {self._cure(whole or known)} {KEPT}".replace(".  ", ". ")
        )

    def _cure(self, trace: str) -> str:
        cure = cure_of(trace)
        version = self._flink.version() if cure == VERSIONS and self._flink is not None else ""
        return f"{cure} The cluster is Flink {version}." if version else cure

    def _hint(self, text: str) -> None:
        if text not in self._hinted:
            self._hinted.add(text)
            say(text)


def say(text: str) -> None:
    """Tells the user how the job goes."""
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"cluster: {text}", style="yellow", markup=False)
