"""Whole mixtures: every token once an epoch, in the shares asked, the same bytes in every run, and refusals."""

import json
from collections import Counter, defaultdict

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import InputError, ModelError, OutputError, UserError
from pipeline.mix.plan import plan_sentences
from pipeline.mix.recipe import MixRecipe, SourceShare
from pipeline.storage.filesystem import temporary_name
from tests.pipeline.mix.corpora import mix, pieces, prose, recipe, snapshot, write_corpus, write_model, write_parquet
from tokenizer.encode import Encoder
from trainer_bridge.shards import ShardReader

SHARES = {"a": 60, "b": 30, "c": 10}


@pytest.fixture
def root(tmp_path):
    corpus = {
        "a": [prose(40, 1), [], prose(30, 2)],
        "b": [prose(30, 3), ["", *prose(3, 4)]],
        "c": [prose(4, 5, longest=400)],
    }
    write_corpus(tmp_path / "corpus", corpus)
    write_model(tmp_path)
    return tmp_path


def encoded(root, files):
    """The ids of every document by its number."""
    encoder, found = Encoder(root / "tokenizer.model"), []
    for entry in files:
        texts = pq.read_table(root / "corpus" / entry["path"])["text"].to_pylist()
        found += [[1, *encoder.encode(text).tolist(), 2] if text else [] for text in texts]
    return found


def documents(root, folder="shards"):
    return pq.read_table(root / folder / "documents.parquet").to_pylist()


def manifest(root, folder="shards"):
    return json.loads((root / folder / "manifest.json").read_text())


def shard(root, number):
    """A shard's file."""
    return next((root / "shards").glob(f"data-{number:05d}-of-*.arrow"))


def stats(root, number):
    """A shard's stats file."""
    return next((root / "shards/_stats").glob(f"data-{number:05d}-of-*.json"))


def body(piece):
    """The ids of a piece, without the bos that one gets that goes on from another shard."""
    return piece.ids[1:] if piece.ids[0] == 1 else piece.ids


def test_every_piece_is_a_piece_of_its_document(root):
    mix(root, recipe(SHARES))
    files = documents(root)
    texts = encoded(root, files)
    owners = [entry["source"] for entry in files for _ in range(entry["documents"])]
    for piece in pieces(root / "shards"):
        whole = texts[piece.number]
        assert piece.ids[0] == 1
        assert ["a", "b", "c"][piece.source] == owners[piece.number]
        assert str(body(piece))[1:-1] in str(whole)


def test_an_epoch_has_every_id_once_but_for_the_tails(root):
    result = mix(root, recipe({"a": 100}, max_epochs=1.0))
    texts = dict(enumerate(encoded(root, documents(root))))
    found: Counter[int] = Counter()
    for piece in pieces(root / "shards"):
        found[piece.number] += len(body(piece))
    lengths = {number: len(ids) - 1 for number, ids in texts.items()}  # but bos, which a piece may have got anew
    assert all(count <= lengths[number] for number, count in found.items())
    unwritten = sum(lengths.values()) - sum(found.values())
    shards = result.plan.form.shards
    assert 0 <= unwritten < 16 + 3 * shards


def test_epochs_are_full_passes_and_a_part(root):
    mix(root, recipe({"c": 100}, max_epochs=2.5, shard_rows=1000))
    found: Counter[int] = Counter()
    texts = encoded(root, documents(root))
    for piece in pieces(root / "shards"):
        found[piece.number] += len(piece.ids)
    times = {number: found[number] / len(ids) for number, ids in enumerate(texts) if ids}
    assert all(1.9 <= count <= 3 for count in times.values())
    assert 2.3 < sum(found.values()) / sum(map(len, texts)) <= 2.5


def test_shares_are_reached_in_every_run_of_first_shards(root):
    result = mix(root, recipe(SHARES))
    assert result.plan.form.shards > 5
    done = [0, 0, 0]
    for n, entry in enumerate(manifest(root)["shards"], 1):
        done = [before + tokens for before, tokens in zip(done, entry["tokens"], strict=True)]
        for tokens, share in zip(done, SHARES.values(), strict=True):
            assert abs(tokens - share / 100 * sum(done)) <= 2 * 3 * n
    accounts = manifest(root)["mixture"]
    assert [accounts[name]["tokens"] for name in SHARES] == done
    assert manifest(root)["share_error"] <= 6 * result.plan.form.shards / sum(done)


def test_counts_are_those_of_the_rows(root):
    mix(root, recipe(SHARES))
    found = defaultdict(Counter)
    for piece in pieces(root / "shards"):
        found[piece.shard][piece.source] += len(piece.ids)
    for shard, entry in enumerate(manifest(root)["shards"]):
        assert [found[shard][source] for source in range(3)] == entry["tokens"]


def test_the_folder_opens_with_datasets_and_with_the_trainer(root):
    mix(root, recipe(SHARES))
    made = manifest(root)
    opened = datasets.load_from_disk(str(root / "shards"))
    assert opened.num_rows == made["rows"] == ShardReader(root / "shards").manifest.rows
    assert opened.column_names == ["input_ids", "doc_starts", "doc_sources", "doc_numbers", "doc_offsets"]
    assert len(opened[0]["input_ids"]) == 17
    opened.save_to_disk(str(root / "saved"))  # the library's own state.json, of which the fingerprint is random
    ours, theirs = (json.loads((root / folder / "state.json").read_text()) for folder in ("shards", "saved"))
    assert {**ours, "_fingerprint": "", "_data_files": []} == {**theirs, "_fingerprint": "", "_data_files": []}
    assert ours["_data_files"] == [{"filename": entry["file"]} for entry in made["shards"]]
    assert (made["vocab_size"], made["bos"], made["eos"], made["dtype"]) == (400, 1, 2, "uint16")


def test_the_same_bytes_in_every_run_and_others_with_another_seed(root):
    mix(root, recipe(SHARES))
    mix(root, recipe(SHARES), output="again")
    assert snapshot(root / "shards") == snapshot(root / "again")
    mix(root, recipe(SHARES, seed=1), output="other")
    first = shard(root, 0).name
    assert (root / "shards" / first).read_bytes() != (root / "other" / first).read_bytes()


def test_missing_shards_alone_are_made_again(root):
    mix(root, recipe(SHARES, heldout_tokens=64))
    before = snapshot(root / "shards")
    shard(root, 3).unlink()
    stats(root, 5).unlink()
    for file in (root / "shards/heldout").rglob("data*"):
        file.unlink()
    result = mix(root, recipe(SHARES, heldout_tokens=64))
    assert result.planned - result.done_before == 3
    assert snapshot(root / "shards") == before
    assert mix(root, recipe(SHARES, heldout_tokens=64)).done_before == result.planned


def test_a_shard_without_stats_is_made_again(root):
    mix(root, recipe(SHARES))
    before = snapshot(root / "shards")
    stats(root, 3).unlink()
    shard(root, 3).write_bytes(b"half")
    (root / "shards" / temporary_name()).write_bytes(b"half")
    mix(root, recipe(SHARES))
    assert snapshot(root / "shards") == before


def test_another_mixture_is_refused_and_what_differs_is_shown(root):
    mix(root, recipe(SHARES))
    with pytest.raises(OutputError, match=r"was made by another configuration.*\n  recipe\.seed: 0 -> 1\nChoose"):
        mix(root, recipe(SHARES, seed=1))
    write_parquet(root / "corpus", "a/all/part-3.parquet", ["harbour"])
    with pytest.raises(OutputError, match=r"sources\.a\.documents: 70 -> 71\n"):
        mix(root, recipe(SHARES), budget=manifest(root)["tokens"])


def test_token_files_serve_every_mixture(root):
    mix(root, recipe(SHARES))
    made = {path: path.stat().st_mtime_ns for path in root.rglob("*.tokens")}
    mix(root, recipe(SHARES, seed=4), output="other")
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*.tokens")} == made
    write_parquet(root / "corpus", "c/all/part-0.parquet", prose(5, 9, longest=300))
    mix(root, recipe(SHARES, seed=5), output="third")
    changed = [path.name for path, time in made.items() if path.stat().st_mtime_ns != time]
    assert changed == ["part-0.tokens"]


def test_another_tokenizer_makes_token_files_of_its_own(root):
    mix(root, recipe(SHARES))
    model = bytearray((root / "tokenizer.model").read_bytes())
    at = model.index(b"lantern")
    model[at : at + 7] = b"lantexn"
    (root / "tokenizer.model").write_bytes(model)
    with pytest.raises(OutputError, match="tokenizer_sha256: '"):
        mix(root, recipe(SHARES))
    assert len([path for path in (root / "corpus/_tokens").iterdir() if path.is_dir()]) == 2


def spans(folder):
    """By number, the ids of each document that stand in a set; a bos that a part got left out."""
    made, found = json.loads((folder / "manifest.json").read_text()), defaultdict(set)
    for entry in made["shards"]:
        for row in pa.ipc.open_stream((folder / entry["file"]).read_bytes()).read_all().to_pylist():
            starts = row["doc_starts"]
            runs_on = len(row["doc_numbers"]) > len(starts)
            begins = [0] * runs_on + starts
            listed = zip(begins, [*begins[1:], made["seq_len"]], row["doc_numbers"], row["doc_offsets"], strict=True)
            for n, (start, stop, number, offset) in enumerate(listed):
                got = (n > 0 or not runs_on) and offset > 0 and made["inserts_bos"]
                found[number] |= set(range(offset, offset + stop - start - got))
    return found


def test_held_out_ids_are_not_in_training(root):
    result = mix(root, recipe(SHARES, heldout_tokens=300))
    held, trained = spans(root / "shards/heldout"), spans(root / "shards")
    assert held
    assert not any(held[number] & trained[number] for number in held)
    small = [number for number, ids in enumerate(encoded(root, documents(root))) if len(ids) <= 50]
    assert not any(trained[number] for number in held if number in small)
    assert manifest(root, "shards/heldout")["kind"] == "heldout"
    assert manifest(root, "shards/heldout")["tokens"] == 288
    assert result.plan.heldout.rows == 18
    assert (root / "shards/heldout/tokenizer.model").read_bytes() == (root / "tokenizer.model").read_bytes()
    assert manifest(root, "shards/heldout")["mixture"]["a"]["epochs"] <= 1


def test_without_bos_and_eos(root):
    mix(root, recipe(SHARES, bos=False, eos=False))
    found = [piece.ids for piece in pieces(root / "shards")]
    assert not any({1, 2} & set(ids) for ids in found)
    assert ShardReader(root / "shards").manifest.inserts_bos is False


def test_missing_sources(root):
    with pytest.raises(InputError, match=r"lacks sources of the recipe: z \(not there\)"):
        mix(root, recipe({"a": 50, "z": 50}))
    write_corpus(root / "corpus", {"z": [["", ""]]})
    with pytest.raises(InputError, match=r"lacks sources of the recipe: z \(no text\)"):
        mix(root, recipe({"a": 50, "z": 50}))
    result = mix(root, recipe({"a": 50, "z": 50}, missing="renormalise"))
    assert result.plan.left_out == ("z",)
    assert manifest(root)["sources"] == ["a"]


def test_a_damaged_parquet_costs_itself_alone(root):
    path = root / "corpus/a/all/part-2.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        InputError, match=r"1 Parquet files of .* cannot be read: a/all/part-2\.parquet: .*damaged=skip"
    ):
        mix(root, recipe(SHARES))
    assert len(list(root.rglob("*.tokens"))) == 4
    plan = mix(root, recipe(SHARES, damaged="skip")).plan
    told = next(line for line in plan_sentences(plan) if "cannot be read" in line)
    assert told.startswith("left out, as they cannot be read: 1 files: a/all/part-2.parquet: ")
    assert json.loads((root / "shards/plan.json").read_text())["damaged"] == list(plan.damaged)
    assert [entry["path"] for entry in documents(root) if entry["source"] == "a"] == ["a/all/part-0.parquet"]
    path.write_bytes(whole)
    with pytest.raises(OutputError, match=r"sources\.a\.files: 1 -> 2"):
        mix(root, recipe(SHARES, damaged="skip"))


def test_subsets_of_a_source(root):
    shares = {"a": SourceShare(50, subsets=("train",)), "b": SourceShare(50)}
    subsets = MixRecipe(shares, seq_len=16, shard_rows=100, block_tokens=32)
    with pytest.raises(InputError, match=r"has no subset train; it has all\. Correct subsets of a in the recipe"):
        mix(root, subsets)
    write_parquet(root / "corpus", "a/train/part-0.parquet", prose(50, 7))
    mix(root, subsets)
    assert [entry["path"] for entry in documents(root) if entry["source"] == "a"] == ["a/train/part-0.parquet"]


def test_a_budget_over_the_limit_names_the_largest(root):
    most = mix(root, recipe(SHARES)).plan.tokens
    with pytest.raises(
        UserError, match=rf"The largest budget of this corpus is {most:,}: give --tokens {most} or auto"
    ):
        mix(root, recipe(SHARES), budget=most + 16, output="more")
    assert mix(root, recipe(SHARES), budget=most, output="same").plan.tokens == most


def test_what_is_no_tokenizer(root):
    (root / "tokenizer.model").write_bytes(b"no model")
    with pytest.raises(ModelError, match="is no SentencePiece model"):
        mix(root, recipe(SHARES))
    (root / "tokenizer.model").unlink()
    with pytest.raises(ModelError, match="there is no tokenizer at"):
        mix(root, recipe(SHARES))


@pytest.mark.parametrize("shard_rows", [40, 1000])
def test_the_shares_on_the_way_are_what_is_claimed(root, shard_rows):
    """One source of large documents, and every row counted by hand."""
    write_parquet(root / "corpus", "b/all/books.parquet", [" ".join(prose(60, seed)) for seed in range(5)])
    mix(root, recipe(SHARES, shard_rows=shard_rows))
    made = manifest(root)
    done, ids, worst, most = np.zeros(3), 0, 0.0, 0.0
    first = -(-made["rows"] // 100)
    number = 0
    for entry in made["shards"]:
        rows = pa.ipc.open_stream((root / "shards" / entry["file"]).read_bytes()).read_all().to_pylist()
        for n, row in enumerate(rows):
            number += 1
            end = 16 + (n == len(rows) - 1)
            starts = row["doc_starts"]
            begins = [0] * (len(row["doc_sources"]) - len(starts)) + starts
            for source, start, stop in zip(row["doc_sources"], begins, [*begins[1:], end], strict=True):
                done[source] += max(0, min(stop, end) - start)
            ids += end
            off = max(abs(done[k] - ids * share / 100) for k, share in enumerate(SHARES.values()))
            most = max(most, off)
            worst = max(worst, off / ids if number >= first else 0)
    assert done.sum() == ids
    slack = 3 * 3 * len(made["shards"])  # the shards before are taken to be exact, but for rounding
    assert worst <= made["prefix_error"] <= worst + slack / ids
    assert most - slack <= made["prefix_tokens"] <= most + slack
    assert worst < 0.25


def test_shards_that_were_emptied_or_cut_are_made_again(root):
    mix(root, recipe(SHARES, heldout_tokens=64))
    before = snapshot(root / "shards")
    shard(root, 0).write_bytes(b"")
    shard(root, 2).write_bytes(shard(root, 2).read_bytes()[:-1])
    stats(root, 3).write_text("{}")
    next((root / "shards/heldout").glob("*.arrow")).write_bytes(b"")
    result = mix(root, recipe(SHARES, heldout_tokens=64))
    assert result.planned - result.done_before == 4
    assert snapshot(root / "shards") == before


def test_a_token_file_that_was_damaged_is_refused_and_its_cure_is_true(root):
    mix(root, recipe(SHARES), output="before")
    tokens = next((root / "corpus/_tokens").rglob("a/all/part-0.tokens"))
    whole = tokens.read_bytes()
    tokens.write_bytes(whole[:40] + bytes([whole[40] ^ 1]) + whole[41:])
    with pytest.raises(
        UserError, match=r"part-0\.tokens is damaged: its ids are not .* Remove it and run the same command again\.$"
    ):
        mix(root, recipe(SHARES))
    tokens.unlink()
    mix(root, recipe(SHARES))
    assert tokens.read_bytes() == whole
    assert {name: data for name, data in snapshot(root / "shards").items() if name.endswith(".arrow")} == {
        name: data for name, data in snapshot(root / "before").items() if name.endswith(".arrow")
    }


def test_token_files_that_cannot_be_written_are_not_taken_for_shards(root):
    (root / "corpus/_tokens").write_text("mine")
    with pytest.raises(OutputError, match=r"_tokens.*\. Choose another --token-files\."):
        mix(root, recipe(SHARES))
    assert (root / "corpus/_tokens").read_text() == "mine"


def test_a_subset_that_is_not_there_is_told_where_that_is_allowed(root):
    shares = {"a": SourceShare(50, subsets=("all", "tail")), "b": SourceShare(50)}
    plan = mix(root, MixRecipe(shares, seq_len=16, missing="renormalise")).plan
    assert plan.without_subsets == ("a/tail",)
    assert "subsets that are not there, whose place the others take: a/tail" in plan_sentences(plan)
