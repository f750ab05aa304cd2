"""The licence that a source file declares for itself: an SPDX line, or the notice in its comments.

A notice is not parsed, but searched for the names of licences that stand where one is granted, and for the words of
those that grant nothing. What may be another licence counts as one: the file is dropped, and what was found is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from license_expression import Licensing, get_spdx_licensing  # type: ignore[import-untyped]

from filters.code.header.comments import leading_comments
from filters.code.header.syntax import Syntax
from filters.code.licenses.spdx import to_spdx

SPDX_LINE, NOTICE = "SPDX line", "notice"  # where a declaration was found
SPDX_MARK = "SPDX-License-Identifier"
MAX_LINES = 50  # SPDX lines of one file that are read
REMEMBERED = 2048
# A line of a comment, not one of a program that writes such lines.
_SPDX = re.compile(r"^[^\w\"'`\n]{0,40}SPDX-License-Identifier[ \t]*[:=][ \t]*([^\n]{1,300})", re.M)
_SPDX_END = re.compile(r"\s*(?:\*/|-->|--\]\]|\"\"\"|'''|\*\)|#\}|%>|-\}|\||\*|#|;|,|\.)*\s*$")

# What may govern a file, as patterns of a notice in lower case and one line. Each with words without which it is not
# there, which tell most comments, and quickly.
_FAMILIES: tuple[tuple[str, str, str], ...] = (
    ("AGPL", "affero agpl", r"gnu affero|affero general public|\bagpl"),
    ("LGPL", "lesser library lgpl", r"gnu (?:lesser|library)|(?:lesser|library) general public|\blgpl"),
    ("GPL", "gnu gpl general\xa0public",
     r"gnu general public|(?<!lesser )(?<!library )(?<!affero )general public licen[cs]e|\bgpl|gnu copyleft"),
    ("MPL", "mozilla mpl npl", r"mozilla public licen[cs]e|\bmpl\b|\bmpl[- /]?[12]|\bnpl\b"),
    ("EPL", "eclipse epl common\xa0public cpl",
     r"eclipse public licen[cs]e|\bepl[- ]?v?[12]|common public licen[cs]e|\bcpl[- ]1"),
    ("CDDL", "common\xa0development cddl", r"common development and distribution|\bcddl\b"),
    ("EUPL", "european eupl", r"european union public licen[cs]e|\beupl"),
    ("CeCILL", "cecill", r"\bcecill"),
    ("CC", "creative cc-by cc\xa0by cc0",
     r"creative commons|creativecommons\.org/(?:licenses|publicdomain)|\bcc[- ]by|\bcc0"),
    ("SSPL", "server\xa0side sspl", r"server side public|\bsspl\b"),
    ("Elastic", "elastic", r"elastic licen[cs]e"),
    ("BUSL", "business busl", r"business source licen[cs]e|\bbusl\b"),
    ("Commons-Clause", "commons\xa0clause", r"commons clause"),
    ("PolyForm", "polyform", r"polyform"),
    ("OSL", "open\xa0software academic\xa0free", r"open software licen[cs]e|academic free licen[cs]e"),
    ("MS", "microsoft ms-pl ms-rl", r"microsoft (?:public|reciprocal|limited)|\bms-[pr]l\b"),
    ("APSL", "apple\xa0public", r"apple public source"),
    ("Artistic", "artistic perl", r"artistic licen[cs]e|same terms as perl"),
    ("QPL", "qpl q\xa0public", r"\bqpl\b|\bq public licen[cs]e"),
    ("PSF", "python\xa0software psf", r"python software foundation licen[cs]e|\bpsf licen[cs]e|psf-2"),
    ("PHP", "php\xa0licen", r"php licen[cs]e"),
    ("ISC", "isc permission\xa0to\xa0use",
     r"\bisc licen[cs]e|licen[cs]e\W{0,3}isc\b|permission to use, copy, modify,? and"),
    ("Zlib", "zlib altered", r"zlib licen[cs]e|altered source versions must be plainly marked"),
    ("BSL-1.0", "boost", r"boost software licen[cs]e"),
    ("Unlicense", "unencumbered unlicense", r"free and unencumbered software|\bthe unlicense\b"),
    ("WTFPL", "wtfpl fuck", r"\bwtfpl\b(?!@)|do what the fuck"),
    ("BSD-4-Clause", "advertising\xa0materials", r"all advertising materials mentioning features"),
    ("public-domain", "public",
     r"(?:this|these|all) [\w ]{0,40}(?:is|are) (?:\w+ ){0,2}?(?:(?:in|into|to) the )?public domain"
     r"|licen[cs]e\W{0,3}public domain"
     r"|(?:released|placed|put|donated|contributed|dedicated) (?:\w+ )?(?:in|into|to) the public domain"),
    ("OFL", "font\xa0licen sil", r"sil open font|open font licen[cs]e"),
    ("UPL", "universal\xa0permissive", r"universal permissive"),
    ("NCSA", "ncsa", r"ncsa open source"),
    ("W3C", "w3c", r"w3c (?:software )?(?:licen[cs]e|notice)"),
    ("Unicode", "unicode", r"unicode,? inc\. licen[cs]e|unicode licen[cs]e"),
)  # fmt: skip
_OTHER = tuple(
    (name, tuple(word.replace("\xa0", " ") for word in words.split(" ")), re.compile(pattern))
    for name, words, pattern in _FAMILIES
)
_NO_GRANT = re.compile(
    r"""(?<!-)\bproprietary\b|\btrade\ secrets?\b|strictly\ (?:prohibited|confidential|forbidden)
    |unauthori[sz]ed\ (?:copying|use|reproduction|distribution|access|modification|disclosure)
    |company\ confidential|is\ confidential\b|confidential\ and\b|and\ confidential\b|confidential\ information\ of
    |(?:may|must|shall|can)\ ?not\ be\ (?:copied|reproduced|disclosed|distributed|redistributed|used|modified|published)
    (?![\w,\ ]{0,80}(?:except|unless|to\ endorse|to\ promote|in\ advertising))
    |no\ part\ of\ (?:this|the)|do\ not\ (?:copy|share)\b
    |not\ for\ (?:re)?distribution|do\ not\ (?:re)?distribute|internal\ use\ only|evaluation\ (?:purposes\ )?only
    |(?<!non)(?<!non[-\ ])(?:commercial|end[- ]user)\ licen[cs]e|under\ (?:an?\ )?(?:commercial|proprietary)
    |licen[cs]e\W{0,3}(?:commercial|unlicensed|none)\b
    |no\ (?:licen[cs]e|permission|rights?)\ (?:is|are)\ (?:granted|given)""",
    re.X,
)
_BANS = (
    "propriet", "secret", "prohibit", "forbid", "confidential", "unauthori", "not be ", "notbe", "not for",
    "t distribute", "t redistribute", "internal use", "evaluation", "commercial", "end user", "end-user", "unlicensed",
    "none", "no part", "not copy", "not share", "no licen", "no permission", "no right",
)  # fmt: skip
_NO_COMMERCE = re.compile(
    r"non-?\ ?commercial|not (?:be )?(?:used )?for (?:any )?commercial"
    r"|only for (?:academic|research|personal|educational)"
    r"|(?:academic|research|educational|personal|private|scientific) (?:use|purposes?) only"
)
_CLAIM = re.compile(r"copyright|\(c\)|©|licen[cs]|reserved")  # without one of these a comment grants and keeps nothing
# Words that keep a file to few people or uses say so of the file itself, too, without any claim beside them.
_OF_THE_FILE = re.compile(
    r"\b(?:this|the) (?:source |computer )?"
    r"(?:file|software|code|program|script|library|module|package|project|work|notebook)\b"
)
_SECRET = re.compile(r"\btrade secrets?\b|\bconfidential\b")
# What a program says of itself outside comments: Python's ``__license__``, the kernel's ``MODULE_LICENSE("GPL")``.
_STATED = re.compile(
    r"^[ \t]*(?:__licen[cs]e__[ \t]*(?::[ \t]*\w+[ \t]*)?=[ \t]*|MODULE_LICENSE[ \t]*\([ \t]*)"
    r"""(['"])([^'"\n]{1,200})\1""",
    re.M,
)
_ALLOWED = (
    ("MIT", r"\bmit(?:[- ]style)?(?: software)?[- ]licen|licenses/mit\b|\bmit/x11|under (?:the )?mit\b"
            r"|licen[cs]e\W{0,3}mit\b|permission is hereby granted, free of charge|\bmit (?:and|or)\b"),
    ("Apache-2.0", r"apache(?: software)? licen|apache[- ](?:v?2)|apache\.org/licen"),
    ("BSD-3-Clause", r"\bbsd[- ]3|3[- ]clause bsd|neither the names? of|(?:new|modified|revised) bsd"),
    ("BSD", r"\bbsd\b|redistribution and use in source and binary"),
)  # fmt: skip
_ALLOWED_NAMES = tuple((name, re.compile(pattern)) for name, pattern in _ALLOWED)
_GOOD = "(?:" + "|".join(pattern for _, pattern in _ALLOWED) + ")"
_BAD = "(?:" + "|".join(pattern for _, _, pattern in _FAMILIES) + ")"
_OR = r"[^.]{0,30}?(?:\bor\b|and/or|/|\|)(?: under)?(?: the)?(?: terms of)?(?: the)?(?: gnu)?\s*"
# "dual licensed under the MIT and GPL licenses", "MIT or GPL", "alternatively, under the terms of the BSD license".
_A_CHOICE = re.compile(
    rf"\b(?:dual|multi|tri|double)[- ]?licen|{_GOOD}{_OR}{_BAD}|{_BAD}{_OR}{_GOOD}|alternatively.{{0,300}}{_GOOD}"
    r"|at your (?:choice|discretion)|your choice of"
)
# Of any other licence by its name: "licensed under the Tide Community License".
_UNDER = re.compile(
    r"\b(?:licen[cs]ed|released|distributed|available|covered|governed|subject)\b[^.]{0,40}?\b(?:under|by) "
    r"(?:the )?(?:terms (?:and conditions )?of )?(?:the |an? )?(?P<name>\w[\w ,'\"()+-]{0,60}?) ?licen[cs]e\b"
)
_NO_NAME = frozenset((
    "the", "this", "that", "its", "our", "your", "their", "same", "following", "above", "below", "accompanying",
    "included", "attached", "enclosed", "respective", "a", "an", "open", "source", "open-source", "permissive",
    "free", "project", "original", "standard", "one", "or", "more", "either", "both", "contributor", "of", "in",
    "and", "terms", "conditions", "public", "software", "chosen", "specific", "root", "main", "file", "other",
    "under",
))  # fmt: skip
_EITHER = re.compile(r"\bor\b|either|option|dual")
# Most comments have none of these, in lower case.
_WORDS = (
    "licen", "gpl", "public", "mozilla", "mpl", "creative", "cc-by", "cc by", "propriet", "confidential", "unauthori",
    "prohibited", "commercial", "permission", "redistribut", "same terms", "copyright", "reserved",
    "unencumbered", "cddl", "academic", "evaluation", "secret", "internal use", "personal use", "educational",
)  # fmt: skip
_MARKS = re.compile(r"(?m)^[\s*#/;%|!>-]+|[\s*#|]+$")
# A name counts where a licence is granted just before it, or where it is one behind it.
_GRANT = re.compile(
    r"licen[cs]|releas|distribut|available|publish|provided|governed|covered|subject to|terms|under|free software"
    r"|copyright|\(c\)|permission|public domain"
)
BEFORE, BEHIND = 200, 60  # characters around a name that are looked at


class OwnLicense:
    """Reads what source files declare for themselves."""

    def __init__(self) -> None:
        self._licensing = get_spdx_licensing()

    def read(self, text: str, syntax: Syntax | None) -> tuple[str, str] | None:
        """What a file declares, and where: in its SPDX lines, which decide, or in its notices; None where it does not.

        Args:
            text: The file, with newlines alone as line ends.
            syntax: How its language writes comments; where None, only SPDX lines are read.
        """
        stated = spdx_lines(text, self._licensing)
        noticed = (
            notice_license([*(comment.contents for comment in leading_comments(text, syntax)), *_statements(text)])
            if syntax
            else None
        )
        if stated and noticed and {"proprietary", "non-commercial"} & set(noticed.split(" AND ")):
            return noticed, NOTICE
        return (stated, SPDX_LINE) if stated else (noticed, NOTICE) if noticed else None


def _statements(text: str) -> list[list[str]]:
    """What a program says of its own licence, as comments would."""
    if "MODULE_LICENSE" not in text and "__licen" not in text:
        return []
    stated = [found[2].replace("/", " or ") for found in _STATED.finditer(text)]
    return [[f"{'dual licensed' if ' or ' in one else 'license'}: {one} license"] for one in stated[:MAX_LINES]]


def spdx_lines(text: str, licensing: Licensing) -> str | None:
    """What the SPDX lines of a file declare together; None where it has none.

    Args:
        text: The file.
        licensing: What ``get_spdx_licensing`` gives.
    """
    if SPDX_MARK not in text:
        return None
    found: list[str] = []
    for number, match in enumerate(_SPDX.finditer(text)):
        if number == MAX_LINES:
            break
        declared = _SPDX_END.sub("", match[1]).strip()
        found.append(to_spdx(declared, licensing) or declared or "empty")
    distinct = sorted(set(found))
    return " AND ".join(f"({one})" if " " in one and len(distinct) > 1 else one for one in distinct) or None


def notice_license(comments: Iterable[Sequence[str]]) -> str | None:
    """What the notices in a file's comments declare; None where they name no licence.

    Args:
        comments: For each comment its lines, without its markers.

    Returns:
        SPDX identifiers where the notices name licences of the four that are usual here, else names of families
        (``GPL``, whatever its version), ``proprietary``, ``non-commercial``; of a choice only what is of the four.
    """
    found = {one for lines in comments for one in _of_comment("\n".join(lines))}
    return " AND ".join(f"({one})" if " OR " in one and len(found) > 1 else one for one in sorted(found)) or None


@lru_cache(REMEMBERED)
def _of_comment(comment: str) -> tuple[str, ...]:
    """What a comment declares; all of it holds."""
    lower = comment.lower()
    if not any(word in lower for word in _WORDS):
        return ()
    text = " ".join(_MARKS.sub(" ", lower).split())
    others = [
        name
        for name, words, pattern in _OTHER
        if any(word in text for word in words) and any(_granted(text, found) for found in pattern.finditer(text))
    ]
    if not others:
        others += [f"{name} license" for found in _UNDER.finditer(text) if (name := _unknown_name(found["name"]))][:1]
    if _CLAIM.search(text) or _OF_THE_FILE.search(text):
        others += ["non-commercial"] if ("commerc" in text or "only" in text) and _NO_COMMERCE.search(text) else []
        bans = _NO_GRANT if _CLAIM.search(text) else _SECRET
        others += ["proprietary"] if any(word in text for word in _BANS) and bans.search(text) else []
    allowed = [name for name, pattern in _ALLOWED_NAMES if (found := pattern.search(text)) and _granted(text, found)]
    exact = [name for name in allowed if name != "BSD"]  # which BSD it is the repository tells
    if not others:
        return (" OR ".join(exact),) if len(exact) > 1 and _EITHER.search(text) else tuple(exact)
    if allowed and _A_CHOICE.search(text) and others[-1] not in ("non-commercial", "proprietary"):
        return (" OR ".join(exact),) if exact else ()
    return tuple(others)


def _unknown_name(name: str) -> str | None:
    """The name of a licence where it is one, and none of those that are told by their own words."""
    words = [word for word in re.findall(r"[\w+-]+", name) if word not in _NO_NAME]
    known = any(pattern.search(f"{name} license") for _, pattern in _ALLOWED_NAMES)
    return " ".join(words) if words and not known else None


def _granted(text: str, found: re.Match[str]) -> bool:
    """Whether a licence is granted near the place where its name was found."""
    return bool(_GRANT.search(text, max(0, found.start() - BEFORE), found.end() + BEHIND))
