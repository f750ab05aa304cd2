"""What publishers have, from listings in their own formats; what is no listing is refused by name."""

import gzip
import json

import pytest

from pipeline.build.units import from_lines
from pipeline.errors import InputError, RecipeError
from pipeline.recipe import from_mapping
from pipeline.storage.fetch_errors import FetchError
from sources.publishers.arxiv import ArxivBucket
from sources.publishers.command import main
from sources.publishers.commoncrawl import CommonCrawlCrawls
from sources.publishers.gutenberg import GutenbergMirror
from sources.publishers.stackexchange import StackExchangeDump
from sources.publishers.wikimedia import WikimediaDumps
from tests.pipeline.publishers_server import CRAWLS, DATE


@pytest.fixture
def listed(publishers, monkeypatch):
    """Serves another content at a path, for one test."""
    before = dict(publishers.files)
    yield publishers.files
    publishers.files.clear()
    publishers.files.update(before)


def wikimedia(publishers, **more):
    url = publishers.url
    places = {"dumps": f"{url}/dumps/", "archive": f"{url}/download/", "metadata": f"{url}/metadata/"}
    return WikimediaDumps(**{"date": DATE, "languages": ("en", "de"), **places, **more})


def test_a_crawl_is_cut_to_runs_of_its_files(publishers, tmp_path):
    units = list(CommonCrawlCrawls(CRAWLS, publishers.url, 2).units(tmp_path))
    assert [(unit.stratum, len(unit.files), unit.alone) for unit in units if unit.stratum == CRAWLS[0]] == [
        (CRAWLS[0], 2, False),
        (CRAWLS[0], 1, True),  # what is left over is made by itself
    ]
    assert units[0].name == f"{CRAWLS[0]}/000000"
    paths = [path for unit in units for path in unit.inputs]
    assert sorted(paths) == sorted(publishers.url + path for path in publishers.files if path.endswith("wet.gz"))


def test_a_crawl_that_is_not_there_is_named(publishers, tmp_path):
    with pytest.raises(FetchError, match="There is no crawl CC-MAIN-2018-05"):
        list(CommonCrawlCrawls(("CC-MAIN-2018-05",), publishers.url).units(tmp_path))


def test_dumps_come_from_the_publisher_or_else_from_the_archive(publishers, tmp_path):
    english, german = wikimedia(publishers).units(tmp_path)
    assert (english.stratum, german.stratum) == ("en", "de")
    assert english.files[0].url == f"{publishers.url}/dumps/enwiki/{DATE}/{english.name}"
    assert german.files[0].url == f"{publishers.url}/download/dewiki-{DATE}/{german.name}"
    for unit in (english, german):
        dump, index = unit.files
        assert dump.checksum.startswith("sha1:")
        assert dump.bytes == len(publishers.files[dump.url.removeprefix(publishers.url)])
        assert index.beside
        assert unit.inputs == [dump.url]


def test_of_a_dump_in_parts_the_parts_are_taken(publishers, listed, tmp_path):
    names = ["multistream.xml.bz2", "multistream1.xml-p1p41242.bz2", "multistream2.xml-p41243p151573.bz2"]
    names += ["multistream-index1.txt-p1p41242.bz2", "multistream-index.txt.bz2"]
    files = {f"enwiki-{DATE}-pages-articles-{name}": {"size": 3, "sha1": "0"} for name in names}
    about = {"jobs": {"articlesmultistreamdump": {"files": files}}}
    listed[f"/dumps/enwiki/{DATE}/dumpstatus.json"] = json.dumps(about).encode()
    units = list(wikimedia(publishers, languages=("en",)).units(tmp_path))
    assert [unit.name.partition("multistream")[2] for unit in units] == [
        "1.xml-p1p41242.bz2",
        "2.xml-p41243p151573.bz2",
    ]
    assert [len(unit.files) for unit in units] == [2, 1]


def test_a_dump_that_nobody_has_is_named(publishers, tmp_path):
    with pytest.raises(FetchError, match="frwiki"):
        list(wikimedia(publishers, languages=("fr",)).units(tmp_path))
    with pytest.raises(InputError, match="no Wikipedia has the code 'xx'"):
        list(wikimedia(publishers, languages=("xx",)).units(tmp_path))
    with pytest.raises(RecipeError, match="date must be a dump's date"):
        from_mapping(WikimediaDumps, {"date": "2022"}, "the publisher wikimedia")


def test_sites_are_those_with_the_largest_archives_and_none_about_sites(publishers, listed, tmp_path):
    sizes = {"stackoverflow.com-Posts.7z": 9, "stackoverflow.com-Votes.7z": 99, "a.stackexchange.com.7z": 5}
    sizes |= {"b.stackexchange.com.7z": 7, "a.meta.stackexchange.com.7z": 50, "meta.stackexchange.com.7z": 60}
    files = [{"name": name, "size": str(size)} for name, size in sizes.items()]
    listed["/metadata/dump"] = json.dumps({"files": [*files, {"name": "readme.txt"}, "odd", {}]}).encode()
    places = {"item": "dump", "url": f"{publishers.url}/download/", "metadata": f"{publishers.url}/metadata/"}
    found = list(StackExchangeDump(**places, largest=2).units(tmp_path))
    assert [unit.name for unit in found] == ["b.stackexchange.com", "stackoverflow.com"]
    assert found[1].inputs == [f"{publishers.url}/download/dump/stackoverflow.com-Posts.7z"]
    named = StackExchangeDump(**places, sites=("a.meta.stackexchange.com",)).units(tmp_path)
    assert [unit.name for unit in named] == ["a.meta.stackexchange.com"]
    with pytest.raises(InputError, match=r"no archive of c\.com"):
        list(StackExchangeDump(**places, sites=("c.com",)).units(tmp_path))


def test_books_are_those_of_the_catalogue_that_are_texts_in_the_languages(publishers, tmp_path):
    mirror = GutenbergMirror(f"{publishers.url}/pg_catalog.csv.gz", f"{publishers.url}/epub/")
    units = list(mirror.units(tmp_path))
    assert all(f"/epub/{unit.name}/pg{unit.name}.txt" in publishers.files for unit in units)
    assert "9999" not in {unit.name for unit in units}
    other = GutenbergMirror(mirror.catalog, mirror.url, languages=("de",))
    assert list(other.units(tmp_path)) == []


def test_months_of_arxiv_with_their_checksums(publishers, tmp_path):
    months = list(ArxivBucket(f"{publishers.url}/arxiv/").units(tmp_path))
    assert [unit.name for unit in months] == ["9902", "2103"]
    assert all(file.checksum.startswith("md5:") for unit in months for file in unit.files)
    early = list(ArxivBucket(f"{publishers.url}/arxiv/", until=months[0].name).units(tmp_path))
    assert early == months[:1]


def test_nothing_is_read_of_a_bucket_that_bills_unless_that_is_allowed(tmp_path):
    with pytest.raises(InputError, match=r"requester_pays=true"):
        list(ArxivBucket().units(tmp_path))
    with pytest.raises(SystemExit) as end:
        main(["arxiv", "--cache", str(tmp_path)])
    assert end.value.code == 2  # no other try mends it


@pytest.mark.parametrize(
    ("path", "content", "publisher", "said"),
    [
        ("/pg_catalog.csv.gz", b"a,b\n1,2\n", "gutenberg", "is no catalogue of Project Gutenberg"),
        ("/pg_catalog.csv.gz", gzip.compress(b"Text#,Type,Language\n")[:-9], "gutenberg", "is damaged"),
        ("/metadata/stackexchange", b"<html>", "stackexchange", "is no JSON"),
        ("/metadata/stackexchange", b"[]", "stackexchange", "is no JSON mapping"),
        ("/metadata/stackexchange", b"{}", "stackexchange", "lists no files"),
        ("/metadata/stackexchange", b'{"files": [{"name": "../../a.b.7z"}]}', "stackexchange", "does not lie there"),
        ("/arxiv/src/arXiv_src_manifest.xml", b"<arXivSRC><file>", "arxiv", "is no manifest"),
        ("/arxiv/src/arXiv_src_manifest.xml", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", "arxiv", "declares entities"),
    ],
)
def test_what_is_no_listing_is_refused(publishers, listed, tmp_path, path, content, publisher, said):
    listed[path] = content
    url = publishers.url
    made = {
        "gutenberg": GutenbergMirror(f"{url}/pg_catalog.csv.gz", f"{url}/epub/"),
        "stackexchange": StackExchangeDump(url=f"{url}/download/", metadata=f"{url}/metadata/"),
        "arxiv": ArxivBucket(f"{url}/arxiv/"),
    }
    with pytest.raises(InputError, match=said):
        list(made[publisher].units(tmp_path))


def test_the_command_prints_units_as_lines(publishers, tmp_path, capsys):
    keys = [f"crawls={json.dumps(CRAWLS)}", f"url={publishers.url}", "scope_files=1"]
    main(["commoncrawl", "--cache", str(tmp_path), *(word for key in keys for word in ("--set", key))])
    units = from_lines(capsys.readouterr().out, "x")
    assert len({unit.name for unit in units}) == len(units) == 6
    main(["wikimedia", "--keys"])
    assert "languages = [llama20]" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["wikimedia", "--set", "date=20220701"], ["commoncrawl", "--set", "crawl=a"]])
def test_wrong_keys_end_the_command_with_one_line(words, capsys):
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
