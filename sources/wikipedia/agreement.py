"""Whether dumps agree with what is said of them, and with one another.

What ``--lang`` (the recipe's ``language``) says goes before a file's name, and that before the ``<dbname>`` of its
header: cut-down copies are known that carry the header of another wiki. So a witness that is overruled is told in a
warning; what can only be a mistake is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from pipeline.errors import InputError, name_a_few
from sources.wikipedia.head import DumpHead, database_of

_LAST_PAGE = 10**15

# enwiki-20220701-pages-articles-multistream1.xml-p1p41242.bz2; the form and the compression change no page.
_DUMP = re.compile(
    r"(?P<wiki>[a-z_]+wiki)-(?P<date>20\d{6}|latest)-pages-(?:articles|meta-current)(?:-multistream)?"
    r"(?P<number>\d*)\.xml(?:-p(?P<first>\d{1,12})p(?P<last>\d{1,12}))?(?:\.bz2|\.gz)?"
)


def check_agreement(heads: Mapping[str, DumpHead], said: str | None) -> list[str]:
    """Compares what is known of dumps.

    Args:
        heads: For each dump's path what its name and header tell.
        said: The language that the user says.

    Returns:
        A sentence for each witness that was overruled.

    Raises:
        InputError: A name and a header say both the same, and the user says another language; one wiki is there in
            dumps of two dates; or two dumps hold the same pages.
    """
    for path, head in heads.items():
        if said and head.named not in (None, said) and head.database == database_of(head.named):
            raise InputError(
                f"the name and the header of {path} say {head.named}, --lang (or the recipe's language) says {said}; "
                "leave it out, and each dump is read in its own language"
            )
    _check_dates(heads)
    _check_pages(heads)
    overruled: dict[str, list[str]] = {}
    for path, head in heads.items():
        if sentence := _overruled(head, said):
            overruled.setdefault(sentence, []).append(path)
    return [f"{name_a_few(paths)}: {sentence}" for sentence, paths in overruled.items()]


def _overruled(head: DumpHead, said: str | None) -> str:
    """What was believed of a dump's language, and who said otherwise; empty where nobody did."""
    if head.language is None:
        return ""
    believed = "--lang (or the recipe)" if said else "the name" if head.named else "the header"
    others = [f"the name says {head.named}"] if head.named not in (None, head.language) else []
    others += [f"the header says {head.database}"] if head.database not in ("", database_of(head.language)) else []
    return f"read as {head.language}, as {believed} says; but {' and '.join(others)}" if others else ""


def _check_dates(heads: Mapping[str, DumpHead]) -> None:
    known: dict[str, str] = {}
    for path, head in heads.items():
        if head.language is None or head.date is None:
            continue
        other = known.setdefault(head.language, path)
        if heads[other].date != head.date:
            raise InputError(
                f"{other} and {path} are of two dates, and so would give most articles of {head.language} twice; give "
                "the dumps of one date"
            )


def _check_pages(heads: Mapping[str, DumpHead]) -> None:
    spans: dict[str, list[tuple[int, int, str]]] = {}
    for path, head in heads.items():
        found = _DUMP.fullmatch(path.rsplit("/", 1)[-1])
        if found and head.language and (found["first"] or not found["number"]):
            span = (int(found["first"] or 0), int(found["last"] or _LAST_PAGE), path)
            spans.setdefault(head.language, []).append(span)
    for first, second in (pair for found in spans.values() for pair in _overlaps(found)):
        raise InputError(f"{first} and {second} hold the same pages, by their names; give one of them")


def _overlaps(spans: Sequence[tuple[int, int, str]]) -> Iterator[tuple[str, str]]:
    """Pairs of files of which the second begins before the first ends."""
    widest = (0, -1, "")
    for span in sorted(spans):
        if span[0] <= widest[1]:
            yield widest[2], span[2]
        widest = max(widest, span, key=lambda s: s[1])
