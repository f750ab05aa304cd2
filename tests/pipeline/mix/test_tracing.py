"""From a token back to its document: every id of a shard, at its place in the text."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pytest

from pipeline.errors import InputError, UserError
from pipeline.mix.graph import load_encoder
from pipeline.mix.rows import ShardFolder, open_folder, read_document, read_row
from pipeline.mix.tracing import describe, find_ids, place_in_text
from tests.pipeline.mix.corpora import mix, prose, recipe, write_corpus, write_model
from tokenizer.encode import Encoder


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("trace")
    texts = ["caf\u00e9 na\u00efve \U0001f600 winter", *prose(30, 1)]
    write_corpus(root / "corpus", {"a": [texts, prose(5, 2)], "b": [prose(3, 3, longest=300)]})
    write_model(root)
    mix(root, recipe({"a": 70, "b": 30}, shard_rows=20))
    return root


def answer(folder, number, token):
    name, inside = folder.place(number)
    row = read_row(f"{folder.root}/{name}", inside)
    return row, "\n".join(describe(folder, row, number, token))


def test_every_token_of_some_rows_stands_where_it_is_said_to(root):
    folder = open_folder(str(root / "shards"))
    encoder = load_encoder(folder.tokenizer)
    for number in (0, 3, 19, 20, 21, 25):
        row, _ = answer(folder, number, None)
        for token in range(0, 17, 2):
            _, lines = answer(folder, number, token)
            number_of_document = row.at(token).number
            path, place, document = read_document(folder, number_of_document)
            assert f"id       {document['id']}\n" in lines
            assert f"url      https://{document['source']}/{document['meta']['n']}\n" in lines
            assert f"raw      {document['source']}.raw, offset {100 * document['meta']['n']}\n" in lines
            assert f"parquet  {root}/corpus/{path}, row {place}\n" in lines
            if row.ids[token] in (1, 2):
                assert ("id 1, bos" if row.ids[token] == 1 else "id 2, eos") in lines
                continue
            first, last = (int(n.replace(",", "")) for n in lines.split("characters ")[-1].split("\n")[0].split(" to "))
            decoded = encoder.decode(row.ids[token : token + 1])
            assert "\ufffd" in decoded or document["text"][first:last].strip() == decoded.strip()


def test_a_row_lists_its_documents(root):
    folder = open_folder(str(root / "shards"))
    row, lines = answer(folder, 2, None)
    assert lines.startswith(f"row 2 of {folder.manifest['rows']:,}: {root}/shards/data-00000-of-")
    assert [line for line in lines.split("\n") if line.startswith("document ")] == [
        f"document {segment.number:,} of {'ab'[segment.source]}: ids {segment.start} to {segment.stop - 1} of the row; "
        f"the piece {'begins in it' if segment.begins else 'runs on from the row before'}"
        for segment in row.segments
    ]


def test_rows_that_are_not_there(root):
    folder = open_folder(str(root / "shards"))
    for number in (-1, folder.manifest["rows"]):
        with pytest.raises(UserError, match=f"there is no row {number}"):
            folder.place(number)


def test_numbers_of_files_without_documents(root):
    folder = open_folder(str(root / "shards"))
    firsts = [file.first_number for file in folder.files]
    for place, first in enumerate(firsts):
        assert folder.file_of(first) == (folder.files[place], 0)
    with pytest.raises(UserError, match="knows no document"):
        folder.file_of(firsts[-1] + folder.files[-1].documents)


def test_a_corpus_that_was_moved(root, tmp_path):
    shutil.copytree(root / "shards", tmp_path / "shards")
    manifest = json.loads((tmp_path / "shards/manifest.json").read_text())
    (tmp_path / "shards/manifest.json").write_text(json.dumps({**manifest, "corpus": str(tmp_path / "gone")}))
    with pytest.raises(InputError, match=r"Where is the corpus now\? Give --corpus"):
        answer(open_folder(str(tmp_path / "shards")), 0, 3)
    _, lines = answer(open_folder(str(tmp_path / "shards"), str(root / "corpus")), 0, 3)
    assert "url      https://" in lines


def test_what_is_no_folder_of_shards(root, tmp_path):
    for folder in (tmp_path, root / "corpus"):
        with pytest.raises(InputError, match="is no finished folder of shards"):
            open_folder(str(folder))


def test_runs_of_ids():
    ids = pa.array([5, 1, 2, 3, 1, 2], pa.uint16()).to_numpy()
    assert find_ids(ids, ids[1:3]) == 1
    assert find_ids(ids, ids[3:5]) == 3
    assert find_ids(ids, ids[:0]) == 0
    assert find_ids(ids, ids[::-1]) == -1
    # a match of bytes that is none of ids
    assert find_ids(pa.array([256, 0], pa.uint16()).to_numpy(), pa.array([1], pa.uint16()).to_numpy()) == -1


def test_a_byte_of_a_character_stands_where_the_character_does(tmp_path):
    encoder, text = Encoder(write_model(tmp_path)), "a \U0001f600\U0001f601 b"
    folder = ShardFolder("", {"bos": 1, "eos": 2, "inserts_bos": True, "inserts_eos": True}, [], "")
    piece = np.array([1, *encoder.encode(text), 2])
    places = [place_in_text(folder, encoder, text, piece, n) for n in range(1, len(piece) - 1)]
    shown = "".join(text[slice(*place)] for place in places)
    assert places == sorted(places)
    assert shown.count("\U0001f600") == shown.count("\U0001f601") == 4
