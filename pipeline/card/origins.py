"""What a data card says of each source that no manifest knows: whence it comes, its terms, its limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Origin:
    """A source of text.

    Attributes:
        what: What it is, and who publishes it.
        terms: Under what terms its texts stand.
        limits: What a user should know of them.
        tag: The licence in Hugging Face's vocabulary, where one fits.
    """

    what: str
    terms: str
    limits: tuple[str, ...] = ()
    tag: str = "other"


ORIGINS: Mapping[str, Origin] = {
    "commoncrawl": Origin(
        "Web pages from the WET files of Common Crawl.",
        "Common Crawl's terms of use; the rights in each page are its author's, and no licence of theirs is recorded.",
        (
            "Pages hold what the web holds: errors, advertising, prejudice, and names and addresses of people.",
            "Language, perplexity and likeness to cited pages are judged by models, which are wrong at times, and more "
            "often on dialects and on texts that are unlike an encyclopedia.",
            "Lines that several pages have are removed, so a page may lack sentences.",
        ),
    ),
    "c4": Origin(
        "Web pages of Common Crawl, cleaned by the rules of the C4 corpus.",
        "ODC-BY for the collection; the rights in each page are its author's.",
        (
            "The list of bad words removes texts about health, sexuality and minorities, too.",
            "Only lines that end like sentences stay: lists, tables, verse and code are lost.",
        ),
        "odc-by",
    ),
    "github": Origin(
        "Files of public GitHub projects under permissive licences.",
        "The licence of each project, recorded with each file: Apache, BSD or MIT.",
        (
            "The licence is that of the project; a file in it may stand under another one.",
            "Attribution, which these licences ask for, must be kept by who publishes the text.",
            "Code may hold passwords, keys and mistakes.",
        ),
    ),
    "wikipedia": Origin(
        "Articles from Wikipedia's XML dumps.",
        "Creative Commons Attribution-ShareAlike, and the GFDL: authors are named by the page that the URL leads to.",
        (
            "Tables, formulas, references and what templates write are removed, and with them some figures and dates.",
            "The languages differ in size and in what they cover.",
        ),
        "cc-by-sa-4.0",
    ),
    "books": Origin(
        "Books of Project Gutenberg, and of Books3 where the user had a copy of it.",
        "Gutenberg: in the public domain in the USA. Books3: under copyright, and withdrawn; it must not be passed on.",
        (
            "Most books are old: so are their language, their science and their opinions.",
            "Books of which another one holds more than the threshold are removed; editions that differ more stay.",
        ),
    ),
    "arxiv": Origin(
        "The LaTeX sources of papers on arXiv.",
        "The licence that the authors chose, where arXiv's metadata tells it; many let only arXiv distribute.",
        (
            "Papers without TeX sources are not there; bibliographies are removed, and figures are lost.",
            "Formulas stand as TeX.",
        ),
    ),
    "stackexchange": Origin(
        "Questions and answers from the dump of the Stack Exchange network.",
        "Creative Commons Attribution-ShareAlike, its version by date: the URL of each question must stay with it.",
        ("Answers are sorted by score, and are right or wrong as their authors were.",),
        "cc-by-sa-4.0",
    ),
    "stackexchange_preferences": Origin(
        "Pairs of answers to questions of the Stack Exchange network, one of which has the better score.",
        "Creative Commons Attribution-ShareAlike, its version by date: the URL of each question must stay with it.",
        ("Votes say what readers liked, and come sooner to early, short and funny answers.",),
        "cc-by-sa-4.0",
    ),
    "instructions": Origin(
        "Conversations and pairs of answers that others published to tune language models on.",
        "Those of each data set; many were written by models whose terms forbid to train competing ones on them.",
        (
            "Answers of models are wrong at times, and sure of themselves all the same.",
            "Shared conversations hold what their users told a model, of themselves and of others.",
            "What raters preferred is their view, and that of those who told them what to look for.",
        ),
    ),
}
UNKNOWN = Origin("A source of the user's own.", "Not recorded.")
