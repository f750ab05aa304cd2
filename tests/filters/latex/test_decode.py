"""Encodings: the text is right, and nothing is lost."""

import pytest

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
