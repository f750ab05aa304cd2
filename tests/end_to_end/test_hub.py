"""Inputs on the Hugging Face hub, through a stand-in of it on loopback: C4 and The Stack as they are published."""

import pytest

from tests.end_to_end.commands import ROOT, documents, manifest, run
from tests.pipeline.hub_server import Hub

C4 = sorted((ROOT / "samples" / "c4").glob("c4-*"))
STACK = ROOT / "samples" / "github" / "stack-00000-of-00001.parquet"


@pytest.fixture(scope="module")
def hub():
    served = Hub()
    served.add("allenai/c4", {f"en/{path.name}": path.read_bytes() for path in C4}, private=True)
    served.add("bigcode/the-stack", {f"data/rust/{STACK.name}": STACK.read_bytes()})
    yield served
    served.close()


def made(output, source):
    return {path: path.stat().st_mtime_ns for path in (output / source).rglob("*.parquet")}


def commits(output, source):
    """What stands between the @ and the path of each input."""
    return {entry["path"].partition("@")[2].partition("/")[0] for entry in manifest(output, source)["inputs"]}


def test_c4_is_read_where_it_is_published(hub, tmp_path):
    environment = {"HF_ENDPOINT": hub.url, "HF_TOKEN": "reader", "HF_HOME": str(tmp_path / "hf")}
    command = ["sources.c4", "--from", "published", "--output"]
    there, here = tmp_path / "there", tmp_path / "here"
    run(*command, there, "--input", "hf://datasets/allenai/c4/en/*", "--direct_num_workers", "2", **environment)
    run(*command, here, "--input", *C4, "--direct_num_workers", "1")
    found = ([(d["id"], d["text"]) for d in documents(output, "*", "c4")] for output in (there, here))
    assert next(found) == next(found) != []
    assert manifest(there, "c4")["ledger"] == manifest(here, "c4")["ledger"]
    sums = ([entry["sha256"] for entry in manifest(output, "c4")["inputs"]] for output in (there, here))
    assert next(sums) == next(sums)
    first = hub.repositories["allenai/c4"].branches["main"]
    assert commits(there, "c4") == {first}
    assert not (tmp_path / "hf" / "hub").exists()  # nothing is kept on the disk

    # The branch moves on: what is done is not made again.
    before = made(there, "c4")
    hub.add("allenai/c4", {**hub.repositories["allenai/c4"].files("main"), "README.md": b"new"}, private=True)
    run(*command, there, "--input", "hf://datasets/allenai/c4/en/*", "--direct_num_workers", "1", **environment)
    assert made(there, "c4") == before
    assert commits(there, "c4") == {first}


def test_the_stack_is_read_where_it_is_published(hub, tmp_path):
    flags = ["--input", "hf://datasets/bigcode/the-stack@main/data/**.parquet", "--direct_num_workers", "1"]
    run("sources.github", *flags, "--output", tmp_path, HF_ENDPOINT=hub.url, HF_HOME=str(tmp_path / "hf"))
    assert len(documents(tmp_path, "*", "github")) == 2
    assert commits(tmp_path, "github") == {hub.repositories["bigcode/the-stack"].branches["main"]}
