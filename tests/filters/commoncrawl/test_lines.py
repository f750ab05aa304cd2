import gzip
import hashlib
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from filters.commoncrawl import lines
from filters.commoncrawl.lines import UNICODE_PUNCT, hash_key, hash_lines, line_key, split_wet_text, stripped_lines
from filters.native.library import compiled
from tests.tables import results

REAL = Path(__file__).parents[3].parent / "shared" / "real" / "commoncrawl"

# Characters at which a fast path could go wrong, common in drawn text: digits of several scripts, case
# that depends on neighbours or grows, controls that are white space and controls that are not,
# surrogates, astral characters.
TRICKY = "aAbZ 09\n\n\t\r\x00\x01\x0b\x0c\x1b\x1c\x1f\x7f\x80\x85\x9f\xa0éÉßİıΣσςΑ.’:\u00ad\u0301\u2028\u3000"
TRICKY += "٣९９１𝟘𞥐𐐀𐐨ẞǅﬁ中🂡\ud800\udc00\U0010ffff" + UNICODE_PUNCT
tricky_text = st.text(st.one_of(st.sampled_from(TRICKY), st.characters()), max_size=60)


def reference(text: str) -> list[int]:
    return [hash_key(line_key(line)) for line in text.split("\n")]


def as_file_lines(body: str, tmp_path: Path) -> list[str]:
    """Lines of a record as Python reads them from a file in text mode."""
    path = tmp_path / "record"
    path.write_bytes((body + "\r\n\r\n").encode("utf-8", "surrogatepass"))
    with path.open(encoding="utf-8", errors="surrogatepass") as file:
        return [line.strip() for line in file]


@pytest.mark.parametrize(
    ("body", "title", "text"),
    [
        ("Title\nOne\nTwo\n", "Title", "One\nTwo"),
        ("Title\nOne\nTwo", "Title", "One\nTwo\n"),
        ("Title\r\nOne\rTwo\r\n", "Title", "One\nTwo"),
        ("Title\nOne\r", "Title", "One"),
        ("Title\r\r\nOne\n", "Title", "\nOne"),
        ("  Title\t\n \u00a0 One \u3000\n\x1c two\x85\n", "Title", "One\ntwo"),
        ("Title\nOne\n\n\nTwo\n\n", "Title", "One\n\n\nTwo\n"),
        ("Title\nOne\n   ", "Title", "One"),
        ("Title\na\x0bb\x0cc\x1cd\x85e\u2028f\n", "Title", "a\x0bb\x0cc\x1cd\x85e\u2028f"),
        ("WARC/1.0\nWARC/1.0\n", "WARC/1.0", "WARC/1.0"),
        ("\nOne\n", "", "One"),
        ("Title\n", "Title", ""),
        ("Title", "Title", ""),
        ("\n", "", ""),
        ("", "", ""),
    ],
)
@pytest.mark.parametrize("use_compiled", [True, False])
def test_split_wet_text(body, title, text, use_compiled):
    assert split_wet_text(body, use_compiled=use_compiled) == (title, text)


@given(st.text(st.one_of(st.sampled_from("\n\r \tab\x0b\x1c\u2028"), st.characters()), max_size=40))
@settings(max_examples=300)
def test_split_wet_text_is_what_a_reader_of_lines_sees(tmp_path_factory, body):
    found = as_file_lines(body, tmp_path_factory.mktemp("wet"))
    last = -2 if found[-2:] == ["", ""] else None
    for use_compiled in (True, False):
        assert split_wet_text(body, use_compiled=use_compiled) == (found[0], "\n".join(found[1:last]))


whites = [c.encode() for c in map(chr, range(sys.maxunicode)) if c.isspace()]
pieces = st.sampled_from([*whites, b"\r", b"\n", b"a", b"\xe2", b"\x80", b"\xa0", b"\xc2", b"\xe3\x80", b"\xf0\x90"])


@given(st.lists(pieces | st.binary(max_size=2), max_size=12).map(b"".join))
@settings(max_examples=500)
def test_lines_of_bytes_that_are_no_utf8_are_stripped_as_what_is_read_of_them(body):
    found = stripped_lines(body)
    assert found == stripped_lines(body, use_compiled=False)
    decoded = body.decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    assert found.decode(errors="replace") == "\n".join(line.strip() for line in decoded.split("\n"))


def test_split_wet_text_across_blocks(monkeypatch):
    body = "Title\n" + " ab \n" * 1000 + "\n" * 50 + "z" * 300 + "\n \n"
    expected = split_wet_text(body, use_compiled=False)
    assert expected == ("Title", "ab\n" * 1000 + "\n" * 50 + "z" * 300 + "\n")
    monkeypatch.setattr(lines, "_BLOCK_CHARACTERS", 7)
    assert split_wet_text(body, use_compiled=False) == expected


test_line_key = results(
    line_key,
    {
        "Hello, World! 2019": "hello, world! 0000",
        "": "",
        " \t\u00a0\u3000\x1f": "",
        "  Spaces  inside  ": "spaces  inside",
        "tab\tinside": "tabinside",
        "no\u00a0break": "no\u00a0break",
        "\x01 kept space": " kept space",
        "a\x00b\x1fc\x7fd\x80e\x9ff": "abcdef",
        "ÉCOLE Élan": "école élan",
        "٣ ९ ９ １ 𝟘 ² ½ Ⅷ": "0 0 0 0 0 ² ½ ⅷ",
        '(ASCII) [stays] - it\'s "ok" 100%': '(ascii) [stays] - it\'s "ok" 000%',
        "“It’s” – he… said；（no）": "its  he saidno",
        UNICODE_PUNCT: "0",
        "İSTANBUL ΟΔΥΣΣΕΥΣ Σ": "i̇stanbul οδυσσευς σ",
        "`‘a\u00adb’ • · \u2028 c": "`‘a\u00adb • · \u2028 c",
    },
)


def test_punctuation_has_the_34_characters_of_ccnet():
    assert len(UNICODE_PUNCT) == len(set(UNICODE_PUNCT)) == 34
    assert all(ord(character) > 0x9F for character in UNICODE_PUNCT)


@pytest.mark.parametrize(
    ("key", "sha1_head"),
    [("", "da39a3ee5e6b4b0d"), ("abc", "a9993e364706816a")],  # the SHA-1 of both is in FIPS 180 examples
)
def test_hash_key_known_values(key, sha1_head):
    assert hash_key(key) == int.from_bytes(bytes.fromhex(sha1_head), "little")


def test_hash_key_of_a_lone_surrogate():
    digest = hashlib.sha1(b"a\xed\xa0\x80").digest()
    assert hash_key("a\ud800") == int.from_bytes(digest[:8], "little")


both_ways = pytest.mark.parametrize("use_compiled", [False, True])


@both_ways
def test_hash_lines_shape_and_type(use_compiled):
    hashes = hash_lines("Hello, World! 2019\n\n\u00bbHELLO\u00ab, world! 1234", use_compiled=use_compiled)
    assert hashes.dtype == np.uint64
    assert hashes.tolist() == [hash_key("hello, world! 0000"), hash_key(""), hash_key("hello, world! 0000")]
    assert hash_lines("", use_compiled=use_compiled).tolist() == [hash_key("")]
    assert hash_lines("\n", use_compiled=use_compiled).tolist() == [hash_key("")] * 2


@both_ways
@given(text=tricky_text)
@settings(max_examples=1000)
@example(text="ΑΣ\nΑ")
@example(text="Σ\u0301\u00ad\nΑ")
@example(text="Α\nΣ")
@example(text="\u0130\n\u0130")
@example(text="\ud800\udc00\n\udc00\ud800")
def test_hash_lines_equals_the_reference(use_compiled, text):
    assert hash_lines(text, use_compiled=use_compiled).tolist() == reference(text)


@given(st.lists(tricky_text, max_size=8).map("\n".join), st.integers(1, 40))
def test_hash_lines_does_not_depend_on_the_block(text, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_BLOCK_CHARACTERS", size)
        assert hash_lines(text, use_compiled=False).tolist() == reference(text)


@both_ways
def test_hash_lines_of_texts_longer_than_a_block(use_compiled):
    text = "\n" * 300_000 + "Ä" * 300_000 + "\n" + "word 12 " * 50_000
    assert hash_lines(text, use_compiled=use_compiled).tolist() == reference(text)


@pytest.mark.skipif(compiled() is None, reason="nothing was compiled")
def test_the_processors_own_instructions_change_no_hash():
    text = "\n".join("aé"[number % 2] * number for number in range(400))
    for use_instructions in (True, False):
        found = lines._hash_all(compiled(), text, use_instructions=use_instructions)
        assert found.tolist() == reference(text)


@both_ways
def test_hash_lines_of_every_length(use_compiled):
    """SHA-1 takes 64 bytes at a time."""
    text = "\n".join("x" * size for size in range(300))
    assert hash_lines(text, use_compiled=use_compiled).tolist() == reference(text)


def test_every_code_point_in_every_place_both_ways():
    text = "\n".join(f"{chr(code)}x{chr(code)}y{chr(code)}" for code in range(sys.maxunicode + 1) if code != ord("\n"))
    assert np.array_equal(hash_lines(text), hash_lines(text, use_compiled=False))


def test_every_code_point_maps_as_the_reference_does():
    """One line per code point, between two letters so that nothing is stripped."""
    text = "\n".join(f"x{chr(code)}x" for code in range(sys.maxunicode + 1) if code != ord("\n"))
    keys = lines._unicode_keys(text).decode("utf-8", "surrogatepass").split("\n")
    assert keys == [line_key(line) for line in text.split("\n")]


def test_every_decimal_digit_becomes_zero():
    digits = [c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c) == "Nd"]
    assert len(digits) >= 650
    assert {line_key(digit) for digit in digits} == {"0"}


@pytest.mark.skipif(not REAL.is_dir(), reason="the real samples are not beside the checkout")
@pytest.mark.parametrize(
    ("name", "count"),
    [("CC-MAIN-2026-12-first110.warc.wet.gz", 11824), ("CC-MAIN-2014-10-head.warc.wet", 4956)],
)
@both_ways
def test_hash_lines_on_real_files(name, count, use_compiled):
    """The whole file as one document, headers and all: whatever parses it, these are its lines."""
    data = (REAL / "wet" / name).read_bytes()
    text = (gzip.decompress(data) if name.endswith(".gz") else data).decode("utf-8", "replace")
    hashes = hash_lines(text, use_compiled=use_compiled).tolist()
    assert hashes == reference(text)
    assert len(hashes) == count
