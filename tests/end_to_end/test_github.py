"""GitHub from end to end: the sample, every kind of damaged input, kills, other workers and other splits."""

import gzip
import io
import json
import os
import tarfile
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.end_to_end.commands import ROOT, documents, manifest, outputs, rejects, run, run_once, source

SAMPLES = ROOT / "samples" / "github"
DUMPS = sorted(SAMPLES.glob("*.gz")) + sorted(SAMPLES.glob("*.parquet"))
INPUTS = ["--input", SAMPLES / "repositories", *DUMPS, "--set", "shard_megabytes=0.005"]
MIT = (SAMPLES / "repositories" / "lantern-clock" / "LICENSE").read_bytes()


github = source("github")


sample = run_once(
    github,
    *INPUTS,
    err=[
        "2 dumps of rows, 1 tar (licences in tars are told while they are read)\n",
        "\n7 repositories: 1 Apache-2.0, 1 MIT OR Apache-2.0, 1 MIT, 1 BSD-3-Clause\n",
        "1 GPL-3.0-only (harbour/fog), 1 no licence (no-terms), 1 unrecognized (odd-terms)",
    ],
)


def kept(output: Path) -> dict[str, dict]:
    return {f"{d['meta']['repo']}/{d['meta']['path']}": d for d in documents(output, source="github")}


def texts(output: Path) -> set[str]:
    return {d["text"] for d in documents(output, source="github")}


def test_the_accounts_of_the_sample(sample):
    assert "all accounts add up, 22 documents kept" in run("pipeline.verify", sample / "github").stdout
    ledger = manifest(sample, "github")["ledger"]
    assert [s["step"] for s in ledger["steps"]] == ["read", "license", "path", "header", "quality", "dedup"]
    assert ledger["steps"][0]["entered"]["documents"] == 62
    assert {s["step"]: {r: t["documents"] for r, t in s["failed"].items()} for s in ledger["steps"] if s["failed"]} == {
        "read": {"broken_json": 1, "missing_field": 1, "undecodable": 1}
    }
    assert {
        s["step"]: {r: t["documents"] for r, t in s["dropped"].items()} for s in ledger["steps"] if s["dropped"]
    } == {
        "read": {"binary": 2, "link": 2, "no_content": 1},
        "license": {"no_license": 2, "other_license": 4, "unknown_license": 3},
        "path": {"certificate": 1, "extension": 9, "generated": 2, "lock_file": 2, "vendored": 2},
        "quality": {"empty": 1, "few_alphanumeric": 1, "long_line": 1, "long_mean_line": 1},
        "dedup": {"duplicate": 3},
    }
    header = next(s for s in ledger["steps"] if s["step"] == "header")
    assert header["entered"]["documents"] == header["left"]["documents"] == 29
    assert header["entered"]["characters"] - header["left"]["characters"] == 2482
    assert {name: tally["documents"] for name, tally in ledger["kept"].items()} == {
        "apache-2.0": 5,
        "bsd-2-clause": 2,
        "bsd-3-clause": 6,
        "mit": 7,
        "several": 2,
    }


def test_a_file_has_its_fields_and_no_notice(sample):
    files = kept(sample)
    clock = files["lantern-clock/src/clock.c"]
    assert clock["text"].startswith('#include <stdio.h>\n#include "clock.h"\n\n#define MINUTES_IN_A_DAY 1440\n')
    assert clock["license"] == "MIT"
    assert clock["origin"]["file"].endswith("repositories/./lantern-clock/src/clock.c")
    assert clock["meta"]["programming_language"] == "C"
    assert (clock["meta"]["lines"], clock["meta"]["longest_line"], clock["meta"]["notice_characters"]) == (20, 106, 646)
    header = files["lantern-clock/src/clock.h"]["text"]
    assert header.startswith("/*\n * clock.h - when the lanterns of the quay are lit.\n *\n * Times are minutes")
    assert files["field-notes/notes/reader.py"]["text"].startswith(
        '#!/usr/bin/env python3\n# -*- coding: utf-8 -*-\n"""Reads field notes'
    )
    assert files["lantern-clock/docs/README.md"]["text"].startswith("# Lantern clock\n")
    assert files["field-notes/notes/umlaut.py"]["text"].startswith("# Zählt die Vögel am Ufer")
    assert files["dogwood/sundial/src/equation.jl"]["url"].startswith("https://github.com/dogwood/sundial/blob/")
    assert files["drum/tune.sh"]["meta"]["ref"].startswith("250829a")
    assert files["harbour/bell/src/lib.rs"]["license"] == "MIT OR Apache-2.0"
    for document in files.values():
        assert "Copyright" not in document["text"]
        assert document["language"] is None


def test_the_text_of_what_is_not_allowed_is_nowhere(sample):
    dropped = [r for r in rejects(sample, "github") if r["step"] in {"license", "path"}]
    assert len(dropped) == 25
    assert {r["text"] for r in dropped} == {""}
    assert {r["meta"]["path"] for r in dropped if r["reason"] == "unknown_license"} == {"lid.go", "LICENSE", "light.rb"}


def test_of_files_with_one_text_one_stays(sample):
    duplicates = {f"{r['meta']['repo']}/{r['meta']['path']}" for r in rejects(sample, "github") if r["step"] == "dedup"}
    assert duplicates == {"alder/kettle/boil.go", "birch/kettle/pkg/boil.go", "harbour/bell/src/tide.lua"}
    assert {"alder/kettle/boil.go", "tide-tables/lua/tide.lua"} <= set(kept(sample))


def test_another_order_gives_the_same_bytes(sample, tmp_path):
    github(tmp_path, "--input", *reversed(DUMPS), *INPUTS[1:2], *INPUTS[-2:], "--quiet")
    assert outputs(tmp_path) == outputs(sample)


def test_other_splits_keep_the_same_files(sample, tmp_path):
    with gzip.open(SAMPLES / "bigquery-000000000000.json.gz") as export:
        lines = export.readlines()
    folder = tmp_path / "export"
    folder.mkdir()
    for number, line in enumerate(reversed(lines)):
        (folder / f"bq-{number:012d}.json.gz").write_bytes(gzip.compress(line))
    others = [path for path in DUMPS if "bigquery" not in path.name]
    github(tmp_path / "corpus", "--input", SAMPLES / "repositories", folder, *others, "--quiet")
    assert {d["id"] for d in documents(tmp_path / "corpus", source="github")} == {
        d["id"] for d in documents(sample, source="github")
    }
    assert {d["license"] for d in documents(tmp_path / "corpus", source="github")} == {
        d["license"] for d in documents(sample, source="github")
    }


def test_the_same_command_again_does_nothing_and_another_recipe_is_refused(sample):
    before = outputs(sample)
    assert "Nothing to do: all" in github(sample, *INPUTS).stdout
    changed = github(sample, *INPUTS, "--set", "strip_notices=false", status=1)
    assert "recipe.strip_notices: True -> False" in changed.stderr
    fewer = github(sample, *INPUTS[:2], *INPUTS[-2:], status=1)
    assert "was deduplicated with other files than now" in fewer.stderr
    assert outputs(sample) == before


def row(number: int, **changes) -> bytes:
    good = {"repo_name": "a/b", "path": f"p{number}.py", "license": "mit", "content": f"x = {number}\n"}
    return json.dumps({**good, **changes}).encode()


def make_bad_repository(folder: Path) -> None:
    """One good file among links, special files, binaries and names that are no UTF-8."""
    folder.mkdir()
    (folder / "LICENSE").write_bytes(MIT)
    (folder / "good.py").write_text("good_in_folder = 1\n")
    (folder / "loop").symlink_to(folder)
    (folder / "self.py").symlink_to("self.py")
    os.mkfifo(folder / "pipe.py")
    (folder / "binary.py").write_bytes(b"\x7fELF\0")
    (folder / "huge.py").write_bytes(b"x" * 100_000_000)
    Path(os.fsdecode(os.path.join(os.fsencode(folder), b"caf\xe9.py"))).write_text("odd_name = 1\n")


def make_bad_tar(path: Path) -> None:
    """One good file among members that point out of the folder; cut at its end."""
    with tarfile.open(path, "w:gz") as archive:
        for name in ("t/LICENSE", "../../up.py", "t/../../over.py", "/t/absolute.py", "t/good.py", "t/cut.py"):
            data = MIT if name.endswith("LICENSE") else f"# {name}\n".encode()
            data = os.urandom(200_000).hex().encode() if name.endswith("cut.py") else data
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    path.write_bytes(path.read_bytes()[:-50_000])


def test_each_kind_of_damage_costs_its_own_record_only(tmp_path):
    bad = tmp_path / "bad"
    bad.mkdir()
    make_bad_repository(bad / "folder")
    make_bad_tar(bad / "tar.tar.gz")
    lines = [
        row(1),
        b'{"repo_name": "a/b", "path',
        row(2, content=None),
        b"{}",
        row(3, content="x" * 100_000_000),
        b"\xff\xfe\x00",
        row(4),
    ]
    (bad / "rows.json.gz").write_bytes(gzip.compress(b"\n".join(lines), 1))
    whole = gzip.compress(b"\n".join(row(n) for n in range(100, 3000)))
    (bad / "cut.json.gz").write_bytes(whole[: len(whole) // 2])
    (bad / "empty.json.gz").write_bytes(b"")
    (bad / "no.parquet").write_bytes(b"PAR1 and no more")
    pq.write_table(pa.table({"text": ["no columns of ours"]}), bad / "other.parquet")
    done = github(tmp_path / "corpus", "--input", bad)
    assert "Traceback" not in done.stderr
    run("pipeline.verify", tmp_path / "corpus" / "github")
    found = texts(tmp_path / "corpus")
    assert {
        "good_in_folder = 1\n",
        "odd_name = 1\n",
        "# t/good.py\n",
        "# /t/absolute.py\n",
        "x = 1\n",
        "x = 4\n",
    } <= found
    assert "x = 100\n" in found
    reasons = {
        name: Counter(r["reason"] for r in rejects(tmp_path / "corpus", "github") if name in r["origin"]["file"])
        for name in ("rows.json", "cut.json", "empty.json", "no.parquet", "other.parquet", "tar.tar", "/folder/")
    }
    assert reasons == {
        "rows.json": {"broken_json": 2, "no_content": 1, "missing_field": 1, "too_large": 1},
        "cut.json": {"truncated_gzip": 1},
        "empty.json": {"empty_file": 1},
        "no.parquet": {"damaged_parquet": 1},
        "other.parquet": {"no_columns": 1},
        "tar.tar": {"unsafe_name": 2, "extension": 1, "truncated_gzip": 1},
        "/folder/": {"extension": 1, "link": 2, "special_file": 1, "binary": 1, "too_large": 1},
    }


def test_a_tokenizer_adds_its_rule(tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "LICENSE").write_bytes(MIT)
    (folder / "numbers.sql").write_text("INSERT INTO t VALUES (" + "1234567890,\n" * 60 + "1);\n")
    (folder / "words.py").write_text(
        '"""The lamps of the quay are lit from dusk to dawn by the keeper of the harbour."""\n'
    )
    model = ["--set", "tokenizer=samples/models/en.sp.model"]
    github(tmp_path / "corpus", "--input", folder, *model)
    (words,) = documents(tmp_path / "corpus", source="github")
    assert words["meta"]["path"] == "words.py"
    assert words["meta"]["letters_per_token"] > 1.5
    (numbers,) = [r for r in rejects(tmp_path / "corpus", "github") if r["step"] == "quality"]
    assert numbers["reason"] == "few_letters_per_token"


def test_the_query_is_printed():
    assert "bigquery-public-data.github_repos.contents" in run("sources.github", "--print-sql").stdout
