"""Text that every file and every screen can hold."""

import re

_SURROGATES = re.compile("[\ud800-\udfff]")


def encodable(text: str) -> str:
    """The same text, of the same length, with surrogates replaced by U+FFFD where it has any."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATES.sub("\ufffd", text)
    return text
