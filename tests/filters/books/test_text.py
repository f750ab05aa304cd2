import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.books.gutenberg_header import decode
from filters.books.text import no_text

SENTENCE = "The lamp was lit, and the boat went out once more.\n"


@pytest.mark.parametrize("data", [b"", b"\0" * 1000, b" \r\n\t\x0c\n", b"\xef\xbb\xbf\r\n", b"\xff\xfe"])
def test_nothing_is_empty(data):
    assert no_text(decode(data).text) == ("empty", "has no text")


@pytest.mark.parametrize(
    "data",
    [
        random.Random(1).randbytes(50_000),
        zlib.compress(random.Random(2).randbytes(50_000)),
        b"\x89PNG\r\n\x1a\n" + zlib.compress(SENTENCE.encode() * 5000 + random.Random(3).randbytes(9000)),
        b"%PDF-1.4\n1 0 obj << /Length 9000 >> stream\n"
        + random.Random(4).randbytes(9000)
        + b"\nendstream endobj\n" * 9,
    ],
)
def test_other_files_are_binary(data):
    reason, message = no_text(decode(data).text)
    assert reason == "binary"
    assert message.startswith("is no text: ")
    assert message.endswith("% of it are control characters or bytes of no encoding")


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        SENTENCE.encode() * 100 + b"\x1a",
        (SENTENCE.encode() * 30 + b"\x0c\r\n") * 10,
        b"".join(b"_\x08%c" % letter for letter in b"underlined") + SENTENCE.encode() * 20,
        "Łódź i świat, ćma i żółw.\n".encode("iso8859_2") * 100,
        "Съешь же ещё этих мягких французских булок.\n".encode("cp866") * 100,
        "Съешь же ещё этих мягких французских булок.\n".encode("utf-16-le") * 100,
        SENTENCE.encode("utf-16") * 100 + b"\0",
        SENTENCE.encode() * 100 + b"\0" * 90_000,
        b"caf\xe9 \xd5\xd0 " * 1000,
    ],
)
def test_texts_in_any_encoding_are_texts(data):
    assert no_text(decode(data).text) is None


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn", "Co"]), min_size=1))
def test_printable_characters_are_text(text):
    assert no_text(text.replace("\ufffd", "x") + ".") is None
