"""Mixtures of conversations: what is learnt of them is what their template says, wherever it stands in the rows."""

import json
import re
import shutil
from collections import Counter
from itertools import pairwise, permutations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InputError, ModelError, OutputError, RecipeError, UserError
from pipeline.mix.blocks import BLOCK
from pipeline.mix.command import main
from pipeline.mix.encode import load_encoder
from pipeline.mix.rows import open_folder, store_of
from pipeline.mix.token_files import TokenReader, hash_ids
from pipeline.mix.whole import best_fit, choose, split_long
from pipeline.trace import main as trace
from pipeline.verify.shards import verify_shards
from pipeline.verify.token_files import verify_token_files
from tests.pipeline.mix import chats, corpora
from tests.pipeline.mix.chats import learnt, make, mix_of, talks
from tests.tokenizer.chat.conversations import conversation
from tests.tokenizer.models import FIRST_PIECES, model_of_pieces
from tokenizer.chat.encode import encode_conversation
from tokenizer.chat.template import load_template
from tokenizer.encode import Encoder
from trainer_bridge.evaluation import IN_ORDER
from trainer_bridge.loader import Samples
from trainer_bridge.loss import IGNORE
from trainer_bridge.shards import ShardReader

FILES = (talks(40, 1), [*talks(20, 2), *corpora.prose(10, 77, longest=30), *talks(10, 3)])
BAD = [
    conversation("a", "b", "c"),
    conversation("a [INST] b", "c"),
    conversation("a", "b")[::-1],
    [{"role": "tool", "content": "x", "train": True}],
    [{"role": "user", "content": None, "train": None}],
    conversation("a", " "),
    [],
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("chat")
    make(root, *FILES)
    mix_of(root, "concatenated")
    mix_of(root, "whole", packing="whole", seq_len=400)
    return root


def expected(root):
    """By number, the ids of each document and which have loss: of conversations by their template, of texts all."""
    encoder, template = Encoder(root / "tokenizer.model"), load_template("llama2")
    found = []
    for line in (line for lines in FILES for line in lines):
        if isinstance(line, str):
            ids = [encoder.bos_id, *encoder.encode(line).tolist(), encoder.eos_id]
            found.append((ids, [False] + [True] * (len(ids) - 1)))
        else:
            ids, loss = encode_conversation(encoder, template, line)
            found.append((ids.tolist(), loss.tolist()))
    return found


def test_what_is_concatenated_is_learnt_as_the_template_says(made):
    """Each document once, but for what the ends of shards cut: there it goes on with a bos, which has no loss."""
    wanted, seen = expected(made), Counter()
    for piece in learnt(made / "concatenated"):
        ids, loss = wanted[piece.number]
        given = int(piece.offset > 0)
        if given:
            assert (piece.ids[0], piece.loss[0]) == (1, False)
        part = slice(piece.offset, piece.offset + len(piece.ids) - given)
        assert (piece.ids[given:], piece.loss[given:]) == (ids[part], loss[part])
        seen.update((piece.number, place) for place in range(part.start, part.stop))
    assert max(seen.values()) == 1
    shards = len(list((made / "concatenated").glob("data-*.arrow")))
    missing = sum(len(ids) for ids, _ in wanted) - len(seen)
    assert 0 <= missing < 64 + 2 * shards  # what fills no row at the end, and what falls off the end of a shard


def test_whole_conversations_stand_in_one_row_each_once(made):
    wanted, found = expected(made), learnt(made / "whole")
    assert sorted(piece.number for piece in found) == list(range(len(wanted)))
    for piece in found:
        assert (piece.ids, piece.loss) == wanted[piece.number]
    folder = made / "whole"
    for entry in json.loads((folder / "manifest.json").read_text())["shards"]:
        for row in pa.ipc.open_stream((folder / entry["file"]).read_bytes()).read_all().to_pylist():
            assert row["doc_starts"][0] == 0
            assert len(row["doc_starts"]) == len(row["doc_numbers"])


def test_accounts(made):
    manifests = [json.loads((made / name / "manifest.json").read_text()) for name in ("concatenated", "whole")]
    wanted = expected(made)
    chat = manifests[0]["mixture"]["instructions"]["chat"]
    lines = [line for lines in FILES for line in lines]
    trained = sum(sum(loss) for (_, loss), line in zip(wanted, lines, strict=True) if isinstance(line, list))
    assert chat == {"conversations": 70, "cut": 0, "trained": trained, "refused": {}}
    for manifest, name in zip(manifests, ("concatenated", "whole"), strict=True):
        template = load_template("llama2")
        assert manifest["template"]["name"] == "llama2"
        assert manifest["template"]["sha256"] == template.sha256
        assert (made / name / "template.yaml").read_text() == template.text
        assert manifest["loss_mask"] == {
            "tokens": {"instructions": sum(piece.loss.count(False) for piece in learnt(made / name))},
            "against": [],
            "earlier": [],
        }
    ids = sum(len(ids) for ids, _ in wanted)
    assert manifests[1]["padding"] == manifests[1]["rows"] * 400 + len(manifests[1]["shards"]) - ids
    assert manifests[1]["padding_share"] == pytest.approx(manifests[1]["padding"] / (manifests[1]["padding"] + ids))
    assert manifests[1]["padding_share"] < 0.1
    assert manifests[1]["mixture"]["instructions"]["epochs"] == 1.0
    assert "padding" not in manifests[0]


@pytest.mark.parametrize("name", ["concatenated", "whole"])
def test_verify_recounts_the_mask(made, tmp_path, name):
    assert verify_shards(str(made / name))[1] == []
    folder = tmp_path / name
    shutil.copytree(made / name, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    path = folder / manifest["shards"][0]["file"]
    rewrite(path, lambda loss: np.roll(loss, 1, axis=1))
    _, faults = verify_shards(str(folder), checksums=False)
    assert faults
    shutil.copyfile(made / name / path.name, path)
    (folder / "template.yaml").write_text(load_template("koala").text)
    _, faults = verify_shards(str(folder), checksums=False)
    assert any("template.yaml has changed" in fault for fault in faults)
    assert any("is not the template that the shards were made with" in fault for fault in faults)


def moved(loss):
    """In each row the first id with loss has none, and one of the prompt before it has."""
    changed = loss.copy()
    rows = np.flatnonzero(loss[:, 2:].any(axis=1))
    changed[rows, loss[rows].argmax(axis=1)] = False
    changed[rows, 1] = True
    return changed


def rewrite(path, change):
    table = pa.ipc.open_stream(path.read_bytes()).read_all()
    width = table.schema.field("loss_mask").type.list_size
    loss = change(np.array(table["loss_mask"].to_pylist()))
    column = pa.FixedSizeListArray.from_arrays(pa.array(loss.ravel()), width)
    table = table.set_column(table.schema.get_field_index("loss_mask"), "loss_mask", column)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)


def test_a_mask_that_moved_by_one_within_its_counts_is_found(made, tmp_path):
    """Counts and borders of rows stay as they were: only the documents tell."""
    folder = tmp_path / "whole"
    shutil.copytree(made / "whole", folder)
    for entry in json.loads((folder / "manifest.json").read_text())["shards"]:
        rewrite(folder / entry["file"], moved)
    _, faults = verify_shards(str(folder), checksums=False)
    assert any("have another loss mask than document" in fault for fault in faults)


@pytest.mark.parametrize("name", ["concatenated", "whole"])
def test_the_trainer_predicts_what_has_loss(made, name):
    samples = Samples(IN_ORDER, made / name)
    rows = samples.reader.manifest.rows
    batch = samples.batch(0, rows)
    targets = batch.targets(True)
    assert (targets != IGNORE).sum() == batch.segments.loss[:, 1:].sum()
    predicted = sum(sum(piece.loss) for piece in learnt(made / name))
    shards = len(json.loads((made / name / "manifest.json").read_text())["shards"])
    assert 0 <= predicted - (targets != IGNORE).sum() <= shards  # a shard's first id may be in the midst of an answer
    assert ShardReader(made / name).manifest.rows == rows


@pytest.mark.parametrize("keys", [{}, {"packing": "whole", "seq_len": 400}], ids=["concatenated", "whole"])
def test_the_same_bytes_with_two_workers_and_where_shards_were_missing(made, tmp_path, keys):
    shutil.copytree(made / "corpus", tmp_path / "corpus", ignore=shutil.ignore_patterns("_tokens"))
    shutil.copyfile(made / "tokenizer.model", tmp_path / "tokenizer.model")
    name = "whole" if keys else "concatenated"
    before = {path.name: path.read_bytes() for path in (made / name).glob("data-*.arrow")}
    mix_of(tmp_path, name, workers=2, **keys)
    assert {path.name: path.read_bytes() for path in (tmp_path / name).glob("data-*.arrow")} == before
    (tmp_path / name / min(before)).unlink()
    (tmp_path / name / "_stats" / max(before).replace(".arrow", ".json")).unlink()
    mix_of(tmp_path, name, **keys)
    assert {path.name: path.read_bytes() for path in (tmp_path / name).glob("data-*.arrow")} == before


def test_refused_conversations_are_counted_by_reason(tmp_path, capsys):
    make(tmp_path, [*talks(8, 1), *BAD])
    mix_of(tmp_path, "shards")
    reasons = {
        "empty_turn": 1,
        "no_answer": 1,
        "roles_out_of_turn": 1,
        "special_tag": 1,
        "unknown_role": 1,
        "no_content": 1,
    }
    manifest = json.loads((tmp_path / "shards" / "manifest.json").read_text())
    chat = manifest["mixture"]["instructions"]["chat"]
    assert (chat["refused"], chat["conversations"]) == (dict(sorted(reasons.items())), 8)
    plan = json.loads((tmp_path / "shards" / "plan.json").read_text())
    assert plan["sources"][0]["chat"] == chat
    (stats,) = (tmp_path / "corpus" / "_tokens").rglob("part-*.json")
    assert json.loads(stats.read_text())["chat"] == chat
    assert json.loads(stats.read_text())["format"] == 3
    assert verify_token_files(str(tmp_path / "corpus" / "_tokens"), str(tmp_path / "corpus")) == (1, [])
    flags = ["--proportions", "chat", "--template", "llama2", "--set", "seq_len=64", "--set", "block_tokens=32"]
    places = ["--corpus", str(tmp_path / "corpus"), "--tokenizer", str(tmp_path / "tokenizer.model"), "--dry-run"]
    main([*flags, *places, "--quiet"])
    said = capsys.readouterr().out
    assert "8 conversations of instructions, loss on " in said
    assert (
        "6 refused (empty_turn 1, no_answer 1, no_content 1, roles_out_of_turn 1, special_tag 1, unknown_role 1)"
        in said
    )
    main([*flags, *places, "--set", "tags=escape", "--json", "--quiet"])
    assert "special_tag" not in json.loads(capsys.readouterr().out)["sources"][0]["chat"]["refused"]


def test_a_source_without_conversations_has_no_line_for_them(tmp_path, capsys):
    make(tmp_path, talks(8, 1))
    corpora.write_corpus(tmp_path / "corpus", {"books": [corpora.prose(20, 3)]})
    for shares, expected in (("{instructions: {share: 50}, books: {share: 50}}", ["instructions"]),
                             ("{books: {share: 100}}", ["books"])):  # fmt: skip
        (tmp_path / "mix.yaml").write_text(f"sources: {shares}\nseq_len: 16\ntemplate: llama2\n")
        places = ["--corpus", str(tmp_path / "corpus"), "--tokenizer", str(tmp_path / "tokenizer.model")]
        main(["--proportions", str(tmp_path / "mix.yaml"), *places, "--dry-run", "--quiet"])
        assert re.findall(r"conversations of (\w+)", capsys.readouterr().out) == expected


def test_what_is_too_long_for_a_row(tmp_path):
    make(tmp_path, [*talks(12, 1, longest=6), conversation("a", "b", "c " * 100, "d"), conversation("e " * 100, "f")])
    mix_of(tmp_path, "turn", packing="whole", seq_len=64)
    mix_of(tmp_path, "refuse", packing="whole", seq_len=64, too_long="refuse")
    mix_of(tmp_path, "alpaca", packing="whole", seq_len=64, too_long="ids", longest=48)
    counts = {}
    for name in ("turn", "refuse", "alpaca"):
        chat = json.loads((tmp_path / name / "manifest.json").read_text())["mixture"]["instructions"]["chat"]
        counts[name] = (chat["conversations"], chat["cut"], chat["refused"].get("too_long", 0))
        assert sum(counts[name][::2]) == 14
        assert verify_shards(str(tmp_path / name))[1] == []
    lengths = {piece.number: len(piece.ids) for piece in learnt(tmp_path / "turn")}
    assert lengths[12] < 64
    assert 13 not in lengths
    assert max(len(piece.ids) for piece in learnt(tmp_path / "alpaca")) == 48
    assert counts["turn"][2] < counts["refuse"][2]


def test_epochs_of_whole_conversations(tmp_path):
    make(tmp_path, talks(30, 5))
    mix_of(tmp_path, "shards", packing="whole", seq_len=200, max_epochs=2.5)
    times = Counter(piece.number for piece in learnt(tmp_path / "shards"))
    assert sorted(times) == list(range(30))
    assert set(times.values()) == {2, 3}
    manifest = json.loads((tmp_path / "shards" / "manifest.json").read_text())
    assert manifest["mixture"]["instructions"]["epochs"] == pytest.approx(2.5, abs=0.03)
    with pytest.raises(UserError, match=r"36,000 tokens would draw instructions 9\.9\d times; its limit is 2\.5"):
        mix_of(tmp_path, "more", budget=12_000 * 3, packing="whole", seq_len=200, max_epochs=2.5)


def test_held_out_conversations_and_their_copies(tmp_path):
    same = conversation("harbour lantern", "winter copper")
    other = [*same[:1], {**same[1], "train": False}]
    lines = [*talks(40, 6), same, same, other]
    make(tmp_path, lines)
    for name, keys in (("concatenated", {}), ("whole", {"packing": "whole", "seq_len": 200})):
        mix_of(tmp_path, name, heldout_tokens=600, **keys)
        assert verify_shards(str(tmp_path / name)) == (open_folder(str(tmp_path / name)).manifest["rows"], [])
        held = {piece.number for piece in learnt(tmp_path / name / "heldout")}
        trained = {piece.number for piece in learnt(tmp_path / name)}
        assert held
        assert held.isdisjoint(trained)
        assert (tmp_path / name / "heldout" / "template.yaml").exists()
        assert ({40, 41} <= trained) or {40, 41}.isdisjoint(trained)  # the same but for their numbers


def test_a_conversation_that_begins_as_a_held_out_one_is_no_copy(tmp_path):
    """Each row is a turn, so each ends with the eos of an answer, from which its conversation goes on."""
    encoder = Encoder(corpora.write_model(tmp_path))
    turns = [conversation("".join(letters), "harbour") for letters in permutations("abdgklmo", 3)]
    sizes = [len(encode_conversation(encoder, load_template("llama2"), turn)[0]) for turn in turns]
    turns = [turn for turn, size in zip(turns, sizes, strict=True) if size == sizes[0]][:60]
    make(tmp_path, [*turns, *(first + second for first, second in pairwise(turns))])
    mix_of(tmp_path, "shards", seq_len=sizes[0], shard_rows=1000, heldout_tokens=16 * sizes[0])
    assert verify_shards(str(tmp_path / "shards"))[1] == []


def test_the_same_ids_with_another_mask_are_another_document(tmp_path):
    same = conversation("harbour lantern", "winter copper")
    make(tmp_path, [same, same, [*same[:1], {**same[1], "train": False}], *talks(3, 1)])
    mix_of(tmp_path, "shards")
    folder = open_folder(str(tmp_path / "shards"))
    store, file = store_of(folder), folder.files[0]
    with TokenReader(store, file.path, file.documents, file.tokens) as reader:
        marks = reader.all_marks()
        ids = np.empty(file.tokens, reader.kind)
        reader.ids(0, ids)
        loss = reader.loss(0, file.tokens)
        assert reader.loss(13, 21).tolist() == loss[13:34].tolist()
        begin, end = marks["offset"][2:4].tolist()
        reader.check(marks[2:4], ids[begin:end], 0, loss[begin:end])
        with pytest.raises(OutputError, match="its ids are not those that were written to it"):
            reader.check(marks[2:4], ids[begin:end], 0, ~loss[begin:end])
        with pytest.raises(OutputError, match="its ids are not those that were written to it"):
            reader.check(marks[2:4], ids[begin + 1 : end - 1], 1, ~loss[begin + 1 : end - 1])
        reader.check(marks[2:4], ids[begin + 1 : end - 1], 1, loss[begin + 1 : end - 1])
    assert marks["hash"][0] == marks["hash"][1] != marks["hash"][2]
    assert marks["hash"][2] == hash_ids(ids[begin:end], np.array([0, end - begin]), loss[begin:end])[0]


def test_a_damaged_mask_is_found(tmp_path):
    make(tmp_path, talks(10, 1))
    mix_of(tmp_path, "shards")
    (tokens,) = (tmp_path / "corpus" / "_tokens").rglob("*.tokens")
    data = bytearray(tokens.read_bytes())
    data[-3] ^= 4
    tokens.write_bytes(data)
    with pytest.raises(OutputError, match="is damaged: its ids are not those that were written to it"):
        mix_of(tmp_path, "again")


def test_an_id_is_traced_to_its_message(made, capsys):
    for number in (0, 7, 20):
        for name in ("concatenated", "whole"):
            trace([str(made / name), "--row", "3", "--token", str(number)])
            said = capsys.readouterr().out
            assert "the template's own, not the text's" in said or "characters " in said or "token 0: " in said
            assert "the corpus changed since" not in said
    trace([str(made / "whole"), "--row", "3"])
    said = capsys.readouterr().out
    assert "are of no document, to fill the row up" in said
    assert "loss off ids 0 to" in said


def parquet(root, column, texts=("a", "b")):
    path = root / "corpus" / "instructions" / "conversations" / "part.parquet"
    path.parent.mkdir(parents=True)
    meta = pa.StructArray.from_arrays([column], ["messages"])
    pq.write_table(pa.table({"text": pa.array(texts, pa.large_string()), "meta": meta}), path)
    corpora.write_model(root)


def test_messages_of_another_type_are_named(tmp_path):
    for number, column in enumerate(
        (
            pa.array(["a", "b"]),
            pa.array([["a"], ["b"]]),
            pa.array([[{"role": "user"}], []]),
            pa.array([[{"role": "user", "content": 7}], []]),
            pa.array([[{"role": "user", "content": "x", "train": "yes"}], []]),
        )
    ):
        parquet(tmp_path / str(number), column)
        with pytest.raises(InputError, match=r"its meta\.messages holds .*, not a list of \{role: string, content"):
            mix_of(tmp_path / str(number), "shards")


def test_rows_without_messages_are_texts(tmp_path):
    good = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "harbour " * 20}]
    kind = pa.list_(pa.struct([("role", pa.large_string()), ("content", pa.string())]))
    texts = ["text " * 30, "", "more " * 30, "x"]
    parquet(tmp_path, pa.array([None, good, [], [None, *good]], kind), texts)
    mix_of(tmp_path, "shards", seq_len=16)
    manifest = json.loads((tmp_path / "shards" / "manifest.json").read_text())
    chat = manifest["mixture"]["instructions"]["chat"]
    assert (chat["conversations"], chat["refused"]) == (1, {"no_message": 1})
    assert manifest["mixture"]["instructions"]["corpus"]["documents"] == 3
    parquet(tmp_path / "none", pa.nulls(2), ["text " * 30, "more " * 30])
    mix_of(tmp_path / "none", "shards", seq_len=16)


def test_what_does_not_go_with_a_template(tmp_path):
    make(tmp_path, talks(4, 1))
    plain = tmp_path / "plain.yaml"
    plain.write_text("name: plain\nfirst: 'U: {user} A:'\nanswer: ' {answer}'\nend: '<end>'\n")
    with pytest.raises(RecipeError, match=r"gives each document bos, and conversations .* --set bos=false"):
        mix_of(tmp_path, "a", template=str(plain), seq_len=16)
    with pytest.raises(RecipeError, match=r"gives each document eos, and conversations .* --set eos=false"):
        mix_of(tmp_path, "a", template=str(plain), bos=False, seq_len=16)
    with pytest.raises(InputError, match=r"instructions \(all \d conversations were refused: more_than_one_turn \d\)"):
        mix_of(tmp_path, "a", template=str(plain), bos=False, eos=False, seq_len=16)
    plain.write_text(f"{plain.read_text()}later: 'U: {{user}} A:'\n")
    mix_of(tmp_path, "by text", template=str(plain), bos=False, eos=False, seq_len=16)
    assert verify_shards(str(tmp_path / "by text"))[1] == []
    with pytest.raises(RecipeError, match="there is no template 'none'; built in are alpaca"):
        mix_of(tmp_path, "a", template="none")
    for keys, message in (
        ({"template": None, "packing": "whole"}, "packing: whole and longest are for conversations"),
        ({"template": None, "longest": 100}, "packing: whole and longest are for conversations"),
        ({"packing": "whole", "longest": 100}, "longest=100 does not stay whole in a row: seq_len=64 is the most"),
        ({"packing": "whole", "seq_len": 4}, "seq_len must be at least 8"),
        ({"longest": 1}, "longest must be at least 2"),
    ):
        with pytest.raises(ValueError, match=message):
            chats.recipe(**keys)
    unmarked = [piece for piece in FIRST_PIECES if piece[0] not in ("<s>", "</s>")]
    (tmp_path / "tokenizer.model").write_bytes(model_of_pieces([*unmarked, (" ", -1.0, 1)]))
    for keys in ({}, {"bos": False, "eos": False}):
        with pytest.raises(ModelError, match=r"has \{bos\}, and the tokenizer has no bos id: take a tokenizer"):
            mix_of(tmp_path, "a", **keys)
    assert load_encoder(str(tmp_path / "tokenizer.model")).bos_id == -1


@given(st.lists(st.integers(1, 40), max_size=60), st.integers(1, 8))
def test_no_two_documents_stand_in_one_place(sizes, open_rows):
    rows, inside, count = best_fit(np.array(sizes, np.int64), 40, open_rows)
    taken = np.zeros((count, 40), int)
    for row, first, size in zip(rows.tolist(), inside.tolist(), sizes, strict=True):
        taken[row, first : first + size] += 1
        assert first + size <= 40
    assert taken.max(initial=1) == 1
    assert all(not (np.diff(row) > 0).any() for row in taken)  # no hole before a document
    assert count <= 2 * sum(sizes) // 40 + 1 + len(sizes) * (open_rows < 60)
    assert rows.tolist() == best_fit(np.array(sizes, np.int64), 40, open_rows)[0].tolist()


def test_best_fit():
    assert [part.tolist() for part in best_fit(np.array([6, 7, 3, 4, 10, 1]), 10)[:2]] == [
        [0, 1, 1, 0, 2, 3],
        [0, 0, 7, 6, 0, 0],
    ]
    assert best_fit(np.array([6, 7, 7, 4]), 10, open_rows=2)[0].tolist() == [0, 1, 2, 3]  # the first is closed


def test_long_documents_are_cut_in_equal_parts_and_short_ones_are_not():
    blocks = np.zeros(3, BLOCK)
    blocks["documents"], blocks["tokens"], blocks["first"] = 1, [64, 65, 200], [0, 1, 2]
    parts = split_long(blocks, 64, bos=True)
    assert parts["first"].tolist() == [0, 1, 1, 2, 2, 2, 2]
    assert parts["tokens"].tolist() == [64, 32, 33, 50, 50, 50, 50]
    assert parts["skip"].tolist() == [0, 0, 32, 0, 50, 100, 150]
    assert choose(parts, None, 0, "a", bos=True).sizes.sum() == 64 + 65 + 200 + 4
    assert sorted(choose(parts, 2 * 333, 0, "a", bos=True).sizes.tolist()) == sorted([64, 32, 34, 50, 51, 51, 51] * 2)
