"""C4's rules on lines: the text of a page, the lines that stay, the keys by which repeated ones are found.

Reference: TensorFlow Datasets ``text/c4_utils.py`` (``split_wet_file``, ``clean_page``, ``remove_duplicate_text``); the
rules are those of Raffel et al., *Exploring the Limits of Transfer Learning*, section 2.2, as that code understands
them. Counters have its names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

# MD5 is C4's choice of a hash, not a safeguard.
from hashlib import md5
from operator import methodcaller
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from filters.c4.sentences import SentenceCounter

MAX_PAGE_CHARACTERS = 190_000  # c4_utils.is_valid_length
MAX_WORD_CHARACTERS = 1000  # c4_utils._MAX_WORD_LENGTH
MIN_WORDS = 5  # c4_utils._MIN_WORDS_PER_LINE; datatrove and dolma take 3
MIN_SENTENCES = 3  # c4_utils._MIN_NUM_SENTENCES; datatrove takes 5
END_MARKS = (".", "?", "!", '"')  # c4_utils._END_MARKS
ELLIPSIS = "..."
# c4_utils._POLICY_SUBSTRINGS
POLICIES = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
# c4_utils._METADATA_PREFIXES: the original tells the headers of a record from its text by these alone.
HEADER_PREFIXES = ("WARC", "CONTENT-", "Content-")

_CITATION = re.compile(r"\[\d*\]|\[edit\]|\[citation needed\]")
_digest = methodcaller("digest")
_MD5_BYTES = 16


class PageText(NamedTuple):
    """The text of a page, and how many lines went from it because they look like headers."""

    text: str
    header_like: int


def page_text(body: str, *, drop_header_like: bool = True) -> PageText:
    r"""The text of a page from the body of its WET record: stripped lines, without empty ones, joined by ``\n``.

    A line ends at ``\n``, ``\r`` or ``\r\n``. The first line, which is the title, is text like any other.

    Args:
        body: The decoded body.
        drop_header_like: Whether lines that begin with ``WARC``, ``CONTENT-`` or ``Content-`` go, as in the original.
    """
    if "\r" in body:
        body = body.replace("\r\n", "\n").replace("\r", "\n")
    lines = list(filter(None, map(str.strip, body.split("\n"))))
    if not drop_header_like or not any(prefix in body for prefix in HEADER_PREFIXES):
        return PageText("\n".join(lines), 0)
    text = [line for line in lines if not line.startswith(HEADER_PREFIXES)]
    return PageText("\n".join(text), len(lines) - len(text))


@dataclass(frozen=True)
class LineRules:
    """The numbers of the rules.

    Attributes:
        max_word_characters: A line with a longer word goes.
        min_words: A line with fewer words goes.
        min_sentences: A page with fewer sentences goes, before the dedup of lines and after it.
    """

    max_word_characters: int = MAX_WORD_CHARACTERS
    min_words: int = MIN_WORDS
    min_sentences: int = MIN_SENTENCES

    def __post_init__(self) -> None:
        for name in ("max_word_characters", "min_words", "min_sentences"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, it is {getattr(self, name)}")


@dataclass(slots=True)
class CleanPage:
    """What the rules made of a page.

    Attributes:
        lines: The lines that stay; those before the fatal one where the page goes for a word in it.
        reason: Why the page goes, or None.
        counters: How many lines each rule dropped, by the original's names; no entry for a rule without any.
    """

    lines: list[str] = field(default_factory=list)
    reason: str | None = None
    counters: Counter[str] = field(default_factory=Counter)

    @property
    def text(self) -> str:
        """The text of the lines that stay."""
        return "\n".join(self.lines).strip()


def clean_page(text: str, rules: LineRules, sentences: SentenceCounter) -> CleanPage:
    """Applies the rules to each line of a page, in the original's order, and asks for enough sentences.

    A rule sees what those before it left, so a "{" in a line that is too short does not cost the page; and a page that
    goes for a word stops the count there.
    """
    page = CleanPage()
    lines, no_end, too_short = page.lines, 0, 0
    longest, pieces = rules.max_word_characters, rules.min_words - 1
    for raw in text.splitlines():
        line = raw.strip()
        if len(line) > longest and max(map(len, line.split())) > longest:
            page.counters["line-filtered:too_long_word"] += 1
            continue
        if "[" in line:
            line = _CITATION.sub("", line)
        if not line.endswith(END_MARKS) or line.endswith(ELLIPSIS):
            no_end += 1
        elif pieces >= 0 and len(line.split(None, pieces)) <= pieces:
            too_short += 1
        elif (verdict := _judge_words(line)) is None:
            lines.append(line)
        elif verdict.startswith("line-filtered:"):
            page.counters[verdict] += 1
        else:
            page.reason = verdict
            break
    page.counters.update({"line-filtered:no_endmark": no_end, "line-filtered:too_short": too_short})
    page.counters["line-passed"] = len(lines)
    page.counters = +page.counters
    if page.reason is None and not has_sentences(lines, rules.min_sentences, sentences):
        page.reason = "too_few_sentences"
    return page


def _judge_words(line: str) -> str | None:
    """The page's reason, or the line's counter, or None where the line stays."""
    lower = line.lower()
    if "lorem ipsum" in lower:
        return "loremipsum"
    if "javascript" in lower:
        return "line-filtered:javascript"
    if "{" in line:
        return "squigglybracket"
    # Every phrase holds one of these two words or syllables, and most lines neither.
    if ("cookie" in lower or "policy" in lower or "terms of use" in lower) and any(p in lower for p in POLICIES):
        return "line-filtered:policy"
    return None


def has_sentences(lines: Sequence[str], minimum: int, sentences: SentenceCounter) -> bool:
    """Whether lines, counted one by one, have so many sentences; a line that stayed has at least one."""
    if len(lines) >= minimum:
        return True
    found = 0
    for line in lines:
        found += sentences.count(line, minimum - found)
        if found >= minimum:
            return True
    return False


def line_key(line: str) -> str:
    """The key of a line: lines with one key are copies of each other."""
    return line.strip().lower()


def hash_spans(text: str, span: int = 1) -> npt.NDArray[np.uint64]:
    r"""Hashes every run of ``span`` lines of a page; a shorter page is one run.

    Args:
        text: A page; a line ends at ``\n`` alone.
        span: The lines of a run; 1 in the original.

    Returns:
        For each run, in order, the first 64 bits of the MD5 of its lines' keys, joined by ``\n``.
    """
    keys = list(map(line_key, text.split("\n")))
    if span > 1:
        keys = ["\n".join(keys[start : start + span]) for start in range(count_spans(text, span))]
    digests = b"".join(_digest(md5(key.encode("utf-8", "surrogatepass"), usedforsecurity=False)) for key in keys)
    heads: npt.NDArray[np.uint64] = np.ndarray((len(keys),), "<u8", digests, strides=(_MD5_BYTES,))
    return heads.astype(np.uint64)


def count_spans(text: str, span: int = 1) -> int:
    """The number of hashes that ``hash_spans`` gives."""
    return max(text.count("\n") + 2 - span, 1)


@dataclass(frozen=True, slots=True)
class Deduplicated:
    """A page after the dedup of lines: its lines, and how many went for other pages and for itself."""

    lines: list[str]
    elsewhere: int
    repeated: int


def keep_spans(text: str, kept: npt.NDArray[np.bool_], span: int = 1) -> Deduplicated:
    """Removes the lines of the runs that do not stay.

    Args:
        text: A page.
        kept: For each run of ``hash_spans``, whether it stays.
        span: The lines of a run.
    """
    lines = text.split("\n")
    if kept.all():
        return Deduplicated(lines, 0, 0)
    dropped = np.zeros(len(lines), bool)
    for start in np.flatnonzero(~kept):
        dropped[start : start + span] = True
    stays = [line for line, gone in zip(lines, dropped.tolist(), strict=True) if not gone]
    keys = set(map(line_key, stays))
    repeated = sum(line_key(line) in keys for line, gone in zip(lines, dropped.tolist(), strict=True) if gone)
    return Deduplicated(stays, len(lines) - len(stays) - repeated, repeated)
