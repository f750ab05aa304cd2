"""Declarations as SPDX expressions; what is none is unknown, never guessed.

Expressions are read by ``license-expression``, the library of the ScanCode toolkit.
"""

from __future__ import annotations

import re

from license_expression import ExpressionError, Licensing  # type: ignore[import-untyped]

# The paper, section 2.1: "projects that are distributed under the Apache, BSD and MIT licenses".
ALLOWED = ("MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0")

# Ways to write the four that are no SPDX identifier: trove classifiers, package metadata, READMEs. Lower case, without
# the words and signs of ``_NOISE``. A bare "BSD" is not here: it does not say which. A bare "Apache" is: the older
# versions of that licence went out of use in 2004.
SPELLINGS = {
    "mit": "MIT",
    "expat": "MIT",
    "mit expat": "MIT",
    "apache": "Apache-2.0",
    "apache 2": "Apache-2.0",
    "apache 2 0": "Apache-2.0",
    "apache2": "Apache-2.0",
    "apache2 0": "Apache-2.0",
    "apache v2": "Apache-2.0",
    "apache v2 0": "Apache-2.0",
    "asl 2": "Apache-2.0",
    "asl 2 0": "Apache-2.0",
    "al 2 0": "Apache-2.0",
    "bsd 2": "BSD-2-Clause",
    "bsd 2 clause": "BSD-2-Clause",
    "2 clause bsd": "BSD-2-Clause",
    "simplified bsd": "BSD-2-Clause",
    "bsd simplified": "BSD-2-Clause",
    "bsd 2 clause simplified": "BSD-2-Clause",
    "bsd 3": "BSD-3-Clause",
    "bsd 3 clause": "BSD-3-Clause",
    "3 clause bsd": "BSD-3-Clause",
    "new bsd": "BSD-3-Clause",
    "bsd new": "BSD-3-Clause",
    "modified bsd": "BSD-3-Clause",
    "revised bsd": "BSD-3-Clause",
    "bsd 3 clause new or revised": "BSD-3-Clause",
}
_NOISE = re.compile(r"\b(?:the|licen[cs]es?|version|software|osi approved)\b|[^a-z0-9]+")
# Of a plain declaration: "gplv2", "gnu gpl 3 0", "gnu general public v3 or later gplv3".
_GNU_SPELLED = re.compile(
    r"(?:gnu )?(?:(?:(?P<kind>lesser|library|affero) )?general public|(?P<short>[al]?gpl))"
    r" ?v?(?P<major>[123])(?: ?(?P<minor>[01]))?"
    r"(?P<later> or (?:later|newer|any later))?(?: only)?(?: [al]?gplv?[123])?"
)
_CHOICE = re.compile(r"\s+OR\s+")  # as metadata write it, and as lists of names are put together
# Addresses that stand for a licence in package metadata.
_ADDRESSES = re.compile(
    r"https?://(?:www\.)?(?:opensource\.org/licenses?/|apache\.org/licenses/license-|spdx\.org/licenses/)"
    r"(?P<name>[\w.-]+?)(?:\.(?:php|html|txt))?/?",
    re.I,
)
MAX_DECLARATION = 500  # characters: a longer one is a licence text, or no declaration at all
UNRECOGNIZED = "unrecognized"  # the licence of what has a licence file that nobody knows


def to_spdx(declared: str, licensing: Licensing) -> str | None:
    """Reads a declaration as an SPDX expression.

    Args:
        declared: As it stands in metadata: ``mit``, ``Apache License, Version 2.0``, ``(MIT OR Apache-2.0)``,
            ``MIT/Apache-2.0`` (Cargo's old way to write a choice), the address of a licence, a trove classifier.
        licensing: What ``get_spdx_licensing`` gives.

    Returns:
        The expression with the identifiers as SPDX writes them; None where one of them is none.
    """
    text = declared.strip()
    if not text or len(text) > MAX_DECLARATION:
        return None
    if address := _ADDRESSES.fullmatch(text):
        text = address["name"]
        text = f"apache-{text}" if text[0].isdigit() and "apache" in declared.lower() else text
    spelled = SPELLINGS.get(_plain(text))
    if spelled is not None:
        return spelled
    if gnu := _GNU_SPELLED.fullmatch(_plain(text)):
        return _gnu(gnu)
    if " AND " not in text and " WITH " not in text and _CHOICE.search(text):
        parts = [to_spdx(one.strip(" ()"), licensing) or "" for one in _CHOICE.split(text)]
        if all(parts):
            return " OR ".join(parts)
    if "/" in text and not re.search(r"\s(?:and|or|with)\s|[:()]", text, re.I):
        text = text.replace("/", " OR ")
    try:
        parsed = licensing.parse(text, validate=True, strict=True)
    except (ExpressionError, RecursionError, AttributeError, TypeError):  # the last two: of malformed expressions
        return None
    return str(parsed) if parsed is not None else None


def _plain(text: str) -> str:
    return " ".join(_NOISE.sub(" ", text.lower().rpartition("::")[2]).split())


def _gnu(found: re.Match[str]) -> str:
    kind = {"lesser": "LGPL", "library": "LGPL", "affero": "AGPL", None: "GPL"}[found["kind"]]
    later = "or-later" if found["later"] else "only"
    return f"{(found['short'] or kind).upper()}-{found['major']}.{found['minor'] or 0}-{later}"


# The same text stands behind all of these names of a GNU licence.
_GNU = re.compile(r"((?:A|L)?GPL-\d\.\d|GFDL-\d\.\d)(?:-only|-or-later|\+|-invariants.*|-no-invariants.*)?")


def family(key: str) -> str:
    """The name of a licence by its text: ``GPL-2.0`` for ``GPL-2.0-only`` and ``GPL-2.0-or-later``."""
    found = _GNU.fullmatch(key)
    return found[1] if found else key
