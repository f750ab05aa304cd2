"""Opt-out, as a user types it: a document of each source and each kind goes, and its text is nowhere any more."""

import hashlib
import html
import json
import re

import pyarrow.parquet as pq
import pytest

from tests.end_to_end.commands import ROOT, run
from tests.pipeline.mix.corpora import write_model
from tests.pipeline.optout.made import all_text, files_of, report, write_list

SAMPLES = ROOT / "samples"
INPUTS = {
    "commoncrawl": ["--input", SAMPLES / "commoncrawl", "--set", "perplexity.enabled=false"],
    "c4": ["--from", "wet", "--input", SAMPLES / "c4"],
    "github": ["--input", SAMPLES / "github/repositories", *sorted((SAMPLES / "github").glob("*.gz"))],
    "wikipedia": ["--input", *sorted((SAMPLES / "wikipedia").glob("*-multistream.xml.bz2"))],
    "books": ["--gutenberg", SAMPLES / "books/gutenberg", "--books3", SAMPLES / "books/books3.tar.gz"],
    "arxiv": ["--input", SAMPLES / "arxiv/bulk", SAMPLES / "arxiv/eprints"],
    "stackexchange": ["--input", *sorted((SAMPLES / "stackexchange").glob("*.7z"))],
}
LINE = 25  # characters of a line that tells a text
# By source, lines of the list, and the documents that they mean.
LISTED = {
    "commoncrawl": {
        "url\thttp://ARCHIVE.marlby-university.example:80/press/2024/deep-sea-vent-survey/": ["deep-sea-vent-survey"],
        "domain\txn--msli-werkstatt-gsb.example": ["m\u00fcsli-werkstatt.example"],
        "url-prefix\thttps://collections.marlbymuseum.example/object/": ["object/1902-0417-3", "object/1934-0611-12"],
    },
    "c4": {"domain\tsaltmarsh.example": ["saltmarsh.example"]},
    "github": {"repository\tLantern-Clock": ["lantern-clock/"], "owner\tharbour": ["harbour/bell/"]},
    "wikipedia": {"wikipedia\tde:lohe": ["dewiki-203-2233"], "id\tenwiki-1030-11330": ["enwiki-1030-11330"]},
    "books": {"ebook\t90003": ["gutenberg/90003"]},
    "arxiv": {"arxiv\tarXiv:2103.00002v3": ["arxiv/2103.00002"]},
    "stackexchange": {
        "stackexchange-post\tkitchengarden.example/13": ["kitchengarden.example/12"],
        "stackexchange-user\tworkbench.example/9": ["workbench.example/6"],
    },
}


def make(output, name, *more):
    run(f"sources.{name}", *INPUTS[name], "--output", output, "--direct_num_workers", "1", "--quiet", *more)


def documents(corpus, name):
    """All documents of a source, by id and address."""
    files = sorted((corpus / name).glob("[!_]*/*.parquet"))
    return {f"{row['id']} {row['url']}": row["text"] for file in files for row in pq.read_table(file).to_pylist()}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("optout")
    for name in INPUTS:
        make(root / "corpus", name)
    keys = ["seq_len=64", "shard_rows=80", "heldout_tokens=2048"]
    mixture = [word for key in keys for word in ("--set", key)]
    tokenizer, folders = write_model(root), ["--corpus", root / "corpus", "--output", root / "shards"]
    run("pipeline.mix", "--tokens", "10K", "--tokenizer", tokenizer, *folders, *mixture, "--quiet")
    return root


def listed(name):
    return [part for parts in LISTED[name].values() for part in parts]


@pytest.fixture(scope="module")
def applied(made):
    """What was there before; then the list is applied, with the checksum of a text of each source."""
    before = {name: documents(made / "corpus", name) for name in INPUTS}
    texts, lines = {}, [line for name in LISTED for line in LISTED[name]]
    for name, found in before.items():
        gone = {key for key in found if any(part in key for part in listed(name))}
        assert all(any(part in key for key in gone) for part in listed(name))
        key = max(found.keys() - gone, key=lambda key: (len(found[key]) < 4000, key))
        lines.append(f"sha256\t{hashlib.sha256(found[key].encode()).hexdigest()}")
        texts[name] = {key: found[key] for key in (*gone, key)}
    removals = write_list(made / "removals.tsv", *lines)
    words = [made / "corpus", made / "shards", "--list", removals]
    bytes_before = files_of(made)
    dry = run("pipeline.optout", *words).stdout
    assert files_of(made) == bytes_before
    text = all_text(made)
    assert "Nothing was changed" in dry
    run("pipeline.verify", made / "corpus/wikipedia", "--absent", removals, status=1)
    run("pipeline.optout", *words, "--apply", "--report", made / "answer.tsv")
    others = "\n".join(text for name, found in before.items() for key, text in found.items() if key not in texts[name])
    found = {"before": before, "texts": texts, "removals": removals, "all": text, "bytes": bytes_before}
    return {**found, "others": others}


def test_documents_of_each_kind_leave_each_source_and_nothing_else(made, applied):
    for name, before in applied["before"].items():
        gone = applied["texts"][name]
        assert documents(made / "corpus", name) == {key: text for key, text in before.items() if key not in gone}
        steps = json.loads((made / "corpus" / name / "manifest.json").read_text())["ledger"]["steps"]
        assert steps[-1]["dropped"]["opt_out"]["documents"] == len(gone) >= 2


def test_their_texts_are_nowhere(made, applied, tmp_path):
    """Neither in Parquet, rejects and reports, nor in ids, of training or held out, nor on a page made of it."""
    run("pipeline.report", made / "corpus", made / "shards", "--output", tmp_path)
    page = html.unescape((tmp_path / "index.html").read_text()).encode().decode("unicode_escape", "replace")
    after = f"{all_text(made)}\n{page}"
    for texts in applied["texts"].values():
        for text in texts.values():
            lines = [line.strip() for line in text.split("\n") if len(line.strip()) >= LINE]
            assert lines
            assert any(line in applied["all"] for line in lines)
            assert [line for line in lines[:20] if line in after and line not in applied["others"]] == []


def test_files_without_them_keep_their_bytes(made, applied):
    rows = report(made / "answer.tsv")
    assert {row["source"] for row in rows} == INPUTS.keys()
    touched = {f"corpus/{row['source']}/{row['file']}" for row in rows}
    now = files_of(made)
    parquet = {name for name in applied["bytes"] if name.endswith(".parquet") and name.startswith("corpus/")}
    assert touched <= parquet
    assert all(now[name] == applied["bytes"][name] for name in parquet - touched)
    assert all(now.get(name) != applied["bytes"][name] for name in touched)
    tokens = {name for name in applied["bytes"] if name.endswith(".tokens")}
    stems = {name.removesuffix(".parquet").removeprefix("corpus/") for name in touched}
    for name in tokens:
        same = name.removesuffix(".tokens").split("/", 3)[3] not in stems
        assert (now.get(name) == applied["bytes"][name]) == same


def test_it_is_proved_from_the_files_and_a_second_time_changes_nothing(made, applied):
    corpus = run("pipeline.verify", made / "corpus", "--absent", applied["removals"]).stdout
    assert corpus.count("nothing is left of") == len(INPUTS)
    assert corpus.count("all accounts add up") == len(INPUTS)
    shards = run("pipeline.verify", made / "shards", "--absent", applied["removals"], "--quick").stdout
    assert "shards: nothing is left of" in shards
    assert re.search(r"\d+ rows were taken out for removals, and shares are off by up to [\d.]+%", shards)
    before = files_of(made)
    run("pipeline.optout", made / "corpus", made / "shards", "--list", applied["removals"], "--apply")
    assert files_of(made) == before
    run("pipeline.trace", made / "shards", "--row", "3", "--token", "9")


@pytest.mark.parametrize("name", ["github", "wikipedia", "books", "arxiv", "stackexchange"])
def test_a_source_never_lets_them_in(made, applied, tmp_path, name):
    make(tmp_path, name, "--set", f"optout={applied['removals']}")
    assert documents(tmp_path, name) == documents(made / "corpus", name)
    said = run("pipeline.verify", tmp_path, "--absent", applied["removals"]).stdout
    assert "nothing is left of" in said
    manifest = json.loads((tmp_path / name / "manifest.json").read_text())
    assert list(manifest["optout"].values()) == [manifest["shards"]]
    steps = {
        step["step"]: step["dropped"].get("opt_out", {}).get("documents", 0) for step in manifest["ledger"]["steps"]
    }
    assert steps["read"] >= 1
    assert steps["opt_out"] == 1  # by its checksum, at the end
