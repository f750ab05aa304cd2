"""Apostrophes, lists, titles, paragraphs, gaps and sections."""

import pytest

from filters.wikitext import WikiSite, to_text
from filters.wikitext.gaps import close_gaps, close_spaces
from filters.wikitext.quotes import unwrap_quotes
from tests.filters.wikitext.pages import english
from tests.tables import results

test_apostrophes = results(
    unwrap_quotes,
    {
        "''a'' '''b''' '''''c'''''": "a b c",
        "L''''amour''' et l'''été''": "L'amour et l'été",
        "l''''amour''": "l'amour",
        "dell'''Iliade'' e '''Roma'''": "dell'Iliade e Roma",
        "''a": "a",
        "''''''a''": "'a",
        "the boys' ''toys''": "the boys' toys",
    },
)


test_gaps_leave_nothing_dangling = results(
    close_gaps,
    {
        "Berlin (\x01; \x01) is": "Berlin is",
        "Berlin (\x01, born 1920) is": "Berlin (born 1920) is",
        "Berlin (born 1920; \x01) is": "Berlin (born 1920) is",
        "a (b, \x01, c)": "a (b, c)",
        "a \x01, b": "a, b",
        "a, \x01, b": "a, b",
        "a \x01 b": "a b",
        "a \x01.": "a.",
        "\x01, a": "a",
        "a – \x01 – b": "a – b",
        "a [\x01] b": "a b",
        "a(\x01)b": "a b",
        "\x01; \x01 -": "",
        "\x01 1.940": "",
        "( a , b ) ; c\x01": "( a , b ) ; c",
        "\x01: a": "a",
        "\x01 – a – b": "a – b",
        "\x01 - a": "a",
        "\x01-a": "-a",
        'a "\x01" b': "a b",
        "a „\x01“ b": "a b",
        '"a" \x01 "b"': '"a" "b"',
    },
)


test_spaces_that_no_typography_knows = results(
    close_spaces,
    {
        "( daphnai) and (C ) and ( a b )": "(daphnai) and (C) and (a b)",
        "(Canis; x, ) or (Canis ; )": "(Canis; x) or (Canis)",
        "the city . It was , so": "the city. It was, so",
        "at the end .": "at the end.",
        "at 1100 $ ) . Although": "at 1100 $). Although",
        "a . . . b . . . .": "a . . . b . . . .",
        "did not shift , (comma) or . (full stop)": "did not shift , (comma) or . (full stop)",
        "the product a . b, of .NET": "the product a . b, of .NET",
        "( ) (  ) « a » b ?": "( ) (  ) « a » b ?",
    },
)


test_lines = results(
    english,
    {
        "{{word}} {{lang|de|\n== a ==\n}}\nb": "a\n\nb",
        "'''== a =='''\nb": "a\n\nb",
        "{{word}} = a": "= a",
        "(<span> {{convert|-33|C|F}} </span>) &nbsp;, b": "(-33 °C), b",
        "* a\n** b\n*** c\n* d": "- a\n  - b\n    - c\n- d",
        "# a\n# b\n## c\n## d\n# e\n\n# f": "1. a\n2. b\n  1. c\n  2. d\n3. e\n\n1. f",
        "# a\ntext\n# b": "1. a\ntext\n1. b",
        "* a\n*# b\n*# c\n* d\n*# e": "- a\n  1. b\n  2. c\n- d\n  1. e",
        "*" * 10_000 + "a": "  " * 20 + "- a",
        "; term : def\n: more\n; only": "term\ndef\nmore\nonly",
        "* {{cite book|x}}\n* a\n*\n* [http://x]": "- a",
        "a\n  x = 1\n    y = 2\n b": "a\n x = 1\n   y = 2\nb",
        "a  b\t c": "a b c",
        "a\n\n\n\nb\n \nc": "a\n\nb\n\nc",
        "__NOTOC__a __TOC__\n__БЕЗ_ОГЛ__ __init__": "a\n__init__",
        "a\n----\nb": "a\n\nb",
    },
)


test_sections = results(
    english,
    {
        "a\n== B ==\nc\n=== D ===\ne": "a\n\nB\n\nc\n\nD\n\ne",
        "== A ==\n== B ==\nc": "B\n\nc",
        "== A ==\n=== B ===\n=== C ===\nd\n== E ==\n=== F ===": "A\n\nC\n\nd",
        "=== A == <!-- x -->\nb\n== ''C'' ==\nd": "= A\n\nb\n\nC\n\nd",
        "== A ==\n{{Main|B}}\n[[File:c.jpg]]\n== D ==\ne": "D\n\ne",
        "a\n== References ==\n* B 1999\n{{reflist}}\n== See also ==\n* c": "a\n\nSee also\n\n- c",
        "a\n== References ==\n=== Books ===\n* B\n== Life ==\nc": "a\n\nLife\n\nc",
        "a\n== External links ==\n* [http://x Site]\nShort remark": "a",
        "a\n== Notes ==\n" + "Prose of a section. " * 15: "a\n\nNotes\n\n" + ("Prose of a section. " * 15).strip(),
        "= a": "= a",
        "== a ==\n": "",
    },
)


PROSE = "In this country the novel came late, and most of it was written abroad by exiles."
CITED = "* Author: ''Title''. Press, City 1990, ISBN 3-1\n* Another: ''Book''. Berlin: Publisher, 2001."


@pytest.mark.parametrize(
    ("language", "title", "body", "kept"),
    [
        ("en", "Literature", f"{PROSE}\n* [[A. Writer]], novelist", f"{PROSE}\n- A. Writer, novelist"),
        ("en", "Literature", CITED, ""),
        ("en", "Literature", f"{PROSE}\n{CITED}", PROSE),
        ("en", "Literature", "* [[A. Writer]], novelist", ""),  # a bare list does not tell
        ("sv", "Litteratur", "Sedan 2001 hålls i september varje år en festival med inriktning på samtida prosa.",
         "Sedan 2001 hålls i september varje år en festival med inriktning på samtida prosa."),
        ("it", "Approfondimenti", "Il tema è stato ripreso nel dopoguerra da molti autori, anche stranieri.",
         "Il tema è stato ripreso nel dopoguerra da molti autori, anche stranieri."),
        ("de", "Literatur", "Max Müller, Anna Schmidt: ''Die Geschichte der Stadt''. Verlag, Berlin 1990, S. 5.", ""),
        ("ru", "Источники", "Вода поступает из двух больших источников, которые не замерзают и зимой.",
         "Вода поступает из двух больших источников, которые не замерзают и зимой."),
        ("en", "References", PROSE, ""),
    ],
)  # fmt: skip
def test_a_title_alone_makes_no_references(language, title, body, kept):
    page = f"a\n== Culture ==\n=== {title} ===\n{body}\n=== Music ===\nb"
    expected = f"a\n\nCulture\n\n{title}\n\n{kept}\n\nMusic\n\nb" if kept else "a\n\nCulture\n\nMusic\n\nb"
    assert to_text(page, WikiSite.builtin(language)) == expected
