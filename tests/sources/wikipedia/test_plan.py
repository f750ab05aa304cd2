import bz2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.corpus.shard import shards_of
from pipeline.errors import InputError
from pipeline.recipe import from_mapping
from pipeline.storage.listing import match
from sources.wikipedia.plan import BadIndex, index_path, plan_dumps, stream_offsets
from sources.wikipedia.recipe import WikipediaRecipe
from tests.sources.wikipedia.dumps import multistream, page, write_multistream

TINY = 1 / (1 << 20)  # one byte: every stream is a shard
GROUPS = [page(1) + page(2), page(3), page(4)]


def plan(*paths, said=None, **settings):
    recipe = from_mapping(WikipediaRecipe, {"shard_megabytes": TINY, **settings}, "test")
    return plan_dumps(match([str(p) for p in paths]), recipe, None, ([] if said is None else said).append)


def places(*paths, **settings):
    return [(s.name, s.inputs[0].place) for s in shards_of(plan(*paths, **settings).scopes)]


@pytest.mark.parametrize(
    ("dump", "index"),
    [
        ("a/enwiki-20220701-pages-articles-multistream.xml.bz2",
         "a/enwiki-20220701-pages-articles-multistream-index.txt.bz2"),
        ("https://h/x-multistream12.xml-p1p41242.bz2", "https://h/x-multistream-index12.txt-p1p41242.bz2"),
        ("enwiki-20220701-pages-articles.xml.bz2", None),
        ("enwiki-20220701-pages-articles-multistream.xml", None),
    ],
)  # fmt: skip
def test_where_the_index_lies(dump, index):
    assert index_path(dump) == index


class TestCuts:
    def test_a_shard_is_so_many_bytes_of_whole_streams(self, tmp_path):
        path = write_multistream(tmp_path, *GROUPS)
        _, (first, second, third) = multistream(*GROUPS)
        name = path.name.removesuffix(".xml.bz2")
        assert places(path) == [
            (f"{name}-00000", [0, first]),
            (f"{name}-00001", [first, second]),
            (f"{name}-00002", [second, third]),
            (f"{name}-00003", [third, None]),
        ]
        assert places(path, shard_megabytes=second * TINY) == [
            (f"{name}-00000", [0, second]), (f"{name}-00001", [second, None])
        ]  # fmt: skip

    def test_a_dump_of_one_shard_is_a_whole_file(self, tmp_path):
        assert places(write_multistream(tmp_path, *GROUPS), shard_megabytes=1) == [
            ("enwiki-20220701-pages-articles-multistream", [])
        ]

    def test_sizes_add_up(self, tmp_path):
        path = write_multistream(tmp_path, *GROUPS)
        assert sum(shard.size for shard in shards_of(plan(path).scopes)) == path.stat().st_size

    def test_the_index_is_no_dump(self, tmp_path):
        path = write_multistream(tmp_path, *GROUPS)
        assert places(tmp_path) == places(path)
        with pytest.raises(InputError, match=r"index\.txt\.bz2 is the index of a dump; give the dump"):
            plan(tmp_path / "enwiki-20220701-pages-articles-multistream-index.txt.bz2")

    def test_other_dumps_need_no_index_and_nothing_is_said(self, tmp_path):
        path, said = tmp_path / "enwiki-20220701-pages-articles.xml.bz2", []
        path.write_bytes(multistream(*GROUPS)[0])
        assert [shard.inputs[0].is_part for shard in shards_of(plan(path, said=said).scopes)] == [False]
        assert said == []

    def test_every_part_knows_the_header(self, tmp_path):
        path = write_multistream(tmp_path, *GROUPS)
        found = plan(path)
        assert list(found.heads) == [str(path)]
        assert found.heads[str(path)].language == "en"


class TestIndexThatCannotBeUsed:
    def check(self, path, index: bytes | None, sentence: str):
        place = path.with_name(path.name.replace(".xml", "-index.txt"))
        place.unlink(missing_ok=True)
        if index is not None:
            place.write_bytes(index)
        said = []
        (shard,) = shards_of(plan(path, said=said).scopes)
        assert not shard.inputs[0].is_part
        assert len(said) == 1
        assert said[0].startswith(f"{path.name} is read as one shard: its index ") or "offsets in" in said[0]
        assert sentence in said[0]

    @pytest.mark.parametrize(
        ("index", "sentence"),
        [
            (None, "No such file or directory"),
            (bz2.compress(b"517:1:A\n900:2:B\n")[:30], "is damaged"),
            (b"", "is empty"),
            (bz2.compress(b""), "is empty"),
            (bz2.compress(b"<html>"), "has lines that are no entries"),
            (b"\xff" * 200_000, "has lines that are no entries"),
            (bz2.compress(b"5:1:A\nfive:2:B\n"), "has lines that are no entries"),
            (bz2.compress(b"900:1:A\n500:2:B\n"), "the offsets in its index do not rise"),
            (bz2.compress(b"1:1:A\n"), "does not fit: there is no bzip2 stream at byte 1"),
            (bz2.compress(b"123456789:1:A\n"), "does not fit: there is no bzip2 stream at byte 123456789"),
        ],
    )
    def test_is_said_and_the_dump_is_one_shard(self, tmp_path, index, sentence):
        self.check(write_multistream(tmp_path, *GROUPS), index, sentence)

    def test_of_another_dump(self, tmp_path):
        path = write_multistream(tmp_path, *GROUPS)
        other = b"".join(b"%d:1:A\n" % offset for offset in multistream(page(9), *GROUPS)[1])
        self.check(path, bz2.compress(other), "does not fit")


@given(st.lists(st.integers(0, 10**12), min_size=1, unique=True), st.integers(1, 3))
def test_offsets_are_read_each_once(tmp_path_factory, offsets, pages):
    offsets.sort()
    path = tmp_path_factory.mktemp("index") / "index"
    path.write_bytes(b"".join(b"%d:%d:A:B\n" % (offset, n) for offset in offsets for n in range(pages))[:-1])
    with path.open("rb") as handle:
        assert stream_offsets(handle) == offsets


def test_a_title_may_hold_colons_and_any_letters(tmp_path):
    path = tmp_path / "index"
    path.write_text("5:1:C:D: é\x85 \n5:2:\n")
    with path.open("rb") as handle:
        assert stream_offsets(handle) == [5]
    path.write_text("5:1:A\n\n")
    with path.open("rb") as handle, pytest.raises(BadIndex):
        stream_offsets(handle)


class TestScopes:
    @pytest.fixture
    def folder(self, tmp_path):
        write_multistream(tmp_path, *GROUPS)
        write_multistream(tmp_path, page(1), name="dewiki-20220701-pages-articles-multistream")
        (tmp_path / "other.xml").write_bytes(b"")
        return tmp_path

    def test_all_is_one(self, folder):
        (scope,) = plan(folder).scopes
        assert scope.name == "all"
        assert len(scope.shards) == 2 + 4 + 1

    def test_each_language_by_itself(self, folder):
        scopes = plan(folder, dedup={"scope": "language"}).scopes
        assert [(scope.name, len(scope.shards)) for scope in scopes] == [("de", 2), ("en", 4), ("unknown", 1)]
        assert all(shard.scope == scope.name for scope in scopes for shard in scope.shards)

    def test_a_language_more_leaves_the_others_as_they_are(self, folder):
        before = plan(folder, dedup={"scope": "language"}).scopes
        write_multistream(folder, page(1), name="frwiki-20220701-pages-articles-multistream")
        after = plan(folder, dedup={"scope": "language"}).scopes
        assert [scope for scope in after if scope.name != "fr"] == before
