"""The whole source over real dumps, where they lie beside the checkout."""

import bz2
import gzip
import re
from collections import Counter
from xml.etree import ElementTree

import pytest

from filters.wikitext import WikiSite, reference_urls, to_text
from pipeline.verify.accounts import verify
from tests.sources.wikipedia.dumps import ROOT, run

REAL = ROOT.parent / "shared" / "real" / "wikipedia"
pytestmark = pytest.mark.skipif(not REAL.exists(), reason="the real dumps are not beside this checkout")

# Contents of these stay to the letter, so pages that have them are left out of the count of markup.
LITERAL = re.compile(r"(?i)<(math|chem|nowiki|pre|syntaxhighlight|source|code)\b")
MARKUP = re.compile(r"\[\[|\]\]|\{\{|\}\}|<ref|^\|-|'''|\{\||\|\}|<!--|&nbsp;|__[A-Z]+__|^=+.*=+$", re.M)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return run(tmp_path_factory.mktemp("real"), REAL, min_characters=200)


def real_pages():
    """Revision, namespace, whether it redirects, wikitext, language of each page; read with another parser."""
    for path in [*sorted((REAL / "minidumps").glob("*.bz2")), *REAL.glob("*.xml.*")]:
        with (gzip if path.suffix == ".gz" else bz2).open(path) as stream:
            for _, element in ElementTree.iterparse(stream):
                if not element.tag.endswith("}page"):
                    continue
                space = element.tag.removesuffix("page")
                text = element.findtext(f"{space}revision/{space}text") or ""
                redirects = element.find(f"{space}redirect") is not None
                revision = int(element.findtext(f"{space}revision/{space}id"))
                yield revision, element.findtext(f"{space}ns"), redirects, text, path.name[:2]
                element.clear()


def test_every_page_ends_kept_or_with_a_reason(found):
    pages = Counter("page" if ns == "0" and not redirects else "other" for _, ns, redirects, _, _ in real_pages())
    assert pages == {"page": 140, "other": 603}
    assert found.steps["read"]["entered"]["documents"] == 743
    assert found.reasons() == {"read: not_an_article": 502, "read: redirect": 101, "length: too_short": 3}
    assert found.kept() == {"de": 2, "en": 127, "es": 1, "fr": 3, "pl": 1, "ru": 1, "sr": 1, "sv": 1}
    assert verify(str(found.root)) == (137, [])


def test_texts_are_those_of_the_pages(found):
    expected = {
        (language, number): (to_text(text, WikiSite.builtin(language)).strip(), reference_urls(text))
        for number, ns, redirects, text, language in real_pages()
        if ns == "0" and not redirects
    }
    documents = found.documents()
    for document in documents:
        text, references = expected[document["language"], document["meta"]["revision_id"]]
        assert (document["text"], document["meta"]["references"]) == (text, references)
    assert len(documents) == 137


def test_no_markup_is_left(found):
    literal = {(language, number) for number, _, _, text, language in real_pages() if LITERAL.search(text)}
    documents = [d for d in found.documents() if (d["language"], d["meta"]["revision_id"]) not in literal]
    assert len(documents) > 100
    assert [(d["url"], match[0]) for d in documents for match in MARKUP.finditer(d["text"])] == []


def test_every_document_names_its_licence_and_its_time(found):
    documents = found.documents()
    assert {d["license"] for d in documents} <= {"CC BY-SA 3.0, GFDL", "CC BY-SA 4.0, GFDL"}
    assert all(d["created"].year >= 2014 and d["url"].startswith("https://") for d in documents)
