"""Reading lists: every kind, and errors that name the line."""

import hashlib

import pytest

from pipeline.errors import InputError
from pipeline.removals.kinds import KINDS
from pipeline.removals.lists import Removal, read_list

GOOD = {
    "url": [("https://A.example/x/", "a.example/x")],
    "url-prefix": [("a.example/x/", "a.example/x/"), ("https://A.example:80/x?", "a.example:80/x?")],
    "domain": [("*.A.example", "a.example"), ("m\u00fcsli.example", "xn--msli-0ra.example")],
    "repository": [("https://github.com/Owner/Name.git", "owner/name"), ("mine", "mine")],
    "owner": [("https://github.com/Owner/", "owner")],
    "wikipedia": [("en:ada_lovelace ", "en:Ada lovelace"), ("de:\u00f6l", "de:\u00d6l")],
    "arxiv": [("arXiv:2005.12345v2", "2005.12345"), ("cs.AI/0002999", "cs/0002999")],
    "ebook": [("1342", "1342")],
    "stackexchange-site": [("Cardano.StackExchange.com", "cardano.stackexchange.com")],
    "stackexchange-post": [("a.example/7", "a.example/7")],
    "stackexchange-user": [("a.example/some body", "a.example/some body")],
    "id": [("urn:uuid:A", "urn:uuid:A")],
    "sha256": [("A" * 64, "a" * 64)],
}
BAD = {
    "url": ["", "not an address", "https:///x", "mailto:me@a.example x"],
    "url-prefix": ["https://", "/x", "https://a.example/x#part"],
    "domain": ["example", "https://a.example", "a.example/x", "[::1]"],
    "repository": ["a/b/c", "a b"],
    "owner": ["a/b"],
    "wikipedia": ["Ada Lovelace", "en:", "https://en.wikipedia.org/wiki/Ada_Lovelace"],
    "arxiv": ["2005.1", "hep-th9901001"],
    "ebook": ["pg1342", "0"],
    "stackexchange-site": ["cardano"],
    "stackexchange-post": ["a.example", "a.example/x"],
    "stackexchange-user": ["a.example/"],
    "sha256": ["abc", hashlib.sha256().hexdigest()],
}


def write(tmp_path, data):
    path = tmp_path / "removals.tsv"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return str(path)


def test_every_kind_has_a_normal_form():
    assert GOOD.keys() == KINDS.keys()
    for kind, pairs in GOOD.items():
        assert [KINDS[kind].normal(value.strip()) for value, _ in pairs] == [key for _, key in pairs]
        assert kind == "sha256" or KINDS[kind].normal(KINDS[kind].example)


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in BAD.items() for value in values])
def test_every_kind_refuses_what_is_none(tmp_path, kind, value):
    with pytest.raises(InputError, match="line 1: "):
        read_list(write(tmp_path, f"{kind}\t{value}\n"))


def test_a_list(tmp_path):
    lines = [b"# who asked", b"", b"url\thttps://a.example/x\t 17 \tignored", b"url\thttp://A.example/x/", b"ebook\t 5"]
    data = b"\xef\xbb\xbf" + b"\r\n".join(lines)
    found = read_list(write(tmp_path, data))
    assert found.sha256 == hashlib.sha256(data).hexdigest()
    assert found.removals == (
        Removal(3, "url", "https://a.example/x", "a.example/x", "17 \tignored"),
        Removal(5, "ebook", "5", "5"),
    )


def test_all_lines_that_are_none_are_named(tmp_path):
    lines = ["url https://a.example", "domian\ta.example", "nothing like it\tx", *["ebook\tx"] * 9]
    with pytest.raises(InputError) as error:
        read_list(write(tmp_path, "\n".join(lines)))
    said = str(error.value)
    assert "the list has 12 lines that are no removal; nothing was done" in said
    assert "line 1: 'url https://a.example' has no tab" in said
    assert "line 2: there is no kind 'domian'; did you mean domain?" in said
    assert "line 3: there is no kind 'nothing like it'; kinds are url, url-prefix" in said
    assert "line 4: ebook 'x': it must be a number, such as 1342" in said
    assert "and 2 more" in said


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"url\thttps://a.example\nid\t\xff\n", "line 2: it is no UTF-8"),
        (b"# nothing\n", "holds no removal"),
        (b"", "holds no removal"),
        (b"\x00\x1f\x8b\x08" * 1000, "line 1: "),
    ],
)
def test_files_that_are_no_lists(tmp_path, data, message):
    with pytest.raises(InputError, match=message):
        read_list(write(tmp_path, data))
