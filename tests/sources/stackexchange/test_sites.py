"""Sites from names, which of them take part, and how each is cut."""

import pytest

from pipeline.errors import InputError
from pipeline.recipe import load_recipe
from pipeline.storage.filesystem import InputFile
from samples.sevenzip import write_archive
from sources.stackexchange.dump import count_posts, read_lines
from sources.stackexchange.plan import partition_number, plan_site
from sources.stackexchange.recipe import StackExchangeRecipe
from sources.stackexchange.rows import FAULT
from sources.stackexchange.sites import PostCount, Site, competing, find_sites, is_meta, largest, named
from tests.sources.settings import refused_settings


def files(*paths: str) -> list[InputFile]:
    return [InputFile(path, 10) for path in paths]


def sites(*paths: str, only: tuple[str, ...] = ()) -> dict[str, str]:
    return {site.name: site.file.path for site in find_sites(files(*paths), only).sites}


def test_sites_are_told_by_the_publishers_names():
    assert sites(
        "d/ai.stackexchange.com.7z",
        "d/stackoverflow.com-Posts.7z",
        "d/Ru.StackOverflow.com/Posts.xml",
        "d/superuser.com-Posts.xml.gz",
        "d/x/serverfault.com/posts.xml.bz2",
    ) == {
        "ai.stackexchange.com": "d/ai.stackexchange.com.7z",
        "stackoverflow.com": "d/stackoverflow.com-Posts.7z",
        "ru.stackoverflow.com": "d/Ru.StackOverflow.com/Posts.xml",
        "superuser.com": "d/superuser.com-Posts.xml.gz",
        "serverfault.com": "d/x/serverfault.com/posts.xml.bz2",
    }


def test_other_tables_and_files_are_passed_over():
    found = find_sites(
        files("a.com.7z", "b.com-Badges.7z", "b.com-PostHistory.7z", "b.com/Users.xml", "readme.txt", "Sites.xml")
    )
    assert [site.name for site in found.sites] == ["a.com"]
    assert [reason for _, reason in found.passed_over] == ["no posts by its name"] * 5


def test_of_several_forms_of_a_site_one_is_read():
    forms = ["x/a.com/Posts.xml", "a.com-Posts.7z", "a.com.7z", "a.com/Posts.xml.gz", "a.com/Posts.xml.bz2"]
    for start in range(len(forms)):
        found = find_sites(files(*forms[start:]))
        assert [site.file.path for site in found.sites] == [forms[start]]
        assert len(found.passed_over) == len(forms) - start - 1


@pytest.mark.parametrize("path", ["Posts.xml", "dump/Posts.xml", "posts.7z", "/Posts.xml"])
def test_a_file_without_a_site_needs_its_name(path):
    with pytest.raises(InputError, match="cannot be told"):
        find_sites(files(path))
    assert sites(path, only=("a.com",)) == {"a.com": path}
    found = find_sites(files(path, "b.com.7z"), ("a.com",))
    assert [site.name for site in found.sites] == ["b.com"]
    assert found.passed_over == [(path, "its site cannot be told: it is in no folder named after one")]


def test_no_posts_at_all():
    with pytest.raises(InputError, match="no posts among the inputs"):
        find_sites(files("a.com-Votes.7z"))


def some(*names: str) -> list[Site]:
    return [Site(name, InputFile(f"{name}.7z", 1)) for name in names]


def test_meta_sites_do_not_compete():
    listed = some("a.com", "cardano.meta.stackexchange.com", "meta.a.com", "metal.stackexchange.com")
    assert [is_meta(site.name) for site in listed] == [False, True, True, False]
    assert [site.name for site in competing(listed, False)[0]] == ["a.com", "metal.stackexchange.com"]
    assert competing(listed, True) == (listed, {})
    with pytest.raises(InputError, match="meta_sites=true"):
        competing(some("meta.a.com"), False)


def test_the_largest_sites_and_ties():
    listed = some("a.com", "b.com", "c.com", "d.com")
    posts = {"a.com": PostCount(5), "b.com": PostCount(9), "c.com": PostCount(5), "d.com": PostCount(1)}
    chosen, passed = largest(listed, posts, 2)
    assert [site.name for site in chosen] == ["a.com", "b.com"]
    assert passed == dict.fromkeys(("c.com", "d.com"), "not among the 2 with the most posts")


def test_a_site_that_cannot_be_counted_has_no_place():
    listed, fault = some("a.com", "b.com", "c.com", "d.com"), ("truncated_7z", "it was cut")
    posts = {"a.com": PostCount(5), "b.com": PostCount(9, fault), "c.com": PostCount(4), "d.com": PostCount(1, fault)}
    chosen, passed = largest(listed, posts, 2)
    assert [(site.name, site.fault) for site in chosen] == [("a.com", None), ("b.com", None), ("d.com", fault)]
    assert passed == {"c.com": "not among the 2 with the most posts (uncertain: not counted to the end: d.com)"}


def test_sites_that_are_named():
    chosen, passed = named(some("a.com", "meta.a.com"), ["meta.a.com"])
    assert [site.name for site in chosen] == ["meta.a.com"]
    assert passed == {"a.com": "not named"}
    with pytest.raises(InputError, match=r"names b.com, of which there is no file. There are: a.com"):
        named(some("a.com"), ["b.com"])


POSTS = b"<posts>\n" + b"".join(
    b'  <row Id="%d" PostTypeId="%d" Body=" PostTypeId=&quot;1&quot; " />\n' % (n, n % 5 + 1) for n in range(50_000)
)


def packed(tmp_path, name: str, data: bytes = POSTS) -> Site:
    path = tmp_path / name
    with path.open("wb") as handle:
        write_archive(handle, [("Posts.xml", [data])])
    return Site("a.com", InputFile(str(path), path.stat().st_size))


def plain(tmp_path, data: bytes = POSTS) -> Site:
    path = tmp_path / "a.com" / "Posts.xml"
    path.parent.mkdir()
    path.write_bytes(data)
    return plain_of(tmp_path)


def plain_of(tmp_path) -> Site:
    path = tmp_path / "a.com" / "Posts.xml"
    return Site("a.com", InputFile(str(path), path.stat().st_size))


def test_posts_are_counted(tmp_path):
    assert count_posts(plain(tmp_path), None) == (20_000, None)
    assert count_posts(packed(tmp_path, "a.com.7z"), None) == (20_000, None)
    posts, fault = count_posts(Site("a.com", InputFile(str(tmp_path / "nowhere.7z"), -1)), None)
    assert (posts, fault[0]) == (0, "unreadable_file")


DECLARED = b'<?xml version="1.0" encoding="%s"?>\n'


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (DECLARED % b"utf-8" + POSTS, None),
        (DECLARED % b"US-ASCII" + POSTS, None),
        (b"\xef\xbb\xbf" + POSTS, None),
        (DECLARED % b"ISO-8859-1" + POSTS, "unread_encoding"),
        (DECLARED % b"windows-1251" + POSTS, "unread_encoding"),
        (POSTS.decode().encode("utf-16"), "unread_encoding"),
        (POSTS.decode().encode("utf-16-be"), "unread_encoding"),
        (b"", "no_posts"),
    ],
)
def test_other_encodings_are_refused_by_name(tmp_path, data, reason):
    for site in (plain(tmp_path, data), packed(tmp_path, "a.com.7z", data)):
        posts, fault = count_posts(site, None)
        assert (posts, fault and fault[0]) == (0 if reason else 20_000, reason)
        lines = list(read_lines(site, 0, None, 1 << 20, None))
        assert (len(lines), lines[-1].kind == FAULT) == ((1, True) if reason else (50_000, False))
    if reason == "unread_encoding":  # a range in the middle of such a file is not read either
        assert [line.kind for line in read_lines(plain_of(tmp_path), 1000, None, 1 << 20, None)] == [FAULT]


def test_partitions_follow_the_size_of_the_xml(tmp_path):
    recipe = StackExchangeRecipe(partition_megabytes=1, range_megabytes=2)
    size = len(POSTS)
    count = -(-size // (1 << 20))
    archive, unpacked = plan_site(packed(tmp_path, "a.com.7z"), recipe, None), plan_site(plain(tmp_path), recipe, None)
    assert (archive.partitions, unpacked.partitions) == (count, count)
    assert archive.ranges == ((0, None),)
    assert unpacked.ranges == ((0, size // 2), (size // 2, None))
    shards = unpacked.scope.shards
    assert [shard.name for shard in shards][:2] == ["a.com-00000", "a.com-00001"]
    assert [partition_number(shard) for shard in shards] == list(range(count))


def test_a_file_that_cannot_be_read_is_one_partition(tmp_path):
    gone = Site("a.com", InputFile(str(tmp_path / "nowhere.7z"), -1))
    assert plan_site(gone, StackExchangeRecipe(), None).partitions == 1
    empty = plain(tmp_path, b"")
    assert plan_site(empty, StackExchangeRecipe(), None).ranges == ((0, None),)


def test_the_recipe_in_the_file_is_the_default():
    assert load_recipe(StackExchangeRecipe, "stackexchange") == StackExchangeRecipe()


test_a_wrong_key_is_named = refused_settings(
    StackExchangeRecipe,
    "stackexchange",
    {
        "largest=0": "largest must be at least 1",
        "min_characters=-1": "must not be negative",
        "partition_megabytes=0": "partition_megabytes must be at least",
        "max_row_megabytes=20": "must not be above max_thread_megabytes",
        "template.answer=A": "answer must hold {answer}",
        "template.question='{title}'": "question must hold {question}",
    },
)
