"""The books sample: made again into the same bytes, with the overlaps that it was written for."""

from pathlib import Path

from filters.books.gutenberg import strip_boilerplate
from filters.books.gutenberg_header import decode
from filters.near_duplicates.minhash import overlap
from filters.near_duplicates.shingles import ShingleHasher
from samples.make_books import main
from sources.books.recipe import NearDedupRecipe
from tests.samples.made import made_again

SAMPLES = Path(__file__).parents[2] / "samples" / "books"


def test_the_sources_give_the_bytes_that_lie_there(tmp_path, capsys):
    made = made_again(main, SAMPLES, tmp_path, capsys)
    assert len(made) == 15
    assert {p.relative_to(SAMPLES) for p in SAMPLES.rglob("*") if p.is_file()} == made


def body(path: str) -> str:
    return strip_boilerplate(decode((SAMPLES / "gutenberg" / path).read_bytes()).text).body


def test_two_editions_lie_above_the_threshold_and_two_at_about_eighty_percent():
    hasher = ShingleHasher(NearDedupRecipe().shingle_words)

    def between(one: str, other: str) -> float:
        return overlap(*(hasher.shingles(body(f"9/0/0/0/{name}")) for name in (one, other))).containment

    assert 0.95 < between("90001/90001-0.txt", "90002/90002-0.txt") < 0.99
    assert 0.78 < between("90003/90003-8.txt", "90004/90004-0.txt") < 0.84
    assert between("90005/90005-0.txt", "90006/90006-0.txt") == 1.0


def test_the_three_forms_of_one_book_differ_in_their_encoding_alone():
    utf8, latin1 = (body(f"9/0/0/0/90001/90001{form}.txt") for form in ("-0", "-8"))
    assert utf8 == latin1
    assert "naïve" in utf8
    assert "naive" in body("9/0/0/0/90001/90001.txt")


def test_no_boilerplate_is_left_in_any_book():
    for path in (SAMPLES / "gutenberg").rglob("*.txt"):
        text = strip_boilerplate(decode(path.read_bytes()).text).body
        assert not any(word in text for word in ("Gutenberg", "Transcriber", "sample", "***"))
