"""Wikitext to the text that a reader sees (LLaMA, section 2.1: hyperlinks, comments and formatting boilerplate go).

The passes go in MediaWiki's own order: tags, templates, tables, links, then lines. Each is one search with a compiled
expression and, where things nest, a stack. So time is linear in the length of the page, times the nesting of templates
(at most ``Limits.max_nesting``); ``Work`` counts it and stops a page that asks for more. Nothing is recursive.
"""

from __future__ import annotations

import re

from filters.wikitext.editions import template_table
from filters.wikitext.entities import decode_entities, plain_spaces
from filters.wikitext.expansion import Definitions
from filters.wikitext.gaps import close_spaces
from filters.wikitext.layout import layout
from filters.wikitext.links import resolve_links
from filters.wikitext.marks import LITERAL_END, LITERAL_START, MARKS
from filters.wikitext.options import DEFAULT_OPTIONS, Options
from filters.wikitext.sections import join_lines, keep_sections
from filters.wikitext.site import WikiSite
from filters.wikitext.tables import drop_tables
from filters.wikitext.tags import strip_tags
from filters.wikitext.templates import expand_templates
from filters.wikitext.usage import TemplateUses
from filters.wikitext.variants import resolve_variants
from filters.wikitext.work import DEFAULT_LIMITS, Limits, Work

# Passes that read the whole page once: tags, templates, tables, variants, links (3), magic words, lines, sections.
PASSES = 10

_MAGIC_WORD = re.compile(r"__[^\W\d_]+(?:_[^\W\d_]+)*__")
_LITERAL = re.compile(f"{LITERAL_START}([0-9]+){LITERAL_END}")
# Markup that only the removal of other markup can put together: ``[''[``. Of each the first character is text.
_PAIRS = ("[[", "{{", "}}", "''")


def to_text(
    wikitext: str,
    site: WikiSite,
    limits: Limits = DEFAULT_LIMITS,
    work: Work | None = None,
    *,
    options: Options = DEFAULT_OPTIONS,
    title: str = "",
    uses: TemplateUses | None = None,
    definitions: Definitions | None = None,
) -> str:
    """Returns what a reader would want to read of a page.

    Section titles stand as paragraphs of their own, list items as lines (``- item``, ``1. item``), paragraphs are
    parted by one blank line. References, tables, pictures, categories, templates outside the stated table, and
    sections of references or without text go. Code and formulas stay to the letter. A redirect has no text.

    Args:
        wikitext: the page as it was written, with entities of the dump's XML already decoded.
        site: names of the site's namespaces and of its reference sections.
        limits: bounds on the page.
        work: counter to use (and to read afterwards); by default a new one of these limits.
        options: what is written of labels and attributions.
        title: the page's, which ``{{PAGENAME}}`` stands for.
        uses: counts the templates inside prose, where given.
        definitions: expand the templates inside prose that no table knows, where given.

    Raises:
        WikitextTooComplex: the page is longer than the limits allow, or takes more work.
    """
    work = work or Work(len(wikitext), limits)
    work.spend(PASSES * len(wikitext))
    if site.is_redirect(wikitext):
        return ""
    for mark in MARKS:
        if mark in wikitext:
            wikitext = wikitext.replace(mark, "")
    literals: list[str] = []
    text = strip_tags(plain_spaces(wikitext), literals)
    text = expand_templates(
        text, template_table(site.language, options), work, limits.max_nesting, title, uses, definitions
    )
    text = drop_tables(text)
    text = resolve_variants(text)
    text = resolve_links(text, site, work)
    if "__" in text:
        text = _MAGIC_WORD.sub(_magic_word, text)
    text = close_spaces(join_lines(keep_sections(layout(text), site.reference_titles, site.ambiguous_titles)))
    for pair in _PAIRS:
        while pair in text:
            text = text.replace(pair, pair[0])
    text = decode_entities(text)
    return _LITERAL.sub(lambda match: literals[int(match[1])], text) if literals else text


def _magic_word(match: re.Match[str]) -> str:
    """Removes a behaviour switch, which is written in capitals (``__NOTOC__``); other underscores are text."""
    return "" if match[0].isupper() else match[0]
