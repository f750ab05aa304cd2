import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.corpus.sink import RejectPolicy
from pipeline.verify import accounts
from pipeline.verify.accounts import verify
from pipeline.verify.command import main
from pipeline.verify.run import CURE
from tests.pipeline.line_source import LineRecipe
from tests.pipeline.runs import run, write_input


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("accounts")
    return Path(run(write_input(folder / "raw"), folder / "clean").layout.root)


@pytest.fixture
def corpus(clean, tmp_path) -> Path:
    """A copy to tamper with."""
    shutil.copytree(clean, tmp_path / "lines")
    return tmp_path / "lines"


def edit_table(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    pq.write_table(change(pq.read_table(path)), path)


def edit_json(path: Path, change: Callable[[dict], object]) -> None:
    value = json.loads(path.read_bytes())
    change(value)
    path.write_text(json.dumps(value))


def edited(name: str, change: Callable[[dict], object]) -> Callable[[Path], None]:
    return lambda corpus: edit_json(corpus / name, change)


def replaced(table: pa.Table, column: str, value: str) -> pa.Table:
    at = table.schema.get_field_index(column)
    return table.set_column(at, table.schema.field(at), [pa.array([value] * len(table), table.schema.field(at).type)])


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def forget_ledger(found: dict) -> None:
    del found["ledger"]


def set_entered(stats: dict) -> None:
    stats["ledger"]["steps"][0]["entered"]["documents"] += 1


def set_dropped(stats: dict) -> None:
    stats["ledger"]["steps"][3]["dropped"]["bad_word"]["characters"] += 1


def set_output(stats: dict) -> None:
    stats["outputs"][0]["documents"] += 1


def rename_subset(stats: dict) -> None:
    stats["ledger"]["kept"]["other"] = stats["ledger"]["kept"].pop("short")


# What is done to a folder, and a pattern that one of the sentences matches.
TAMPERINGS: dict[str, tuple[Callable[[Path], object], str]] = {
    "text changed": (
        lambda c: edit_table(c / "short/b.parquet", lambda t: replaced(t, "text", "ONLY B")),
        r"^.*/short/b\.parquet has changed: its sha256 is [0-9a-f]{64}, the stats say [0-9a-f]{64}$",
    ),
    "reject changed": (
        lambda c: edit_table(c / "_rejects/b.parquet", lambda t: replaced(t, "reason", "other")),
        r"^.*/_rejects/b\.parquet has changed",
    ),
    "row removed": (
        lambda c: edit_table(c / "short/a.parquet", lambda t: t.slice(1)),
        r"^.*/short/a\.parquet has changed",
    ),
    "ids changed": (lambda c: cut(c / "_ids/a.npy"), r"^.*/_ids/a\.npy is missing, or has changed"),
    "ids deleted": (lambda c: (c / "_ids/b.npy").unlink(), r"^.*/_ids/b\.npy is missing, or has changed"),
    "scope changed": (
        edited("_scopes/a.json", lambda s: s.update(fingerprint="0")),
        r"^.*/_scopes/a\.json is missing, or is not the record of the scope of shard a$",
    ),
    "scope deleted": (lambda c: (c / "_scopes/c.json").unlink(), r"^.*/_scopes/c\.json is missing, or is not"),
    "owner damaged": (lambda c: cut(c / ".owner.json"), r"^.*/\.owner\.json is damaged: "),
    "file cut short": (lambda c: cut(c / "short/c.parquet"), r"^.*/short/c\.parquet has changed"),
    "file deleted": (lambda c: (c / "long/a.parquet").unlink(), r"^.*/long/a\.parquet is missing$"),
    "rejects deleted": (lambda c: (c / "_rejects/c.parquet").unlink(), r"^.*/_rejects/c\.parquet is missing$"),
    "stray file": (
        lambda c: shutil.copy(c / "short/b.parquet", c / "short/x.parquet"),
        r"^.*/short/x\.parquet belongs to no finished shard$",
    ),
    "stray folder": (
        lambda c: shutil.copytree(c / "short", c / "medium/deep"),
        r"^.*/medium/deep/a\.parquet belongs to no finished shard$",
    ),
    "documents entered": (
        edited("_stats/b.json", set_entered),
        r"^.*/_stats/b\.json: step read: 4 entered, 1 left, 2 gone$",
    ),
    "characters dropped": (
        edited("_stats/a.json", set_dropped),
        r"^.*/manifest\.json is not the sum of the stats: ledger\.steps\.words\.dropped\.bad_word\.characters: 17 ->",
    ),
    "documents written": (
        edited("_stats/b.json", set_output),
        r"^.*/short/b\.parquet holds 1 documents of 6 characters, the stats say 2 of 6$",
    ),
    "subset renamed": (
        edited("_stats/b.json", rename_subset),
        r"^.*/_stats/b\.json: short/b\.parquet and the ledger's short differ$",
    ),
    "checksum": (
        edited("_stats/b.json", lambda s: s["outputs"][0].update(sha256="0" * 64)),
        r"^.*/short/b\.parquet has changed: .*, the stats say 0{64}$",
    ),
    "configuration of a shard": (
        edited("_stats/b.json", lambda s: s.update(configuration="other")),
        r"^.*/_stats/b\.json: it was made by another configuration than the manifest's$",
    ),
    "records of an input": (
        edited("_stats/b.json", lambda s: s["inputs"][0].update(records=7)),
        r"^.*/_stats/b\.json: its inputs have 7 records, the read step has 3$",
    ),
    "failures of an input": (
        edited("_stats/b.json", lambda s: s["inputs"][0].update(failed=0)),
        r"^.*/_stats/b\.json: its inputs have 0 failed, the read step has 1$",
    ),
    "output forgotten": (
        edited("_stats/b.json", lambda s: s.update(outputs=[])),
        r"^.*/short/b\.parquet belongs to no finished shard$",
    ),
    "rejects forgotten": (
        edited("_stats/b.json", lambda s: s.update(rejects=None)),
        r"^.*/_stats/b\.json: 0 rejects of step read for damaged, the ledger says 1$",
    ),
    "stats deleted": (
        lambda c: (c / "_stats/b.json").unlink(),
        r"^.*/manifest\.json is not the sum of the stats: inputs\..*/raw/b\.txt: \{.*\} -> '\(absent\)'$",
    ),
    "stats cut short": (lambda c: cut(c / "_stats/b.json"), r"^.*/_stats/b\.json is damaged: "),
    "stats without a ledger": (
        edited("_stats/b.json", forget_ledger),
        r"^.*/_stats/b\.json is damaged: KeyError\('ledger'\)$",
    ),
    "manifest's totals": (
        edited("manifest.json", lambda m: m["ledger"]["kept"]["short"].update(documents=7)),
        r"^.*/manifest\.json is not the sum of the stats: ledger\.kept\.short\.documents: 7 -> 5$",
    ),
    "manifest's file list": (
        edited("manifest.json", lambda m: m["outputs"][2].update(characters=1)),
        r"^.*/manifest\.json is not the sum of the stats: outputs\.short/.*\.parquet\.characters: 1 -> \d+$",
    ),
    "manifest's inputs": (
        edited("manifest.json", lambda m: m["inputs"][0].update(sha256=None)),
        r"^.*/manifest\.json is not the sum of the stats: inputs\..*/raw/a\.txt\.sha256: None -> '[0-9a-f]{64}'$",
    ),
    "manifest's configuration": (
        edited("manifest.json", lambda m: m["configuration"]["recipe"].update(bad_word="x")),
        r"^.*/_stats/a\.json: it was made by another configuration than the manifest's$",
    ),
    "manifest cut short": (lambda c: cut(c / "manifest.json"), r"^.*/manifest\.json is damaged: "),
    "manifest without a ledger": (
        edited("manifest.json", forget_ledger),
        r"^.*/manifest\.json is damaged: KeyError\('ledger'\)$",
    ),
    "manifest deleted": (
        lambda c: (c / "manifest.json").unlink(),
        r"^.*/manifest\.json is missing: no run has ended here\. Run the source's command to its end\.$",
    ),
}


def test_a_clean_corpus_has_no_fault(clean):
    assert verify(str(clean)) == (6, [])
    assert verify(str(clean), checksums=False) == (6, [])


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_tampering_is_caught_with_a_sentence_that_names_the_file(corpus, tampering):
    tamper, pattern = TAMPERINGS[tampering]
    tamper(corpus)
    _, faults = verify(str(corpus))
    assert any(re.match(pattern, fault) for fault in faults), faults


@pytest.mark.parametrize("tampering", ["row removed", "file cut short", "file deleted", "stray file", "stats deleted"])
def test_much_of_it_is_caught_without_reading_texts(corpus, tampering):
    TAMPERINGS[tampering][0](corpus)
    _, faults = verify(str(corpus), checksums=False)
    assert faults


def test_a_file_that_is_no_parquet_is_caught_without_checksums(corpus):
    (corpus / "short/b.parquet").write_bytes(b"PAR1 but no more")
    _, faults = verify(str(corpus), checksums=False)
    assert re.match(r"^.*/short/b\.parquet cannot be read: .*", faults[0])


def test_a_parquet_of_something_else_is_caught_without_checksums(corpus):
    pq.write_table(pa.table({"x": [1]}), corpus / "short/b.parquet")
    _, faults = verify(str(corpus), checksums=False)
    assert re.match(r"^.*/short/b\.parquet (cannot be read|holds)", faults[0])


def test_every_fault_is_told(corpus):
    (corpus / "long/a.parquet").unlink()
    (corpus / "short/d.parquet").unlink()
    cut(corpus / "_stats/b.json")
    _, faults = verify(str(corpus))
    assert [re.sub(f"^{re.escape(str(corpus))}/", "", fault).split(":")[0] for fault in faults[:3]] == [
        "long/a.parquet is missing",
        "_stats/b.json is damaged",
        "short/d.parquet is missing",
    ]


def test_documents_with_the_id_of_another_one(tmp_path, monkeypatch):
    """The same file in two folders of one name: the ids of the tests' source are not told apart by more."""
    for half in ("one", "two"):
        (tmp_path / half / "raw").mkdir(parents=True)
        for name in "ab":
            (tmp_path / half / "raw" / f"{name}.txt").write_text(f"in {half} {name}\n\nalso {half} {name}")
    result = run([tmp_path / "one", tmp_path / "two"], tmp_path / "out", LineRecipe(scope_files=1))
    documents, faults = verify(result.layout.root)
    assert documents == 8
    (fault,) = faults
    expected = (
        r"4 documents have the id of another one, in short/a\.parquet, short/a-\w+\.parquet, short/b\.parquet and 1"
    )
    assert re.fullmatch(f"{expected} more", fault)
    monkeypatch.setattr(accounts, "IDS_AT_ONCE", 6)  # of more, those of the smallest hashes are compared
    (fault,) = verify(result.layout.root)[1]
    assert re.match("at least (1 document has|[23] documents have) the id of another one, in short/a", fault)


@pytest.mark.parametrize("policy", [RejectPolicy("none"), RejectPolicy("sample", 0.5)])
def test_a_corpus_that_keeps_not_all_rejects_is_sound(tmp_path, policy):
    result = run(write_input(tmp_path / "raw"), tmp_path / "out", LineRecipe(rejects=policy))
    assert verify(result.layout.root) == (6, [])


class TestCommand:
    def run(self, *arguments: object) -> int:
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        return int(end.value.code)

    def test_sound_corpora(self, clean, corpus, capsys):
        assert self.run(clean, f"{corpus}/") == 0
        assert capsys.readouterr().out == (
            f"{clean}: all accounts add up, 6 documents kept; 2 records failed (in b.txt)\n"
            f"{corpus}/: all accounts add up, 6 documents kept; 2 records failed (in b.txt)\n"
        )

    def test_a_corpus_stands_for_its_sources(self, clean, tmp_path, capsys):
        for name in ("a", "b"):
            shutil.copytree(clean, tmp_path / "corpus" / name)
        assert self.run(tmp_path / "corpus") == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.partition(": ")[0] for line in lines] == [f"{tmp_path}/corpus/a", f"{tmp_path}/corpus/b"]

    def test_a_folder_without_any_is_a_fault(self, tmp_path, capsys):
        assert self.run(tmp_path) == 1
        assert "manifest.json is missing: no run has ended here" in capsys.readouterr().out

    def test_faults(self, clean, corpus, capsys):
        (corpus / "long/a.parquet").unlink()
        assert self.run(corpus, clean) == 1
        assert capsys.readouterr().out == (
            f"{corpus}: {corpus}/long/a.parquet is missing\n{corpus}: {CURE.format('python -m sources.lines')}\n"
            f"{clean}: all accounts add up, 6 documents kept; 2 records failed (in b.txt)\n"
        )

    def test_quick(self, corpus, capsys):
        edit_table(corpus / "short/b.parquet", lambda table: replaced(table, "text", "only c"))
        assert self.run("--quick", corpus) == 0
        assert self.run(corpus) == 1
        assert "/short/b.parquet has changed" in capsys.readouterr().out

    def test_a_folder_that_is_none(self, tmp_path, capsys):
        assert self.run(tmp_path / "none") == 1
        assert capsys.readouterr().err == f"error: there is no folder {tmp_path}/none\n"

    def test_an_unknown_flag(self, clean, capsys):
        assert self.run("--quik", clean) == 2
        assert "unknown argument --quik; did you mean --quick?" in capsys.readouterr().err
