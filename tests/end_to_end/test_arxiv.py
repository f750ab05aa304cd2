"""arXiv from end to end: the sample, real papers, hostile submissions, kills, other workers."""

import gzip
import re
from pathlib import Path

import pytest

from samples.make_arxiv import tar_of
from tests.end_to_end.commands import REAL, ROOT, documents, manifest, outputs, rejects, run, run_once, source

SAMPLES = ROOT / "samples" / "arxiv"
INPUTS = ["--input", SAMPLES / "bulk", SAMPLES / "eprints", "--metadata", SAMPLES / "arxiv-metadata-sample.json"]


arxiv = source("arxiv")


sample = run_once(
    arxiv,
    *INPUTS,
    out=[
        "Yield: 9 papers of 17 members, 52.9% (9902 67%, 2103 42%, 2104 100%, other 100%)",
        "2 left in the text (0.01%); papers with some left: 1",
    ],
    err=["papers of these months in the metadata: 4; lines that are no record: 1"],
)


def kept(output: Path) -> dict[str, dict]:
    return {d["id"]: d for d in documents(output, source="arxiv")}


def account(output: Path, name: str) -> dict:
    return next(s for s in manifest(output, "arxiv")["ledger"]["steps"] if s["step"] == name)


def test_the_accounts_of_the_sample(sample):
    done = run("pipeline.verify", sample / "arxiv")
    assert "all accounts add up, 9 documents kept" in done.stdout
    steps = manifest(sample, "arxiv")["ledger"]["steps"]
    assert [s["step"] for s in steps] == ["read", "latex", "length"]
    assert {s["step"]: {r: t["documents"] for r, t in s["dropped"].items()} for s in steps} == {
        "read": {"pdf": 1, "superseded": 1},
        "latex": {"empty": 1, "html": 1, "postscript": 1, "withdrawn": 1},
        "length": {"too_short": 1},
    }
    assert {r: t["documents"] for r, t in steps[0]["failed"].items()} == {"truncated_gzip": 1}
    counters = account(sample, "latex")["counters"]
    starts = {name: count for name, count in counters.items() if name.startswith("starts_at")}
    assert starts == {"starts_at_abstract": 1, "starts_at_heading": 1, "starts_at_section": 8}
    assert {name: counters[name] for name in ("encoding_cp1252", "macros_left", "input_cycles")} == {
        "encoding_cp1252": 2,
        "macros_left": 2,
        "input_cycles": 3,
    }
    assert (sample / "arxiv" / "yield.tsv").read_text().splitlines()[2] == "2103\t12\t5\t0.4167"


def test_a_paper_has_its_fields(sample):
    paper = kept(sample)["arxiv/2103.00001"]
    assert paper["url"] == "https://arxiv.org/abs/2103.00001"
    assert paper["created"].isoformat() == "2021-03-01T00:00:00+00:00"
    assert paper["license"] == "http://creativecommons.org/licenses/by/4.0/"
    assert paper["meta"] == {
        "arxiv_id": "2103.00001",
        "yymm": "2103",
        "version": 2,
        "title": "How Many Lighthouses Can One See?",
        "categories": "math.PR physics.soc-ph",
        "main_file": "main.tex",
        "main_rule": "readme",
        "files_read": 5,
        "encoding": "utf-8",
        "starts_at": "section",
        "macros_defined": 13,
        "macros_expanded": 18,
        "macros_left": 0,
    }
    old = kept(sample)["arxiv/hep-th/9902001"]
    assert (old["url"], old["meta"]["version"]) == ("https://arxiv.org/abs/hep-th/9902001", 1)
    assert kept(sample)["arxiv/2103.00004"]["license"] is None


def test_a_paper_of_many_files_is_put_together_and_cleaned(sample):
    text = kept(sample)["arxiv/2103.00001"]["text"]
    assert text.startswith("\\section{Introduction}\n\\label{sec:intro}\nFrom the bridge")
    assert text.endswith("\\appendix\n\\section{Tables}\nThese tables are for those who do not believe us.\n")
    assert re.findall(r"\\section\*?\{([^}]*)\}", text) == [
        "Introduction",
        "A straight coast",
        "A coast that turns",
        "Acknowledgements",
        "Tables",
    ]
    assert r"\mathbb{E}_{h}\!\left[ \operatorname{vis}(h) \right]" in text
    assert "x_i\\text{ is seen from }s" in text
    assert "Fog is left to others." in text
    for gone in ("TODO", "fog", "bibliography", "newcommand", r"\lh", r"\eps"):
        assert gone not in text


def test_no_paper_is_lost_to_its_encoding_its_form_or_its_macros(sample):
    papers = kept(sample)
    assert "Il pleut sur l’île de Bréhal" in papers["arxiv/2103.00008"]["text"]
    assert "(Ångquist)" in papers["arxiv/cond-mat/9902015"]["text"]
    assert papers["arxiv/cond-mat/9902015"]["text"].startswith("\\begin{abstract}\nWe measure how heat leaves")
    assert r"\mathcal{S}(\mathcal{A})" in papers["arxiv/2103.00002"]["text"]
    hostile = papers["arxiv/2103.00010"]["text"]
    assert "calls itself, \\loop, and one that would grow to ten million words, \\a." in hostile
    assert "lie elsewhere" not in hostile
    percent = papers["arxiv/2104.00001"]["text"]
    assert percent.count("%") == 7
    assert "the house style has a third" in percent


def test_the_newest_version_is_read(sample):
    assert "which are dividing" not in kept(sample)["arxiv/2103.00002"]["text"]
    (old,) = (r for r in rejects(sample, "arxiv") if r["reason"] == "superseded")
    assert old["text"].startswith("2103.00002: a newer version than this v1, or another copy, is at arXiv_src_2103_001")


def test_the_same_command_again_does_nothing_and_another_month_is_added(sample, tmp_path):
    before = outputs(sample)
    assert "Nothing to do: all 6 shards were done before." in arxiv(sample, *INPUTS).stdout
    assert outputs(sample) == before
    arxiv(tmp_path, "--input", SAMPLES / "bulk" / "arXiv_src_9902_001.tar")
    done = arxiv(tmp_path, "--input", SAMPLES / "bulk")
    assert "Wrote 2 of 3 shards, 1 were done before" in done.stdout
    fewer = arxiv(tmp_path, "--input", SAMPLES / "bulk" / "arXiv_src_2103_001.tar", status=1)
    assert "other files than now" in fewer.stderr


def test_another_recipe_or_other_metadata_are_refused(sample):
    changed = arxiv(sample, *INPUTS, "--set", "latex.appendix=drop", status=1)
    assert "recipe.latex.appendix: 'keep' -> 'drop'" in changed.stderr
    without = arxiv(sample, *INPUTS[:-2], status=1)
    assert "metadata:" in without.stderr


PAPER = b"\\documentclass{article}\\begin{document}\\section{A}" + b"Words of a paper, one after another. " * 20


CHAIN = {f"{n}.tex": b"\\input{%d}" % (n + 1) for n in range(40)} | {"m.tex": PAPER + b"\\input{0}"}
HOSTILE = {
    "2005/2005.00001.gz": gzip.compress(PAPER),
    "2005/2005.00002.gz": gzip.compress(bytes(60_000_000)),  # a bomb
    "2005/2005.00003.gz": gzip.compress(PAPER * 30_000),  # one TeX file of 20 MB
    "2005/2005.00004.gz": gzip.compress(bytes(range(256)) * 100),  # binary
    "2005/2005.00005.gz": gzip.compress(tar_of({"a.tex": bytes(range(256)) * 9, "b.tex": PAPER})),
    "2005/2005.00006.gz": gzip.compress(PAPER + b"{" * 5000 + b"\\begin{figure}" * 500),
    "2005/2005.00007.gz": gzip.compress(PAPER + b"\\def\\a{\\a\\a}\\a" * 50),
    "2005/2005.00008.gz": gzip.compress(tar_of(CHAIN)),
    "2005/2005.00009.gz": b"\x1f\x8b not gzip at all",
    "2005/2005.00010.gz": gzip.compress(PAPER),
    "../../2005.00011.gz": gzip.compress(PAPER),
}  # fmt: skip


def test_each_kind_of_bad_submission_costs_itself_only(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "arXiv_src_2005_001.tar").write_bytes(tar_of(HOSTILE))
    (raw / "arXiv_src_2005_002.tar").write_bytes(tar_of({"2005/2005.00012.gz": gzip.compress(PAPER)})[:560])
    arxiv(tmp_path / "corpus", "--input", raw)
    run("pipeline.verify", tmp_path / "corpus" / "arxiv")
    assert sorted(kept(tmp_path / "corpus")) == [f"arxiv/2005.{n:05d}" for n in (1, 5, 6, 7, 8, 10)]
    found = sorted((r["step"], r["reason"]) for r in rejects(tmp_path / "corpus", "arxiv"))
    assert found == [
        ("latex", "binary"),
        ("read", "corrupt_gzip"),
        ("read", "too_large"),
        ("read", "too_large"),
        ("read", "truncated_tar"),
        ("read", "unsafe_name"),
    ]


@pytest.mark.skipif(not REAL.exists(), reason="the real samples are not here")
def test_real_members_are_kept_but_for_those_without_a_source(tmp_path):
    done = arxiv(tmp_path, "--input", REAL / "arxiv" / "bulk")
    run("pipeline.verify", tmp_path / "arxiv")
    assert "Yield: 27 papers of 30 members, 90.0%" in done.stdout
    assert sorted(r["reason"] for r in rejects(tmp_path, "arxiv")) == ["html", "pdf", "withdrawn"]
    papers = kept(tmp_path)
    assert papers["arxiv/cs/0002999"]["meta"]["main_file"] == "cwebman.tex"
    assert papers["arxiv/1707.08043"]["meta"]["encoding"] == "cp1252"
    left = sum(paper["meta"]["macros_left"] for paper in papers.values())
    expanded = sum(paper["meta"]["macros_expanded"] for paper in papers.values())
    assert left / (left + expanded) < 0.02
    assert {name for name, paper in papers.items() if paper["meta"]["macros_left"]} == {"arxiv/cs/0002999"}


@pytest.mark.skipif(not REAL.exists(), reason="the real samples are not here")
def test_folders_of_real_papers_give_the_texts_of_their_tars(tmp_path):
    arxiv(tmp_path / "a", "--input", REAL / "arxiv" / "src", REAL / "arxiv" / "tarballs")
    arxiv(tmp_path / "b", "--input", REAL / "arxiv" / "bulk")
    loose, packed = ({d["text"] for d in kept(tmp_path / name).values()} for name in "ab")
    assert len(packed) == 27
    assert len(loose & packed) >= 24  # the others have style files in their tars alone
