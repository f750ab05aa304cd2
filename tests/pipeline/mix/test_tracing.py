"""From a token back to its document: every id of a shard, at its place in the text."""

import json
import shutil
import unicodedata

import pytest
import sentencepiece

from pipeline.errors import InputError, UserError
from pipeline.mix.encode import load_encoder
from pipeline.mix.rows import open_folder, read_document, read_row
from pipeline.mix.tracing import describe
from tests.pipeline.mix.corpora import mix, prose, recipe, write_corpus, write_model
from tests.tokenizer.models import train


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


def shown(root):
    """What stands in the brackets for each token of the first rows, beside the token."""
    folder = open_folder(str(root / "shards"))
    found = []
    for number in range(min(3, folder.manifest["rows"])):
        row, _ = answer(folder, number, None)
        for token in range(len(row.ids)):
            lines = answer(folder, number, token)[1]
            if "characters " not in lines.split("\n")[-1] and "[" in lines.split("\n")[-1]:
                found.append((int(row.ids[token]), lines.split("[")[-1].split("]")[0].strip("'")))
            else:
                assert row.ids[token] in (1, 2), lines
    return found


@pytest.mark.parametrize("kind", ["released_settings", "nfkc", "removes_spaces", "spaces_as_suffixes"])
def test_brackets_hold_what_the_token_stands_for(tmp_path, kind):
    texts = [f"{n} cpu \u2581\u2582\u2581 \u00bd cup of \ufb01ve, \u2026 then  the cat" for n in range(30)]
    write_corpus(tmp_path / "corpus", {"a": [texts]})
    train(tmp_path / "tokenizer.model", kind, 700)
    mix(tmp_path, recipe({"a": 100}))
    found = shown(tmp_path)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "tokenizer.model"))
    assert len(found) > 30
    for token, place in found:
        surface = unicodedata.normalize("NFKC", place.replace("\u2581", " ")).strip()
        piece = processor.id_to_piece(token).replace("\u2581", " ").strip()
        assert processor.is_byte(token) or processor.is_unknown(token) or piece in surface or surface in piece


def test_every_part_of_a_long_document_is_traced_to_its_own_place(tmp_path):
    text = " ".join(f"{n} the" for n in range(250))  # no two places alike, but nearly
    write_corpus(tmp_path / "corpus", {"a": [[text], prose(40, 1)]})
    write_model(tmp_path)
    mix(tmp_path, recipe({"a": 100}, shard_rows=60, max_epochs=1.0))
    folder = open_folder(str(tmp_path / "shards"))
    long = folder.files[0].first_number
    places = set()
    for number in range(folder.manifest["rows"]):
        row, _ = answer(folder, number, None)
        for segment in row.segments:
            if segment.number == long and segment.stop - segment.start > 3:
                line = answer(folder, number, segment.stop - 2)[1].split("\n")[-2]
                first, last = (int(n.replace(",", "")) for n in line.split("characters ")[-1].split(" to "))
                assert (
                    text[first:last].strip()
                    == load_encoder(folder.tokenizer).decode(row.ids[segment.stop - 2 : segment.stop - 1]).strip()
                )
                places.add(first)
    assert len(places) > 15
