"""MB of wikitext cleaned per second of one core, and the markup left in it: ours, and what else is installed.

``python -m benchmarks.wikitext --input dump.xml.bz2 ...`` reads the articles of dumps (.xml, .bz2, .gz), cleans each
with each tool, and prints a table. The language is the start of the file's name (``dewiki-...``). Without ``--input``
it cleans an invented page, which is denser in markup than real ones. Tools that are not installed are left out: ``pip
install mwparserfromhell wikitextparser gensim wikiextractor`` in an environment of its own gives them all.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import importlib
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

from filters.wikitext import WikiSite, to_text

Cleaner = Callable[[str], str]
Page = tuple[str, str]  # language and wikitext

OPENERS = {".bz2": bz2.open, ".gz": gzip.open}
ROUNDS = 3  # of which the best counts, for tools that take less than a second
# What a reader should not see, counted in the output of every tool alike.
LEFTOVERS = {
    "links": r"\[\[|\]\]",
    "templates": r"\{\{|\}\}",
    "tables": r"\{\||\|\}|^\|",
    "quotes": r"''",
    "tags": r"</?(?:ref|br|references|gallery|div|span|small|sup|sub|nowiki)\b|<!--",
    "words": r"__[A-Z]+__|&nbsp;|&ndash;|\|thumb\b|^thumb\||^\d+px\|",
    "titles": r"^=+.*=+\s*$",
    "gaps": r"\(\s*[,;)]|\(\)|,\s*,| ,",
}
# Code and formulas may hold any of these; they are taken out of the input of every tool alike.
LITERAL = re.compile(r"(?is)<(math|chem|nowiki|pre|syntaxhighlight|source)\b[^>]*?(?:/>|>.*?</\1\s*>)")

INVENTED_PAGE = """{{Infobox settlement|name=Town|image=Town.jpg|population={{formatnum:12345}}}}
[[File:Town.jpg|thumb|The [[town hall]] in {{lang|de|Stadt}}]]'''Town''' ({{lang-de|Stadt}}; {{IPA|/taʊn/}}) is a
[[town]] in [[Country (state)|Country]].<ref>{{cite web|url=http://example.org/|title=Town}}</ref> It has an area of
{{convert|12|km2|sqmi}} and lies {{convert|5|to|10|km}} from the ''[[Other Town]]''.<ref name="a">Author, ''Book''</ref>

== History ==
{{Main|History of Town}}
The town was founded in 1200.<ref name="a" /> In {{circa|1300}} it had [[wall]]s&nbsp;&ndash; see below.
* [[First]] item
* Second item with [http://example.org a link]

{| class="wikitable"
! Year !! People
|-
| 1900 || 1,000
|}

== References ==
{{Reflist}}
[[Category:Towns]]
"""


def read_pages(path: Path) -> Iterator[Page]:
    """Yields the language and the wikitext of each article of a dump."""
    language = path.name.partition("wiki")[0]
    with OPENERS.get(path.suffix, open)(path, "rb") as stream:
        for _, page in ElementTree.iterparse(stream):
            if not page.tag.endswith("}page"):
                continue
            space = page.tag.removesuffix("page")
            if page.findtext(f"{space}ns") == "0" and page.find(f"{space}redirect") is None:
                yield language, LITERAL.sub("X", page.findtext(f"{space}revision/{space}text") or "")
            page.clear()


def strip_code(language: str) -> Cleaner:
    """mwparserfromhell alone."""
    parser = importlib.import_module("mwparserfromhell")
    return lambda text: str(parser.parse(text).strip_code())


def usual_script(language: str) -> Cleaner:
    """mwparserfromhell as dataset scripts use it: pictures, references and tables out, section by section."""
    parser = importlib.import_module("mwparserfromhell")
    pictures = re.compile(r"(?:File|Image|Datei|Archivo|Fichier|Plik|Файл|Датотека|Fil):", re.IGNORECASE)

    def clean(text: str) -> str:
        sections = []
        for section in parser.parse(text).get_sections(flat=True, include_lead=True, include_headings=True):
            unwanted = section.filter_wikilinks(matches=lambda link: bool(pictures.match(str(link.title).strip())))
            unwanted += section.filter_tags(matches=lambda tag: str(tag.tag).lower() in {"ref", "table"})
            for node in unwanted:
                try:
                    section.remove(node)
                except ValueError:  # it went with one that held it
                    continue
            sections.append(str(section.strip_code()).strip())
        return "\n\n".join(sections)

    return clean


def gensim(language: str) -> Cleaner:
    """The filter of gensim's WikiCorpus."""
    corpus = importlib.import_module("gensim.corpora.wikicorpus")
    return lambda text: str(corpus.filter_wiki(text))


def wikitextparser(language: str) -> Cleaner:
    """wikitextparser's plain text."""
    parser = importlib.import_module("wikitextparser")
    return lambda text: str(parser.parse(text).plain_text())


def wikiextractor(language: str) -> Cleaner:
    """wikiextractor's cleaning, without expanding templates."""
    extract = importlib.import_module("wikiextractor.extract")

    def clean(text: str) -> str:
        extractor = extract.Extractor("1", "1", "http://example.org", "Title", [])
        return "\n".join(extractor.clean_text(text, expand_templates=False, html_safe=False))

    return clean


def ours(language: str) -> Cleaner:
    """filters.wikitext."""
    site = WikiSite.builtin(language)
    return lambda text: to_text(text, site)


TOOLS: dict[str, Callable[[str], Cleaner]] = {
    "filters.wikitext": ours,
    "mwparserfromhell strip_code": strip_code,
    "mwparserfromhell, usual script": usual_script,
    "wikiextractor": wikiextractor,
    "gensim filter_wiki": gensim,
    "wikitextparser plain_text": wikitextparser,
}


def measure(cleaners: dict[str, Cleaner], pages: list[Page]) -> tuple[float, dict[str, int], int, int]:
    """Returns the best CPU seconds, the leftovers by kind, the characters that came out, and the pages that failed."""
    best, texts, failed = float("inf"), [""], 0
    for _ in range(ROUNDS):
        texts, failed = [], 0
        started = time.process_time()
        for language, page in pages:
            try:
                texts.append(cleaners[language](page))
            except Exception:  # another's tool: a page that it cannot clean is counted
                failed += 1
        seconds = time.process_time() - started
        best = min(best, seconds)
        if seconds > 1:
            break
    counts = {
        kind: sum(len(re.findall(pattern, text, re.MULTILINE)) for text in texts) for kind, pattern in LEFTOVERS.items()
    }
    return best, counts, sum(map(len, texts)), failed


def main() -> None:
    """Reads the pages, runs the tools that are installed, and prints a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", type=Path, nargs="+", default=[], help="dumps with pages of one language or more")
    arguments = parser.parse_args()
    pages = [page for path in arguments.input for page in read_pages(path)] or [("en", INVENTED_PAGE * 20)] * 100
    megabytes = sum(len(page.encode()) for _, page in pages) / 1e6
    print(
        f"{len(pages)} pages, {megabytes:.2f} MB of wikitext; CPU time of one core; leftovers for each MB of wikitext"
    )
    print(f"{'':32}{'MB/s':>7}{'text':>7}{'failed':>7}{'left':>8}  " + "".join(f"{kind:>10}" for kind in LEFTOVERS))
    for name, load in TOOLS.items():
        try:
            cleaners = {language: load(language) for language, _ in pages}
        except ImportError:
            print(f"{name:32}  not installed")
            continue
        seconds, counts, characters, failed = measure(cleaners, pages)
        share = characters / sum(len(page) for _, page in pages)
        left = sum(counts.values()) / megabytes
        by_kind = "".join(f"{count / megabytes:10.1f}" for count in counts.values())
        print(f"{name:32}{megabytes / seconds:7.2f}{share:7.1%}{failed:7}{left:8.1f}  {by_kind}")


if __name__ == "__main__":
    main()
