"""Lines of Posts.xml: where they begin, what they are, and rows that are not as they should be."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.stackexchange.rows import (
    ANSWER,
    KEPT_OF_TOO_LARGE,
    NO_ROW,
    OTHER,
    QUESTION,
    TOO_LARGE,
    MalformedRow,
    RowParser,
    classify,
    split_lines,
)
from tests.tables import refusals


def parse(line: str | bytes) -> dict[str, str]:
    return RowParser().parse(line if isinstance(line, bytes) else line.encode())[0]


@given(
    st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"")), max_size=8),
    st.integers(1, 9),
    st.integers(0, 20),
)
def test_lines_do_not_depend_on_the_pieces(lines, size, start):
    data = b"\n".join(lines)
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    found = list(split_lines(iter(pieces), start, None, 100))
    expected, at = [], start
    for line in lines:
        expected.append((at, line, False))
        at += len(line) + 1
    if expected and not expected[-1][1]:
        expected.pop()  # nothing stands behind the last line end
    assert found == expected


@given(st.lists(st.integers(0, 40), min_size=1, max_size=12), st.integers(1, 30), st.lists(st.integers(0, 300)))
def test_ranges_give_each_line_once(lengths, size, cuts):
    data = b"\n".join(bytes([65 + n]) * length for n, length in enumerate(lengths))
    bounds = [0, *sorted({cut for cut in cuts if 0 < cut < len(data)}), None]
    found = []
    for start, end in pairwise(bounds):
        first = max(0, start - 1)
        pieces = (data[at : at + size] for at in range(first, len(data), size))
        found += [item for item in split_lines(pieces, first, end, 100) if item[0] >= start]
    whole = list(split_lines(iter([data]), 0, None, 100))
    assert found == whole


@pytest.mark.parametrize("size", [1, 3, 1000, 5000])
def test_a_line_too_long_is_cut_and_the_next_is_where_it_was(size):
    data = b"short\n" + b"x" * 4000 + b"\nend\n" + b"y" * 3000
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert list(split_lines(iter(pieces), 0, None, 2000)) == [
        (0, b"short", False),
        (6, b"x" * KEPT_OF_TOO_LARGE, True),
        (4007, b"end", False),
        (4011, b"y" * KEPT_OF_TOO_LARGE, True),
    ]


def test_a_huge_line_takes_no_memory():
    pieces = (b"z" * (1 << 20) for _ in range(300))
    assert [(at, len(line), cut) for at, line, cut in split_lines(pieces, 0, None, 1 << 20)] == [(0, 1000, True)]


@pytest.mark.parametrize(
    ("line", "kind", "key"),
    [
        ('  <row Id="7" PostTypeId="1" Score="1" />\r', QUESTION, 7),
        ('<row Id="7" PostTypeId="1"/>', QUESTION, 7),
        ('  <row Id="8" PostTypeId="2" ParentId="7" Score="1" />', ANSWER, 7),
        ('  <row PostTypeId="2" Score="1" ParentId="7" Id="8" />', ANSWER, 7),
        ('  <row Score="3" Id="9" Body=" PostTypeId=&quot;2&quot; " PostTypeId="1" />', QUESTION, 9),
        ('  <row Id="8" PostTypeId="4" Score="1" />', OTHER, -101),
        ('  <row Id="8" PostTypeId="2" Score="1" />', OTHER, -101),
        ('  <row Id="x" PostTypeId="1" />', OTHER, -101),
        ('  <row Id="9999999999999999999" PostTypeId="1" />', OTHER, -101),
        ('  <row Id="1" PostTypeId="11" />', OTHER, -101),
        ('  <row Id="7" PostTypeId="1" Body="cut off', QUESTION, 7),
        ('  <row Score="1" Body="cut off', OTHER, -101),
        ("cript&gt; half a line", NO_ROW, -101),
        ('<!DOCTYPE posts [<!ENTITY lol "lol">]>', NO_ROW, -101),
    ],
)
def test_what_a_line_is(line, kind, key):
    found = classify(100, line.encode(), False)
    assert (found.kind, found.key, found.offset) == (kind, key, 100)


@pytest.mark.parametrize(
    "line",
    [b"", b"\r", b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>\r', b"<posts>", b"</posts>", b"  <posts/>  "],
)
def test_the_frame_is_no_line(line):
    assert classify(0, line, False) is None


def test_a_line_too_long_is_none_of_the_rest():
    assert classify(5, b'<row Id="1" PostTypeId="1"', True).kind == TOO_LARGE


def test_values_are_decoded_once():
    row = parse('  <row Id="1" Body="&lt;p&gt;a &amp;amp; b&#xA;&#x9;c&quot;&#233;&lt;/p&gt;" Title="a  b" />\r\n')
    assert row == {"Id": "1", "Body": '<p>a &amp; b\n\tc"é</p>', "Title": "a  b"}


test_a_broken_row_says_why = refusals(
    parse,
    MalformedRow,
    {
        '<row Id="1" Body="cut': "AttValue",
        '<row Id="1" Body="a"': "construct error",
        '<row Id="1" Id="2" />': "redefined",
        '<row Id="1" Body="&nbsp;" />': "not defined",
        '<row Id="1" Body="&lol9;" />': "not defined",
        '<row Id="1" Body="a & b" />': "EntityRef",
        '<row Id="1" Body="<p>" />': "'<' not allowed",
        '<row Id="1" /><row Id="2" />': "Extra content",
        "<rows/>": "element 'rows'",
        "junk <row/>": "does not begin",
        '<!DOCTYPE r [<!ENTITY a "b">]><row Id="&a;" />': "does not begin",
        '<row Id="&#x1F;" Body="cut': "AttValue",
    },
)


@pytest.mark.parametrize(
    ("body", "text", "forbidden"),
    [
        (b"a&#x1F;b&#8;c&#x0;", "abc", 3),
        (b"&#xFFFF;&#xD800;&#x110000;x", "x", 3),
        (b"&#xFFFFFFFF;&#99999999;x", "x", 2),
        (b"a\x00b\x1bc", "abc", 2),
        (b"a\xffb\xe9", "a\ufffdb\ufffd", 2),
        (b"&#x1F;&#x1F600;&#xA;&#13;", "\U0001f600\n\r", 1),
    ],
)
def test_what_xml_forbids_goes_and_the_row_stays(body, text, forbidden):
    row, count = RowParser().parse(b'<row Id="1" Body="' + body + b'" />')
    assert (row["Body"], count) == (text, forbidden)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t&<>\"'")))
def test_any_text_comes_back(text):
    escapes = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#xA;", "\t": "&#x9;"}
    allowed = "".join(c for c in text if c not in "\ufffe\uffff" and ord(c) & 0xFFFE != 0xFFFE)
    value = "".join(escapes.get(character, character) for character in allowed)
    assert parse(f'<row Body="{value}" />') == {"Body": allowed}


@given(st.binary(max_size=60))
def test_junk_raises_nothing_else(junk):
    for line in (junk, b"<row " + junk, b'<row Id="1" PostTypeId="1" Body="' + junk + b'" />'):
        classify(0, line.replace(b"\n", b""), False)
        try:
            RowParser().parse(line)
        except MalformedRow:
            continue
