"""Builds the books sample: a small Gutenberg mirror and a Books3 tar, in their publishers' formats.

Usage::

    python -m samples.make_books [--output DIR]

The books are put together from the prose in ``commoncrawl/prose``, which was written for this project; their titles,
authors and numbers are invented. Of Project Gutenberg's files only the forms are here: marker lines, fields, layout;
the sentences of header, small print and licence are this project's. The same sources give the same bytes.
"""

from __future__ import annotations

import io
import tarfile
import textwrap
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from samples.gzipped import gzipped
from samples.written import output_folder, write_files

PROSE = Path(__file__).parent / "commoncrawl" / "prose"
OUTPUT = Path(__file__).parent / "books"
MODULE = "samples.make_books"
PLAIN = {"é": "e", "É": "E", "ï": "i", "Å": "A", "ö": "o", "“": '"', "”": '"', "’": "'", "—": "--"}
VERBS = frozenset({"is", "was", "are", "were", "has", "had", "have", "can", "could", "may", "will", "would", "must"})
TIME = (2026, 3, 12, 0, 0, 0)

SMALL_PRINT = """\
***The Project Gutenberg Etext of {title}, by {author}***

Please see the notes on this etext below, and keep them with the file.

January, 1994  [Etext #{number}]

*****This file should be named {name}.txt or {name}.zip******

***START**THE SMALL PRINT!**FOR PUBLIC DOMAIN ETEXTS**START***
This "Small Print!" stands here for those who ask what may be done with
the etext. It is a sample, and anything may be done with it.

*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*
"""
HEADER = """\
The Project Gutenberg {kind} of {title}, by {author}

This {kind} is a sample in the form of Project Gutenberg's files, for
the use of anyone anywhere.

Title: {title}

Author: {author}

Release Date: March 12, 2026 [{kind} #{number}]

Language: {language}

Character set encoding: {charset}

"""
LICENCE = """\


Updated editions of this sample will replace the previous one.

START: FULL LICENSE

THE FULL LICENSE OF THIS SAMPLE

1.A. By reading any part of this electronic work you agree to nothing
at all. This paragraph stands where the license of Project Gutenberg's
electronic works does.

1.B. Project Gutenberg is a registered trademark. No work of it is here.
"""
GERMAN = (
    "Die Laternen am Hafen wurden jeden Abend von einem alten Mann angezündet, den niemand nach seinem Namen fragte. "
    "Er kam mit der Dämmerung, ging von Pfahl zu Pfahl und verschwand, sobald die letzte Flamme ruhig brannte. "
    "Die Kinder erzählten sich, er habe früher ein eigenes Schiff gehabt und sei damit um die halbe Welt gefahren. "
    "In Wahrheit hatte er die Stadt nie verlassen, denn er fürchtete das Wasser mehr als alles andere. "
)


def paragraphs(topic: str) -> list[str]:
    """The paragraphs of a topic."""
    return (PROSE / f"{topic}.txt").read_text(encoding="utf-8").split("\n")


def book(title: str, author: str, parts: Sequence[str]) -> str:
    """A book with its title page and chapters, in lines of 72 characters."""
    chapters = [
        f"CHAPTER {number}\n\n\n{textwrap.fill(part, 72)}"
        for number, part in enumerate((part for part in parts if part.strip()), 1)
    ]
    return f"{title.upper()}\n\nby\n\n{author}\n\n\n\n" + "\n\n\n\n".join(chapters)


def edition(parts: Sequence[str], every: int) -> list[str]:
    """Another edition: after every so many words, the next verb that can bear it has an "indeed" behind it."""
    count, due, changed = 0, every, []
    for part in parts:
        words = []
        for word in part.split(" "):
            count += 1
            words.append(word)
            if count >= due and word in VERBS:
                words.append("indeed")
                due += every
        changed.append(" ".join(words))
    return changed


def modern(
    title: str, author: str, number: int, body: str, *, language: str = "English", charset: str = "UTF-8"
) -> str:
    """A file as they are made since 2004."""
    kind, name = "eBook", title.upper()
    header = HEADER.format(kind=kind, title=title, author=author, number=number, language=language, charset=charset)
    return (
        f"{header}\n*** START OF THE PROJECT GUTENBERG EBOOK {name} ***\n\n\n\n\n"
        f"Produced by the makers of this sample\n\n\n\n\n{body}\n\n\n\n\n"
        f"*** END OF THE PROJECT GUTENBERG EBOOK {name} ***\n{LICENCE}"
    )


def older(title: str, author: str, number: int, body: str, *, charset: str = "ISO-8859-1") -> str:
    """A file of about 2006, with the other words in its markers, and a note of its transcriber."""
    name = title.upper()
    header = HEADER.format(kind="EBook", title=title, author=author, number=number, language="English", charset=charset)
    return (
        f"{header}\n***START OF THIS PROJECT GUTENBERG EBOOK {name}***\n\n\n"
        "E-text prepared by the makers of this sample\n\n\n"
        f"[Transcriber's Note: This is a sample.\n\nIt has no page images.]\n\n\n\n{body}\n\n\n\n"
        f"End of Project Gutenberg's {title}, by {author}\n\n*** END OF THIS PROJECT GUTENBERG EBOOK {name} ***\n\n"
        f"***** This file should be named {number}-8.txt or {number}-8.zip *****\n{LICENCE}"
    )


def etext(title: str, author: str, number: int, name: str, body: str) -> str:
    """A file of the nineties."""
    header = SMALL_PRINT.format(title=title, author=author, number=number, name=name)
    return f"{header}\n\n\n\n\n{body}\n\n\n\nEnd of The Project Gutenberg Etext of {title}, by {author}\n"


def crlf(text: str, encoding: str) -> bytes:
    """The bytes of a file, with the line ends that the publisher uses."""
    return text.replace("\n", "\r\n").encode(encoding)


def place(number: int) -> str:
    """A book's folder in a mirror."""
    return "/".join([*str(number)[:-1], str(number)])


def mirror_files() -> Iterator[tuple[str, bytes]]:
    """Path and bytes of each file of the mirror."""
    arts, history, nature, society = map(paragraphs, ("arts", "history", "nature", "society"))
    science, technology, reports = map(paragraphs, ("science", "technology", "reports"))
    lamps = book("The Café of Lamps", "Renée Ånström", [*arts, "The café was “old”, and naïve guests came — often."])
    text = modern("The Café of Lamps", "Renée Ånström", 90001, lamps)
    yield f"{place(90001)}/90001-0.txt", b"\xef\xbb\xbf" + crlf(text, "utf-8")
    yield f"{place(90001)}/90001-8.txt", crlf(text.replace("UTF-8", "ISO-8859-1"), "cp1252")
    yield f"{place(90001)}/90001.txt", _ascii(text.replace("UTF-8", "US-ASCII"))
    second = book("Lamps of the Café", "R. Anstrom", edition(arts, 300))
    yield f"{place(90002)}/90002-0.txt", crlf(modern("Lamps of the Café", "R. Anstrom", 90002, second), "utf-8")
    years = book("A Town’s Years", "I. Chronicler", history)
    yield f"{place(90003)}/90003-8.txt", crlf(older("A Town’s Years", "I. Chronicler", 90003, years), "cp1252")
    revised = book("A Town’s Years, Revised", "I. Chronicler", edition(history, 20))
    text = modern("A Town’s Years, Revised", "I. Chronicler", 90004, revised)
    yield f"{place(90004)}/90004-0.txt", crlf(text, "utf-8")
    birds = book("Of Rivers and Birds", "A. Walker", nature)
    yield "etext94/natur10.txt", crlf(etext("Of Rivers and Birds", "A. Walker", 905, "natur10", birds), "cp1252")
    neighbours = book("Neighbours", "N. Oakes", society)
    yield f"{place(90005)}/90005-0.txt", crlf(modern("Neighbours", "N. Oakes", 90005, neighbours), "utf-8")
    omnibus = "\n\n\n\n".join([book("Instruments", "N. Oakes", science), neighbours])
    yield f"{place(90006)}/90006-0.txt", crlf(modern("Two Books", "N. Oakes", 90006, omnibus), "utf-8")
    zipped = modern("Wheels and Wires", "W. Fitter", 90007, book("Wheels and Wires", "W. Fitter", technology))
    yield f"{place(90007)}/90007-0.zip", zip_of("90007-0.txt", crlf(zipped, "utf-8"))
    german = book("Der Laternenmann", "K. Hafen", [GERMAN * 4])
    text = modern("Der Laternenmann", "K. Hafen", 90008, german, language="German")
    yield f"{place(90008)}/90008-0.txt", crlf(text, "utf-8")
    half = len(reports) // 2
    yield "pg90009.txt", crlf(book("Reports of a Year", "The Office", reports[:half]), "utf-8")
    framed = etext("More Reports", "The Office", 90010, "repor10", book("More Reports", "The Office", reports[half:]))
    yield f"{place(90010)}/90010-0.txt", crlf(modern("More Reports", "The Office", 90010, framed), "utf-8")
    yield f"{place(90011)}/90011-0.txt", crlf(modern("A Leaf", "Nobody", 90011, "A leaf fell."), "utf-8")


def _ascii(text: str) -> bytes:
    """The text as the ASCII form of a book has it."""
    return crlf(text.translate(str.maketrans(PLAIN)), "ascii")


def books3_files() -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each member of the Books3 tar."""
    folder = "books3/the-eye.example/Books"
    technology, nature = paragraphs("technology"), paragraphs("nature")
    mixed = [part for pair in zip(technology, reversed(nature), strict=False) for part in pair][:12]
    again = book("Rivers and Birds, Again", "A. Walker", edition(nature, 400))
    yield f"{folder}/R/Rivers and Birds, Again - A. Walker.epub.txt", again.encode()
    # It is changed so often that it is no duplicate of the books that its parts are from.
    essays = book("Twelve Essays", "E. Mixer", edition(mixed, 30))
    yield f"{folder}/T/Twelve Essays - E. Mixer.epub.txt", essays.encode()
    yield f"{folder}/E/Empty - Nobody.epub.txt", b""


def zip_of(name: str, data: bytes) -> bytes:
    """A zip of one file, without a time of its own."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name, TIME), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def tar_of(files: Iterator[tuple[str, bytes]]) -> bytes:
    """A tar.gz, likewise."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return gzipped(buffer.getvalue())


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``python -m samples.make_books``."""
    files = [*((f"gutenberg/{path}", data) for path, data in mirror_files()), ("books3.tar.gz", tar_of(books3_files()))]
    write_files(MODULE, OUTPUT, output_folder(MODULE, OUTPUT, arguments), files)


if __name__ == "__main__":
    main()
