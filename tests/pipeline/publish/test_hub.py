import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from pipeline.publish import hub as sending
from pipeline.publish.command import main
from tests.pipeline.publish.contents import make_corpus

ROOT = Path(__file__).parents[3]
LOAD = """
import sys
from datasets import load_dataset
for name in sys.argv[2:]:
    loaded = load_dataset(sys.argv[1], name, streaming=True)
    print(name, {split: sum(1 for _ in rows) for split, rows in loaded.items()})
"""


@pytest.fixture
def hub(hub, monkeypatch, tmp_path):
    """The hub, with a writer's token."""
    monkeypatch.setenv("HF_TOKEN", "writer")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    return hub


def publish(capsys, *arguments) -> tuple[int, str]:
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return end.value.code, printed.out + printed.err


def test_a_corpus_and_its_shards_become_one_commit_that_load_dataset_opens(made, hub, tmp_path, capsys):
    to = ("--to", "hf://us/texts", "--private")
    assert publish(capsys, made / "corpus", made / "shards", *to, "--dry-run")[0] == 0
    assert hub.repositories == {}
    status, printed = publish(capsys, made / "corpus", made / "shards", *to)
    assert status == 0, printed
    repository = hub.repositories["us/texts"]
    files = repository.files("main")
    assert (repository.private, len(repository.commits)) == (True, 2)  # the hub's own first one, and ours
    assert not [name for name in files if "_rejects" in name or "_timing" in name or "_ids" in name]
    environment = {**os.environ, "HF_HUB_DISABLE_XET": "1", "PYTHONPATH": str(ROOT)}
    names = ["c4", "c4-validation", "wikipedia-head", "shards"]
    command = [sys.executable, "-c", LOAD, "us/texts", *names]
    loaded = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert loaded.stdout.splitlines() == [
        "c4 {'train': 2, 'validation': 1}",
        "c4-validation {'validation': 1}",
        "wikipedia-head {'train': 2}",
        "shards {'train': 22, 'heldout': 2}",
    ], loaded.stderr

    # Nothing has changed: nothing is sent, not even a converted shard.
    hub.requests.clear()
    status, printed = publish(capsys, made / "corpus", made / "shards", *to)
    assert (status, "us/texts is up to date." in printed) == (0, True)
    assert not [path for method, path in hub.requests if method in ("PUT", "POST") and "paths-info" not in path]


def test_what_is_no_more_is_removed_and_what_is_others_stays(made, hub, capsys):
    hub.add("us/texts", {".gitattributes": b"", "notes.txt": b"theirs"})
    assert publish(capsys, made / "corpus", "--to", "hf://us/texts", "--rejects")[0] == 0
    before = hub.repositories["us/texts"].files("main")
    assert "wikipedia/_rejects/a.parquet" in before
    assert publish(capsys, made / "corpus" / "c4", "--to", "hf://datasets/us/texts")[0] == 0
    after = hub.repositories["us/texts"].files("main")
    assert sorted(before.keys() - after.keys()) == sorted(name for name in before if name.startswith("wikipedia/"))
    assert after["notes.txt"] == b"theirs"

    hub.add("us/taken", {"c4/train/a.parquet": b"theirs"})
    status, printed = publish(capsys, made / "corpus", "--to", "hf://us/taken")
    assert status == 1
    assert "hf://datasets/us/taken holds c4/train/a.parquet, which python -m pipeline.publish did not write" in printed


def test_an_edited_card_is_not_written_over(made, hub, capsys):
    to = ("--to", "hf://us/texts")
    assert publish(capsys, made / "corpus", *to)[0] == 0
    hub.add("us/texts", {**hub.repositories["us/texts"].files("main"), "README.md": b"# Mine\n"})
    status, printed = publish(capsys, made / "corpus", *to)
    assert (status, "--overwrite writes over it" in printed) == (1, True)
    assert publish(capsys, made / "corpus", *to, "--overwrite")[0] == 0
    assert hub.repositories["us/texts"].files("main")["README.md"].startswith(b"---\npretty_name: LLaMA corpus")


def test_a_broken_publication_goes_on_where_it_stopped(made, hub, capsys, monkeypatch):
    monkeypatch.setattr(sending, "FILES_AT_ONCE", 2)
    monkeypatch.setattr(sending, "FILES_IN_A_COMMIT", 4)
    puts = iter(range(100))
    hub.refuse = lambda method, path: 403 if method == "PUT" and next(puts) >= 4 else None
    to = ("--to", "hf://us/texts", "--revision", "candidate")
    status, printed = publish(capsys, made / "corpus", *to)
    assert status == 1
    assert printed.splitlines()[-1].startswith(
        "error: cannot publish to hf://datasets/us/texts@candidate: the token has"
    )
    repository = hub.repositories["us/texts"]
    part = repository.files("candidate")
    assert "README.md" not in part
    assert sum(name.endswith(".parquet") for name in part) == 4
    hub.refuse = lambda method, path: None
    hub.requests.clear()
    assert publish(capsys, made / "corpus", *to)[0] == 0
    whole = repository.files("candidate")
    sent = [path for method, path in hub.requests if method == "PUT"]
    assert len(sent) == sum(name.endswith(".parquet") for name in whole) - 4
    assert set(repository.files("main")) == {".gitattributes"}
    header = yaml.safe_load(whole["README.md"].decode().split("---\n")[1])
    assert [one["config_name"] for one in header["configs"]] == [
        "c4",
        "c4-train",
        "c4-validation",
        "wikipedia",
        "wikipedia-head",
    ]


def test_what_somebody_else_commits_meanwhile_is_not_written_over(made, hub, capsys):
    hub.add("us/texts", {})

    def others(method, path):
        if "/commit/" in path and "theirs" not in hub.repositories["us/texts"].files("main"):
            hub.add("us/texts", {"theirs": b""})

    hub.refuse = others
    status, printed = publish(capsys, made / "corpus", "--to", "hf://us/texts")
    assert (status, "somebody else changed the repository meanwhile" in printed) == (1, True)


def test_a_file_that_differs_from_its_account_is_not_committed(hub, tmp_path, capsys):
    make_corpus(tmp_path)
    file = tmp_path / "corpus" / "c4" / "train" / "a.parquet"
    data = bytearray(file.read_bytes())
    data[10] ^= 1
    file.write_bytes(data)
    status, printed = publish(capsys, tmp_path / "corpus", "--to", "hf://us/texts")
    assert (status, f"{file} has changed" in printed) == (1, True)
    assert set(hub.repositories["us/texts"].files("main")) == {".gitattributes"}


@pytest.mark.parametrize(
    ("to", "token", "said"),
    [
        ("hf://us/texts", "", "there is no token for hf://datasets/us/texts. Set HF_TOKEN"),
        ("hf://us/texts", "reader", "cannot publish to hf://datasets/us/texts: the token has not the right to do it"),
        ("hf://us/public --private", "writer", "is public. Make it private in its settings first"),
        ("hf://us/texts/below", "writer", "give hf://owner/name"),
        ("hf://texts", "writer", "is no address of the hub"),
        (f"hf://us/texts --revision {'a' * 40}", "writer", "Give a branch"),
        ("folder --private", "writer", "are for the hub, and folder is a folder"),
    ],
)
def test_refusals_are_told_in_a_line(made, hub, capsys, monkeypatch, tmp_path, to, token, said):
    hub.add("us/public", {})
    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.chdir(tmp_path)
    status, printed = publish(capsys, made / "corpus" / "c4", "--quiet", "--to", *to.split())
    assert status == 1
    assert said in printed.splitlines()[-1]
    assert printed.splitlines()[-1].startswith("error: ")


def test_a_hub_that_does_not_answer_is_told(made, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_TOKEN", "writer")
    status, printed = publish(capsys, made / "corpus" / "c4", "--to", "hf://us/texts")
    assert (status, "the hub does not answer" in printed) == (1, True)


def test_token_shards_as_parquet_hold_the_same_rows(made, hub, capsys):
    assert publish(capsys, made / "corpus", made / "shards", "--to", "hf://us/both")[0] == 0
    assert publish(capsys, made / "shards", "--to", "hf://us/tokens")[0] == 0
    both, alone = (hub.repositories[f"us/{name}"].files("main") for name in ("both", "tokens"))
    names = sorted(name for name in alone if name.endswith(".arrow"))
    assert names == ["shards/data-00000-of-00001.arrow", "shards/heldout/data-00000-of-00001.arrow"]
    import pyarrow as pa

    for name in names:
        assert alone[name] == (made / name).read_bytes()
        rows = pa.ipc.open_stream(alone[name]).read_all()
        again = pq.read_table(pa.BufferReader(both[name.replace(".arrow", ".parquet")]))
        assert again.equals(rows)
