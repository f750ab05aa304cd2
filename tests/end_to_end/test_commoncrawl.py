"""CommonCrawl from end to end: the embedded sample, real files, every kind of damaged input, kills, other workers."""

import gzip
import json
import os
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.end_to_end.commands import (
    REAL,
    SAMPLES,
    commoncrawl,
    documents,
    manifest,
    outputs,
    rejects,
    run,
    run_once,
    step,
    wet_record,
)

CLASSIFIER = ("--set", "reference.model=samples/models/reference.ftz")  # the sample's, as in make commoncrawl
SAMPLE = sorted(SAMPLES.glob("*.warc.wet.gz"))
PROSE = (
    "The old harbour town lies on the northern shore of the bay, and its history reaches back to the thirteenth "
    "century. Merchants from the inland cities built their warehouses along the quay, where grain and timber were "
    "loaded for the long voyage to the south. In the great fire most of the wooden houses were lost, and "
    "the council decided that only brick and stone should be used when the streets around the market were built again."
)
WORDS = [letter * 5 for letter in "abcdefghijklmnopqrstuvwxyz"]  # dedup keys fold digits, so pages differ in words


sample = run_once(commoncrawl, "--input", *SAMPLE, *CLASSIFIER)


def page(number: int) -> bytes:
    return wet_record(f"Page\n{PROSE} It was page {WORDS[number]}.\n".encode(), number=number)


def unfiltered(output: Path, *inputs: Path, status: int = 0):
    """A run in which every good page of 300 characters or more is kept, so that losses show."""
    off = ["perplexity.enabled=false", "reference.enabled=false", "language.keep=all", "language.threshold=0"]
    return commoncrawl(output, "--input", *inputs, *[f for key in off for f in ("--set", key)], status=status)


def test_every_step_of_the_sample_drops_something_and_the_accounts_add_up(sample):
    assert run("pipeline.verify", sample / "commoncrawl").stdout.count("all accounts add up") == 1
    steps = manifest(sample)["ledger"]["steps"]
    assert [s["step"] for s in steps] == ["read", "length", "dedup", "language", "perplexity", "reference"]
    for entry in steps:
        assert entry["dropped"], f"step {entry['step']} drops nothing"
        assert entry["left"]["documents"], f"step {entry['step']} leaves nothing"
    assert set(manifest(sample)["ledger"]["kept"]) == {"head", "middle"}
    read = steps[0]["entered"]["documents"]
    assert read == len(documents(sample)) + len(rejects(sample))


def test_a_kept_document_can_be_rebuilt_from_its_raw_record(sample):
    document = documents(sample, "head")[0]
    with open(document["origin"]["file"], "rb") as raw:
        raw.seek(document["origin"]["offset"])
        record = gzip.decompress(next_member(raw.read()))
    body = record.split(b"\r\n\r\n", 1)[1].decode().split("\n")
    lines = [line.strip() for line in body[1:]]
    assert "\n".join(lines[i] for i in document["meta"]["line_numbers"]) == document["text"]
    assert document["meta"]["kept_lines"] == len(document["meta"]["line_numbers"])
    assert document["meta"]["title"] == body[0].strip()


def next_member(data: bytes) -> bytes:
    import zlib

    member = zlib.decompressobj(31)
    member.decompress(data)
    return data[: len(data) - len(member.unused_data)]


def test_kept_lines_are_those_that_no_other_page_holds(sample):
    """The plainest form of CCNet's dedup, over all files at once."""
    from collections import Counter

    from filters.commoncrawl.lines import line_key, split_wet_text
    from pipeline.formats.warc import WarcRecord, read_records

    pages: dict[str, list[str]] = {}
    for path in SAMPLE:
        with path.open("rb") as stream:
            for record in read_records(stream):
                if isinstance(record, WarcRecord) and record.kind == "conversion":
                    text = split_wet_text(record.body.decode(errors="replace"))[1]
                    if len(text) >= 300:
                        pages[record.record_id] = text.split("\n")
    holders = Counter(key for lines in pages.values() for key in {line_key(line) for line in lines})
    after_dedup = [*documents(sample), *(r for r in rejects(sample) if r["step"] not in {"read", "length", "dedup"})]
    assert len(after_dedup) > 50
    for document in after_dedup:
        expected, seen = [], set()
        for line in pages[document["id"]]:
            if holders[line_key(line)] == 1 and line_key(line) not in seen:
                expected.append(line)
            seen.add(line_key(line))
        assert document["text"] == "\n".join(expected)


def test_another_input_order_gives_the_same_bytes(sample, tmp_path):
    flags = ["--input", *reversed(SAMPLE), "--output", tmp_path, "--direct_num_workers", "1", "--quiet", *CLASSIFIER]
    run("sources.commoncrawl", *flags)
    assert outputs(tmp_path) == outputs(sample)


def test_the_same_command_again_does_nothing_and_says_so(sample):
    before = outputs(sample)
    again = commoncrawl(sample, "--input", *SAMPLE, *CLASSIFIER)
    assert f"Nothing to do: all {len(SAMPLE)} shards were done before." in again.stdout
    assert outputs(sample) == before


def test_a_changed_recipe_on_old_output_is_refused_with_the_difference(sample):
    refused = commoncrawl(sample, "--input", *SAMPLE, *CLASSIFIER, "--set", "reference.threshold=0.5", status=1)
    assert "recipe.reference.threshold: 0.25 -> 0.5" in refused.stderr
    assert "Traceback" not in refused.stderr


DAMAGE = {
    "truncated.warc.wet.gz": lambda: b"".join(gzip.compress(page(n)) for n in (1, 2))[:-40],
    "garbage.warc.wet.gz": lambda: gzip.compress(page(3)) + b"\x00garbage\xff" * 50 + gzip.compress(page(4)),
    "empty.warc.wet.gz": lambda: b"",
    "not_warc.warc.wet.gz": lambda: b"<html>no such file</html>" * 20,
    "lf.warc.wet": lambda: page(5).replace(b"\r\n", b"\n") + page(6).replace(b"\r\n", b"\n"),
    "no_length.warc.wet": lambda: page(7).replace(b"Content-Length", b"X-Length") + page(8),
    "wrong_length.warc.wet": lambda: page(9).replace(b"Content-Length: ", b"Content-Length: 9") + page(10),
    "invalid_utf8.warc.wet": lambda: wet_record(b"T\n" + PROSE.encode() + b" \xff\xfe broken\n", number=11) + page(12),
    "nul.warc.wet": lambda: wet_record(b"T\n" + PROSE.encode() + b" \x00 nul\n", number=13),
    "long_line.warc.wet": lambda: wet_record(b"T\n" + b"word " * 1_500_000 + b"\n", number=14) + page(15),
    "huge_line.warc.wet": lambda: wet_record(b"T\n" + b"word " * 10_000_000 + b"\n", number=21) + page(22),
    "no_text.warc.wet": lambda: wet_record(b"", number=16) + wet_record(b"Title\n", number=17) + page(18),
    "same_url.warc.wet": lambda: page(19) + page(20),
}


def test_each_kind_of_damage_costs_its_own_records_only(tmp_path):
    folder = tmp_path / "wet"
    folder.mkdir()
    for name, make in DAMAGE.items():
        (folder / name).write_bytes(make())
    (folder / "dangling.warc.wet").symlink_to(folder / "nowhere")
    unfiltered(tmp_path / "corpus", folder)
    run("pipeline.verify", tmp_path / "corpus" / "commoncrawl")
    kept = {int(d["id"].rsplit("-", 1)[1].rstrip(">")) for d in documents(tmp_path / "corpus")}
    sound = {1, 3, 4, 5, 6, 8, 10, 11, 12, 13, 14, 15, 18, 19, 20, 22}
    assert sound <= kept
    failed = step(tmp_path / "corpus", "read")["failed"]
    assert {"truncated_gzip", "corrupt_gzip", "empty_file", "not_warc", "record_too_large"} <= failed.keys()
    reasons = {(Path(r["origin"]["file"]).name, r["reason"]) for r in rejects(tmp_path / "corpus")}
    assert ("truncated.warc.wet.gz", "truncated_gzip") in reasons
    assert ("no_text.warc.wet", "too_short") in reasons


# Read and judged by hand, of the 45 English pages: most of the text is sentences by a person, or nearly none is.
PROSE_HOSTS = (
    "120dollarsfoodchallenge.com",
    "24ahead.com",
    "2happy.typepad.com",
    "4crazykings.blogspot.com",
    "5b4.blogspot.com",
    "abaragambi.com",
    "activehistory.ca",
    "antonyloewenstein.com",
    "archiveisi.sfu-kras.ru",
    "b10g.blogspot.com",
    "bedfordstrong.org",
)
JUNK_HOSTS = (
    "0pointer.de",
    "0x20.be",
    "1450espnradio.com",
    "1980s.fm",
    "247sports.com/Player",
    "247sports.com/Recruitment",
    "333.furthur.net",
    "365project.org",
    "4everphotography.smugmug.com",
    "4mydjs.com",
    "500px.com",
    "6dollarshirts.com",
    "100.ubc.ca",
    "2e-vaucresson-garches.agse.fr",
    "anyreplicawatches-blog.com",
    "archives.cshl.edu",
    "atac-inc.com",
    "au-urlm.com",
    "aviationspottersonline.com",
    "battlebrothersgame.com",
    "billige-koder.dk",
    "bjcc.bangor.ac.uk",
)


@pytest.mark.skipif(not REAL.exists(), reason="the real samples are not here")
def test_real_wet_files_run_through_every_step(tmp_path):
    files = sorted((REAL / "commoncrawl" / "wet").iterdir())
    commoncrawl(tmp_path, "--input", *files)
    run("pipeline.verify", tmp_path / "commoncrawl")
    read = step(tmp_path, "read")
    assert read["dropped"]["not_a_conversion"]["documents"] == 3
    pages = 109 + 58 + 2
    assert step(tmp_path, "length")["entered"]["documents"] == pages
    assert step(tmp_path, "perplexity")["entered"]["documents"] == 45
    kept = {document["url"] for document in documents(tmp_path)}
    assert {host for url in kept for host in PROSE_HOSTS if host in url} == set(PROSE_HOSTS)
    assert [host for url in kept for host in JUNK_HOSTS if host in url] == []
    assert len(kept) == 15


def test_percentiles_are_those_of_the_pages_of_the_scope(sample, tmp_path):
    flags = ["--input", *SAMPLE, *CLASSIFIER, "--set", "perplexity.percentile_pages=70"]
    said = commoncrawl(tmp_path / "one", *flags).stdout
    found = manifest(tmp_path / "one")
    head, middle = found["surveys"]["CC-MAIN-20260312010203-20260312040203-00000"]["cutoffs"]["en"].pop("cutoffs")
    assert list(found["surveys"].values()) == [{"cutoffs": {"en": {"pages": 70, "from": "percentiles"}}}]
    assert (
        f"Perplexity cut-offs for en: head below {head}, middle below {middle}, percentiles 30 and 60 of 70 pages."
        in said
    )
    scored = [d for d in [*documents(tmp_path / "one"), *rejects(tmp_path / "one")] if d["meta"]["perplexity"]]
    values = [d["meta"]["perplexity"] for d in scored]
    assert (len(values), [head, middle]) == (70, [round(float(p), 1) for p in np.percentile(values, [30, 60])])
    assert Counter(d["meta"]["bucket"] for d in scored) == {"head": 21, "middle": 21, "tail": 28}
    assert sorted(values) == sorted(
        d["meta"]["perplexity"] for d in [*documents(sample), *rejects(sample)] if d["meta"]["perplexity"]
    )
    assert run("pipeline.verify", tmp_path / "one" / "commoncrawl").stdout.count("all accounts add up") == 1


def test_the_sample_has_few_pages_so_the_cutoffs_of_the_recipe_hold(sample):
    assert manifest(sample)["surveys"] == {
        "CC-MAIN-20260312010203-20260312040203-00000": {
            "cutoffs": {"en": {"pages": 70, "from": "few_pages_cutoffs", "cutoffs": [240.0, 290.0]}}
        }
    }
    kept = {name: tally["documents"] for name, tally in manifest(sample)["ledger"]["kept"].items()}
    assert kept == {"head": 31, "middle": 3}


def test_languages_without_a_model_have_bucket_all_and_no_classifier_is_said(tmp_path):
    every = ["--set", "perplexity.keep=all", "--set", "language.keep=all"]
    said = commoncrawl(tmp_path / "all", "--input", *SAMPLE, *every).stdout
    assert "Perplexity is scored for en; pages in every other language have bucket all." in said
    assert "No reference classifier is given (reference.model)" in said
    kept = documents(tmp_path / "all")
    assert {(d["language"] == "en", d["meta"]["bucket"] == "all") for d in kept} == {(True, False), (False, True)}
    assert Counter(d["language"] == "en" for d in kept) == {True: 70, False: 67}
    some = ["--set", "perplexity.keep=[head, all]", "--set", "language.keep=[en, de, fr]"]
    said = commoncrawl(tmp_path / "some", "--input", *SAMPLE, *some).stdout
    assert "Perplexity is scored for en; pages in de, fr have bucket all." in said
    assert {d["meta"]["bucket"] for d in documents(tmp_path / "some")} == {"head", "all"}


def test_a_run_that_keeps_nothing_says_where_all_went_and_ends_with_1(tmp_path):
    done = commoncrawl(tmp_path, "--input", *SAMPLE, "--set", "perplexity.cutoffs={en: [1, 2]}", status=1)
    assert "Nearly all went at step perplexity: 70 of the 70 documents that reached it (bucket_tail 70)" in done.stdout
    assert "what decides it in the recipe: perplexity.keep, perplexity.cutoffs" in done.stdout
    assert "error: nothing was kept of 161 records read: 6 at step read, 10 at step length, 3 at step" in done.stderr


@pytest.mark.parametrize("key", ["language.model", "perplexity.lm", "perplexity.sentencepiece", "reference.model"])
def test_a_corrupt_model_ends_with_one_clear_message(tmp_path, key):
    broken = tmp_path / "broken.bin"
    broken.write_bytes(os.urandom(50_000))
    refused = commoncrawl(tmp_path, "--input", *SAMPLE, "--set", f"{key}={broken}", status=1)
    assert "error: the " in refused.stderr
    assert str(broken) in refused.stderr
    assert "Traceback" not in refused.stderr


CITED = [
    "museum",
    "archive",
    "council",
    "report",
    "history",
    "research",
    "journal",
    "professor",
    "evidence",
    "census",
    "population",
    "treaty",
]
OTHER = [
    "cheap",
    "online",
    "shop",
    "free",
    "shipping",
    "discount",
    "cart",
    "price",
    "click",
    "offer",
    "deals",
    "coupon",
    "order",
    "login",
    "account",
]
COMMON = [
    "this",
    "page",
    "and",
    "is",
    "of",
    "the",
    "in",
    "a",
    "to",
    "for",
    "with",
    "on",
    "that",
    "it",
    "was",
    "as",
    "are",
    "by",
    "from",
]


def training_page(number: int) -> tuple[str, bytes]:
    """A page of one of two kinds, and its address."""
    draw = random.Random(number)
    words = CITED if number % 2 else OTHER
    lines = (" ".join(draw.choice(words if draw.random() < 0.4 else COMMON) for _ in range(20)) for _ in range(15))
    url = f"http://site{number}.example.org/page"
    return url, wet_record(f"Title {number}\n{chr(10).join(lines)}\n".encode(), url, number)


def test_training_the_reference_classifier_and_using_it(tmp_path):
    pages = [training_page(number) for number in range(500)]
    wet = tmp_path / "pages.warc.wet.gz"
    wet.write_bytes(b"".join(gzip.compress(record) for _, record in pages))
    urls = tmp_path / "urls.txt"  # as Wikipedia writes them: other scheme, www, a slash at the end
    urls.write_text("".join(url.replace("http://", "https://www.") + "/\n" for url, _ in pages[1::2]))
    arguments = ["--input", wet, "--urls", urls, "--output", tmp_path / "model", "--direct_num_workers", "1"]
    trained = run("sources.commoncrawl.train_reference", *arguments)
    assert "area under the curve 1.000" in trained.stdout
    use = ["--set", "perplexity.enabled=false", "--set", f"reference.model={tmp_path}/model/reference.bin"]
    commoncrawl(tmp_path / "corpus", "--input", wet, *use, "--set", "reference.threshold=0.5")
    kept = {d["url"] for d in documents(tmp_path / "corpus")}
    assert kept == {url for url, _ in pages[1::2]}
    manifest = json.loads((tmp_path / "corpus" / "commoncrawl" / "manifest.json").read_text())
    record = manifest["configuration"]["training"]["reference.json"]  # the corpus says how its models came to be
    assert record["held_out"]["recall"] > 0.9
    page = run("pipeline.report", tmp_path / "corpus", "--output", tmp_path / "report")
    assert "reference classifier" in Path(page.stdout.strip()).read_text()
