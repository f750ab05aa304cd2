"""URLs that a page cites in its ``<ref>`` elements: positive examples for a classifier of pages worth citing.

LLaMA (section 2.1, CommonCrawl) trains a model on "pages used as references in Wikipedia".
"""

from __future__ import annotations

import re

from filters.wikitext.entities import decode_entities

# A reference that has contents; ``<ref name="x" />`` has none, and ``<references>`` is another tag.
_OPENING = re.compile(r"<ref(?:\s[^<>]*)?>", re.IGNORECASE)
_CLOSING = re.compile(r"</ref\s*>", re.IGNORECASE)
_URL = re.compile(r"https?://[^\s<>\"\[\]{}|\\^`\u00a0\u3000]{1,2000}", re.IGNORECASE)
# Parameters that hold a copy of the page in an archive, in the editions' citation templates, right before the URL.
_ARCHIVE_PARAMETER = re.compile(
    r"(?:archive-?url|archiv-?url|url-?archivio|urlarchivio|archiefurl|arquivourl|wayb-?url|url-?archive"
    r"|archive-?page|архив-?url|urlarchiv|archiv|arkiv-?url|arkivurl|archívum)\s*=\s*$",
    re.IGNORECASE,
)
# https://web.archive.org/web/20070101000000/http://example.org/: the page itself is what was cited.
_WAYBACK = re.compile(
    r"https?://(?:web|www|liveweb|wayback)?\.?archive\.org/(?:web/)?[0-9]{4,14}[a-z_*]*/", re.IGNORECASE
)
_TRAILING = ".,;:!?'’”»"
_LOOK_BACK = 40  # characters before a URL in which its parameter's name is looked for


def reference_urls(wikitext: str) -> list[str]:
    """Returns the URLs inside the references of a page, each once, in the order of the page.

    Parameters of citation templates, labelled links and bare URLs count alike. Of a copy in the Wayback Machine the
    address of the page itself is taken; copies in other archives (``archive-url=``) are left out. Named references
    that are used again, and self-closing ones, add nothing.

    Args:
        wikitext: the page as it was written; nothing of it is expanded.
    """
    found: dict[str, None] = {}
    position = 0
    while (opening := _OPENING.search(wikitext, position)) is not None:
        position = opening.end()
        if opening[0].endswith("/>"):
            continue
        closing = _CLOSING.search(wikitext, position)
        if closing is None:
            break
        for url in _urls(wikitext[position : closing.start()]):
            found.setdefault(url)
        position = closing.end()
    return list(found)


def _urls(reference: str) -> list[str]:
    """Returns the URLs of one reference's contents."""
    if "<!--" in reference:
        head, *rest = reference.split("<!--")
        reference = head + "".join(part.partition("-->")[2] for part in rest)
    return [
        url
        for match in _URL.finditer(reference)
        if not _ARCHIVE_PARAMETER.search(reference, max(0, match.start() - _LOOK_BACK), match.start())
        and (url := _clean(match[0]))
    ]


def _clean(url: str) -> str:
    """Returns a URL without an archive's prefix, references to characters, and punctuation of the sentence."""
    wayback = _WAYBACK.match(url)
    if wayback:
        url = url[wayback.end() :]
        if "://" not in url[:10]:
            url = f"http://{url}"
    url = decode_entities(url)
    url = url.split("''", 1)[0].rstrip(_TRAILING)
    unopened = url.count(")") - url.count("(")
    while unopened > 0 and url.endswith(")"):
        url, unopened = url[:-1].rstrip(_TRAILING), unopened - 1
    return url if "." in url.partition("://")[2] else ""
