"""Wikitext to text: what a reader of the page would read, and the URLs that the page cites.

``to_text`` cleans a page, ``reference_urls`` lists its references, ``WikiSite`` holds the names of one edition.
"""

from filters.wikitext.expansion import Definitions
from filters.wikitext.options import DEFAULT_OPTIONS, Options
from filters.wikitext.references import reference_urls
from filters.wikitext.site import WikiSite
from filters.wikitext.text import to_text
from filters.wikitext.usage import TemplateUses
from filters.wikitext.work import DEFAULT_LIMITS, Limits, WikitextTooComplex, Work

__all__ = [
    "DEFAULT_LIMITS",
    "DEFAULT_OPTIONS",
    "Definitions",
    "Limits",
    "Options",
    "TemplateUses",
    "WikiSite",
    "WikitextTooComplex",
    "Work",
    "reference_urls",
    "to_text",
]
