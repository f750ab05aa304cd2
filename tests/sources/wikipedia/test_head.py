from datetime import date, datetime, timezone

import pytest

from filters.wikitext import WikiSite
from pipeline.storage.filesystem import InputFile
from sources.wikipedia.compressed import Damage, XmlPiece
from sources.wikipedia.head import UNNUMBERED, dump_head, head_of
from tests.sources.wikipedia.dumps import header

GERMAN = '<namespace key="0" /><namespace key="6">Datei</namespace><namespace key="100">Portal</namespace>'


def head(name: str, xml: str = "", language: str | None = None):
    return dump_head(InputFile(f"dumps/{name}", 1), xml.encode(), language)


@pytest.mark.parametrize(
    ("name", "database", "language"),
    [
        ("dewiki-20220701-pages-articles.xml.bz2", "dewiki", "de"),
        ("frwiki.xml.bz2", "enwiki", "fr"),  # the name goes first
        ("articles.xml", "srwiki", "sr"),
        ("simplewiki-latest.xml", "", "simple"),
        ("zh_min_nanwiki-20220701.xml", "", "zh-min-nan"),
        ("articles.xml", "be_x_oldwiki", "be-x-old"),
        ("cutwiki.xml", "enwiki", "en"),  # the name is no Wikipedia's
        ("cutwiki.xml", "", None),
        ("qqqwiki-20300101.xml", "qqqwiki", "qqq"),  # one that is newer than the table
        ("enwiktionary-20220701.xml", "enwiktionary", None),
        ("commonswiki-20220701.xml", "commonswiki", None),
        ("articles.xml", "", None),
        ("articles.xml", "../../x", None),
    ],
)
def test_the_language(name, database, language):
    assert head(name, header(database)).language == language


BASE = "<base>https://{}/wiki/Main_Page</base>"


@pytest.mark.parametrize(
    ("info", "language"),
    [
        (BASE.format("it.wikipedia.org"), "it"),
        (BASE.format("zh-min-nan.wikipedia.org"), "zh-min-nan"),
        (BASE.format("simple.wikipedia.org"), "simple"),
        (BASE.format("de.wiktionary.org"), None),
        ("", "de"),  # xml:lang
        ("<dbname>dewiktionary</dbname>" + BASE.format("de.wikipedia.org"), None),
    ],
)
def test_a_header_without_a_database_tells_the_language_by_its_address_or_its_own(info, language):
    xml = f'<mediawiki xml:lang="de"><siteinfo>{info}<namespaces/></siteinfo>'
    assert head("articles.xml", xml).language == language


def test_a_header_in_no_known_language_tells_none():
    assert head("articles.xml", '<mediawiki xml:lang="qq"><siteinfo/>').language is None


@pytest.mark.parametrize(
    ("title", "namespace"),
    [
        ("Berlin", 0), ("Datei:A.jpg", 6), ("datei: A.jpg", 6), ("Bild:A.jpg", 6), ("Kategorie:B", 14),
        ("Portal:C", 100),
        ("Star Trek: D", 0), (":E", 0), ("Hilfe:F", UNNUMBERED), ("Category:G", 14),
    ],
)  # fmt: skip
def test_the_namespace_by_the_title(title, namespace):
    assert head("dewiki.xml", header("dewiki", GERMAN)).namespace_of(title) == namespace


def test_what_the_user_says_goes_before_all():
    assert head("dewiki-20220701.xml", header("dewiki"), "nds").language == "nds"


def test_the_namespaces_are_those_of_the_header_and_the_built_in_ones():
    site = head("dewiki.xml", header("dewiki", GERMAN)).site
    assert site == WikiSite.from_siteinfo("de", {0: [""], 6: ["Datei"], 100: ["Portal"]})
    assert {"datei", "bild", "file"} <= site.file_namespaces
    assert "portal" in site.namespaces


@pytest.mark.parametrize("xml", ["", "<mediawiki>", "<siteinfo><dbname></siteinfo>", header("dewiki")[:150]])
def test_a_damaged_header_leaves_the_built_in_names(xml):
    assert head("dewiki.xml", xml).site == WikiSite.builtin("de")


def test_a_wrong_key_is_no_namespace():
    names = '<namespace key="six">Six</namespace><namespace key="6">Seks</namespace><namespace>None</namespace>'
    assert head("dawiki.xml", header("dawiki", names)).site == WikiSite.from_siteinfo("da", {6: ["Seks"]})


@pytest.mark.parametrize(
    ("name", "revised", "license"),
    [
        ("enwiki-20220701-x.xml", 2024, "CC BY-SA 3.0, GFDL"),
        ("enwiki-20230606-x.xml", None, "CC BY-SA 3.0, GFDL"),
        ("enwiki-20230620-x.xml", 2004, "CC BY-SA 4.0, GFDL"),
        ("enwiki-latest-x.xml", 2022, "CC BY-SA 3.0, GFDL"),
        ("enwiki-latest-x.xml", 2024, "CC BY-SA 4.0, GFDL"),
        ("enwiki-20221399-x.xml", None, None),
    ],
)
def test_the_licence_goes_by_the_dumps_date_or_the_revisions(name, revised, license):
    time = datetime(revised, 1, 1, tzinfo=timezone.utc) if revised else None
    assert head(name).license(time) == license


def test_the_date():
    assert head("enwiki-20220701-pages-articles.xml").date == date(2022, 7, 1)
    assert head("enwiki.xml").date is None


@pytest.mark.parametrize("declared", ["<!DOCTYPE mediawiki>", '<!doctype m [<!ENTITY a "b">]>', '<!ENTITY a "b">'])
def test_a_document_type_is_noticed(declared):
    assert head("enwiki.xml", declared + header()).document_type
    assert not head("enwiki.xml", header()).document_type


def test_the_head_ends_at_the_first_page_or_at_damage_or_after_a_megabyte():
    pieces = [XmlPiece(b"<mediawiki>", 0, True), XmlPiece(b" <page> more", 11, True), Damage("corrupt_bz2", 9)]
    assert head_of(pieces) == b"<mediawiki> "
    assert head_of([pieces[0], pieces[2], pieces[1]]) == b"<mediawiki>"
    assert len(head_of(XmlPiece(b"x" * 100_000, 0, True) for _ in range(100))) == 1 << 20
