"""Inputs, outputs and models on S3, through an emulation of it on loopback."""

import gzip
import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions
from rich.console import Console

from pipeline.engine.options import RunOptions
from pipeline.engine.parts import AgainError, Part
from pipeline.engine.run import RunResult, run_source
from pipeline.errors import InputError, OutputError
from pipeline.storage.filesystem import open_input
from pipeline.storage.s3 import client
from sources.commoncrawl.command import parser
from sources.commoncrawl.run import inputs
from tests.end_to_end.commands import ROOT, SAMPLES, commoncrawl, outputs, run
from tests.end_to_end.object_store import CREDENTIALS, object_store
from tests.pipeline import runs
from tests.pipeline.line_source import LineRecipe, LineSource


@pytest.fixture(scope="module")
def s3():
    with object_store() as store:
        for path in sorted(SAMPLES.glob("*.warc.wet.gz"))[:2]:
            store.client.upload_file(str(path), "bucket", f"wet/{path.name}")
        store.client.upload_file(str(ROOT / "samples/models/lid.176.ftz"), "bucket", "models/lid.176.ftz")
        yield store


@pytest.fixture
def lines(s3, monkeypatch, tmp_path):
    """Runs the tests' own source into a folder of the bucket, in this process."""
    before = FileSystems._pipeline_options
    FileSystems.set_options(PipelineOptions(s3.flags))
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    raw = runs.write_input(tmp_path / "raw")

    def run_lines(folder: str, recipe: LineRecipe | None = None, **options) -> RunResult:
        made = recipe or LineRecipe()
        how = RunOptions(f"s3://bucket/{folder}", ["--direct_num_workers=1", *s3.flags], **options)
        return run_source(LineSource(made), runs.plan([raw], made), how, Console(file=io.StringIO()))

    yield run_lines, raw
    FileSystems.set_options(before)


def keys(s3, prefix: str) -> dict[str, bytes]:
    listed = s3.client.list_objects_v2(Bucket="bucket", Prefix=prefix).get("Contents", [])
    found = {e["Key"]: s3.client.get_object(Bucket="bucket", Key=e["Key"])["Body"].read() for e in listed}
    return {name: data for name, data in found.items() if "/_timing/" not in name}


def test_a_crawl_on_s3_is_listed_and_read_there(s3, lines):
    name = sorted(SAMPLES.glob("*.warc.wet.gz"))[0]
    folder = "crawl-data/CC-MAIN-2026-12"
    s3.client.create_bucket(Bucket="commoncrawl")
    listing = gzip.compress(f"{folder}/wet/none.gz\n{folder}/wet/{name.name}\n".encode())
    s3.client.put_object(Bucket="commoncrawl", Key=f"{folder}/wet.paths.gz", Body=listing)
    s3.client.upload_file(str(name), "commoncrawl", f"{folder}/wet/{name.name}")
    crawl = ["--crawl", "CC-MAIN-2026-12", "--mirror", "s3", "--files"]
    (file,) = inputs(parser().parse_args([*crawl, "1"]))
    assert (file.path, file.size) == (f"s3://commoncrawl/{folder}/wet/{name.name}", -1)
    with open_input(file.path) as handle:
        assert handle.read() == name.read_bytes()
    with pytest.raises(InputError, match="CC-MAIN-2026-12 has 2 wet files, with the numbers 0 to 1; 1 to 2 "):
        inputs(parser().parse_args([*crawl, "1-2"]))
    with pytest.raises(InputError, match=r"There is no crawl CC-MAIN-2026-99 with wet files: there is no s3://common"):
        inputs(parser().parse_args(["--crawl", "CC-MAIN-2026-99", *crawl[2:], "1"]))


def test_what_is_done_is_listed_once_before_a_run_and_once_behind_it(s3, lines):
    run_lines, _ = lines
    asked = []

    def note(params, **_) -> None:
        asked.append(params["query_string"]["prefix"])

    events = client().meta.events
    events.register("before-call.s3.ListObjectsV2", note)
    try:
        run_lines("listed")
        first, asked[:] = asked[:], []
        run_lines("listed")
    finally:
        events.unregister("before-call.s3.ListObjectsV2", note)
    assert first.count("listed/lines/_stats/") == 2
    assert sorted(asked) == sorted(set(asked))
    assert "listed/lines/_stats/" in asked


def test_parts_of_large_objects_that_killed_runs_left_go_and_those_of_others_stay(s3, lines):
    """The emulation says of every upload that it was begun years ago."""
    run_lines, _ = lines
    for key in ("left/lines/short/a.parquet", "left/other.parquet"):
        s3.client.create_multipart_upload(Bucket="bucket", Key=key)
    run_lines("left")
    left = s3.client.list_multipart_uploads(Bucket="bucket")["Uploads"]
    assert [entry["Key"] for entry in left] == ["left/other.parquet"]


def test_parts_on_a_store_that_has_no_locks(s3, lines, tmp_path):
    run_lines, raw = lines
    recipe = LineRecipe(scope="all")
    for number in (1, 2, 1):
        with pytest.raises(AgainError):
            run_lines("parts", recipe, part=Part(number, 2))
    with pytest.raises(OutputError, match="was begun with another configuration"):
        run_lines("parts", replace(recipe, min_characters=1), part=Part(1, 2))
    for number in (2, 1):
        run_lines("parts", recipe, part=Part(number, 2))
    run_lines("parts", recipe, finish=True)
    runs.run(raw, tmp_path / "whole", recipe)
    made = {name.removeprefix("parts/"): data for name, data in keys(s3, "parts/").items()}
    del made["lines/manifest.json"]
    assert made == outputs(tmp_path / "whole")


def test_failed_inputs_are_read_again_and_strangers_stay(s3, lines):
    """In a folder whose name is full of what stores take for patterns."""
    run_lines, raw = lines
    (raw / "b.txt").rename(raw.parent / "b.txt")
    (raw / "b.txt").symlink_to("nowhere")
    run_lines("v[2]*/corpus")
    for name in ("mine.parquet", "short/mine.parquet", "_work/mine.arrow", "_scopes/mine.redo"):
        s3.client.put_object(Bucket="bucket", Key=f"v[2]*/corpus/lines/{name}", Body=b"a stranger's")
    before = {name: data for name, data in keys(s3, "v[2]*/").items() if "mine" in name}
    (raw / "b.txt").unlink()
    (raw.parent / "b.txt").rename(raw / "b.txt")
    assert run_lines("v[2]*/corpus", retry_failed=True).written == 2
    assert run_lines("v[2]*/corpus", retry_failed=True).written == 0
    after = keys(s3, "v[2]*/corpus/lines/")
    assert {name: after.get(name) for name in before} == before
    assert not [name for name in after if ("/_work/" in name and "mine" not in name) or name.endswith("a.redo")]
    run_lines("fresh")
    fresh = {name.removeprefix("fresh/lines/"): data for name, data in keys(s3, "fresh/").items()}
    assert {name: after[f"v[2]*/corpus/lines/{name}"] for name in fresh if name.endswith(".parquet")} == {
        name: data for name, data in fresh.items() if name.endswith(".parquet")
    }


def test_two_recipes_do_not_share_an_output(s3, lines):
    run_lines, _ = lines
    other = LineRecipe(bad_word="other")
    root = "s3://bucket/shared/lines"
    configuration = json.dumps({"format": 2, "source": "lines", "recipe": {}}).encode()
    s3.client.put_object(Bucket="bucket", Key="shared/lines/configuration.json", Body=configuration)
    with pytest.raises(OutputError, match=r"was begun with another configuration, and a run of it may be at work"):
        run_lines("shared")
    s3.client.delete_object(Bucket="bucket", Key="shared/lines/configuration.json")
    s3.client.put_object(Bucket="bucket", Key="shared/lines/.lock", Body=b"")
    run_lines("shared")
    with pytest.raises(OutputError, match=r"was made by another configuration\. What differs"):
        run_lines("shared", other)
    path = "shared/lines/_stats/a.json"
    stats = json.loads(keys(s3, path)[path])
    s3.client.put_object(Bucket="bucket", Key=path, Body=json.dumps({**stats, "configuration": "another"}).encode())
    with pytest.raises(OutputError, match=f"shard a in {root} was made by another configuration: another run writes"):
        run_lines("shared")


def test_a_run_on_s3_makes_the_documents_of_a_local_run(tmp_path: Path, s3):
    client, flags = s3.client, s3.flags
    model = "language.model=s3://bucket/models/lid.176.ftz"
    environment = {**CREDENTIALS, "LLAMA_CORPUS_CACHE": str(tmp_path / "cache")}
    arguments = ["--input", "s3://bucket/wet/*.warc.wet.gz", "--output", "s3://bucket/corpus", "--set", model, *flags]
    first = run("sources.commoncrawl", *arguments, "--direct_num_workers", "2", **environment)
    assert "Wrote 2 of 2 shards" in first.stdout
    again = run("sources.commoncrawl", *arguments, "--direct_num_workers", "2", **environment)
    assert "Nothing to do: all 2 shards were done before." in again.stdout
    verified = run("pipeline.verify", "s3://bucket/corpus/commoncrawl", *flags, **environment)
    assert "all accounts add up" in verified.stdout

    listed = client.list_objects_v2(Bucket="bucket", Prefix="corpus/")["Contents"]
    keys = [entry["Key"] for entry in listed]
    assert not [key for key in keys if "/_work/" in key], "the work folder stays behind"
    commoncrawl(tmp_path / "local", "--input", *sorted(SAMPLES.glob("*.warc.wet.gz"))[:2])
    local = {k.split("commoncrawl/", 1)[1]: v for k, v in outputs(tmp_path / "local").items() if k.endswith(".parquet")}
    remote = {
        key.split("commoncrawl/", 1)[1]: client.get_object(Bucket="bucket", Key=key)["Body"].read()
        for key in keys
        if key.endswith(".parquet")
    }
    assert local.keys() == remote.keys()
    stats = json.loads(client.get_object(Bucket="bucket", Key=next(k for k in keys if "/_stats/" in k))["Body"].read())
    for output in stats["outputs"]:
        assert hashlib.sha256(remote[output["path"]]).hexdigest() == output["sha256"]
