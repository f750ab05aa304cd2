"""Language variants ``-{...}-`` (the Serbian edition writes in two scripts), resolved to one."""

from __future__ import annotations

import re

MAX_DEPTH = 10  # of variants inside variants (MediaWiki's LanguageConverter::MAX_DEPTH)

_VARIANT = re.compile(r"-\{(?!\{)([^{}]*)\}-")
# Flags that add rules or set the title, and show nothing (MediaWiki's ConverterRule).
_SILENT_FLAGS = frozenset("HT-")
_FLAGS = re.compile(r"[ \t]*([A-Z\-](?:;[A-Z\-])*|[a-z-]+(?:;[a-z-]+)*)?[ \t]*\|")
_CASE = re.compile(r"\s*(?:[^:;]*=>)?\s*([a-z]{2,3}(?:-[a-z]+)*)\s*:([^;]*)")


def resolve_variants(text: str) -> str:
    """Replaces each ``-{...}-`` by its first variant, the one an editor wrote first, or by its plain text.

    ``-{sr-ec:а; sr-el:a}-`` is ``а``; ``-{Berlin}-`` (do not convert) is ``Berlin``; ``-{T|...}-`` (the title) is
    nothing. Those inside others go first.
    """
    for _ in range(MAX_DEPTH):
        if "-{" not in text:
            break
        text, resolved = _VARIANT.subn(_resolve, text)
        if not resolved:
            break
    return text


def _resolve(match: re.Match[str]) -> str:
    """Returns the text of one variant rule."""
    content = match[1]
    flags = _FLAGS.match(content)
    if flags:
        if _SILENT_FLAGS & set((flags[1] or "").split(";")):
            return ""
        content = content[flags.end() :]
    case = _CASE.match(content)
    return case[2].strip() if case else content
