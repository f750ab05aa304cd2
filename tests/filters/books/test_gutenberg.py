"""Gutenberg's boilerplate in its historical forms; bodies that look like boilerplate; encodings; headers."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.books.gutenberg import strip_boilerplate
from filters.books.gutenberg_header import Header, decode, language_code, parse_header

REAL = Path(__file__).parents[3].parent / "shared" / "real" / "books"

HEADER = """The Project Gutenberg EBook of The Lamp, by Ann Author

This eBook is for the use of anyone anywhere at no cost and with
almost no restrictions whatsoever.

Title: The Lamp

Author: Ann Author

Release Date: June 17, 2008 [EBook #4711]

Language: English

"""
LICENCE = """

Updated editions will replace the previous one--the old editions will
be renamed.

Creating the works from public domain print editions means that no
one owns a United States copyright in these works, so the Foundation
(and you!) can copy and distribute it in the United States without
permission and without paying copyright royalties.

START: FULL LICENSE

THE FULL PROJECT GUTENBERG LICENSE
PLEASE READ THIS BEFORE YOU DISTRIBUTE OR USE THIS WORK

1.A. By reading or using any part of this Project Gutenberg-tm
electronic work, you indicate that you have read, understand, agree to
and accept all the terms of this license and intellectual property
(trademark/copyright) agreement.
"""
BODY = "\n".join(f"It was evening number {n}, and the lamp was lit again.\n" for n in range(30)).strip("\n")


@pytest.mark.parametrize(
    "marker",
    [
        "*** START OF THE PROJECT GUTENBERG EBOOK THE LAMP ***",
        "*** START OF THIS PROJECT GUTENBERG EBOOK THE LAMP ***",
        "***START OF THE PROJECT GUTENBERG EBOOK THE LAMP***",
        "*** START OF THE COPYRIGHTED PROJECT GUTENBERG EBOOK THE LAMP ***",
        " *** START OF THIS PROJECT GUTENBERG EBOOK THE LAMP ***",
        "*** START OF THE PROJECT GUTENBERG EBOOK THE LAMP, OR\nHOW THE EVENINGS WENT ON ***",
        "*** start  of  the project gutenberg etext the lamp",
        "**** BEGINN DIESES PROJEKT GUTENBERG ETEXTES THE LAMP ****",
        "*** DÉBUT DE CE PROJET GUTENBERG THE LAMP ***",
        "Beginning of this Project Gutenberg Etext",
        "*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*",
        "*END THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.10/04/01*END*",
        "*END* THE SMALL PRINT! FOR COPYRIGHT PROTECTED ETEXTS*Ver.04.29.93*END*",
        "ENDTHE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTSVer.04.29.93END",
        "*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.\n04.29.93*END*",
    ],
)
def test_start_markers_of_all_times(marker):
    found = strip_boilerplate(f"{HEADER}{marker}\n\n\n{BODY}\n")
    assert found.body == BODY
    assert found.start == ("small_print" if "SMALL PRINT" in marker else "marker")
    assert found.headers == 1
    assert not found.end


@pytest.mark.parametrize(
    "marker",
    [
        "*** END OF THE PROJECT GUTENBERG EBOOK THE LAMP ***",
        "*** END OF THIS PROJECT GUTENBERG EBOOK THE LAMP ***",
        "***END OF THE PROJECT GUTENBERG EBOOK THE LAMP***",
        "End of the Project Gutenberg EBook of The Lamp, by Ann Author",
        "End of Project Gutenberg's The Lamp, by Ann Author\n\n*** END OF THIS PROJECT GUTENBERG EBOOK THE LAMP ***",
        "End of The Project Gutenberg Etext of The Lamp, by\nAnn Author",
        "End of this Project Gutenberg Etext",
        "END OF PROJECT GUTENBERG ETEXT",
        "*** END OF THE COPYRIGHTED PROJECT GUTENBERG EBOOK THE LAMP ***",
        "Ende dieses Projekt Gutenberg Etextes The Lamp",
        "Ende dieses Project Gutenberg Etextes",
        "Fin de Project Gutenberg Etext The Lamp",
        "Fin du Projet Gutenberg",
        "Fin del Proyecto Gutenberg",
        "Fim do Projecto Gutenberg",
        "Fine del Progetto Gutenberg",
        "Einde van het Project Gutenberg EBook",
        "*** START: FULL LICENSE ***",
    ],
)
@pytest.mark.parametrize("trailer", ["", LICENCE])
def test_end_markers_of_all_times(marker, trailer):
    found = strip_boilerplate(f"{BODY}\n\n\n{marker}\n{trailer}")
    assert found.body == BODY
    assert found.end
    assert found.start is None


@pytest.mark.parametrize(
    "line",
    [
        "Copyright (C) 2002 Cara Translator.",
        "Copyright 1996 by Cara Translator",
        "(C) 2002, Cara Translator, all rights reserved",
        "\u00a9 2011 Cara Translator\ncara@example.org",
    ],
)
def test_whose_the_files_text_is(line):
    marker = "*** START OF THIS PROJECT GUTENBERG EBOOK THE LAMP ***"
    assert strip_boilerplate(f"{HEADER}{marker}\n\n\n{line}\n\n\n{BODY}\n").body == BODY


@pytest.mark.parametrize(
    "line",
    [
        "COPYRIGHT, 1911, BY ANN AUTHOR",
        "Copyright (C) 2002 Cara Translator.\nShe\nwrote\nthis preface.",
        "Copyright is a word, and 1999 was a year.",
        "(C) The third part",
    ],
)
def test_a_title_pages_copyright_is_the_books(line):
    marker = "*** START OF THIS PROJECT GUTENBERG EBOOK THE LAMP ***"
    assert strip_boilerplate(f"{HEADER}{marker}\n\n\n{line}\n\n\n{BODY}\n").body.startswith(line)


SMALL_PRINT = """***The Project Gutenberg Etext of The Lamp, by Ann Author***

Please take a look at the important information in this header.

**Welcome To The World of Free Plain Vanilla Electronic Texts**

January, 1994  [Etext #104]

The Project Gutenberg Etext of The Lamp, by Ann Author
*****This file should be named thlmp10.txt or thlmp10.zip******

***START**THE SMALL PRINT!**FOR PUBLIC DOMAIN ETEXTS**START***
Why is this "Small Print!" statement here?  You know: lawyers.
They tell us you might sue us if there is something wrong with
your copy of this etext.

*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*
"""


def test_the_small_print_of_the_nineties():
    found = strip_boilerplate(f"{SMALL_PRINT}\n\n\n{BODY}\n\n\nEnd of The Project Gutenberg Etext of The Lamp\n")
    assert (found.body, found.start, found.end, found.headers) == (BODY, "small_print", True, 1)
    assert parse_header(found.header).number == 104


def test_a_small_print_at_the_end_goes():
    trailer = SMALL_PRINT[SMALL_PRINT.index("***START**") :]
    assert strip_boilerplate(f"{BODY}\n\n{trailer}").body == BODY


LAWS = """Project Gutenberg Etext of The Quay, by Ann Author

Copyright laws are changing all over the world, be sure to check the
laws for your country before posting these files!!

Please look at the important information in this header.  Keep it with
the file on your own disk.

**Welcome To The World of Free Plain Vanilla Electronic Texts**

Title: The Quay

Author: Ann Author

Release Date: December, 2003  [Etext #4711]

Language: English

The Project Gutenberg Etext of The Quay, by Ann Author
*******This file should be named quayx10.txt or quayx10.zip*******

Corrected EDITIONS of our etexts get a new NUMBER, quayx11.txt
VERSIONS based on separate sources get new LETTER, quayx10a.txt

Project Gutenberg Etexts are often created from several printed
editions, all of which are in the Public Domain.

This etext was prepared by a friend of the quay.
"""
VERSE = "THE BELL\n\nThe bell is silent now,\nthe winter took its voice."
SMALL_PRINT_AT_THE_END = """

Project Gutenberg Etexts are often made from several printed editions.

***START**THE SMALL PRINT!**FOR PUBLIC DOMAIN ETEXTS**START***
Why is this Small Print statement here? It tells you how you may give
copies of this etext away, and disclaims most of our liability.

*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.02/11/02*END*
"""


@pytest.mark.parametrize("body", [VERSE, BODY, f"{BODY}\n\n" * 20])
@pytest.mark.parametrize("header", [LAWS, LAWS[: LAWS.index("The Project Gutenberg Etext of")]])
@pytest.mark.parametrize("end", ["\n\n\nEnd of the Project Gutenberg Etext of The Quay, by Ann Author\n", "\n\n"])
def test_the_layout_with_the_small_print_at_the_end(body, header, end):
    found = strip_boilerplate(f"{header}\n\n\n{body}{end}{SMALL_PRINT_AT_THE_END}")
    assert found.body.removesuffix(SMALL_PRINT_AT_THE_END.split("\n")[2]).strip() == body.strip()
    assert (found.start, found.end, found.kept) == ("laws", True, False)
    fields = parse_header(found.header)
    assert (fields.number, fields.title, fields.author, fields.language) == (4711, "The Quay", "Ann Author", "en")


START_LINE = "*** START OF THE PROJECT GUTENBERG EBOOK X ***"
END_LINE = "*** END OF THE PROJECT GUTENBERG EBOOK X ***"


@pytest.mark.parametrize(
    ("text", "body", "kept"),
    [
        # a small print with nothing behind it is no header, however short the book before it
        (f"{VERSE}\n\n{SMALL_PRINT}", VERSE, False),
        # an end line that stands above the book
        (f"{HEADER}{START_LINE}\n\n{END_LINE}\n\n{VERSE}\n", f"{END_LINE}\n\n{VERSE}", True),
    ],
)
def test_a_book_is_never_lost_to_stripping(text, body, kept):
    found = strip_boilerplate(text)
    assert body in found.body
    assert found.kept == kept


def test_a_file_without_a_book_has_none():
    found = strip_boilerplate(f"{HEADER}{START_LINE}\n\n{END_LINE}\n{SMALL_PRINT_AT_THE_END}")
    assert (found.body, found.kept) == ("", False)


def test_two_headers_go():
    marker = "*** START OF THE PROJECT GUTENBERG EBOOK THE LAMP ***\n\n"
    found = strip_boilerplate(f"{HEADER}{marker}{SMALL_PRINT}\n{BODY}\n\n*** END OF THE PROJECT GUTENBERG EBOOK ***")
    assert (found.body, found.headers, found.start) == (BODY, 2, "small_print")


def test_a_book_that_quotes_the_markers_keeps_every_line():
    quotes = (
        "He read the line aloud:\n\n*** START OF THIS PROJECT GUTENBERG EBOOK ***\n\nand then the other one:\n\n"
        "*** END OF THIS PROJECT GUTENBERG EBOOK ***\n\nand laughed."
    )
    body = f"{BODY}\n\n{quotes}\n\n{BODY}"
    assert strip_boilerplate(body).body == body
    framed = (
        f"{HEADER}*** START OF THE PROJECT GUTENBERG EBOOK THE LAMP ***\n\n{body}\n\n*** END OF THE PROJECT GUTENBERG"
    )
    assert strip_boilerplate(f"{framed} EBOOK THE LAMP ***\n{LICENCE}").body == body


def test_an_omnibus_keeps_what_follows_an_end_line_of_its_parts():
    body = f"{BODY}\n\nEnd of Project Gutenberg's The Lamp\n\n\n{BODY}\n\n{BODY}"
    assert strip_boilerplate(body).body == body


@pytest.mark.parametrize("text", [BODY, "", "\n\n", f"\n\n{BODY}\n\n"])
def test_a_file_without_markers_keeps_its_text(text):
    found = strip_boilerplate(text)
    assert (found.body, found.start, found.end, found.headers) == (text, None, False, 0)


@pytest.mark.parametrize(
    "credit",
    [
        "Produced by Ann Helper and the Online Distributed\nProofreading Team at http://www.pgdp.net",
        "E-text prepared by Ann Helper",
        "This etext was prepared by Ann Helper,\nfrom the 1893 edition.",
        "Transcribed from the 1915 Methuen & Co. Ltd. edition by David Price,\nemail ccx074@pglaf.org",
        "[Transcriber's Note: Obvious errors were mended.\n\nThe index was left out.]",
        "Transcriber's note:\n\nObvious errors were mended.",
        "Note: Project Gutenberg also has an HTML version of this\n      file with the original illustrations.",
        "Produced by Ann Helper\n\n\n[Transcriber’s notes: none]",
    ],
)
def test_credits_behind_the_marker_go(credit):
    text = f"{HEADER}*** START OF THE PROJECT GUTENBERG EBOOK THE LAMP ***\n\n\n{credit}\n\n\n\n{BODY}"
    assert strip_boilerplate(text).body == BODY


def test_credits_between_two_parts_go():
    credit = "Produced by Ann Helper and the Online Distributed\nProofreading Team at http://www.pgdp.net"
    text = f"{HEADER}{START_LINE}\n\n{BODY}\n\n{credit}\n\n\n{BODY}\n\n{END_LINE}\n"
    assert strip_boilerplate(text).body == f"{BODY}\n\n{BODY}"
    assert "Produced by an actor" in strip_boilerplate(text.replace(credit, "Produced by an actor, who\nsang.")).body


def test_a_header_without_any_marker_goes_with_its_fields():
    found = strip_boilerplate(
        f"The Project Gutenberg Etext of The Lamp, by Ann Author\n\nTitle: The Lamp\nAuthor: Ann Author\n\n\n{BODY}"
    )
    assert (found.body, found.start) == (BODY.strip("\n"), "laws")
    kept = f"Project Gutenberg's books were many.\n\n{BODY}"
    assert strip_boilerplate(kept).body == kept


@pytest.mark.parametrize(
    "first",
    [
        "Produced by the author at the Theatre Royal, " + "with a long preface\n" * 20,
        "THE LAMP",
        "This text is about lamps.",
        "[Illustration: a lamp]",
        "[Transcriber's note without an end",
    ],
)
def test_what_is_no_credit_stays(first):
    text = f"{HEADER}*** START OF THE PROJECT GUTENBERG EBOOK THE LAMP ***\n\n{first}\n\n{BODY}"
    assert strip_boilerplate(text).body == f"{first}\n\n{BODY}"


@pytest.mark.parametrize(
    "note",
    [
        "[Transcriber's Note: page 3, 'teh' was changed to 'the'.]",
        "Transcriber's Notes:\n\nPage 3: 'teh' was changed to 'the'.\n\nPage 4: a comma was added.",
        "       *       *       *       *       *\n\nTranscriber's Note: page 3, 'teh' was changed.",
    ],
)
def test_notes_before_the_end_marker_go(note):
    text = f"{BODY}\n\n{note}\n\n\nEnd of the Project Gutenberg EBook of The Lamp\n"
    assert strip_boilerplate(text).body.removesuffix("\n\n       *       *       *       *       *") == BODY


def test_a_note_with_text_behind_it_stays():
    body = f"{BODY}\n\n[Transcriber's note: sic]\n\nAnd so the lamp went out."
    assert strip_boilerplate(f"{body}\n\n*** END OF THE PROJECT GUTENBERG EBOOK ***").body == body


WORDS = st.sampled_from(["the", "lamp", "Gutenberg", "End of", "START", "***", "etext", "evening", "", "Title:", "["])


@given(st.lists(st.lists(WORDS, max_size=6).map(" ".join), max_size=60))
def test_what_is_stripped_is_a_stretch_of_the_text(lines):
    text = "\n".join(lines)
    found = strip_boilerplate(text)
    assert found.body in text
    assert strip_boilerplate(f"{text}\n{BODY}\n\n{BODY}\n{text}").body.count(BODY) >= 1


@given(st.lists(st.sampled_from(["Ten", "o'clock", "\n", "\n\n", "lamp", "***", "End of the road"]), max_size=80))
def test_a_text_that_does_not_name_gutenberg_is_never_cut(words):
    text = " ".join(words)
    assert strip_boilerplate(text).body == text


def test_hostile_lines_take_no_time():
    for line in (" " * 200_000, "van " * 50_000, "start " * 50_000, "[" * 200_000, "end of the " * 20_000):
        text = f"{line}\nEnd of Project Gutenberg\n{line}\n{line}"
        assert line.strip() in strip_boilerplate(text).body


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        (b"caf\xc3\xa9", "café", "utf-8"),
        (b"\xef\xbb\xbfcaf\xc3\xa9\r\nx", "café\nx", "utf-8"),
        (b"caf\xe9 \x93quoted\x94", "café “quoted”", "cp1252"),
        (b"undefined \x81\xe9", "undefined \x81é", "cp1252"),
        (b"caf\xe9\ncaf\xc3\xa9\n", "café\ncafé\n", "mixed"),
        (b"Character set encoding: ISO-8859-1\n\nna\xefve", "Character set encoding: ISO-8859-1\n\nnaïve", "cp1252"),
        (b"Character set encoding: ISO-8859-1\n\nna\xc3\xafve", "Character set encoding: ISO-8859-1\n\nnaïve", "utf-8"),
        (b"Character set encoding: ISO-8859-2\n\n\xb1", "Character set encoding: ISO-8859-2\n\ną", "iso8859_2"),
        (b"Character set encoding: Big5\n\n\xa4\xa4", "Character set encoding: Big5\n\n中", "big5hkscs"),
        (b"Character set encoding: UTF-8\n\ncaf\xe9", "Character set encoding: UTF-8\n\ncafé", "cp1252"),
        ("naïve lamps".encode("utf-16"), "naïve lamps", "utf-16-le"),
        ("naive lamps".encode("utf-16-be"), "naive lamps", "utf-16-be"),
        (b"a\rb\r\nc\n", "a\nb\nc\n", "utf-8"),
        (b"", "", "utf-8"),
    ],
)
def test_encodings(data, text, encoding):
    decoded = decode(data)
    assert (decoded.text, decoded.encoding, decoded.nuls) == (text, encoding, 0)


def test_zero_bytes_go_and_are_counted():
    assert decode(b"a\0b" * 3).text == "ababab"
    assert decode(b"a\0b" * 3).nuls == 3
    assert decode(b"\0" * 10).text == ""


@given(st.binary(max_size=300))
def test_no_bytes_are_refused(data):
    assert "\r" not in decode(data).text


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\ufeff\ufffe"), max_size=200))
def test_utf8_comes_back_as_it_went(text):
    assert decode(text.encode()).text == text


def test_header_fields():
    assert parse_header(HEADER) == Header(4711, "The Lamp", "Ann Author", "en", "June 17, 2008")
    assert parse_header(SMALL_PRINT) == Header(104, "The Lamp", "Ann Author", None, None)
    wrapped = "Title: The Lamp\n       A Story\n\nAuthor: A\nLanguage: German and English\n"
    assert parse_header(wrapped) == Header(None, "The Lamp A Story", "A", "de", None)
    assert parse_header("***This is the Project Gutenberg Etext of The Lamp***\n").title == "The Lamp"
    assert parse_header("") == Header()


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("English", "en"),
        ("FRENCH.", "fr"),
        ("Latin, English", "la"),
        ("Middle English", "en"),
        ("Klingon", None),
        ("", None),
    ],
)
def test_language_names(name, code):
    assert language_code(name) == code


@pytest.mark.skipif(not REAL.exists(), reason="the real samples are not here")
def test_real_books():
    first_and_last = {
        "pg84.txt": ("Frankenstein;", "lost in darkness and distance."),
        "pg-frankenstein.txt": ("Frankenstein,", "lost in darkness and distance."),
        "pg-being_ernest.txt": ("The Importance of Being Earnest", "TABLEAU"),
        "pg-dorian_gray.txt": ("The Picture of Dorian Gray", "that they recognized who it was."),
        "pg-grimm.txt": ("FAIRY TALES", "since."),
        "pg-tom_sawyer.txt": ("THE ADVENTURES OF TOM SAWYER", "part of their lives at present."),
        "pg1513.txt": ("THE TRAGEDY OF ROMEO AND JULIET", "[_Exeunt._]"),
        "wonderland.txt": ("[Illustration]", "THE END"),
    }
    numbers = {"pg84.txt": 84, "pg-frankenstein.txt": 84, "pg1342.txt": 1342, "wonderland.txt": 11}
    for path in sorted(REAL.glob("*.txt")):
        found = strip_boilerplate(decode(path.read_bytes()).text)
        assert (found.start, found.end) == ((None, False) if path.name == "1342-0.txt" else ("marker", True))
        assert "gutenberg" not in found.body.lower()
        if path.name in first_and_last:
            lines = [line.strip() for line in found.body.split("\n") if line.strip()]
            assert (lines[0], lines[-1]) == first_and_last[path.name]
        if path.name in numbers:
            assert parse_header(found.header).number == numbers[path.name]
