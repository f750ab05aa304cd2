"""The job for Dataflow as it is posted, to a stand-in of the service: the service itself is not reached from here."""

import json
import os
import subprocess
import sys
import typing
from importlib.util import find_spec
from pathlib import Path

import pytest
from apache_beam.internal import pickler
from apache_beam.portability.api import beam_runner_api_pb2 as api

from tests.end_to_end.commands import ROOT
from tests.pipeline.google_server import Google, crc32c

APART = Path(sys.prefix) / "apart" / "gcp"  # see tools/set_up.py
FLAGS = {
    "--worker_machine_type": "n2-highmem-4",
    "--disk_size_gb": "100",
    "--autoscaling_algorithm": "THROUGHPUT_BASED",
    "--max_num_workers": "500",
    "--sdk_container_image": "registry/name:tag",
    "--sdk_location": "container",
    "--experiments": "use_runner_v2",
}
GROUP_BY_KEY = "beam:transform:group_by_key:v1"
PAR_DO = "beam:transform:pardo:v1"
FILTERS = "page, url_dedup, lines, dedup, sentences, language, bad_words"
# What may leave a step of ours: names and numbers, tasks, which are made of both, and packed arrays of hashes or bits.
HARMLESS = {"str", "int", "ShardTask", "bytes"}


@pytest.fixture(scope="module")
def posted() -> tuple[Google, str]:
    """C4 from two files: two rounds of dedup."""
    if (find_spec("google") is None or find_spec("google.cloud") is None) and not APART.is_dir():
        pytest.skip(f"Google's clients are not installed, neither here nor in {APART}, where make test puts them")
    with Google() as google:
        command = [sys.executable, "-m", "sources.c4", "--from", "wet", "--input", "samples/c4/*.warc.wet.gz"]
        command += ["--output", "gs://bucket/corpus", "--runner", "DataflowRunner", "--project", "project"]
        command += ["--region", "region", "--temp_location", "gs://bucket/tmp"]
        command += ["--no_auth", "--dataflow_endpoint", google.url, *[word for flag in FLAGS.items() for word in flag]]
        path = os.pathsep.join([str(ROOT), str(APART), os.environ.get("PYTHONPATH", "")])
        given = {"STORAGE_EMULATOR_HOST": google.url, "PYTHONPATH": path, "no_proxy": "*"}
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **given}, capture_output=True, text=True, timeout=300, check=False
        )
        return google, f"{done.returncode} {done.stderr}"


@pytest.fixture(scope="module")
def pipeline(posted) -> api.Pipeline:
    (data,) = (data for name, data in posted[0].objects.items() if name.endswith("/pipeline.pb"))
    return api.Pipeline.FromString(data)


def test_the_stand_in_ends_the_job_and_its_shards_are_missed(posted):
    google, ended = posted
    assert crc32c(b"123456789") == 0xE3069283
    assert ended.startswith("1 ")
    assert "the run ended without 2 shards" in ended
    assert {"corpus/c4/.owner.json", "corpus/c4/_scopes/all.json", "corpus/c4/configuration.json"} < set(google.objects)


def test_workers_are_those_that_were_asked_for(posted):
    (job,) = posted[0].jobs
    assert job["type"] == 1  # batch
    environment = job["environment"]
    assert "use_runner_v2" in environment["experiments"]
    (pool,) = environment["workerPools"]
    assert (pool["machineType"], pool["diskSizeGb"]) == ("n2-highmem-4", 100)
    assert pool["autoscalingSettings"] == {"algorithm": 2, "maxNumWorkers": 500}  # throughput based
    (image,) = pool["sdkHarnessContainerImages"]
    assert image["containerImage"] == pool["workerHarnessContainerImage"] == "registry/name:tag"
    assert image["useSingleCorePerContainer"]  # a process for each core: what we do holds Python's lock
    assert [package["name"] for package in pool["packages"]] == ["submission_environment_dependencies.txt"]
    options = {option["key"]: option.get("value") for option in environment["sdkPipelineOptions"]["display_data"]}
    assert options["runner"] == "DataflowRunner"
    assert json.dumps(job).count("samples/c4") == 0  # inputs are in the graph alone


def test_every_step_has_its_label(pipeline):
    names = {tuple(t.unique_name.split("/")[:2]) for t in pipeline.components.transforms.values() if t.unique_name}
    ours = {name for name in names if name[0] != "Shards"}  # what Beam's Create is made of
    rounds = [("Deduplicate URLs", "URL"), ("Deduplicate", "line")]
    wanted = {(label, step) for label, unit in rounds for step in (f"Hash each {unit}", f"Find repeated {unit}s")}
    assert wanted < ours
    assert {("Filter and write", f"Filter ({FILTERS}) and write"), ("Filter and write", "Spread the shards")} < ours
    assert not [name for name in ours if "lambda" in "/".join(name) or "Unnamed" in "/".join(name)]


def leaves(hint: object) -> set[str]:
    """The names of the types that a type is made of."""
    inner = typing.get_args(hint)
    return set().union(*map(leaves, inner)) if inner else {getattr(hint, "__name__", str(hint))}


def test_no_text_passes_a_shuffle(pipeline):
    """What our steps give on is declared, and none of it is a document; what is shuffled comes from them."""
    parts = pipeline.components
    made_by = {made: t for t in parts.transforms.values() if not t.subtransforms for made in t.outputs.values()}
    given = {}
    for transform in parts.transforms.values():
        if transform.spec.urn == PAR_DO:
            payload = api.ParDoPayload.FromString(transform.spec.payload)
            step = pickler.loads(payload.do_fn.payload)[0]
            step = getattr(step, "step", step)  # of ours, what Beam's function wraps
            function = getattr(step, "_fn", type(step).process)  # of a Map, what wraps its function
            function = getattr(function, "_argspec_fn", function)
            if function.__module__.startswith(("pipeline.", "sources.")):
                given[transform.unique_name] = leaves(typing.get_type_hints(function)["return"])
    assert len(given) >= 5
    assert {name: types - HARMLESS for name, types in given.items() if types - HARMLESS} == {}
    shuffles = [t for t in parts.transforms.values() if t.spec.urn == GROUP_BY_KEY]
    assert len(shuffles) >= 5
    for shuffle in shuffles:
        (shuffled,) = shuffle.inputs.values()
        maker = made_by[shuffled].unique_name
        beams = "/ReshufflePerKey/Map(reify" in maker or "/CoGroupByKeyImpl/" in maker
        assert maker in given or beams, f"{maker} feeds {shuffle.unique_name}"
