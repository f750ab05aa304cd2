import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.tokenizer.models import write_corpus
from tokenizer.corpus import Corpus, fingerprint
from tokenizer.errors import TokenizerError
from tokenizer.proportions import Place

TEXTS = {
    f"books/{subset}/{shard}": [[f"{subset} {shard} {group} {n}" for n in range(40)] for group in range(3)]
    for subset in ("gutenberg", "books3")
    for shard in ("0", "1")
}


@pytest.fixture
def corpus(tmp_path):
    rejects = {"books/_rejects/0": [["rejected"]], "books/gutenberg/.hidden": [["hidden"]]}
    return Corpus(str(write_corpus(tmp_path, {**TEXTS, **rejects})))


def texts(corpus: Corpus, size: int, key: str = "key") -> list[str]:
    return [text.decode() for text in corpus.documents("books", corpus.row_groups("books"), size, key)]


def test_files_are_those_of_the_subsets(corpus):
    assert corpus.files("books") == [
        "books3/0.parquet",
        "books3/1.parquet",
        "gutenberg/0.parquet",
        "gutenberg/1.parquet",
    ]
    assert corpus.files("c4") == []
    groups = corpus.row_groups("books")
    assert [(g.path, g.number, g.rows) for g in groups[:4]] == [
        ("books3/0.parquet", 0, 40),
        ("books3/0.parquet", 1, 40),
        ("books3/0.parquet", 2, 40),
        ("books3/1.parquet", 0, 40),
    ]


def test_a_source_in_another_folder_and_some_of_its_subsets(tmp_path):
    root = str(write_corpus(tmp_path, TEXTS))
    corpus = Corpus(root, {"novels": Place("books", ("gutenberg",))})
    assert corpus.files("novels") == ["gutenberg/0.parquet", "gutenberg/1.parquet"]
    groups = corpus.row_groups("novels")
    assert sum(group.rows for group in groups) == len(list(corpus.documents("novels", groups, 10**9, "key"))) == 240
    assert corpus.row_groups("books") == Corpus(root).row_groups("books")


def test_reports_of_a_source_are_no_documents_but_files_of_the_user_are(tmp_path):
    corpus = Corpus(str(write_corpus(tmp_path, {"books/all/0": [["a"]], "books/0": [["b"]]})))
    assert corpus.files("books") == ["0.parquet", "all/0.parquet"]
    manifest = tmp_path / "books" / "manifest.json"
    manifest.write_text('{"ledger": {}, "outputs": [{"path": "all/0.parquet"}]}')
    assert corpus.files("books") == ["all/0.parquet"]
    write_corpus(tmp_path, {"books/all/by-hand": [["c"]]})
    with pytest.raises(TokenizerError, match=r"manifest.json does not list all/by-hand\.parquet: move it to a folder"):
        corpus.files("books")
    manifest.write_text('{"ledger": {}, "outputs": [{"path": "all/0.parquet"}, {"path": "all/1.parquet"}]}')
    (tmp_path / "books/all/by-hand.parquet").unlink()
    with pytest.raises(TokenizerError, match=r"manifest.json lists all/1\.parquet, which is missing: run the source"):
        corpus.files("books")
    manifest.write_text('{"ledger": {}}')
    with pytest.raises(TokenizerError, match=r"manifest.json is damaged: KeyError"):
        corpus.files("books")


@pytest.mark.parametrize("size", [1, 1000, 10_000, 10**9])
def test_every_document_comes_once(corpus, size):
    assert sorted(texts(corpus, size)) == sorted(
        text for groups in TEXTS.values() for group in groups for text in group
    )


def test_the_key_draws_the_order(corpus):
    assert texts(corpus, 1000) == texts(corpus, 1000)
    assert texts(corpus, 1000) != texts(corpus, 1000, "another key")


def test_the_first_documents_are_spread_over_all_files(corpus):
    size = sum(len(text) for text in texts(corpus, 1)) // 10
    first, taken = [], 0
    for text in texts(corpus, size):
        if taken >= size:
            break
        first.append(text)
        taken += len(text)
    assert len({text.rsplit(" ", 1)[0] for text in first}) == 12  # of each row group
    assert {int(text.rsplit(" ", 1)[1]) // 10 for text in first} == {0, 1, 2, 3}  # from all over them


def test_a_small_sample_of_a_large_corpus_does_not_read_all_of_it(tmp_path):
    """Of each row group that is read, a sixteenth is taken: four documents come of few of the hundred groups."""
    groups = [[f"{number:03d} " + "x" * 96 for _ in range(16)] for number in range(100)]
    found = texts(Corpus(str(write_corpus(tmp_path, {"books/all/0": groups}))), 400)
    assert len({text[:3] for text in found[:16]}) >= 8
    assert len(set(found)) == 100


def test_the_fingerprint_tells_what_a_source_holds(corpus, tmp_path):
    before = fingerprint(corpus.row_groups("books"))
    assert before == fingerprint(corpus.row_groups("books"))
    write_corpus(tmp_path, {"books/gutenberg/2": [["one more"]]})
    assert before != fingerprint(corpus.row_groups("books"))


def test_documents_without_text_are_none(tmp_path):
    path = tmp_path / "c4" / "all" / "0.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({"text": pa.array(["a", None, "", "é"])}), path)
    corpus = Corpus(str(tmp_path))
    found = corpus.documents("c4", corpus.row_groups("c4"), 100, "key")
    assert sorted(found) == [b"", b"a", "é".encode()]


def test_a_corpus_on_a_store(tmp_path):
    write_corpus(tmp_path, TEXTS)
    assert texts(Corpus(f"file://{tmp_path}"), 1000) == texts(Corpus(str(tmp_path)), 1000)


def test_errors(tmp_path):
    with pytest.raises(TokenizerError, match="there is no corpus folder"):
        Corpus(str(tmp_path / "none"))
    with pytest.raises(TokenizerError, match="cannot reach the corpus nonsense://x"):
        Corpus("nonsense://x")
    corpus = Corpus(str(tmp_path))
    folder = tmp_path / "c4" / "all"
    folder.mkdir(parents=True)
    (folder / "0.parquet").write_bytes(b"junk")
    with pytest.raises(TokenizerError, match=r"cannot read .*c4/all/0\.parquet: .*run the source's command again"):
        corpus.row_groups("c4")
    pq.write_table(pa.table({"content": ["a"]}), folder / "0.parquet")
    with pytest.raises(TokenizerError, match=r"c4/all/0\.parquet has no column 'text' of strings"):
        corpus.row_groups("c4")
    pq.write_table(pa.table({"text": [1]}), folder / "0.parquet")
    with pytest.raises(TokenizerError, match="has no column 'text' of strings"):
        corpus.row_groups("c4")


def test_a_file_that_is_damaged_within(tmp_path):
    path = tmp_path / "c4" / "all" / "0.parquet"
    corpus = Corpus(str(write_corpus(tmp_path, {"c4/all/0": [["some text"] * 50]})))
    groups = corpus.row_groups("c4")
    content = path.read_bytes()
    end = len(content) - 8 - int.from_bytes(content[-8:-4], "little")  # of the data, where the footer begins
    path.write_bytes(content[:4] + b"\xff" * (end - 4) + content[end:])
    with pytest.raises(TokenizerError, match=r"cannot read .*c4/all/0\.parquet"):
        list(corpus.documents("c4", groups, 100, "key"))
