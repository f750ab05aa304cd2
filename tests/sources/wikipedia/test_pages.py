import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.wikipedia.compressed import Damage, XmlPiece
from sources.wikipedia.pages import HEAD_BYTES, Fault, MalformedPage, Page, RawPage, parse_page, split_pages, title_of
from tests.sources.wikipedia.dumps import END, header, page, xml

LIMIT = 1 << 20


def split(data: bytes, size: int = 1 << 16, limit: int = LIMIT, closes: bool = True) -> list[RawPage | Fault]:
    pieces = (XmlPiece(data[at : at + size], at, True) for at in range(0, len(data), size))
    return list(split_pages(pieces, limit, closes=closes))


def kinds(found: list[RawPage | Fault]) -> list[str]:
    return [item.reason if isinstance(item, Fault) else title_of(item.data) for item in found]


class TestSplitting:
    @pytest.mark.parametrize("size", [1, 7, 50, 1 << 16])
    def test_pages_and_where_they_lie(self, size):
        data = xml(page(1), page(2), page(3))
        found = split(data, size)
        assert kinds(found) == ["Title 1", "Title 2", "Title 3"]
        for item in found:
            assert data[item.offset : item.offset + len(item.data)] == item.data
            assert item.data.startswith(b"<page>")
            assert item.data.endswith(b"</page>")

    @given(st.integers(1, 400), st.integers(0, 3000))
    def test_a_cut_anywhere_costs_one_page_at_most(self, size, cut):
        data = xml(*(page(n) for n in range(1, 5)))
        found = kinds(split(data[:cut], size))
        whole = data[:cut].count(b"</page>")
        assert found[:whole] == [f"Title {n}" for n in range(1, whole + 1)]
        if END.strip().encode() in data[:cut]:
            assert len(found) == 4
        else:
            assert found[whole:] == ["truncated_xml" if b"<mediawiki" in data[:cut] else "not_a_dump"]

    def test_a_part_in_the_middle_has_neither_head_nor_end(self):
        assert kinds(split((page(1) + page(2)).encode(), closes=False)) == ["Title 1", "Title 2"]

    def test_the_end_of_a_whole_file_must_be_there(self):
        (_, fault) = split((header() + page(1)).encode())
        assert fault == Fault("truncated_xml", "the XML ends without </mediawiki>; fetch the file again", fault.offset)

    def test_a_dump_without_pages(self):
        assert split((header() + END).encode()) == []

    @pytest.mark.parametrize(
        ("data", "what"),
        [
            (b"", "it is empty"),
            (b"%PDF-1.5 and so on", "it is a PDF"),
            (b"7z\xbc\xaf\x27\x1c", "it is a 7z archive: unpack it first (7z x)"),
            (b"<?xml version='1.0'?><rss/>", "it begins with b\"<?xml version='1.0'?\""),
            (
                b"<html>" + b"x" * (HEAD_BYTES + 10) + b"<page>",
                "it is an HTML page, such as a server's error: fetch the file again",
            ),
        ],
    )
    def test_no_dump(self, data, what):
        assert split(data) == [Fault("not_a_dump", f"{what}; a dump is XML, as it is or as .bz2 or .gz", 0)]

    def test_a_page_without_end_costs_only_itself(self):
        cut = page(2)[:-40]
        data = xml(page(1), cut, page(3))
        found = split(data)
        assert kinds(found) == ["Title 1", "unclosed_page", "Title 3"]
        assert found[1] == Fault(
            "unclosed_page", "page 'Title 2' has no end: another one begins in it", data.index(cut.strip().encode())
        )

    def test_an_end_without_a_beginning(self):
        broken = page(2).replace("<page>", "<pXge>")
        assert kinds(split(xml(page(1), broken, page(3)))) == ["Title 1", "malformed_page", "Title 3"]

    @pytest.mark.parametrize("size", [100, 4000, 1 << 20])
    def test_a_page_over_the_limit_is_passed(self, size):
        data = xml(page(1), page(2, "x" * 50_000), page(3))
        assert kinds(split(data, size, limit=10_000)) == ["Title 1", "too_large", "Title 3"]
        assert kinds(split(data, size, limit=60_000)) == ["Title 1", "Title 2", "Title 3"]

    @pytest.mark.parametrize("size", [100, 4000, 1 << 20])
    def test_a_page_over_the_limit_that_has_no_end(self, size):
        data = xml(page(1), page(2, "x" * 50_000)[:-30], page(3))
        assert kinds(split(data, size, limit=10_000)) == ["Title 1", "too_large", "Title 3"]
        assert kinds(split(data[: -len(END) - len(page(3))], size, limit=10_000)) == ["Title 1", "too_large"]

    def test_damage_drops_the_page_that_it_cuts_and_no_more(self):
        first, second, third = page(1) + page(2)[:100], page(3)[150:] + page(4), END
        pieces = [XmlPiece(header().encode() + first.encode(), 0, False), Damage("corrupt_bz2", 9)]
        pieces += [XmlPiece((second + third).encode(), 20, False)]
        found = list(split_pages(iter(pieces), LIMIT))
        assert kinds(found) == ["Title 1", "corrupt_bz2", "Title 4"]
        assert [item.offset for item in found] == [0, 9, 20]

    def test_truncation_is_one_error(self):
        pieces = [XmlPiece((header() + page(1) + page(2)[:99]).encode(), 0, False), Damage("truncated_bz2", 0)]
        assert kinds(list(split_pages(iter(pieces), LIMIT))) == ["Title 1", "truncated_bz2"]

    @given(st.binary(max_size=400), st.integers(1, 100))
    def test_any_bytes(self, data, size):
        found = split(b"<mediawiki>" + data, size)
        assert all(isinstance(item, (RawPage, Fault)) for item in found)

    @given(st.lists(st.sampled_from([b"<page>", b"</page>", b"</mediawiki>", b"x" * 50]), max_size=30))
    def test_the_size_of_the_pieces_changes_nothing(self, parts):
        data = b"<mediawiki>" + b"".join(parts)
        found = split(data, 1 << 20, limit=120)
        for size in (1, 5, 64):
            assert split(data, size, limit=120) == found


class TestParsing:
    def test_a_page(self):
        data = page(7, "''x'' & <ref>y</ref>", title="Ä & B").strip().encode()
        assert parse_page(data) == Page(
            "Ä & B", 0, 7, 70, "2022-06-01T12:00:00Z", None, "wikitext", "''x'' & <ref>y</ref>"
        )

    def test_a_redirect(self):
        data = page(7, extra='<redirect title="A &quot;B&quot;" />').strip().encode()
        assert parse_page(data).redirect == 'A "B"'

    def test_the_numbers_are_the_pages_and_the_revisions_not_the_contributors(self):
        found = parse_page(page(7).strip().encode())
        assert (found.page_id, found.revision_id) == (7, 70)

    def test_of_several_revisions_the_last(self):
        data = page(7).replace("</revision>", "</revision><revision><id>71</id><text>new</text></revision>")
        found = parse_page(data.strip().encode())
        assert (found.revision_id, found.text, found.timestamp) == (71, "new", None)

    def test_a_deleted_text(self):
        data = page(7).replace(">A sentence about it.</text>", ' deleted="deleted" />')
        assert parse_page(data.strip().encode()).text == ""

    def test_a_long_text_in_many_pieces(self):
        text = "".join(random.Random(1).choices("ab<>&\"'é\n", k=300_000))
        assert parse_page(page(7, text).strip().encode()).text == text

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("</title>", "", "page '' is not well-formed XML: mismatched tag"),
            ("A sentence", "A &lol9; sentence", "page 'Title 7' is not well-formed XML: undefined entity"),
            ("A sentence", "A \x01 sentence", "page 'Title 7' is not well-formed XML: not well-formed"),
            ("A sentence", "A < sentence", "page 'Title 7' is not well-formed XML: not well-formed"),
            ("<page>", '<page><!DOCTYPE p [<!ENTITY a "b">]>', "page 'Title 7' is not well-formed XML"),
            ("<ns>0</ns>", "", "page 'Title 7' has no <ns>"),
            ("<ns>0</ns>", "<ns>zero</ns>", "page 'Title 7' holds a number that is none"),
            ("revision>", "version>", "page 'Title 7' has no <revision/id>"),
        ],
    )
    def test_malformed(self, old, new, message):
        with pytest.raises(MalformedPage, match=message):
            parse_page(page(7).replace(old, new).strip().encode())

    def test_a_namespace_that_is_not_said(self):
        data = page(7, title="Kategorie:A").replace("<ns>0</ns>", "").strip().encode()
        assert parse_page(data, lambda title: 14 if title.startswith("Kategorie:") else 0).namespace == 14

    def test_invalid_utf_8(self):
        with pytest.raises(MalformedPage, match="not well-formed"):
            parse_page(page(7).strip().encode().replace(b"sentence", b"sent\xe9nce"))

    @given(st.binary(max_size=300))
    def test_any_bytes(self, data):
        with pytest.raises(MalformedPage):
            parse_page(b"<page>" + data + b"</page>")
