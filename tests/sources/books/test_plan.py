"""One text for each ebook number, by the names."""

import random

import pytest

from pipeline.errors import InputError
from pipeline.storage.filesystem import InputFile
from sources.books.plan import archive_prefixes, choose_texts, ebook_number, plan_books


def chosen(*paths: str) -> list[str]:
    return [file.path for file in choose_texts([InputFile(path, 1) for path in paths])[0]]


@pytest.mark.parametrize(
    "ordered",
    [
        ["m/8/84/84-0.txt", "m/8/84/84-0.zip", "m/8/84/84-8.txt", "m/8/84/84-8.zip", "m/8/84/84.txt", "m/8/84/84.zip"],
        ["x/pg84.txt", "m/8/84/84-8.txt", "m/8/84/84.txt"],
        ["m/84-0.txt", "m/84.txt.utf-8", "m/84.zip", "m/old/84-0.txt"],
        ["e/8fant10.txt", "e/7fant10.txt", "e/7fant10.zip"],
        ["e/pandp12.txt", "e/pandp12.zip"],
        ["m/00084-0.txt", "m/84.txt"],
    ],
)
def test_the_best_form_is_read(ordered):
    for start in range(len(ordered)):
        forms = ordered[start:]
        random.Random(start).shuffle(forms)
        assert chosen(*forms) == [ordered[start]]


def test_other_books_and_other_folders_are_other_books():
    paths = [
        "a/fant10.txt",
        "a/fant11.txt",
        "b/fant10.txt",
        "train/84.txt",
        "train/85.txt",
        "a/8 balls.txt",
        "a/balls.txt",
    ]
    assert chosen(*paths) == sorted(paths)


def test_what_is_no_text_is_passed_over_and_said():
    paths = [
        "84-h.zip",
        "84-pdf.zip",
        "84.jpg",
        "readme.txt",
        "GUTINDEX.ALL",
        "metadata.csv",
        "license.txt",
        "84-mp3.zip",
    ]
    texts, others = choose_texts([InputFile(path, 1) for path in paths])
    assert texts == []
    assert {path for path, _ in others} == set(paths)


def test_numbers_in_names():
    assert ebook_number("m/1/3/4/1342/1342-0.txt") == ebook_number("pg1342.txt") == ebook_number("1342.zip") == 1342
    assert ebook_number("pandp12.txt") is None


def test_shards_are_runs_of_files_and_a_tar_is_one():
    texts = [InputFile(f"train/{n}.txt", 10) for n in range(10, 17)]
    plan = plan_books(texts, [InputFile("books3.tar.gz", 99)], 3)
    (scope,) = plan.scopes
    assert [(s.name, len(s.inputs)) for s in scope.shards] == [
        ("gutenberg-00000", 3),
        ("gutenberg-00001", 3),
        ("gutenberg-00002", 1),
        ("books3-00000", 1),
    ]
    assert plan_books(texts[::-1], [InputFile("books3.tar.gz", 99)], 3) == plan


def test_what_is_no_book_is_refused():
    with pytest.raises(InputError, match="no book among the inputs"):
        plan_books([InputFile("readme.txt", 1)], [], 3)
    with pytest.raises(InputError, match=r"books3\.zip is none by its name"):
        plan_books([], [InputFile("books3.zip", 1)], 3)


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ([], {}),
        (["d/books3.tar.gz", "d/books3.tar.gz"], {"d/books3.tar.gz": ""}),
        (["b.TGZ", "a.tar"], {"a.tar": "a/", "b.TGZ": "b/"}),
        (
            ["x/b.tar", "y/b.tar.gz", "y/b-2.tar", "z/b.tgz"],
            {"x/b.tar": "b/", "y/b-2.tar": "b-2/", "y/b.tar.gz": "b-3/", "z/b.tgz": "b-4/"},
        ),
    ],
)
def test_of_several_tars_each_has_a_name_of_its_own_in_the_ids(paths, expected):
    assert archive_prefixes([InputFile(path, 1) for path in paths]) == expected
