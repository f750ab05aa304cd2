import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import InputError, StoreError
from pipeline.storage import hub as storage
from pipeline.storage.filesystem import exists, local_model, open_input, read_bytes, require, write_bytes
from pipeline.storage.listing import match

FILES = {
    "en/a.json.gz": b"a" * 10,
    "en/b[1].json.gz": b"b" * 20,
    "en/deep/c.json.gz": b"c",
    "de/d@1 #?.json.gz": b"d%d",
    "README.md": b"# Card\n",
}
TEXTS = "hf://datasets/us/texts"


def listed(*patterns: str) -> list[tuple[str, int]]:
    return [(file.path, file.size) for file in match(patterns)]


def test_patterns_and_exact_names_are_listed_with_the_commit(hub):
    commit = hub.add("us/texts", FILES)
    at = f"{TEXTS}@{commit}"
    assert listed(f"{TEXTS}/en/*.json.gz") == [(f"{at}/en/a.json.gz", 10), (f"{at}/en/b[1].json.gz", 20)]
    assert listed(f"{TEXTS}@main/en/b[1].json.gz") == [(f"{at}/en/b[1].json.gz", 20)]
    assert [path for path, _ in listed(f"{TEXTS}/en/**")] == [f"{at}/en/{n}.json.gz" for n in ("a", "b[1]", "deep/c")]
    assert listed(f"HF://datasets/us/texts@{commit}/de/*") == [(f"{at}/de/d@1 #?.json.gz", 3)]
    with pytest.raises(InputError, match="matches no file"):
        match([f"{TEXTS}/fr/*"])


def test_what_was_listed_stays_readable_as_it_was(hub):
    hub.add("us/texts", FILES)
    paths = [path for path, _ in listed(f"{TEXTS}/**.gz")]
    hub.add("us/texts", {"en/a.json.gz": b"other"})
    assert {path.rpartition("/")[2]: read_bytes(path) for path in paths} == {
        name.rpartition("/")[2]: data for name, data in FILES.items() if name.endswith(".gz")
    }
    assert read_bytes(f"{TEXTS}/en/a.json.gz") == b"other"
    assert (exists(f"{TEXTS}/en/a.json.gz"), exists(f"{TEXTS}/en/b.json.gz"), exists(f"{TEXTS}/en")) == (
        True,
        False,
        False,
    )


def test_files_are_read_by_ranges_a_block_at_a_time(hub, monkeypatch):
    monkeypatch.setattr(storage, "READ_BYTES", 10_000)
    table = pa.table({"text": [f"{n:0100}" for n in range(8000)]})
    written = io.BytesIO()
    pq.write_table(table, written, row_group_size=2000, compression="none", use_dictionary=False)
    hub.add("us/texts", {"rows.parquet": written.getvalue()})
    with open_input(f"{TEXTS}/rows.parquet") as handle:
        assert pq.ParquetFile(handle).read_row_group(3)["text"][0].as_py() == f"{6000:0100}"
    assert 0 < sum(_length(asked) for asked in hub.ranges) < len(written.getvalue()) / 2
    hub.ranges.clear()
    with open_input(f"{TEXTS}/rows.parquet") as handle:
        assert b"".join(iter(lambda: handle.read(300), b"")) == written.getvalue()
    assert [_length(asked) for asked in hub.ranges[:-1]] == [10_000] * (len(written.getvalue()) // 10_000)
    assert read_bytes(f"{TEXTS}/rows.parquet") == written.getvalue()


def _length(asked: str) -> int:
    first, last = asked.removeprefix("bytes=").split("-")
    return int(last) - int(first) + 1


def test_passing_faults_are_tried_again(hub, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    hub.add("us/texts", FILES)
    faults = iter([503, 429, 500])
    hub.refuse = lambda method, path: next(faults, None) if "/resolve/" in path else None
    assert read_bytes(f"{TEXTS}/en/a.json.gz") == FILES["en/a.json.gz"]


def test_a_model_of_a_branch_that_moves_on_is_fetched_anew(hub, monkeypatch):
    hub.add("us/texts", {"lid.gz": b"one"})
    assert Path(local_model(f"{TEXTS}/lid.gz")).read_bytes() == b"one"
    storage._commit.cache_clear()
    hub.add("us/texts", {"lid.gz": b"two"})
    assert Path(local_model(f"{TEXTS}/lid.gz")).read_bytes() == b"two"


def test_refusals_are_told_in_a_line(hub, monkeypatch):
    hub.add("us/texts", FILES)
    hub.add("us/secret", FILES, private=True)
    cases = [
        ("hf://datasets/us/none/x", "there is no such repository"),
        (f"{TEXTS}@v2/x", "has no such branch, tag or commit"),
        ("hf://datasets/texts", "is no address of the hub"),
    ]
    for path, said in cases:
        with pytest.raises(InputError, match=said) as error:
            require(path)
        assert "\n" not in str(error.value)
    with pytest.raises(OSError, match="x"):
        open_input(f"{TEXTS}/x")
    with pytest.raises(StoreError, match=r"python -m pipeline\.publish writes to it"):
        write_bytes(f"{TEXTS}/x", b"")
    hub.refuse = lambda method, path: 403 if "/resolve/" in path else None
    with open_input(f"{TEXTS}/en/a.json.gz") as handle, pytest.raises(StoreError, match="has not the right to do it"):
        handle.read()
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", "nowhere")
    with pytest.raises(InputError, match=r"Set HF_TOKEN, or type hf auth login, if it is private\."):
        require("hf://datasets/us/secret/x")
