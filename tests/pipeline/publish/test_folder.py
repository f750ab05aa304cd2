import shutil
from pathlib import Path

import pytest
from datasets import load_dataset

from pipeline.publish.command import main
from pipeline.verify.accounts import verify
from pipeline.verify.shards import verify_shards
from tests.pipeline.runs import run, write_input


def publish(capsys, *arguments) -> tuple[int, str]:
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return end.value.code, printed.out + printed.err


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_each_configuration_opens_with_its_rows(made, tmp_path, capsys):
    out = tmp_path / "out"
    assert publish(capsys, made / "corpus", made / "shards", "--to", out, "--rejects", "--title", "Ours")[0] == 0
    found = {}
    for name in ("c4", "c4-train", "c4-validation", "wikipedia", "wikipedia-head", "wikipedia-rejects", "shards"):
        loaded = load_dataset(str(out), name, streaming=True)
        found[name] = {split: [row.get("text") for row in rows] for split, rows in loaded.items()}
    assert {split: len(rows) for split, rows in found.pop("shards").items()} == {"train": 22, "heldout": 2}
    assert found == {
        "c4": {"train": ["x", "z"], "validation": ["y"]},
        "c4-train": {"train": ["x", "z"]},
        "c4-validation": {"validation": ["y"]},
        "wikipedia": {"train": ["first", "p"]},
        "wikipedia-head": {"train": ["first", "p"]},
        "wikipedia-rejects": {"train": ["third"]},
    }
    whole = load_dataset(str(out), "shards", cache_dir=str(tmp_path / "cache"))  # counts rows against the card
    assert whole["train"].features["input_ids"].length == 17
    assert (out / "README.md").read_text().splitlines()[1] == "pretty_name: Ours"


def test_shards_alone_stay_arrow_and_their_accounts_add_up(made, tmp_path, capsys):
    out = tmp_path / "out"
    assert publish(capsys, made / "shards", "--to", out)[0] == 0
    loaded = load_dataset(str(out), "shards", streaming=True)
    assert {split: sum(1 for _ in rows) for split, rows in loaded.items()} == {"train": 22, "heldout": 2}
    shard = "shards/data-00000-of-00001.arrow"
    assert (out / shard).read_bytes() == (made / shard).read_bytes()
    assert verify_shards(str(out / "shards"), corpus=str(made / "other" / "corpus")) == (22, [])


def test_again_it_writes_what_differs_and_removes_what_is_no_more(made, tmp_path, capsys):
    shutil.copytree(made / "corpus", tmp_path / "corpus")
    out = tmp_path / "out"
    assert publish(capsys, tmp_path / "corpus", made / "shards", "--to", out)[0] == 0
    first = snapshot(out)
    status, printed = publish(capsys, tmp_path / "corpus", made / "shards", "--to", out)
    assert (status, f"{out} is up to date." in printed.replace("\n", ""), snapshot(out)) == (0, True, first)

    # Half a file, one that is gone, and a stranger's.
    (out / "c4/train/a.parquet").write_bytes(b"half")
    (out / "c4/train/b.parquet").unlink()
    (out / "wikipedia/mine.txt").write_text("mine")
    shutil.rmtree(tmp_path / "corpus" / "wikipedia")
    status, printed = publish(capsys, tmp_path / "corpus", made / "shards", "--to", out)
    assert (status, "2 to send" in printed, "6 to remove" in printed) == (0, True, True)
    last = snapshot(out)
    assert {name for name in first.keys() ^ last.keys() if not name.startswith("wikipedia/")} == set()
    assert [name for name in last if name.startswith("wikipedia/")] == ["wikipedia/mine.txt"]
    same = {name for name in last if name.startswith(("c4/", "shards/"))}
    assert {name: last[name][1] for name in same} == {name: first[name][1] for name in same}


def test_a_published_source_can_be_verified(made, tmp_path, capsys):
    root = Path(run(write_input(tmp_path / "raw"), tmp_path / "runs").layout.root)
    for flags, rejects in (((), False), (("--rejects",), True)):
        out = tmp_path / f"out{rejects}"
        assert publish(capsys, root, "--to", out, *flags)[0] == 0
        kept, faults = verify(str(out / root.name), rejects=rejects)
        assert (faults, kept > 0) == ([], True)


def test_refusals_are_told_in_a_line(made, tmp_path, capsys):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "notes.txt").write_text("")
    (tmp_path / "twice").mkdir()
    shutil.copytree(made / "shards", tmp_path / "c4")
    shutil.copytree(made / "corpus", tmp_path / "unfinished")
    (tmp_path / "unfinished" / "c4" / "manifest.json").unlink()
    shutil.copytree(made / "corpus", tmp_path / "cut")
    (tmp_path / "cut" / "c4" / "train" / "a.parquet").write_bytes(b"PAR1")
    cases = [
        ([made / "corpus", "--to", tmp_path / "theirs"], "theirs is not empty (notes.txt)"),
        ([made / "corpus", "--to", made / "corpus" / "out"], "lies in the folder"),
        ([made / "corpus", tmp_path / "c4", "--to", tmp_path / "out"], "two of the folders have a file c4/"),
        ([tmp_path / "unfinished", "--to", tmp_path / "out"], "is not finished: run python -m sources.c4"),
        ([tmp_path / "cut", "--to", tmp_path / "out"], "a.parquet has 4 bytes, its account says"),
        ([tmp_path / "nothing", "--to", tmp_path / "out"], "nothing holds no manifest.json"),
    ]
    for arguments, said in cases:
        status, printed = publish(capsys, *arguments)
        last = printed.splitlines()[-1]
        assert (status, last.startswith("error: "), said in last, "--output" in last) == (1, True, True, False), printed
    assert not (tmp_path / "out").exists()
