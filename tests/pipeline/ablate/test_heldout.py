"""What is held out, the list that keeps it out, and damage."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.ablate.damaging import is_drawn, shuffled
from pipeline.ablate.heldout import check_absent, choose, overlaps, read_heldout, too_few, write_heldout
from pipeline.ablate.recipe import HeldoutRecipe
from pipeline.errors import InputError, OutputError
from pipeline.mix.recipe import MixRecipe, SourceShare
from pipeline.removals.lists import read_list

MIXTURE = MixRecipe(sources={"web": SourceShare(60), "code": SourceShare(40)})


def corpus(folder, **sources):
    """A corpus of plain Parquet files: for each source ids with texts, and addresses."""
    for name, rows in sources.items():
        (folder / name).mkdir(parents=True)
        table = pa.table({key: [row[at] for row in rows] for at, key in enumerate(("id", "text", "url"))})
        pq.write_table(table, folder / name / "part.parquet")
    return str(folder)


def documents(count, text="text of {}"):
    return [(f"id-{n}", text.format(n), f"https://example.org/{n}") for n in range(count)]


@pytest.fixture
def root(tmp_path):
    return corpus(tmp_path / "corpus", web=documents(40), code=documents(3, "code {}"))


def test_documents_are_chosen_by_their_ids_whatever_lies_beside_them(root, tmp_path):
    recipe = HeldoutRecipe(share=0.1, documents=100)
    chosen = choose(root, MIXTURE, ["web", "code"], recipe)
    assert {row["source"] for row in chosen} == {"web"}  # of three documents two would be most
    assert len(chosen) == 4
    assert too_few(["web", "code"], chosen) == ["code"]
    other = corpus(tmp_path / "other", web=list(reversed(documents(40))), code=documents(3))
    assert choose(other, MIXTURE, ["web", "code"], recipe) == chosen
    assert choose(root, MIXTURE, ["web"], HeldoutRecipe(share=0.1, documents=2)) == chosen[:2]
    assert choose(root, MIXTURE, ["web"], HeldoutRecipe(share=0.1, seed=1)) != chosen


def test_of_equal_texts_one_is_held_out_and_empty_ones_are_not(tmp_path):
    twice = [(f"id-{n}", f"text {n % 20}", None) for n in range(40)]
    same = corpus(tmp_path, web=twice, code=[(f"id-{n}", "", None) for n in range(40)])
    chosen = choose(same, MIXTURE, ["web"], HeldoutRecipe(share=0.5))
    texts = [row["text"] for row in chosen]
    assert len(set(texts)) == len(texts) < 20
    with pytest.raises(InputError, match="no source has 2 documents to hold out"):
        choose(same, MIXTURE, ["code"], HeldoutRecipe(share=0.5))


def test_a_damaged_file_of_them_is_told(root, tmp_path):
    chosen = choose(root, MIXTURE, ["web"], HeldoutRecipe(share=0.1))
    write_heldout(tmp_path, chosen)
    path = tmp_path / "documents.parquet"
    assert [row["id"] for row in read_heldout(path)] == [row["id"] for row in chosen]
    path.write_text("x")
    with pytest.raises(OutputError, match=r"documents\.parquet, which all arms were judged on, cannot be read"):
        read_heldout(path)


def test_a_long_text_is_cut_between_characters(tmp_path):
    long = corpus(tmp_path, web=documents(40, "é" * 50 + " {}"), code=documents(1))
    rows = choose(long, MIXTURE, ["web"], HeldoutRecipe(share=0.1, document_bytes=65))
    assert {row["text"] for row in rows} == {"é" * 32}
    assert {row["whole_bytes"] for row in rows} <= {102, 103}


def test_ids_that_fit_no_line_are_not_chosen_and_addresses_that_are_none_not_listed(tmp_path):
    rows = [*documents(30), ("tab\tid", "x", None), (" id", "y", None), ("", "z", None)]
    rows += [("fine id", "w", "no address"), ("other", "v", "https://example.org/a b")]
    chosen = choose(corpus(tmp_path / "c", web=rows, code=documents(1)), MIXTURE, ["web"], HeldoutRecipe(share=0.5))
    assert not {"tab\tid", " id", ""} & {row["id"] for row in chosen}
    write_heldout(tmp_path, chosen)
    kinds = [removal.kind for removal in read_list(str(tmp_path / "optout.tsv")).removals]
    assert kinds.count("id") == kinds.count("sha256") == len(chosen)
    (tmp_path / "own.tsv").write_text("domain\texample.net\n")
    write_heldout(tmp_path, chosen, [str(tmp_path / "own.tsv")])
    assert [removal.kind for removal in read_list(str(tmp_path / "optout.tsv")).removals] == [*kinds, "domain"]


def test_a_held_out_document_in_an_arm_is_found_by_id_or_address(root, tmp_path):
    chosen = choose(root, MIXTURE, ["web"], HeldoutRecipe(share=0.1))
    write_heldout(tmp_path, chosen)
    out = {row["id"] for row in chosen}
    clean = [row for row in documents(40) if row[0] not in out]
    arm = corpus(tmp_path / "arm", web=clean, code=documents(0))
    check_absent(arm, ["web", "code"], MIXTURE, tmp_path / "optout.tsv")
    for number, row in enumerate([(chosen[0]["id"], "other text", None), ("new", "other text", chosen[0]["url"])]):
        bad = corpus(tmp_path / f"bad-{number}", web=[*clean, row], code=documents(0))
        with pytest.raises(InputError, match=f"has the held-out document {row[0]}"):
            check_absent(bad, ["web"], MIXTURE, tmp_path / "optout.tsv")


def test_the_overlap_of_each_document_is_read_from_a_report(tmp_path):
    lines = '{"line": 2, "word_share": 0.75}\n{"line": 1, "word_share": null}\n'
    (tmp_path / "samples.jsonl").write_text(lines)
    assert overlaps(tmp_path, 3) == [0.0, 0.75, 0.0]


def test_words_are_shuffled_and_white_space_stays():
    text = "  one two\n\nthree\tfour five six \n"
    found = shuffled(text, "id", 0)
    assert found != text
    assert found == shuffled(text, "id", 0) != shuffled(text, "other id", 0)
    assert sorted(found.split()) == sorted(text.split())
    assert [c for c in found if c.isspace()] == [c for c in text if c.isspace()]
    assert shuffled("", "id", 0) == ""


def test_about_the_share_of_documents_is_drawn():
    names = [f"id-{n}" for n in range(1000)]
    counts = {share: sum(is_drawn(name, share, 0) for name in names) for share in (0.1, 0.5, 1.0)}
    assert 70 <= counts[0.1] <= 130
    assert 450 <= counts[0.5] <= 550
    assert counts[1.0] == 1000
