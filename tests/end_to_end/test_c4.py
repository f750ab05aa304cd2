"""C4 from end to end: both inputs, every rule on the sample, damaged input, kills, other workers and orders."""

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from samples.make_c4 import main as make_sample
from tests.end_to_end.commands import REAL, ROOT, documents, manifest, outputs, rejects, run, run_once, wet_record

SAMPLES = ROOT / "samples" / "c4"
WET = sorted(SAMPLES.glob("*.warc.wet.gz"))
PUBLISHED = sorted(SAMPLES.glob("c4-*"))
EXACT = ["--set", "language.method=langdetect", "--set", "language.threshold=0.99"]
GOOD = "The tide came in before {0} noon. The {0} boats came in with it. Nobody was at the {0} quay."


def c4(output: Path, origin: str, *arguments: str | Path, status: int = 0, workers: int = 1):
    flags = ["--from", origin, "--output", output, "--direct_num_workers", str(workers), *arguments]
    return run("sources.c4", *flags, status=status)


def accounts(output: Path) -> dict[str, dict]:
    return {step["step"]: step for step in manifest(output, "c4")["ledger"]["steps"]}


def gone(output: Path) -> dict[str, dict[str, int]]:
    found = {}
    for name, step in accounts(output).items():
        counts = {r: t["documents"] for kind in ("dropped", "failed") for r, t in step[kind].items()}
        found.update({name: counts} if counts else {})
    return found


def kept(output: Path, subset: str = "*") -> dict[str, dict]:
    return {d["url"]: d for d in documents(output, subset, "c4")}


sample = run_once(c4, "wet", "--input", *WET, err=["The recipe's list of bad words is the sample's"])


def test_every_rule_drops_something_of_the_sample(sample):
    assert "all accounts add up, 11 documents kept" in run("pipeline.verify", sample / "c4").stdout
    steps = ["read", "page", "url_dedup", "lines", "dedup", "sentences", "language", "bad_words"]
    assert list(accounts(sample)) == steps
    assert gone(sample) == {
        "read": {"not_a_conversion": 2},
        "page": {"no_content": 1, "no_timestamp": 1, "no_url": 1, "too_long": 1},
        "url_dedup": {"duplicate_url": 2},
        "lines": {"loremipsum": 1, "squigglybracket": 1, "too_few_sentences": 2},
        "sentences": {"empty": 1, "too_few_sentences": 2},
        "language": {"ignored_language": 2, "low_confidence": 1},
        "bad_words": {"bad_words": 2},
    }


def test_every_rule_drops_lines_of_the_sample(sample):
    # The numbers of lines are those that clean_page and remove_duplicate_text of c4_utils.py count, with NLTK 3.5.
    assert {name: step["counters"] for name, step in accounts(sample).items() if step["counters"]} == {
        "read": {"header_like_lines": 2, "invalid_utf8": 1, "text_bytes": 225505},
        "lines": {
            "line-filtered:javascript": 1,
            "line-filtered:no_endmark": 30,
            "line-filtered:policy": 2,
            "line-filtered:too_long_word": 1,
            "line-filtered:too_short": 1,
            "line-passed": 66,
        },
        "sentences": {
            "line-filtered:global_duplicate": 7,
            "line-filtered:local_duplicate": 2,
            "line-passed": 52,
        },
    }


def test_the_documents_of_the_sample(sample):
    assert {url.partition("://")[2] for url in kept(sample, "validation")} == {
        "www.ferrytimes.example/letters/343",
        "www.orchard-notes.example/entry-2358?ref=front",
    }
    tides = kept(sample, "train")["https://www.saltmarsh.example/guide/tides"]
    assert tides["text"] == (
        "The tide reaches the upper creeks about forty minutes after it turns at the harbour.\n"
        "At spring tides the water covers the whole of the lower path, so look at the table before you leave.\n"
        "Walkers have been cut off here twice in the last ten years, and both times the lifeboat came.\n"
        '"The marsh does not care how well you know it," as the wardens say.'
    )
    assert (tides["language"], tides["created"].isoformat()) == ("en", "2026-03-12T02:10:00+00:00")
    removed = tides["meta"].pop("removed_lines")
    assert {rule: count for rule, count in removed.items() if count} == {"no_endmark": 3, "too_short": 1}
    score = tides["meta"].pop("language_score")
    assert score > 0.9
    assert tides["meta"] == {
        "normalized_url": "saltmarsh.example/guide/tides",
        "crawl_languages": "eng",
        "sentences": 4,
        "original_lines": 8,
        "original_characters": 453,
        "kept_lines": 4,
    }
    curlew = kept(sample, "train")["https://www.saltmarsh.example/birds/curlew"]
    assert "You can join the friends" not in curlew["text"]  # the page that keeps this line goes for other reasons


def test_the_exact_language_keeps_the_same_pages_of_the_sample(sample, tmp_path):
    c4(tmp_path, "wet", "--input", *WET, *EXACT)
    assert kept(tmp_path).keys() == kept(sample).keys()
    assert gone(tmp_path)["language"] == {"ignored_language": 3}


def test_another_input_order_gives_the_same_bytes(sample, tmp_path):
    c4(tmp_path, "wet", "--input", *reversed(WET), "--quiet")
    assert outputs(tmp_path) == outputs(sample)


def test_the_same_command_again_does_nothing_and_another_recipe_or_input_is_refused(sample):
    before = outputs(sample)
    assert "Nothing to do: all 2 shards were done before." in c4(sample, "wet", "--input", *WET).stdout
    changed = c4(sample, "wet", "--input", *WET, "--set", "lines.min_words=3", status=1)
    assert "recipe.lines.min_words: 5 -> 3" in changed.stderr
    assert "from: 'wet' -> 'published'" in c4(sample, "published", "--input", *PUBLISHED, status=1).stderr
    assert "was deduplicated with other files" in c4(sample, "wet", "--input", WET[0], status=1).stderr
    assert outputs(sample) == before


def test_the_published_corpus_is_used_as_it_is(tmp_path):
    c4(tmp_path, "published", "--input", *PUBLISHED)
    assert "all accounts add up, 13 documents kept; 2 records failed" in run("pipeline.verify", tmp_path / "c4").stdout
    assert gone(tmp_path) == {"read": {"broken_json": 1, "no_text": 1}}
    rows = [json.loads(line) for line in gzip.decompress(PUBLISHED[2].read_bytes()).splitlines()]
    found = kept(tmp_path, "validation")
    assert {url: d["text"] for url, d in found.items()} == {row["url"]: row["text"] for row in rows}
    assert len(kept(tmp_path, "train")) == 11
    one = found["https://harbour-library.example/book/636"]
    assert (one["language"], one["meta"]["normalized_url"]) == ("en", "harbour-library.example/book/636")
    before = outputs(tmp_path)
    c4(tmp_path, "published", "--input", *reversed(PUBLISHED), workers=2)
    assert outputs(tmp_path) == before


def test_files_may_be_added_to_a_published_corpus(tmp_path):
    c4(tmp_path, "published", "--input", PUBLISHED[1])
    c4(tmp_path, "published", "--input", *PUBLISHED)
    assert len(kept(tmp_path)) == 13


def test_damaged_rows_cost_themselves(tmp_path):
    def row(n: int, **fields) -> bytes:
        return json.dumps(
            {"text": f"Page {n}.", "timestamp": "2019-04-18T10:00:15Z", "url": f"a.example/{n}", **fields}
        ).encode()

    folder = tmp_path / "rows"
    folder.mkdir()
    long = b'{"text": "' + b"x" * 100_000_000 + b'"}'
    lines = [row(1), b"{broken", row(2, text=None), b'{"url": "a"}', long, row(3).replace(b"Page", b"P\xe9ge"), row(4)]
    (folder / "a.json.gz").write_bytes(gzip.compress(b"\n".join(lines), 1))
    (folder / "b.json").write_bytes(b"\n".join([row(5), b"", b"[" * 50_000, b"\xff\xfe\0", row(6, timestamp=None)]))
    (folder / "c.json.gz").write_bytes(gzip.compress(b"\n".join([row(n) for n in range(10, 2000)]))[:-2000])
    (folder / "d.json.gz").write_bytes(b"")
    (folder / "e.parquet").write_bytes(PUBLISHED[1].read_bytes()[:-100])
    (folder / "f.json.gz").symlink_to(folder / "nowhere")
    (folder / "g.json.gz").write_bytes(WET[0].read_bytes())
    c4(tmp_path / "out", "published", "--input", folder)
    run("pipeline.verify", tmp_path / "out" / "c4")
    reasons = {(Path(r["origin"]["file"]).name[0], r["reason"]) for r in rejects(tmp_path / "out", "c4")}
    assert reasons == {
        *(("a", reason) for reason in ("broken_json", "no_text", "record_too_large")),
        ("b", "broken_json"), ("c", "truncated_gzip"), ("d", "empty_file"), ("e", "damaged_parquet"),
        ("f", "unreadable_file"), ("g", "broken_json"),
    }  # fmt: skip
    assert gone(tmp_path / "out")["read"]["broken_json"] == 4
    found = kept(tmp_path / "out")
    assert {f"a.example/{n}" for n in (1, 3, 4, 5, 6)} <= found.keys()
    assert found["a.example/3"]["text"] == "P\ufffdge 3."
    cut = sorted(int(url.rpartition("/")[2]) for url in found if int(url.rpartition("/")[2]) >= 10)
    assert cut == list(range(10, 10 + len(cut)))
    assert len(cut) > 500


def test_damaged_wet_files_cost_what_is_damaged(tmp_path):
    folder = tmp_path / "wet"
    folder.mkdir()
    pages = [wet_record(GOOD.format(f"{n}th").encode(), f"http://a.example/{n}", n) for n in range(40)]
    (folder / "a.warc.wet.gz").write_bytes(b"".join(gzip.compress(p) for p in pages[:20])[:-30])
    damaged = bytearray(b"".join(gzip.compress(p) for p in pages[20:]))
    damaged[1500:1520] = bytes(20)
    (folder / "b.warc.wet.gz").write_bytes(damaged)
    long = (b"x" * 999 + b" ") * 100_000 + b"."
    odd = [GOOD.format("\u2028\x85\x0b").encode(), b"\n" * 1_000_000, b"\xff" * 5000, long]
    records = b"".join(wet_record(t, f"http://b.example/{n}", 50 + n) for n, t in enumerate(odd))
    (folder / "c.warc.wet").write_bytes(records + wet_record(GOOD.format("c").encode(), "http://b.example/9", 60))
    (folder / "d.warc.wet.gz").write_bytes(b"")
    (folder / "e.warc.wet.gz").write_bytes(PUBLISHED[0].read_bytes())
    c4(tmp_path / "out", "wet", "--input", folder)
    run("pipeline.verify", tmp_path / "out" / "c4")
    reasons = Counter((Path(r["origin"]["file"]).name[0], r["reason"]) for r in rejects(tmp_path / "out", "c4"))
    assert reasons[("a", "truncated_gzip")] == reasons[("d", "empty_file")] == reasons[("e", "not_warc")] == 1
    assert reasons[("b", "corrupt_gzip")] >= 1
    assert reasons[("c", "record_too_large")] == reasons[("c", "no_content")] == 1
    found = kept(tmp_path / "out").keys()
    assert {f"http://a.example/{n}" for n in range(19)} <= found
    assert sum(url.startswith("http://a.example") for url in found) >= 37
    assert "http://b.example/9" in found


@pytest.mark.skipif(not REAL.exists(), reason="the real samples are not here")
def test_real_pages_give_the_counts_that_the_original_code_gives(tmp_path):
    path = REAL / "commoncrawl" / "wet" / "CC-MAIN-2026-12-first110.warc.wet.gz"
    c4(tmp_path, "wet", "--input", path, *EXACT)
    run("pipeline.verify", tmp_path / "c4")
    steps = accounts(tmp_path)
    # Counted with clean_page, remove_duplicate_text and detect_english of c4_utils.py, and NLTK 3.5.
    assert gone(tmp_path) == {
        "read": {"not_a_conversion": 1},
        "lines": {"squigglybracket": 1, "too_few_sentences": 60},
        "language": {"ignored_language": 26},
    }
    assert steps["lines"]["counters"] == {
        "line-filtered:javascript": 1,
        "line-filtered:no_endmark": 9533,
        "line-filtered:policy": 2,
        "line-filtered:too_long_word": 3,
        "line-filtered:too_short": 125,
        "line-passed": 682,
    }
    assert steps["sentences"]["counters"] == {
        "line-filtered:global_duplicate": 1,
        "line-filtered:local_duplicate": 10,
        "line-passed": 613,
    }
    assert len(kept(tmp_path)) == 22


@pytest.mark.skipif(not REAL.exists(), reason="the real samples are not here")
def test_real_published_files_are_split_as_their_names_say(tmp_path):
    c4(tmp_path, "published", "--input", REAL / "c4")
    run("pipeline.verify", tmp_path / "c4")
    for split, count in (("train", 400), ("validation", 200)):
        found = documents(tmp_path, split, "c4")
        assert len(found) == count
        assert {Path(d["origin"]["file"]).name.split(".")[0] for d in found} == {f"c4-{split}"}


def test_the_sample_is_what_its_sources_make(tmp_path):
    make_sample(["--output", str(tmp_path)])
    for path in (*WET, *(p for p in PUBLISHED if p.suffix == ".gz")):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()
