"""The loss goes off for planted samples, to the token, in the shards that hold them; nothing else changes."""

import json
import os
import shutil
import signal
import subprocess
import sys

import datasets
import numpy as np
import pyarrow as pa
import pytest

from benchmarks.leaks import LEAKS, sample, write_lines
from pipeline.decontaminate.command import main
from pipeline.mix.rows import open_folder, read_document
from pipeline.optout.command import main as take_out
from pipeline.optout.sets import read_rows
from pipeline.publish.command import main as publish
from pipeline.trace import main as trace
from pipeline.verify.shards import cure, verify_shards
from tests.pipeline.mix.corpora import mix, recipe, snapshot, write_model
from tests.pipeline.optout.made import make_source, write_list, write_raw
from tokenizer.encode import Encoder
from trainer_bridge.evaluation import IN_ORDER
from trainer_bridge.loader import Samples
from trainer_bridge.loss import IGNORE

FORMS = ["verbatim", "other case and punctuation", "HTML-escaped", "wrapped to 8 words a line"]
PAGES = 12


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A corpus of two sources, and shards that draw all of it; into pages of source a four samples were planted."""
    root, rng = tmp_path_factory.mktemp("masks"), np.random.default_rng(0)
    samples = [sample(rng, 40) for _ in FORMS]
    for name, files in (("a", 3), ("b", 1)):
        write_raw(root, name, files, pages=PAGES)
    page = root / "raw" / "a" / "part-1.txt"
    lines = page.read_text().splitlines(keepends=True)
    for k, form in enumerate(FORMS):
        before, after = lines[2 * k].rstrip("\n"), "and more of it\n"
        lines[2 * k] = f"{before} :: {planted(samples[k], form)} :: {after}"
    page.write_text("".join(lines))
    for name in "ab":
        make_source(root, name)
    write_model(root)
    mix(root, recipe({"a": 80, "b": 20}, shard_rows=60, heldout_tokens=160), budget=5000)
    write_lines(root / "evals" / "leaked.jsonl", samples)
    write_lines(root / "evals" / "clean.jsonl", [sample(rng, 40)])
    return root, samples


def planted(one, form):
    return LEAKS[form](one).replace("\n", " ")


def copied(made, target):
    root = target / "root"
    shutil.copytree(made[0], root)
    return root


def words(root, *more, shards="shards"):
    paths = ["--against", str(root / "evals"), "--report", str(root / "overlap"), "--corpus", str(root / "corpus")]
    return [str(root / shards), *paths, "--quiet", *more]


def mask(root, *more, **keys):
    main(words(root, "--mask", *more, **keys))


@pytest.fixture(scope="module")
def masked(made, tmp_path_factory):
    """By words alone: which ids these are can be told from the text."""
    root = copied(made, tmp_path_factory.mktemp("masked"))
    mask(root, "--method", "words")
    return root


def rows_of(root, shards="shards"):
    folder = open_folder(str(root / shards), str(root / "corpus"))
    for entry in folder.manifest["shards"]:
        for row in read_rows(folder, entry["file"], range(entry["rows"])).values():
            yield folder, entry["file"], row


def off_by_document(root):
    """For each document, from the shards' rows, the set of its ids that have a loss, and of those that have none."""
    found = {}
    for folder, _, row in rows_of(root):
        for segment in row.segments:
            begin = segment.start + folder.got_bos(segment)
            for place in range(begin, segment.stop):
                on = row.loss is None or bool(row.loss[place])
                found.setdefault(segment.number, {}).setdefault(segment.offset + place - begin, set()).add(on)
    return folder, found


def expected_ids(encoder, text, passage):
    """The ids that stand for any of a passage of a text, by the lengths of what they are decoded to, byte by byte."""
    ids, _ = encoder.encode_batch([text])
    begin = len(text[: text.index(passage)].encode())
    end, at, found = begin + len(passage.encode()), -1, []  # the space that is put before a text
    for number, one in enumerate(ids.tolist()):
        piece = encoder._processor.id_to_piece(one)
        size = 1 if piece.startswith("<0x") else len(piece.replace("\u2581", " ").encode())
        if at < end and at + size > begin:
            found.append(number)
        at += size
    return found


def test_the_loss_is_off_for_the_samples_to_the_token(made, masked):
    folder, documents = off_by_document(masked)
    samples, encoder, seen = made[1], Encoder(folder.tokenizer), 0
    for number, places in documents.items():
        assert all(len(on) == 1 for on in places.values())  # wherever it stands
        text = read_document(folder, number)[2]["text"]
        off = {place for place, on in places.items() if on == {False}}
        found = [k for k, form in enumerate(FORMS) if planted(samples[k], form) in text]
        wanted = set()
        for k in found:
            passage = planted(samples[k], FORMS[k]).rstrip("!?. ")
            wanted = {1 + place for place in expected_ids(encoder, text, passage)}  # behind bos
            seen += 1
        assert off == wanted & places.keys()
    assert seen == len(FORMS)


def test_only_shards_that_hold_them_change_and_no_id_of_them(made, masked):
    before, after = snapshot(made[0] / "shards"), snapshot(masked / "shards")
    changed = {name for name in before if before[name] != after.get(name)}
    folder = open_folder(str(masked / "shards"), str(masked / "corpus"))
    files = {file for _, file, row in rows_of(masked) if row.loss is not None}
    assert 0 < len(files) < len(folder.manifest["shards"])
    stats = {f"_stats/{name.removesuffix('.arrow')}.json" for name in files}
    assert changed == files | stats | {"manifest.json"}
    assert after.keys() == before.keys()
    for name in files:
        tables = [pa.ipc.open_stream(some[name]).read_all() for some in (before, after)]
        assert tables[1].drop_columns("loss_mask").equals(tables[0])


def test_the_manifest_tells_sets_and_ids_and_verify_agrees(made, masked):
    manifest = json.loads((masked / "shards/manifest.json").read_text())
    record = manifest["loss_mask"]
    counted = {"a": 0, "b": 0}
    for _, _, row in rows_of(masked):
        for segment in row.segments:
            own = slice(segment.start, min(segment.stop, len(row.ids) - 1))  # the last id is the next row's first
            if row.loss is not None:
                counted[manifest["sources"][segment.source]] += int((~row.loss[own]).sum())
    assert record["tokens"] == counted
    assert counted["a"] > 0
    assert [(entry["set"], entry["methods"], entry["threshold"]) for entry in record["against"]] == [
        ("clean", ["words"], 0.8),
        ("leaked", ["words"], 0.8),
    ]
    assert record["earlier"] == [json.loads((made[0] / "shards/manifest.json").read_text())["fingerprint"]]
    assert verify_shards(str(masked / "shards"), corpus=str(masked / "corpus"))[1] == []


def test_a_second_time_nothing_changes_and_other_sets_are_added(masked, tmp_path):
    root = tmp_path / "root"
    shutil.copytree(masked, root)
    before = snapshot(root / "shards")
    mask(root, "--method", "words")
    assert snapshot(root / "shards") == before
    first = json.loads(before["manifest.json"])["loss_mask"]
    mask(root, "--threshold", "0.5")  # by ids, too
    record = json.loads((root / "shards/manifest.json").read_text())["loss_mask"]
    assert record["against"][:2] == first["against"]
    assert len(record["against"]) == 4
    assert record["tokens"]["a"] > first["tokens"]["a"]
    assert len(record["earlier"]) == 2
    assert verify_shards(str(root / "shards"), corpus=str(root / "corpus"))[1] == []


@pytest.mark.parametrize("changes", [8, 9, 10, 11, 26, 27])
def test_killed_at_any_point_the_same_command_ends_it(made, masked, tmp_path, changes):
    root = copied(made, tmp_path)
    shutil.copytree(masked / "overlap", root / "overlap")
    command = [sys.executable, "-m", "tests.pipeline.decontaminate.killed", str(changes)]
    killed = subprocess.run([*command, *words(root, "--mask", "--method", "words")], check=False, env=os.environ)
    assert killed.returncode == -signal.SIGKILL
    mask(root, "--method", "words")
    assert snapshot(root / "shards") == snapshot(masked / "shards")


def test_the_trainer_reads_the_mask_and_learns_nothing_there(masked):
    samples = Samples(IN_ORDER, masked / "shards")
    batch = samples.batch(0, samples.reader.manifest.rows)
    targets = batch.targets(True)
    rows = [row for _, _, row in rows_of(masked)]
    for row, read, wanted in zip(rows, batch.ids, targets, strict=True):
        on = np.ones(len(row.ids), bool) if row.loss is None else row.loss
        assert wanted.tolist() == np.where(on[1:], read[1:], IGNORE).tolist()
    assert (targets == IGNORE).any()


def test_trace_shows_it(masked, capsys):
    rows = enumerate(row for _, _, row in rows_of(masked))
    number, row = next((n, row) for n, row in rows if row.loss is not None and not row.loss.all())
    at = int(np.flatnonzero(~row.loss)[0])
    where = [str(masked / "shards"), "--corpus", str(masked / "corpus"), "--row", str(number)]
    trace([*where, "--token", str(at)])
    assert "the loss is off for it" in capsys.readouterr().out
    trace(where)
    assert f"loss off ids {at} to " in capsys.readouterr().out


def test_opt_out_keeps_the_masks_of_what_stays(masked, tmp_path, capsys):
    """One of the masked documents goes: its place is filled by others, which have a loss; the rest is as it was."""
    root = tmp_path / "root"
    shutil.copytree(masked, root)
    _, before = off_by_document(root)
    write_list(root / "removals.tsv", "url\thttps://a.example/1/0")
    folders = [str(root / "corpus"), str(root / "shards"), "--corpus", str(root / "corpus")]
    take_out([*folders, "--list", str(root / "removals.tsv"), "--apply", "--date", "2026-03-31", "--quiet"])
    assert "What fills places has no loss mask yet" in capsys.readouterr().out
    folder, after = off_by_document(root)
    assert verify_shards(str(root / "shards"), corpus=str(root / "corpus"))[1] == []
    gone = before.keys() - after.keys()
    for number, places in after.items():
        if number in before:
            assert places.items() <= before[number].items() or all(on == {True} for on in places.values())
        else:
            assert all(on == {True} for on in places.values())
    manifests = [json.loads((one / "shards/manifest.json").read_text()) for one in (masked, root)]
    was, now = (manifest["loss_mask"]["tokens"]["a"] for manifest in manifests)
    assert 0 < now < was
    assert gone
    assert manifests[1]["optout"]["earlier"] == [*manifests[0]["loss_mask"]["earlier"], manifests[0]["fingerprint"]]
    assert folder.manifest["loss_mask"]["against"] == manifests[0]["loss_mask"]["against"]


def test_the_command_that_makes_shards_keeps_masks(masked, tmp_path):
    """A shard that is made anew has none, and of which sets they are is then not said."""
    root = tmp_path / "root"
    shutil.copytree(masked, root)
    made = recipe({"a": 80, "b": 20}, shard_rows=60, heldout_tokens=160)
    mix(root, made, budget=5000)
    assert (
        json.loads((root / "shards/manifest.json").read_text())["loss_mask"]
        == json.loads((masked / "shards/manifest.json").read_text())["loss_mask"]
    )
    file = next(file for _, file, row in rows_of(root) if row.loss is not None)
    (root / "shards" / file).unlink()
    mix(root, made, budget=5000)
    record = json.loads((root / "shards/manifest.json").read_text()).get("loss_mask")
    assert record is None or record["against"] == []
    mask(root, "--method", "words")
    assert (root / "shards" / file).read_bytes() == (masked / "shards" / file).read_bytes()


def test_datasets_opens_masked_shards_and_their_parquet(masked, tmp_path):
    opened = datasets.load_from_disk(str(masked / "shards"))
    rows = [row for _, _, row in rows_of(masked)]
    assert len(opened) == len(rows)
    for one, row in zip(opened, rows, strict=True):
        assert one["input_ids"] == row.ids.tolist()
        assert one["loss_mask"] == (None if row.loss is None else row.loss.tolist())
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as ended:
        publish([str(masked / "shards"), "--to", str(out)])
    assert not ended.value.code
    masked_ids = json.loads((masked / "shards/manifest.json").read_text())["loss_mask"]["tokens"]["a"]
    card = (out / "README.md").read_text()
    assert f"For {masked_ids:,} tokens it is not: those of documents that hold samples of clean, leaked." in card
    again = datasets.load_dataset(str(out), "shards", cache_dir=str(tmp_path / "cache"))
    on = [True] * len(rows[0].ids)
    assert again["train"]["loss_mask"][:] == [one or on for one in opened["loss_mask"]]
    assert again["heldout"]["loss_mask"][:] == [on] * len(again["heldout"])


@pytest.mark.parametrize("fault", ["counts", "shared", "manifest", "nulls"])
def test_verify_names_a_mask_that_is_wrong(masked, tmp_path, fault):
    root = tmp_path / "root"
    shutil.copytree(masked, root)
    if fault == "manifest":
        path = root / "shards/manifest.json"
        manifest = json.loads(path.read_text())
        manifest["loss_mask"]["tokens"]["a"] += 1
        path.write_text(json.dumps(manifest))
    else:
        break_mask(root, fault)
    faults = verify_shards(str(root / "shards"), checksums=False, corpus=str(root / "corpus"))[1]
    expected = {
        "counts": "the stats say",
        "shared": "a row has a loss for its first id that the row before has not",
        "manifest": "its manifest says",
        "nulls": "loss_mask holds nulls",
    }
    assert any(expected[fault] in one for one in faults), faults
    assert cure(str(root / "shards")).endswith("run the same python -m pipeline.decontaminate --mask again then.")


def break_mask(root, fault):
    file = next(file for _, file, row in rows_of(root) if row.loss is not None)
    path = root / "shards" / file
    table = pa.ipc.open_stream(path.read_bytes()).read_all()
    losses = table["loss_mask"].to_pylist()
    at, place = next((n, k) for n, loss in enumerate(losses) for k in range(1, len(loss) - 1) if loss[k] is False)
    if fault == "shared":
        losses[at + 1][0] = not losses[at + 1][0]
    else:
        losses[at][place] = True if fault == "counts" else None
    column = pa.array(losses, table.schema.field("loss_mask").type)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.set_column(table.schema.get_field_index("loss_mask"), "loss_mask", column))
