"""Encodings: the text is right, and nothing is lost."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.latex import CleanPaper, clean_paper
from filters.latex.decode import declared_encoding, decode, is_binary


@pytest.mark.parametrize(
    ("data", "declared", "text", "encoding"),
    [
        ("Poincaré".encode(), None, "Poincaré", "utf-8"),
        (b"\xef\xbb\xbfa", None, "a", "utf-8"),
        ("a é".encode("utf-16"), None, "a é", "utf-16"),
        (b"Poincar\xe9 \x93x\x94", None, "Poincaré “x”", "cp1252"),
        (b"a\x81b", None, "a?b", "cp1252"),
        (b"Poincar\x8e", "mac_roman", "Poincaré", "mac_roman"),
        ("Łódź".encode("iso8859-2"), "iso8859-2", "Łódź", "iso8859-2"),
        ("éèê".encode() + b" Poincar\xe9", None, "éèê Poincaré", "utf-8+cp1252"),
        (b"a\r\nb\rc\n", None, "a\nb\nc\n", "utf-8"),
        (b"a\x00b\x02\x1ac\td", None, "abc\td", "utf-8"),
    ],
)
def test_decoding(data: bytes, declared: str | None, text: str, encoding: str) -> None:
    assert decode(data, declared) == (text, encoding)


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (rb"\usepackage[latin1]{inputenc}", "cp1252"),
        (rb"\usepackage[applemac]{inputenc}", "mac_roman"),
        (rb"\usepackage[T1, latin2]{inputenx}", "iso8859-2"),
        (b"\\inputencoding{koi8-r}", "koi8_r"),
        (b"a\n%\\usepackage[latin2]{inputenc}\n\\usepackage[latin9]{inputenc}", "iso8859-15"),
        (rb"\usepackage[utf8]{inputenc}", None),
        (rb"\begin{CJK*}{GBK}{song}", "gb18030"),
        (b"nothing", None),
    ],
)
def test_declarations(data: bytes, encoding: str | None) -> None:
    assert declared_encoding(data) == encoding


def test_every_byte_has_a_character() -> None:
    text, _ = decode(bytes(range(32, 256)), None)
    assert len(text) == 223  # all but the control character 127


def test_binary_files_are_told_from_text() -> None:
    assert is_binary(bytes(range(256)) * 10)
    assert is_binary(b"\x00" * 100)
    assert not is_binary("é".encode("utf-16"))
    assert not is_binary(b"a\r\n\tb\x0c\x1a" * 100)
    assert not is_binary(bytes(range(160, 256)) * 10)


RUSSIAN = "Рассмотрим пространство линейных функций."
JAPANESE = "日本語の文書です。これはテストです。"
CHINESE = "我们研究的是一个在有限域上的问题，不是在实数域上的。这是主要的结果和方法。"


@pytest.mark.parametrize(
    ("text", "encoding", "read_as"),
    [
        (JAPANESE, "shift_jis", "cp932"),
        (JAPANESE, "euc_jp", "euc_jp"),
        (JAPANESE, "iso2022_jp", "iso2022_jp"),
        (CHINESE, "gb2312", "gb18030"),
        ("우리는 유한체 위의 문제를 연구한다.", "euc_kr", "cp949"),
        (RUSSIAN, "koi8_r", "koi8_r"),
        (RUSSIAN, "cp1251", "cp1251"),
        (RUSSIAN, "cp866", "cp866"),
        ("Schrödinger, Poincaré, Erdős".replace("ő", "ö"), "latin-1", "cp1252"),
        ("Où là-bas ça été — “naïve”", "cp1252", "cp1252"),
        (JAPANESE, "utf-16", "utf-16"),
        ("Schrödinger", "utf-16-le", "utf-16-le"),
        ("Schrödinger", "utf-16-be", "utf-16-be"),
        ("Schrödinger", "utf-32", "utf-32"),
    ],
)
def test_encodings_that_nobody_declares(text: str, encoding: str, read_as: str) -> None:
    source = f"\\documentclass{{jarticle}}\\begin{{document}}\\section{{{text}}}{text}"
    data = source.encode(encoding)
    assert not is_binary(data)
    assert decode(data) == (source, read_as)
    paper = clean_paper({"a.tex": data})
    assert isinstance(paper, CleanPaper)
    assert (paper.text, paper.encoding) == (f"\\section{{{text}}}{text}\n", read_as)


def test_zeros_alone_make_no_text() -> None:
    assert is_binary(bytes(2000))
    assert is_binary(b"\x00\x01\x02\x03" * 500)


@given(st.text(st.sampled_from("ab\n\r\t\f\x0b\x00\x1b\x1f\x7f\x85\u2028\u2029é\ufeff语"), max_size=30))
def test_line_ends_are_one_and_other_controls_go(text):
    data = text.encode()
    if b"\0" in data or b"\x1b$" in data:  # wide characters, perhaps
        return
    ends = re.sub("\r\n?|\f|\x0b|\x85|\u2028|\u2029", "\n", text.removeprefix("\ufeff"))
    assert decode(data) == (re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", ends), "utf-8")
