"""Books from end to end: the sample, real files, every kind of damaged input, kills, other workers and orders."""

import io
import os
import tarfile
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.end_to_end.commands import REAL, ROOT, documents, manifest, outputs, rejects, run

SAMPLES = ROOT / "samples" / "books"
INPUTS = ["--gutenberg", SAMPLES / "gutenberg", "--books3", SAMPLES / "books3.tar.gz", "--set", "files_per_shard=4"]
BODY = "\n\n".join(
    f"Chapter {n}. The lamp of evening {n} was lit, and number {n * n} passed along the quay." for n in range(60)
)
HEADER = "The Project Gutenberg EBook of A Book\n\nTitle: A Book\n\nLanguage: English\n\n"


def books(output: Path, *arguments: str | Path, status: int = 0, source: str = "sources.books", workers: int = 1):
    return run(source, "--output", output, "--direct_num_workers", str(workers), *arguments, status=status)


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Path:
    """One run over the embedded sample."""
    output = tmp_path_factory.mktemp("books")
    done = books(output, *INPUTS)
    assert "no longer distributed" not in done.stderr
    return output


def kept(output: Path, subset: str = "*") -> dict[str, dict]:
    return {d["id"]: d for d in documents(output, subset, "books")}


def account(output: Path, name: str) -> dict:
    return next(s for s in manifest(output, "books")["ledger"]["steps"] if s["step"] == name)


def test_the_accounts_of_the_sample(sample):
    assert (
        "all accounts add up, 9 documents kept; 1 record failed (in books3.tar.gz)"
        in run("pipeline.verify", sample / "books").stdout
    )
    steps = manifest(sample, "books")["ledger"]["steps"]
    assert [s["step"] for s in steps] == ["read", "language", "whitespace", "length", "near_dedup"]
    assert {s["step"]: {r: t["documents"] for r, t in s["dropped"].items()} for s in steps if s["dropped"]} == {
        "language": {"language": 1},
        "length": {"too_short": 1},
        "near_dedup": {"near_duplicate": 3},
    }
    assert steps[0]["failed"] == {"empty": {"documents": 1, "characters": 0}}
    counters = steps[0]["counters"]
    assert counters["no_marker"] == 1
    assert counters["two_headers"] == 1
    assert set(kept(sample, "gutenberg")) | set(kept(sample, "books3")) == set(kept(sample))
    assert len(kept(sample, "books3")) == 2


def test_a_book_has_its_fields_and_no_boilerplate(sample):
    lamps = kept(sample)["gutenberg/90001"]
    assert lamps["text"].startswith("THE CAFÉ OF LAMPS\n\nby\n\nRenée Ånström\n\n\nCHAPTER 1")
    assert lamps["text"].endswith("naïve guests came — often.")
    assert (lamps["url"], lamps["language"]) == ("https://www.gutenberg.org/ebooks/90001", "en")
    meta = {
        key: lamps["meta"][key] for key in ("title", "author", "ebook", "released", "encoding", "header", "trailer")
    }
    assert meta == {
        "title": "The Café of Lamps",
        "author": "Renée Ånström",
        "ebook": 90001,
        "released": "March 12, 2026",
        "encoding": "utf-8",
        "header": "marker",
        "trailer": True,
    }
    for book in kept(sample).values():
        assert "Gutenberg" not in book["text"]
    essays = next(book for book in kept(sample, "books3").values() if "Twelve" in book["id"])
    assert (essays["meta"]["title"], essays["meta"]["author"]) == ("Twelve Essays", "E. Mixer")


def test_the_list_of_duplicates_names_what_goes_and_for_what(sample):
    rows = [line.split("\t") for line in (sample / "books" / "duplicates.tsv").read_text().splitlines()[1:]]
    pairs = {(row[2], row[4]): float(row[0]) for row in rows}
    assert set(pairs) == {
        ("Of Rivers and Birds", "Rivers and Birds, Again"),
        ("Neighbours", "Two Books"),
        ("Lamps of the Café", "The Café of Lamps"),
    }
    assert all(value > 0.9 for value in pairs.values())
    table = pq.read_table(sample / "books" / "_duplicates" / "duplicates.parquet").to_pylist()
    removed = {r["id"]: r["meta"]["duplicate_of"] for r in rejects(sample, "books") if r["step"] == "near_dedup"}
    assert removed == {row["removed_id"]: row["survivor_id"] for row in table}
    assert {"gutenberg/90003", "gutenberg/90004"} <= set(kept(sample))  # two editions at 81 %
    passed = (sample / "books" / "passed_over.tsv").read_text()
    assert passed.count("another form of") == 2


def test_another_input_order_gives_the_same_bytes(sample, tmp_path):
    parts = sorted((SAMPLES / "gutenberg").iterdir(), reverse=True)
    flags = ["--books3", SAMPLES / "books3.tar.gz", "--gutenberg", *parts, "--set", "files_per_shard=4"]
    books(tmp_path, *flags, "--quiet")
    assert outputs(tmp_path) == outputs(sample)


def test_the_same_command_again_does_nothing(sample):
    before = outputs(sample)
    assert "Nothing to do: all 4 shards were done before." in books(sample, *INPUTS).stdout
    assert outputs(sample) == before


def test_a_changed_recipe_or_another_set_of_books_is_refused(sample):
    changed = books(sample, *INPUTS, "--set", "near_dedup.threshold=0.95", status=1)
    assert "recipe.near_dedup.threshold: 0.9 -> 0.95" in changed.stderr
    fewer = books(sample, "--gutenberg", SAMPLES / "gutenberg", "--set", "files_per_shard=4", status=1)
    assert "was deduplicated with other files than now" in fewer.stderr
    assert "Give the same --gutenberg and --books3 as before" in fewer.stderr


def test_where_nothing_can_be_read_the_status_tells(tmp_path):
    (tmp_path / "raw").mkdir()
    for name, data in (("1.txt", b""), ("2.txt", b"\0" * 9000), ("3.zip", b"PK")):
        (tmp_path / "raw" / name).write_bytes(data)
    ended = books(tmp_path, "--gutenberg", tmp_path / "raw", status=1)
    assert "3 records failed (3 files could not be read: 1.txt, 2.txt, 3.zip)\n  read: " in ended.stdout
    assert ended.stderr.endswith("error: nothing was kept: every record failed\n")


def framed(body: str) -> str:
    start, end = (f"*** {word} OF THE PROJECT GUTENBERG EBOOK A BOOK ***" for word in ("START", "END"))
    return f"{HEADER}{start}\n\n{body}\n\n{end}\n"


def zip_of(data: bytes, name: str = "a.txt") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return buffer.getvalue()


def other(word: str) -> str:
    return (
        BODY.replace("lamp", word)
        .replace("was lit", f"{word}ed")
        .replace("passed", f"{word} went")
        .replace("n", word[0])
    )


DAMAGE = {
    "no_markers": (other("fox").encode(), True),
    "two_headers": (framed(framed(other("owl"))).encode(), True),
    "mixed": (framed(other("elk")).encode() + b"\xe9\n\xc3\xa9\n", True),
    "zero_bytes_between": (framed(other("cat")).encode().replace(b"quay", b"qu\0ay"), True),
    "only_zero_bytes": (b"\0" * 100_000, False),
    "empty": (b"", False),
    "one_line": (framed(other("ant").replace("\n", " ") + " word" * 300_000).encode(), True),
    "too_large": (b"word " * 500_000, False),
    "quoted_markers": (other("bee").replace("Chapter 30", framed("Chapter 30")).encode(), True),
}


def test_each_kind_of_damage_costs_its_own_book_only(tmp_path):
    folder = tmp_path / "mirror"
    folder.mkdir()
    for name, (data, _) in DAMAGE.items():
        (folder / f"{name}.txt").write_bytes(data)
    (folder / "1-0.zip").write_bytes(zip_of(framed(other("jay")).encode()))
    (folder / "2-0.zip").write_bytes(zip_of(b"\0" * 50_000_000))
    (folder / "3-0.zip").write_bytes(zip_of(b"x" * 5000)[:-40])
    (folder / "4-0.zip").write_bytes(zip_of(b"x", "picture.jpg"))
    (folder / "dangling.txt").symlink_to(folder / "nowhere")
    bad = tmp_path / "books3.tar.gz"
    with tarfile.open(bad, "w:gz") as archive:
        for name in ("../../up.epub.txt", "good - Author.epub.txt", "cover.jpg", "cut.epub.txt"):
            data = other("gnu").encode() if name.startswith("good") else os.urandom(50_000).hex().encode()
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    bad.write_bytes(bad.read_bytes()[:-20_000])
    limits = ["--set", "max_book_megabytes=2", "--set", "language.keep=all", "--set", "language.threshold=0"]
    shown = books(tmp_path / "corpus", "--gutenberg", folder, "--books3", bad, *limits).stdout
    failed = (
        "9 records failed (7 files could not be read: 2-0.zip, 3-0.zip, 4-0.zip and 4 more; others in books3.tar.gz)"
    )
    assert f"{failed}\n  read: " in shown
    assert f"\n  see them: python -m pipeline.inspect {tmp_path}/corpus/books --dropped-by read\n" in shown
    assert failed in run("pipeline.verify", tmp_path / "corpus" / "books").stdout
    found = {Path(d["origin"]["file"]).name: d for d in documents(tmp_path / "corpus", source="books")}
    sound = {f"{name}.txt" for name, (_, good) in DAMAGE.items() if good} | {"1-0.zip", "books3.tar.gz"}
    assert set(found) == sound
    assert found["quoted_markers.txt"]["text"] == DAMAGE["quoted_markers"][0].decode()
    assert found["two_headers.txt"]["text"] == other("owl")
    reasons = {Path(r["origin"]["file"]).name: r["reason"] for r in rejects(tmp_path / "corpus", "books")}
    assert reasons["2-0.zip"] == reasons["too_large.txt"] == "too_large"
    assert (reasons["3-0.zip"], reasons["4-0.zip"]) == ("damaged_zip", "no_text")
    assert reasons["empty.txt"] == reasons["only_zero_bytes.txt"] == "empty"
    assert reasons["dangling.txt"] == "unreadable_file"
    tar = sorted(r["reason"] for r in rejects(tmp_path / "corpus", "books") if "books3" in r["origin"]["file"])
    assert tar == ["not_a_text", "truncated_gzip", "unsafe_name"]


def test_without_books3_the_command_says_why(tmp_path):
    done = books(tmp_path, "--gutenberg", SAMPLES / "gutenberg")
    assert "it is no longer distributed" in done.stderr
    assert "gutenberg/natur10" in str(sorted(kept(tmp_path)))  # its other edition is in Books3


def test_pg19_has_its_titles_in_a_table_of_its_own(tmp_path):
    train = tmp_path / "pg19" / "train"
    train.mkdir(parents=True)
    (train / "10.txt").write_text(BODY)
    (train.parent / "metadata.csv").write_text('10,"Lamps, a Story",1881,http://www.gutenberg.org/ebooks/10\n')
    books(tmp_path / "corpus", "--gutenberg", train, "--set", "language.keep=all", "--set", "language.threshold=0")
    (book,) = documents(tmp_path / "corpus", source="books")
    assert (book["id"], book["meta"]["title"], book["meta"]["released"]) == ("gutenberg/10", "Lamps, a Story", "1881")


@pytest.mark.skipif(not REAL.exists(), reason="the real samples are not here")
def test_real_books_lose_exactly_the_known_duplicates(tmp_path):
    real = REAL / "books"
    copies = tmp_path / "texts"
    copies.mkdir()
    for path in real.glob("*.txt"):  # names without numbers, so that all releases are read
        name = path.name.replace("1342-0", "pride").replace("pg1342", "prejudice").replace("pg84", "modern")
        (copies / name).symlink_to(path)
    books(tmp_path / "corpus", "--gutenberg", copies, "--set", "files_per_shard=5")
    run("pipeline.verify", tmp_path / "corpus" / "books")
    rows = pq.read_table(tmp_path / "corpus" / "books" / "_duplicates" / "duplicates.parquet").to_pylist()
    pairs = {frozenset(Path(i).stem.rsplit("-", 1)[0] for i in (r["removed_id"], r["survivor_id"])): r for r in rows}
    assert set(pairs) == {frozenset({"modern", "pg-frankenstein"}), frozenset({"pride", "prejudice"})}
    assert round(pairs[frozenset({"modern", "pg-frankenstein"})]["jaccard"], 3) == 0.977
    assert round(pairs[frozenset({"pride", "prejudice"})]["jaccard"], 3) == 1.0
    assert len(documents(tmp_path / "corpus", source="books")) == 10
