"""Fourth pass: links become their label; files, categories and links to other languages go.

Links are resolved from the inside out, so that a picture goes with all that its caption holds. Each round is one search
over the text; the rounds are few, because MediaWiki itself allows a link inside a picture's caption and no deeper.
"""

from __future__ import annotations

import re
from operator import itemgetter

from filters.wikitext.languages import INTERLANGUAGE_CODES, SISTER_PREFIXES
from filters.wikitext.marks import GAP, gap_after
from filters.wikitext.site import WikiSite
from filters.wikitext.work import Work

MAX_ROUNDS = 5  # a picture, in the caption of a picture, in ...

MAX_TITLE = 255  # longest title of a page, in bytes (MediaWikiTitleCodec)

# [[target]] or [[target|label]], with no colon in the target: nine links in ten, resolved without a line of Python.
PLAIN_LINK = re.compile(r"\[\[([^\[\]|:\n]*\|)?((?(1)[^\[\]|]+|[^\[\]|:]+))\]\]")
# Any link that holds no other link; single brackets may stand in its label, in pairs.
_ANY_LINK = re.compile(r"\[\[([^\[\]|\n]*)(?:\|([^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*))?\]\]")
_EXTERNAL = r"\[(?:(?:https?|ftps?|sftp|git|svn|irc|ircs|gopher|telnet|nntp|worldwind|news|mailto|tel|urn|geo):|//)"
_BARE_EXTERNAL_LINK = re.compile(_EXTERNAL + r"[^\s\[\]<>]*\s*\]", re.IGNORECASE)
_EXTERNAL_LINK = re.compile(_EXTERNAL + r"[^\s\[\]<>]*[ \t]([^\[\]\n]*(?:\[[^\[\]\n]*\][^\[\]\n]*)*)\]", re.IGNORECASE)
_UNCLOSED_FILE = re.compile(r"\[\[([^\[\]|\n:]{1,30}):[^\n]*")
# What ends the name of a picture or recording; a link to one is a file's, whatever the language of its namespace.
_MEDIA = re.compile(
    r"\.(?:jpe?g|png|svg|gif|tiff?|webp|xcf|djvu|og[gav]|opus|webm|mp[34]|midi?|wav|flac)$", re.IGNORECASE
)
_PARENTHETICAL = re.compile(r"\s*\([^()]*\)$|,[^,]*$")


def resolve_links(text: str, site: WikiSite, work: Work) -> str:
    """Replaces links by their labels.

    Args:
        text: wikitext without templates and tables.
        site: its namespace names tell files and categories from articles.
        work: is charged for each round.

    Returns:
        The text without ``[[`` and ``]]``. A picture whose link is not closed goes up to the end of its line.
    """
    if "[[" in text:
        text = PLAIN_LINK.sub(itemgetter(2), text)
        resolver = _Resolver(site)
        for _ in range(MAX_ROUNDS):
            work.spend(len(text))
            resolved = _ANY_LINK.sub(resolver.label, text) if "[[" in text else text
            if resolved == text:
                break
            text = PLAIN_LINK.sub(itemgetter(2), resolved)
        text = _UNCLOSED_FILE.sub(resolver.unclosed, text)
    text = resolve_external_links(text)
    if "[[" in text:
        text = text.replace("[[", "")
    return text.replace("]]", "") if "]]" in text and "[" not in text else _drop_stray_ends(text)


def resolve_external_links(text: str) -> str:
    """Replaces ``[http://... label]`` by its label; a link that would only show a number goes."""
    for _ in range(MAX_ROUNDS):
        if "[" not in text:
            break
        text = _BARE_EXTERNAL_LINK.sub(GAP, text)
        text, links = _EXTERNAL_LINK.subn(itemgetter(1), text)
        if not links:
            break
    return text


class _Resolver:
    """Labels of links for one site."""

    def __init__(self, site: WikiSite) -> None:
        self.dropped = site.file_namespaces | site.category_namespaces | INTERLANGUAGE_CODES
        self.files = site.file_namespaces
        self.media = site.media_namespaces
        self.prefixes = site.namespaces | INTERLANGUAGE_CODES | SISTER_PREFIXES

    def label(self, match: re.Match[str]) -> str:
        """Returns what a reader sees of one link."""
        target, label = match[1].strip(), match[2]
        prefix = target.partition(":")[0].strip().replace("_", " ").lower() if ":" in target else ""
        if prefix in self.dropped and ":" in target:
            return gap_after(match.string, match.start())
        if prefix in self.media:  # a link to the recording itself, which shows its label
            return label or target.partition(":")[2].strip()
        if prefix and label is not None and prefix not in SISTER_PREFIXES and _MEDIA.search(target):
            return gap_after(match.string, match.start())
        if prefix in ("http", "https"):
            return f"[{match[0][2:-2]}]"
        if label:
            return label
        target = target.removeprefix(":")
        return _pipe_trick(target, self.prefixes) if label is not None else target

    def unclosed(self, match: re.Match[str]) -> str:
        """Removes the rest of the line after a picture's link that is not closed; other openings stay."""
        return GAP if match[1].strip().lower() in self.files else match[0]


def _pipe_trick(target: str, prefixes: frozenset[str]) -> str:
    """Returns the label of ``[[target|]]``: without namespace, and without what is in brackets or after a comma."""
    if len(target) > MAX_TITLE:
        return target
    prefix, colon, rest = target.partition(":")
    if colon and prefix.strip().lower() in prefixes:
        target = rest
    return _PARENTHETICAL.sub("", target).strip()


def _drop_stray_ends(text: str) -> str:
    """Removes ``]]`` that ends no link; two brackets that each have their opening are text: ``[a [b]]``."""
    if "]]" not in text:
        return text
    out, depth, position = [], 0, 0
    for match in re.finditer(r"\[|\]\]|\]|\n", text):
        token = match[0]
        if token == "[":
            depth += 1
        elif token == "\n":
            depth = 0
        elif token == "]":
            depth = max(0, depth - 1)
        elif depth >= 2:
            depth -= 2
        else:
            out.append(text[position : match.start()] + "]" * depth)
            position, depth = match.end(), 0
    out.append(text[position:])
    return "".join(out)
