"""Which documents a list means: document by document and in batches alike."""

import hashlib

import pyarrow as pa
import pytest

from pipeline.corpus.document import Document, document_schema, to_columns
from pipeline.removals.lists import read_list
from pipeline.removals.matching import NONE, Removals
from sources.arxiv.source import META as ARXIV
from sources.books.source import META as BOOKS
from sources.commoncrawl.source import META as COMMONCRAWL
from sources.github.raw_file import META as GITHUB
from sources.stackexchange.source import META as STACKEXCHANGE
from sources.wikipedia.source import META as WIKIPEDIA

TEXT = "a text that somebody wrote"


def document(source, name="x", url=None, language=None, text="t", **meta):
    return Document(name, text, source, "raw", 0, url, language, meta=meta)


# A line, the source's own fields, documents that it means, and documents that it does not.
CASES = [
    ("url\thttps://a.example/x", COMMONCRAWL, [{"url": "http://A.example/x/"}], [{"url": "https://a.example/x/y"}, {}]),
    (
        "url-prefix\thttps://a.example/x/",
        COMMONCRAWL,
        [{"url": "https://a.example/x"}, {"url": "http://a.example/x/y?z"}],
        [{"url": "https://a.example/xy"}, {"url": "https://b.a.example/x/y"}, {"url": "https://a.example:8080/x/y"}],
    ),
    (
        "url-prefix\thttps://a.example/x?",
        COMMONCRAWL,
        [{"url": "https://a.example/x?y=1"}],
        [{"url": "https://a.example/x"}, {"url": "https://a.example/x?"}, {"url": "https://a.example/x2"}],
    ),
    (
        "url-prefix\thttps://a.example:80",
        COMMONCRAWL,
        [{"url": "https://a.example:80/x"}, {"url": "https://a.example:80"}],
        [{"url": "http://a.example:80/x"}, {"url": "https://a.example/x"}],
    ),
    (
        "domain\ta.example",
        COMMONCRAWL,
        [{"url": "https://a.example"}, {"url": "https://B.A.example:8080/x"}, {"url": "http://me@a.example./"}],
        [
            {"url": "https://ba.example/"},
            {"url": "https://example/?https://a.example/"},
            {"url": "https://a.example.org"},
        ],
    ),
    (
        "domain\tm\u00fcsli.example",
        COMMONCRAWL,
        [{"url": "https://m\u00dcsli.example/"}, {"url": "https://www.xn--msli-0ra.example/"}],
        [{"url": "https://musli.example/"}],
    ),
    (
        "repository\tOwner/Name",
        GITHUB,
        [{"repo": "owner/name"}, {"repo": "OWNER/NAME"}],
        [{"repo": "owner/names"}, {"repo": "name"}, {"repo": None}],
    ),
    ("owner\towner", GITHUB, [{"repo": "Owner/any"}], [{"repo": "owner"}, {"repo": "owners/any"}]),
    (
        "wikipedia\ten:ada lovelace",
        WIKIPEDIA,
        [{"language": "en", "page_id": 1, "title": "Ada lovelace"}],
        [
            {"language": "de", "page_id": 1, "title": "Ada lovelace"},
            {"language": "en", "page_id": 2, "title": "Ada"},
        ],
    ),
    ("arxiv\t2005.12345v3", ARXIV, [{"arxiv_id": "2005.12345"}], [{"arxiv_id": "2005.1234"}, {"arxiv_id": None}]),
    ("ebook\t1342", BOOKS, [{"ebook": 1342}], [{"ebook": 13}, {"ebook": None}]),
    ("stackexchange-site\ta.example", STACKEXCHANGE, [{"site": "a.example"}], [{"site": "b.example"}]),
    (
        "stackexchange-post\ta.example/7",
        STACKEXCHANGE,
        [{"site": "a.example", "question_id": 7}, {"site": "a.example", "question_id": 1, "answer_ids": [3, 7]}],
        [{"site": "b.example", "question_id": 7}, {"site": "a.example", "question_id": 77}],
    ),
    (
        "stackexchange-user\ta.example/5",
        STACKEXCHANGE,
        [{"site": "a.example", "question_id": 1, "authors": ["2", "5"]}],
        [{"site": "a.example", "question_id": 5, "authors": ["55"]}, {"site": "b.example", "authors": ["5"]}],
    ),
    ("id\tone", COMMONCRAWL, [{"name": "one"}], [{"name": "One"}]),
]


def removals(tmp_path, *lines):
    path = tmp_path / "removals.tsv"
    path.write_text("\n".join(lines))
    return Removals(read_list(str(path)))


def rows(found, documents, meta):
    schema = document_schema(meta)
    table = pa.table(to_columns(documents, schema), schema)
    (batch,) = table.to_batches()
    wanted = found.columns(schema)
    names = [name for name in schema.names if name in {column.partition(".")[0] for column in wanted}]
    return found.of_rows(batch.select(names)).tolist()


@pytest.mark.parametrize(("line", "meta", "those", "others"), CASES, ids=[case[0].replace("\t", " ") for case in CASES])
def test_a_line_means_these_documents_and_no_others(tmp_path, line, meta, those, others):
    found = removals(tmp_path, "id\tnone", line)
    for keys, place in [*((keys, 1) for keys in those), *((keys, NONE) for keys in others)]:
        one = document("any", **keys)
        assert found.of_document(one) == place, keys
        assert rows(found, [one], meta) == [place], keys
    documents = [document("any", **keys) for keys in (*others, *those, *others)]
    assert rows(found, documents, meta) == [*[NONE] * len(others), *[1] * len(those), *[NONE] * len(others)]


def test_of_several_prefixes_the_first_of_the_list_is_told(tmp_path):
    prefixes = [f"url-prefix\thttps://a.example/{name}" for name in ("x/y", "x/", "x", "z/")]
    found = removals(tmp_path, *prefixes)
    addresses = {"x/y/z": 0, "x/Y": 1, "xy": 2, "x": 1, "z": 3, "y": NONE}
    assert {name: found.of_address(f"https://a.example/{name}") for name in addresses} == addresses


def test_texts_are_read_only_where_the_list_has_checksums(tmp_path):
    without = removals(tmp_path, "id\tone")
    assert not without.judges_texts
    assert "text" not in without.columns(document_schema(COMMONCRAWL))
    found = removals(tmp_path, f"sha256\t{hashlib.sha256(TEXT.encode()).hexdigest()}")
    assert found.columns(document_schema(COMMONCRAWL)) == ["text"]
    assert (found.of_text(TEXT), found.of_text(TEXT + "."), found.of_text("")) == (0, NONE, NONE)
    assert rows(found, [document("any", text=t) for t in ("other", TEXT)], COMMONCRAWL) == [NONE, 0]


def test_only_columns_that_can_tell_are_read(tmp_path):
    found = removals(tmp_path, *(case[0] for case in CASES[6:-1]))
    assert found.columns(document_schema(GITHUB)) == ["meta.repo"]
    assert found.columns(document_schema(BOOKS)) == ["meta.ebook"]
    assert found.columns(document_schema(COMMONCRAWL)) == []


@pytest.mark.parametrize(
    ("line", "source", "name", "url"),
    [
        ("repository\towner/name", "github", "owner/name/src/x.py@1", None),
        ("owner\towner", "github", "owner/name/src/x.py@1", None),
        ("arxiv\t2005.12345", "arxiv", "arxiv/2005.12345", None),
        ("ebook\t1342", "books", "gutenberg/1342", None),
        ("wikipedia\tde:\u00d6l", "wikipedia", "dewiki-1-2", "https://de.wikipedia.org/wiki/%C3%96l"),
        ("stackexchange-user\ta.example/5", "stackexchange", "a.example/7", None),
        ("domain\ta.example", "commoncrawl", "x", "https://a.example/x"),
    ],
)
def test_a_document_that_failed_is_known_by_id_and_address(tmp_path, line, source, name, url):
    assert removals(tmp_path, line).of_failed(source, name, url) == 0
    assert removals(tmp_path, "id\tnone").of_failed(source, name, url) == NONE


def test_hostile_addresses_are_passed_over(tmp_path):
    found = removals(tmp_path, "domain\ta.example", "url\thttps://a.example/x")
    for url in ("", "://", "https://", "\x00", "https://[", "a" * 100_000, "https://" + "." * 1000, "http://\ud800/"):
        assert found.of_address(url) == NONE
