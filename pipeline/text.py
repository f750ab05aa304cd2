"""Text that every file and every screen can hold."""

import ctypes
import re

_SURROGATES = re.compile("[\ud800-\udfff]")
# A text keeps what this makes of it, and str.encode copies that: the UTF-8 of a document is made once.
_make_utf8 = ctypes.pythonapi.PyUnicode_AsUTF8AndSize
_make_utf8.argtypes, _make_utf8.restype = [ctypes.py_object, ctypes.c_void_p], ctypes.c_void_p


def encodable(text: str) -> str:
    """The same text, of the same length, with surrogates replaced by U+FFFD where it has any.

    What encodes it to UTF-8 from now on only copies. Where the text is not ASCII, it holds those bytes, too.
    """
    try:
        _make_utf8(text, None)
    except UnicodeEncodeError:
        return _SURROGATES.sub("\ufffd", text)
    return text
