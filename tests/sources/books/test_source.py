"""What the reader makes of files: texts, zips, tars, and what is none of them."""

import gzip
import io
import random
import tarfile
import zipfile
import zlib
from collections import Counter

import pytest

from pipeline.corpus.document import Document, Refused
from pipeline.storage.filesystem import InputFile
from sources.books.recipe import BooksRecipe
from sources.books.source import Books

TEXT = "The lamp was lit, and the boat went out once more.\n" * 40
START, END = (f"*** {word} OF THE PROJECT GUTENBERG EBOOK LAMPS ***" for word in ("START", "END"))
FRAME = f"Title: Lamps\n\n{START}\n{{}}\n{END}\n"
BINARY = random.Random(7).randbytes(5000)


def read(name: str, data: bytes) -> list[Document | Refused]:
    return list(Books(BooksRecipe(), "").read(io.BytesIO(data), InputFile(f"in/{name}", len(data)), Counter()))


def zipped(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)  # of 1980: test names hold the bytes
    return buffer.getvalue()


def tar(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), mtime=0)


@pytest.mark.parametrize(
    ("name", "data", "reason", "message"),
    [
        ("1.txt", b"", "empty", "'1.txt' has no text"),
        ("1.txt", b"\0" * 9000, "empty", "'1.txt' has no text"),
        ("1.txt", FRAME.format("\n \n").encode(), "empty", "'1.txt' has no text but Project Gutenberg's own"),
        ("1.txt", BINARY, "binary", "'1.txt' is no text: "),
        ("1.txt", FRAME.format("\x01\x02" * 900).encode(), "binary", "'1.txt' is no text: 100% of it"),
        ("1.zip", zipped("a.txt", b""), "empty", "'a.txt' in '1.zip' has no text"),
        ("1.zip", zipped("a.txt", BINARY), "binary", "'a.txt' in '1.zip' is no text: "),
        ("1.zip", zipped("a.jpg", BINARY), "no_text", "there is no .txt among its members: 'a.jpg'"),
        ("1.zip", zipped("a.txt", TEXT.encode())[:-9], "damaged_zip", "it cannot be read: "),
        ("b.tar.gz", tar(("/x/a.epub.txt", b"\0")), "empty", "'x/a.epub.txt' has no text"),
        ("b.tar.gz", tar(("a.epub.txt", zlib.compress(BINARY))), "binary", "'a.epub.txt' is no text: "),
    ],
)
def test_what_is_no_text_fails_by_name(name, data, reason, message):
    (refused,) = read(name, data)
    assert (refused.reason, refused.failed) == (reason, True)
    assert refused.message.startswith(message)


def test_a_damaged_member_is_named():
    data = bytearray(zipped("a.txt", TEXT.encode()))
    data[45] ^= 255
    (refused,) = read("1.zip", bytes(data))
    assert refused.reason == "damaged_zip"
    assert refused.message.startswith("'a.txt' in it cannot be read: ")


def test_a_document_names_the_member_that_it_comes_from():
    (book,) = read("7.zip", zipped("7-0.txt", TEXT.encode()))
    assert (book.id, book.text, book.meta["member"]) == ("gutenberg/7", TEXT, "7-0.txt")
    (book,) = read("7.txt", TEXT.encode())
    assert book.meta["member"] is None


def test_absolute_names_in_a_tar():
    books = read("b.tgz", tar(("/books3/A Lamp - Ann Author.epub.txt", TEXT.encode()), ("../up.txt", b"x")))
    assert (books[0].id, books[0].meta["member"]) == (
        "books3/A Lamp - Ann Author",
        "books3/A Lamp - Ann Author.epub.txt",
    )
    assert (books[0].meta["title"], books[0].meta["author"]) == ("A Lamp", "Ann Author")
    assert books[1].reason == "unsafe_name"


def test_no_two_books_of_a_tar_have_one_id():
    names = ["a.epub.txt", "a.txt", "books3/a.epub.txt", "a@1024.txt", "a.epub.txt"]
    ids = [book.id for book in read("b.tgz", tar(*((name, b"text") for name in names)))]
    assert ids == ["books3/a", "books3/a@1024", "books3/a@2048", "books3/a@1024@3072", "books3/a@4096"]


def test_one_name_in_two_tars_gives_two_ids():
    data = tar(("books3/a.epub.txt", TEXT.encode()))
    source = Books(BooksRecipe(), "", prefixes={"x/one.tgz": "one/", "x/two.tgz": "two/"})
    ids = [book.id for path in source.prefixes for book in source.read(io.BytesIO(data), InputFile(path, 9), Counter())]
    assert ids == ["books3/one/a", "books3/two/a"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("text", [TEXT, "Съешь же ещё этих мягких булок, да выпей чаю.\n" * 40])
def test_books_in_utf16(encoding, text):
    if encoding == "utf-32":
        text = TEXT
    (book,) = read("7.txt", FRAME.format(f"\n{text}\n").encode(encoding))
    assert book.text == text.strip("\n")
    assert book.meta["title"] == "Lamps"
