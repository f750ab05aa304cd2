"""Wikipedia from end to end: the embedded sample, every form and size of shard, kills, the archive, the citations."""

import bz2
import functools
import shutil
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.end_to_end.commands import ROOT, documents, manifest, outputs, rejects, run, run_once

SAMPLE = ROOT / "samples" / "wikipedia"
INPUT = "samples/wikipedia/*.bz2"
ENGLISH = SAMPLE / "enwiki-20260401-pages-articles-multistream.xml.bz2"


def wikipedia(output: Path, *arguments: str | Path, status: int = 0):
    """Runs the source in one process, which starts soonest."""
    return run("sources.wikipedia", "--output", output, "--direct_num_workers", "1", *arguments, status=status)


sample = run_once(wikipedia, "--input", INPUT)


def same(output: Path) -> list[tuple]:
    """What documents must not depend on the form of the dump in: all but the shard and the place in the file."""
    return sorted(
        (d["id"], d["text"], d["url"], d["license"], str(d["meta"])) for d in documents(output, "*", "wikipedia")
    )


def test_the_funnel_of_the_sample(sample):
    steps = {entry["step"]: entry for entry in manifest(sample, "wikipedia")["ledger"]["steps"]}
    assert list(steps) == ["read", "text", "length", "dedup"]
    assert [entry["entered"]["documents"] for entry in steps.values()] == [38, 23, 21, 19]
    dropped = {
        step: {reason: tally["documents"] for reason, tally in entry["dropped"].items()}
        for step, entry in steps.items()
    }
    assert dropped == {
        "read": {"not_an_article": 11, "redirect": 4},
        "text": {"empty": 2},
        "length": {"too_short": 2},
        "dedup": {"duplicate": 1},
    }
    assert not any(entry["failed"] for entry in steps.values())
    kept = manifest(sample, "wikipedia")["ledger"]["kept"]
    assert {subset: tally["documents"] for subset, tally in kept.items()} == {"de": 5, "en": 13}


def test_verify_agrees(sample):
    assert run("pipeline.verify", sample / "wikipedia").stdout.endswith("all accounts add up, 18 documents kept\n")


def test_the_rejects_of_the_sample(sample):
    found = {(r["reason"], r["meta"]["title"]) for r in rejects(sample, "wikipedia") if r["step"] != "read"}
    assert found == {
        ("empty", "Gallery of Harwick"),
        ("empty", "Liste der Mühlen an der Lohe"),
        ("too_short", "Little Orrin"),
        ("too_short", "Neuhof (Lohetal)"),
        ("duplicate", "South Orrin Bank"),
    }


def test_a_text_of_the_sample(sample):
    (found,) = (d for d in documents(sample, "en", "wikipedia") if d["meta"]["title"] == "Marlby Museum")
    assert found["text"] == (
        "The Marlby Museum is a museum of local history in Marlby, Northmark. It was founded in 1889 from the "
        "collection of the physician Wilhelmina Strachan and holds about 21,000 objects.\n\n"
        "Its best-known piece is a pilgrim's flask of the fourteenth century, found in 1934 in the bed of the Wend. "
        "A second flask, which a farmer gave in 1951, proved to be a copy.\n\n"
        "Building\n\n"
        "The house of 1887 is a listed building. A wing was added as of 1972."
    )
    assert found["url"] == "https://en.wikipedia.org/wiki/Marlby_Museum"
    assert found["license"] == "CC BY-SA 4.0, GFDL"


def test_the_citations_of_the_sample(sample):
    urls = run("sources.wikipedia.references", sample / "wikipedia").stdout.splitlines()
    assert len(urls) == len(set(urls)) == 20
    assert "https://www.medbulletin.example/content/352/7/1187" in urls


def test_shards_of_other_sizes_hold_the_same_documents(sample, tmp_path):
    wikipedia(tmp_path, "--input", INPUT, "--set", "shard_megabytes=0.003")
    assert manifest(tmp_path, "wikipedia")["shards"] == 5
    assert same(tmp_path) == same(sample)
    run("pipeline.verify", tmp_path / "wikipedia")


def test_other_forms_hold_the_same_documents(sample, tmp_path):
    folder = tmp_path / "dumps"
    folder.mkdir()
    for path in SAMPLE.glob("*multistream.xml.bz2"):
        xml = bz2.decompress(path.read_bytes())
        name = path.name.replace("-multistream", "").removesuffix(".bz2")
        if name.startswith("en"):
            (folder / name).write_bytes(xml)
        else:
            (folder / f"{name}.bz2").write_bytes(bz2.compress(xml))
    wikipedia(tmp_path / "out", "--input", folder)
    assert manifest(tmp_path / "out", "wikipedia")["shards"] == 2
    assert same(tmp_path / "out") == same(sample)


def test_the_same_command_again_has_nothing_to_do(sample):
    before = outputs(sample)
    assert "all 2 shards were done before" in wikipedia(sample, "--input", INPUT).stdout
    assert outputs(sample) == before


def test_without_its_index_a_dump_is_one_shard_and_that_is_said(tmp_path):
    shutil.copy(ENGLISH, tmp_path)
    done = wikipedia(tmp_path / "out", "--input", tmp_path / ENGLISH.name, "--set", "shard_megabytes=0.002")
    assert f"{ENGLISH.name} is read as one shard: its index " in done.stderr
    assert manifest(tmp_path / "out", "wikipedia")["shards"] == 1


def test_a_header_that_contradicts_the_name_is_told_also_where_progress_is_not(sample, tmp_path):
    (tmp_path / "scowiki.xml").write_bytes(bz2.decompress(ENGLISH.read_bytes()))
    done = wikipedia(tmp_path / "out", "--input", tmp_path / "scowiki.xml", "--quiet")
    assert done.stderr == "warning: scowiki.xml: read as sco, as the name says; but the header says enwiki\n"
    assert {d["language"] for d in documents(tmp_path / "out", "sco", "wikipedia")} == {"sco"}


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_dumps_by_language_and_date_with_the_archive_as_fallback(sample, tmp_path):
    """The German dump is at the publisher, the English one in the archive only; each is cut by its index."""
    for folder, language in (("dumps/dewiki/20220701", "de"), ("archive/enwiki-20220701", "en")):
        (tmp_path / "web" / folder).mkdir(parents=True)
        for path in SAMPLE.glob(f"{language}wiki-*.bz2"):
            name = path.name.replace("20260401", "20220701")
            shutil.copy(path, tmp_path / "web" / folder / name)
    handler = functools.partial(QuietHandler, directory=str(tmp_path / "web"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        flags = ["--lang", "en,de", "--date", "20220701", "--set", "shard_megabytes=0.003"]
        flags += ["--dumps-url", f"{url}/dumps", "--archive-url", f"{url}/archive", "--cache", str(tmp_path / "cache")]
        wikipedia(tmp_path / "out", *flags)
    finally:
        server.shutdown()
        server.server_close()
    assert {(d["id"], d["text"]) for d in documents(tmp_path / "out", "*", "wikipedia")} == {
        (d["id"], d["text"]) for d in documents(sample, "*", "wikipedia")
    }
    assert manifest(tmp_path / "out", "wikipedia")["shards"] == 5
    wikipedia(tmp_path / "out", *flags)  # the server is gone: all is in the cache
    run("pipeline.verify", tmp_path / "out" / "wikipedia")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "give either --input with dumps, or --date, such as --lang en,de --date 20220701"),
        (["--input", INPUT, "--date", "20220701"], "give either --input with dumps, or --date"),
        (["--lang", "en"], "give either --input with dumps, or --date"),
        (["--input", INPUT, "--lang", "en,de"], "--input takes one language with --lang, not 'en,de'"),
        (["--date", "yesterday"], "--date must be a dump's date, such as 20220701, it is 'yesterday'"),
        (
            ["--date", "20220701", "--lang", "English"],
            "--lang: no Wikipedia has the code 'English' (near ones: en); give",
        ),
        (["--input", INPUT, "--lang", "xx"], "--lang: no Wikipedia has the code 'xx' (near ones: xh); give codes"),
        (["--input", INPUT, "--lang", "en"], "-multistream.xml.bz2 say de, --lang (or the recipe's language) says en"),
        (["--input", "nowhere/*.bz2"], "matches no file"),
        (["--input", INPUT, "--set", "min_charcters=1"], "Did you mean min_characters?"),
    ],
)
def test_wrong_commands_end_with_one_sentence(tmp_path, flags, message):
    done = wikipedia(tmp_path, *flags, status=1)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
