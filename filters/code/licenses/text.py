"""Licence files: which licences their texts are, and whether they say more than these.

Texts are recognised by ``licenseclassifier`` (the patterns and the matcher of Google's licensecheck).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from license_expression import Licensing  # type: ignore[import-untyped]
from licenseclassifier import identify_license

from filters.code.licenses.names import MAX_LICENSE_BYTES
from filters.code.licenses.sentences import narrowed, read_rest
from filters.code.licenses.spdx import MAX_DECLARATION, to_spdx
from filters.code.text import decode_source

ANY_COVERAGE = 0.1  # percent: what the texts do not cover is judged by what it says, not by its length
# Characters of the shortest text that counts; less is an address or a name, which the sentence around it explains.
MIN_TEXT = 200
_TAG = re.compile(r"^\s*SPDX-License-Identifier:", re.I)


@dataclass(frozen=True)
class LicenseText:
    """What a licence file says.

    Attributes:
        found: The licences whose texts make it up, or the one that it names; empty where it is not recognised, or says
            more than they do.
        terms: The first sentence beside the texts that may restrict them; None where there is none.
        points: Whether it is no text, but points to other licence files.
    """

    found: frozenset[str]
    terms: str | None = None
    points: bool = False


def read_license(data: bytes, licensing: Licensing) -> LicenseText:
    """Recognises the licences in a licence file.

    Args:
        data: The file; what lies behind 1 MB of it is not looked at, and makes it unknown.
        licensing: What ``get_spdx_licensing`` gives.
    """
    if len(data) > MAX_LICENSE_BYTES:
        return LicenseText(frozenset(), "it is too large for a licence")
    text = decode(data)
    if len(text) <= MAX_DECLARATION and (named := to_spdx(_TAG.sub("", text.strip()), licensing)):
        return LicenseText(frozenset([named]))
    texts = [match for match in identify_license(text, ANY_COVERAGE) if match.end - match.start >= MIN_TEXT]
    pieces, at = [], 0
    for match in sorted(texts, key=lambda match: match.start):
        pieces.append(text[at : match.start])
        at = max(at, match.end)
    rest = read_rest([*pieces, text[at:]])
    terms = rest.terms or next((bad for match in texts if (bad := narrowed(text[match.start : match.end]))), None)
    if terms is not None:
        return LicenseText(frozenset(), terms)
    found = frozenset(to_spdx(match.id, licensing) or match.id for match in texts)
    stated = {name for name in rest.named if name}
    if found:
        strange = stated - found - ({"BSD"} if any("BSD" in one for one in found) else set())
        return LicenseText(frozenset(), f"it names {', '.join(sorted(strange))}") if strange else LicenseText(found)
    if stated and "BSD" not in stated:
        return LicenseText(frozenset(stated))
    return LicenseText(frozenset(), points=rest.points)


def decode(data: bytes) -> str:
    """The text of a licence file, whatever its encoding: also UTF-16 that does not say so."""
    decoded = decode_source(data)
    if decoded.reason is None:
        return decoded.text
    for at, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if data[at::2].count(0) > len(data) // 4:
            return data.decode(encoding, "replace")
    return data.decode("utf-8", "replace")
