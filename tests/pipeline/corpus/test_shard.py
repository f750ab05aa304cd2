import os
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.corpus.shard import (
    MAX_NAME,
    UNKNOWN_BYTES,
    Layout,
    Shard,
    plan_shards,
    read_json,
    shards_of,
    write_json,
)
from pipeline.errors import InputError, OutputError
from pipeline.storage.filesystem import InputFile, write_bytes


def files(*paths: str) -> list[InputFile]:
    return [InputFile(path, 10) for path in paths]


def names(inputs: list[InputFile]) -> list[str]:
    return [shard.name for shard in shards_of(plan_shards(inputs, "files", 50))]


class TestNames:
    @pytest.mark.parametrize(
        ("path", "name"),
        [
            ("wet/CC-MAIN-20190715175205-00000.warc.wet.gz", "CC-MAIN-20190715175205-00000"),
            ("https://host/a/CC-MAIN-1.warc.wet.gz", "CC-MAIN-1"),
            ("gs://bucket/x.json.zst", "x"),
            ("enwiki-20220301-pages-articles1.xml-p1p41242.bz2", "enwiki-20220301-pages-articles1.xml-p1p41242"),
            ("stackoverflow.com.7z", "stackoverflow.com"),
            ("arXiv_src_0002_001.TAR", "arXiv_src_0002_001"),
            ("no suffix", "no_suffix"),
            ("..hidden.gz", "hidden"),
            (".gz", "gz"),
            ("x/___", "shard"),
            ("größe.txt", "gr__e"),
            ("a/../b?c=d&e=%2F", "b_c_d_e__2F"),
            ("line\nbreak\t.txt", "line_break_"),
            (os.fsdecode(b"caf\xe9.txt"), "caf_"),
        ],
    )
    def test_a_file_name_without_its_suffixes(self, path, name):
        assert names(files(path)) == [name]

    def test_equal_names_in_two_folders(self):
        first, second = names(files("2019/x.gz", "2020/x.gz"))
        assert first == "x"
        assert re.fullmatch("x-[0-9a-f]{16}", second)

    def test_names_that_differ_in_case_or_suffix_only(self):
        found = names(files("X.gz", "x.gz", "x.txt"))
        assert found[0] == "X"
        assert len({name.lower() for name in found}) == 3

    def test_files_that_follow_change_no_name(self):
        before = names(files("a/x.gz", "b/x.gz", "b/y.gz"))
        assert names(files("a/x.gz", "b/x.gz", "b/y.gz", "c/x.gz", "d/y.gz"))[:3] == before

    def test_long_names_leave_room_for_suffixes(self):
        one, two = names(files(f"a/{'n' * 240}1.gz", f"a/{'n' * 240}2.gz"))
        assert one == "n" * MAX_NAME
        assert two.startswith(f"{one}-")
        assert len(two) < 200


any_path = st.lists(st.text(st.characters(exclude_characters="\0/"), min_size=1, max_size=8), min_size=1, max_size=3)
many_files = st.dictionaries(any_path.map("/".join), st.integers(-1, 10**12), min_size=1, max_size=12).map(
    lambda sizes: [InputFile(path, size) for path, size in sizes.items()]
)


@given(many_files, st.integers(1, 4), st.randoms())
def test_the_plan_does_not_depend_on_the_order_of_the_inputs(inputs, scope_files, shuffled):
    plan = plan_shards(inputs, "files", scope_files)
    again = inputs * 2
    shuffled.shuffle(again)
    assert plan_shards(again, "files", scope_files) == plan
    shards = shards_of(plan)
    assert [shard.inputs[0] for shard in shards] == sorted(set(inputs))
    assert len({shard.name.lower() for shard in shards}) == len(shards)
    assert all(re.fullmatch(r"[A-Za-z0-9-][A-Za-z0-9._-]*", shard.name) for shard in shards)


class TestScopes:
    def test_files_are_runs_of_so_many_named_by_their_first(self):
        plan = plan_shards(files(*"edcba"), "files", 2)
        assert [(scope.name, [s.name for s in scope.shards]) for scope in plan] == [
            ("a", ["a", "b"]),
            ("c", ["c", "d"]),
            ("e", ["e"]),
        ]
        assert all(shard.scope == scope.name for scope in plan for shard in scope.shards)

    def test_all_is_one(self):
        (scope,) = plan_shards(files("b", "a"), "all", 2)
        assert (scope.name, [s.name for s in scope.shards]) == ("all", ["a", "b"])

    def test_crawl_goes_by_the_crawls_name(self):
        paths = [f"crawl-data/CC-MAIN-20{year}/seg/{n}.wet.gz" for year in ("19-30", "17-04") for n in (2, 1)]
        plan = plan_shards(files(*paths), "crawl", 2)
        assert [(scope.name, len(scope.shards)) for scope in plan] == [("CC-MAIN-2017-04", 2), ("CC-MAIN-2019-30", 2)]

    @pytest.mark.parametrize("path", ["wet/a.gz", "CC-MAIN-20190715175205-00000.warc.wet.gz", "cc-main-2019-30/a"])
    def test_crawl_needs_the_name_in_the_path(self, path):
        message = f"dedup.scope=crawl needs the crawl's name (CC-MAIN-YYYY-WW) in each path; {path} has none"
        with pytest.raises(InputError, match=re.escape(message)):
            plan_shards(files(path), "crawl", 2)

    def test_the_fingerprint_changes_with_any_path_or_size_or_file(self):
        plans = [
            [InputFile("a", 1), InputFile("b", 2)],
            [InputFile("a", 1), InputFile("b", 3)],
            [InputFile("a", 1), InputFile("c", 2)],
            [InputFile("x/a", 1), InputFile("b", 2)],
            [InputFile("a", 1)],
            [InputFile("a", 1), InputFile("b", 2), InputFile("c", 2)],
            [InputFile(os.fsdecode(b"\xff"), 1)],
        ]
        assert len({plan_shards(plan, "all", 1)[0].fingerprint for plan in plans}) == len(plans)
        assert plan_shards(plans[0], "all", 1)[0].fingerprint == plan_shards(plans[0][::-1], "all", 9)[0].fingerprint


def test_the_size_of_a_shard():
    assert Shard("s", (InputFile("a", 3), InputFile("b", 4)), "s").size == 7
    assert Shard("s", (InputFile("a", 3), InputFile("https://b", -1)), "s").size == 3 + UNKNOWN_BYTES


def test_no_two_files_of_a_layout_share_a_path(tmp_path):
    layout = Layout(str(tmp_path))
    shards = ("s", "t", "s.json")
    paths = [layout.manifest]
    for shard in shards:
        paths += [layout.stats(shard), layout.timing(shard), layout.scope(shard), layout.redo(shard)]
        for scope in shards:
            paths += [layout.units(scope, shard), layout.drops(scope, shard), layout.hashed_inputs(scope, shard)]
    numbered = (layout.hashes, layout.group, layout.decisions)
    paths += [path(scope, number) for path in numbered for scope in shards for number in range(2)]
    assert len(set(paths)) == len(paths)
    assert all(path.startswith(f"{tmp_path}{os.sep}") for path in paths)
    assert layout.decisions("s", 7).startswith(layout.work)


def test_shards_whose_stats_are_there_are_done(tmp_path):
    layout = Layout(str(tmp_path))
    assert layout.done() == set()
    write_json(layout.stats("a"), {"shard": "a"})
    write_bytes(os.path.join(tmp_path, "_stats", ".x.tmp"), b"")
    assert layout.done() == {"a"}
    assert layout.read_stats("a") == {"shard": "a"}


class TestJson:
    def test_it_is_readable_and_keeps_the_order(self, tmp_path):
        write_json(f"{tmp_path}/x.json", {"z": "ü", "a": [1]})
        assert (tmp_path / "x.json").read_text(encoding="utf-8") == '{\n "z": "ü",\n "a": [\n  1\n ]\n}\n'

    def test_a_path_that_is_no_utf8_comes_back(self, tmp_path):
        value = {"path": os.fsdecode(b"caf\xe9.txt"), "other": "ü"}
        write_json(f"{tmp_path}/x.json", value)
        assert read_json(f"{tmp_path}/x.json") == value
        (tmp_path / "x.json").read_bytes().decode("ascii")

    @pytest.mark.parametrize("data", [b"", b'{"a": 1', b"[1]", b"\xff", b"5"])
    def test_damage_is_an_error_that_names_the_file(self, tmp_path, data):
        write_bytes(f"{tmp_path}/x.json", data)
        with pytest.raises(OutputError, match=r"x\.json is damaged: .*\. Remove it and run the source's command again"):
            read_json(f"{tmp_path}/x.json")


def test_a_plan_of_many_files_with_one_name_has_no_name_twice():
    inputs = files(*(f"{random.Random(n).getrandbits(64):x}/index.txt" for n in range(20_000)))
    found = names(inputs)
    assert len(set(found)) == len(set(inputs)) == 20_000
