"""StackExchange from end to end: the sample, real sites, all kinds of damaged input, kills, other workers and forms."""

import bz2
import gzip
import io
import re
from pathlib import Path

import pytest

from samples import make_stackexchange
from samples.sevenzip import write_archive
from tests.end_to_end.commands import REAL, ROOT, documents, killed, manifest, outputs, rejects, run, run_once, source

SAMPLES = ROOT / "samples" / "stackexchange"
INPUTS = ["--input", *sorted(SAMPLES.glob("*.7z"))]
HEAD = b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>\r\n<posts>\r\n'
TAIL = b"</posts>"


stackexchange = source("stackexchange")


def posts_of(site: str) -> bytes:
    return b"".join(dict(make_stackexchange.archive_files(site))["Posts.xml"])


def pack(path: Path, posts: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as handle:
        write_archive(handle, [("Badges.xml", [b"<badges/>"]), ("Posts.xml", [posts])])
    return path


def questions(count: int, answers: int = 1) -> bytes:
    rows = []
    for n in range(1, count + 1):
        body = f"&lt;p&gt;Question {n}, {n * n} words&lt;/p&gt;"
        rows.append(f'  <row Id="{n}" PostTypeId="1" Score="{n % 7}" Body="{body}" Title="Title {n}" />\r\n')
    for n in range(1, count * answers + 1):
        number, parent = count + n, (n * 7) % count + 1
        rows.append(
            f'  <row Id="{number}" PostTypeId="2" ParentId="{parent}" Score="{n % 120}" Body="answer {n}" />\r\n'
        )
    return HEAD + "".join(rows).encode() + TAIL


def kept(output: Path, subset: str = "*") -> dict[str, dict]:
    return {d["id"]: d for d in documents(output, subset, "stackexchange")}


def account(output: Path, name: str) -> dict:
    return next(s for s in manifest(output, "stackexchange")["ledger"]["steps"] if s["step"] == name)


def reasons(output: Path) -> dict[str, int]:
    read = account(output, "read")
    return {reason: t["documents"] for kind in ("dropped", "failed") for reason, t in read[kind].items()}


def verified(output: Path) -> str:
    return run("pipeline.verify", output / "stackexchange").stdout


sample = run_once(
    stackexchange, *INPUTS, out=["34 rows, of which 17 are answers that became part of their question's record"]
)


def test_the_accounts_of_the_sample(sample):
    assert "all accounts add up, 8 documents kept; 2 records failed" in verified(sample)
    assert [s["step"] for s in manifest(sample, "stackexchange")["ledger"]["steps"]] == ["read", "text", "length"]
    assert reasons(sample) == {"duplicate_id": 1, "malformed_row": 2, "no_question": 2, "other_post_type": 3}
    counters = account(sample, "read")["counters"]
    assert (counters["records"], counters["joined"]) == (account(sample, "read")["entered"]["documents"] + 17, 17)
    assert (counters["forbidden_characters"], counters["malformed_score"]) == (1, 1)
    assert account(sample, "text")["dropped"] == {"empty": {"documents": 1, "characters": 82}}
    assert account(sample, "text")["counters"] == {"empty_answers": 1}


def test_a_thread_of_the_sample(sample):
    joint = kept(sample, "workbench.example")["workbench.example/1"]
    assert joint["text"].startswith(
        "Q: Why did my edge joint open overnight?\n\nI glued two oak boards edge to edge, and"
    )
    assert (
        "\n\nA: Three things open an edge joint, and you can check all of them:\n\n1. The edges do not meet."
        in joint["text"]
    )
    assert (
        "\n3. There is too much pressure in one place. Put a clamp every\n  * 20 cm for soft wood,\n" in joint["text"]
    )
    assert joint["text"].endswith("\n\nA: Just use screws.")
    meta = joint["meta"]
    assert (meta["answer_scores"], meta["answer_ids"], meta["accepted"]) == ([100, 9, 9, -2], [3, 4, 2, 5], 1)
    assert (meta["title"], meta["tags"], meta["score"]) == (
        "Why did my edge joint open overnight?",
        ["glue", "oak", "joints"],
        31,
    )
    assert meta["authors"] == ["2", "5", "2", "3", "user1417"]
    assert (joint["url"], joint["license"]) == ("https://workbench.example/questions/1", "CC BY-SA 2.5, CC BY-SA 3.0")
    assert joint["created"].isoformat() == "2010-09-03T08:12:40.117000+00:00"
    posts = posts_of("workbench.example")
    assert posts[joint["origin"]["offset"] :].startswith(b'  <row Id="1" PostTypeId="1"')
    for offset, number in zip(meta["answer_offsets"], meta["answer_ids"], strict=True):
        assert posts[offset:].startswith(b'  <row Id="%d" PostTypeId="2" ParentId="1"' % number)


def test_code_keeps_its_lines(sample):
    log = kept(sample)["kitchengarden.example/12"]["text"]
    assert "\n2015-08-17 tomato 1240\n2015-08-17 bean    310\n2015-08-18 tomato  980\n\n" in log
    heater = kept(sample)["workbench.example/6"]["text"]
    assert "def step(heating, celsius):\n    if celsius < LOW:\n        return True\n\n    if celsius > HIGH:" in heater
    assert "Write it as a &lt; b in the page" in heater


def test_the_list_of_sites(sample):
    rows = [line.split("\t") for line in (sample / "stackexchange" / "sites.tsv").read_text().splitlines()]
    assert [(row[0], row[3]) for row in rows[1:]] == [
        ("kitchengarden.example", "taken"),
        ("meta.workbench.example", "a meta site"),
        ("workbench.example", "taken"),
    ]


def test_another_order_gives_the_same_bytes(sample, tmp_path):
    stackexchange(tmp_path, "--input", *reversed(INPUTS[1:]), "--quiet")
    assert outputs(tmp_path) == outputs(sample)


def test_the_same_command_again_does_nothing(sample):
    before = outputs(sample)
    assert "Nothing to do: all 2 shards were done before." in stackexchange(sample, *INPUTS).stdout
    assert outputs(sample) == before


def test_a_changed_recipe_is_refused_and_more_sites_may_follow(sample, tmp_path):
    changed = stackexchange(sample, *INPUTS, "--set", "template.answer=Answer - {answer}", status=1)
    assert "recipe.template.answer: 'A: {answer}' -> 'Answer - {answer}'" in changed.stderr
    stackexchange(tmp_path, *INPUTS, "--sites", "workbench.example")
    stackexchange(tmp_path, *INPUTS, "--sites", "kitchengarden.example")
    assert "8 documents kept" in verified(tmp_path)
    assert kept(tmp_path) == kept(sample)


def test_all_forms_of_a_site_give_the_same_documents(sample, tmp_path):
    for site in ("workbench.example", "kitchengarden.example"):
        posts = posts_of(site)
        for form, data in (("plain", posts), ("gz", gzip.compress(posts)), ("bz2", bz2.compress(posts))):
            suffix = "" if form == "plain" else f".{form}"
            path = tmp_path / form / site / f"Posts.xml{suffix}"
            path.parent.mkdir(parents=True)
            path.write_bytes(data)
            (path.parent / "Badges.xml").write_bytes(b"<badges/>")
    expected = {key: d["text"] for key, d in kept(sample).items()}
    offsets = {key: d["origin"]["offset"] for key, d in kept(sample).items()}
    for form in ("plain", "gz", "bz2"):
        small = ["--set", "range_megabytes=0.002", "--set", "partition_megabytes=0.002", "--set", "max_row_megabytes=1"]
        stackexchange(tmp_path / "out" / form, "--input", tmp_path / form, *small)
        found = kept(tmp_path / "out" / form)
        assert {key: d["text"] for key, d in found.items()} == expected
        assert {key: d["origin"]["offset"] for key, d in found.items()} == offsets
        assert "8 documents kept" in verified(tmp_path / "out" / form)
        assert manifest(tmp_path / "out" / form, "stackexchange")["shards"] > 4


@pytest.mark.parametrize("sign", ["_work/*/rows/*.json", "_stats/*.json"])
def test_runs_killed_in_either_pass_go_on_and_give_the_same_bytes(tmp_path, sign):
    folder = tmp_path / "dump" / "many.example"
    folder.mkdir(parents=True)
    (folder / "Posts.xml").write_bytes(questions(4000, 2))
    small = ["--input", tmp_path / "dump", "--set", "range_megabytes=0.5", "--set", "partition_megabytes=0.2"]
    stackexchange(tmp_path / "whole", *small)
    place = tmp_path / "killed" / "stackexchange"
    killed("sources.stackexchange", *small, "--output", tmp_path / "killed", until=lambda: list(place.glob(sign)))
    assert not (tmp_path / "killed" / "stackexchange" / "manifest.json").exists()
    stackexchange(tmp_path / "killed", *small)
    assert outputs(tmp_path / "killed") == outputs(tmp_path / "whole")
    assert "4,000 documents kept" in verified(tmp_path / "killed")
    assert not (tmp_path / "killed" / "stackexchange" / "_work").exists()


def test_the_largest_sites_are_counted(tmp_path):
    for name, count in (("a.example", 3), ("b.example", 9), ("c.example", 5), ("meta.d.example", 50), ("e.example", 1)):
        pack(tmp_path / "dump" / f"{name}.7z", questions(count))
    flags = ["--input", tmp_path / "dump", "--set", "largest=2"]
    stackexchange(tmp_path / "out", *flags)
    assert {d["meta"]["site"] for d in kept(tmp_path / "out").values()} == {"b.example", "c.example"}
    table = (tmp_path / "out" / "stackexchange" / "sites.tsv").read_text()
    assert re.search(r"a\.example\t.*\t6\tnot among the 2 with the most posts", table)
    assert re.search(r"b\.example\t.*\t18\ttaken", table)
    assert re.search(r"meta\.d\.example\t.*\t\ta meta site", table)
    pack(tmp_path / "dump" / "f.example.7z", questions(7))
    refused = stackexchange(tmp_path / "out", *flags, status=1)
    assert "holds c.example, which is not among the 2 with the most posts now" in refused.stderr
    stackexchange(tmp_path / "meta", "--input", tmp_path / "dump", "--sites", "meta.d.example")
    assert len(kept(tmp_path / "meta")) == 50


def test_a_cut_archive_gives_what_is_left_and_is_taken_in_when_it_is_mended(tmp_path):
    whole = pack(tmp_path / "dump" / "a.example.7z", questions(3000, 2)).read_bytes()
    pack(tmp_path / "dump" / "b.example.7z", questions(5))
    (tmp_path / "dump" / "a.example.7z").write_bytes(whole[: len(whole) // 2])
    done = stackexchange(tmp_path / "out", "--input", tmp_path / "dump")
    assert "failed: truncated_7z" in done.stdout
    assert 0 < reasons(tmp_path / "out")["truncated_7z"] < 2
    assert len(kept(tmp_path / "out", "b.example")) == 5
    verified(tmp_path / "out")
    (tmp_path / "dump" / "a.example.7z").write_bytes(whole)
    refused = stackexchange(tmp_path / "out", "--input", tmp_path / "dump", status=1)
    assert "--retry-failed takes in a file" in refused.stderr
    stackexchange(tmp_path / "out", "--input", tmp_path / "dump", "--retry-failed")
    assert len(kept(tmp_path / "out", "a.example")) == 3000
    assert "all accounts add up, 3,005 documents kept" in verified(tmp_path / "out")
    stackexchange(tmp_path / "anew", "--input", tmp_path / "dump")
    assert outputs(tmp_path / "out") == outputs(tmp_path / "anew")


BOMB = (
    b'<?xml version="1.0"?>\n<!DOCTYPE posts [\n<!ENTITY lol "lol">\n'
    + b"".join(b'<!ENTITY lol%d "%s">\n' % (n, b"&lol%d;" % (n - 1) * 10) for n in range(1, 10))
    + b']>\n<posts>\n  <row Id="1" PostTypeId="1" Body="&lol9;" />\n  <row Id="2" PostTypeId="1" Body="sound" />\n'
    b"</posts>"
)


def test_each_kind_of_damage_costs_itself_only(tmp_path):
    dump = tmp_path / "dump"
    files = {
        "bomb.example/Posts.xml": BOMB,
        "empty.example/Posts.xml": b"",
        "noanswers.example/Posts.xml": questions(4, 0),
        "noquestions.example/Posts.xml": HEAD + questions(3).split(b"\r\n", 5)[-1],
        "huge.example/Posts.xml": questions(2).replace(b"answer 1", b"x" * 3_000_000),
        "junk.example/Posts.xml": b"\x00\xff\n" * 10,
        "badges.example/Posts.xml": b'<badges>\n  <row Id="1" UserId="2" Name="x" />\n</badges>',
        "cut.example/Posts.xml.gz": gzip.compress(questions(500))[:-200],
        "other.example.7z": b"PK\3\4 this is a zip",
        "headless.example.7z": (SAMPLES / "workbench.example.7z").read_bytes()[:1500],
    }
    for name, data in files.items():
        path = dump / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    with (dump / "tables.example.7z").open("wb") as handle:
        write_archive(handle, [("Badges.xml", [b"<badges/>"])])
    (dump / "gone.example.7z").symlink_to(dump / "nowhere")
    stackexchange(tmp_path / "out", "--input", dump)
    assert "all accounts add up" in verified(tmp_path / "out")
    found: dict[str, list[str]] = {}
    for reject in rejects(tmp_path / "out", "stackexchange"):
        path = Path(reject["origin"]["file"])
        site = path.parent.name if path.name.startswith("Posts") else path.name.removesuffix(".7z")
        found.setdefault(site, []).append(reject["reason"])
    assert found["bomb.example"].count("malformed_row") == 1
    assert found["bomb.example"].count("not_a_row") == 12
    assert found["noquestions.example"] == ["no_question"] * 3
    assert found["huge.example"] == ["too_large"]
    assert found["junk.example"] == ["not_a_row"] * 10
    assert found["badges.example"] == ["not_a_row", "malformed_row", "not_a_row"]
    assert "truncated_gzip" in found["cut.example"]
    assert found["other.example"] == ["not_7z"]
    assert found["headless.example"] == ["truncated_7z"]
    assert found["tables.example"] == ["no_posts"]
    assert found["gone.example"] == ["unreadable_file"]
    assert found["empty.example"] == ["no_posts"]
    threads = kept(tmp_path / "out")
    assert threads["bomb.example/2"]["text"] == "Q: sound"
    assert [threads[f"noanswers.example/{n}"]["meta"]["answer_ids"] for n in range(1, 5)] == [[]] * 4
    assert {"huge.example/1", "huge.example/2"} <= set(threads)
    assert not [key for key in threads if key.startswith(("noquestions", "junk", "badges", "other"))]


def test_without_unanswered_questions(tmp_path):
    pack(tmp_path / "a.example.7z", questions(6, 0).replace(TAIL, questions(1).split(b"\r\n")[-2] + b"\r\n" + TAIL))
    stackexchange(tmp_path / "out", "--input", tmp_path / "a.example.7z", "--set", "keep_unanswered=false")
    assert len(kept(tmp_path / "out")) == 1
    assert account(tmp_path / "out", "answers")["dropped"]["no_answer"]["documents"] == 5


def test_the_sample_is_what_its_sources_make(tmp_path):
    make_stackexchange.main(["--output", str(tmp_path)])
    for site in make_stackexchange.SITES:
        assert (tmp_path / f"{site}.7z").read_bytes() == (SAMPLES / f"{site}.7z").read_bytes()


@pytest.mark.skipif(not REAL.exists(), reason="the real samples are not here")
def test_real_sites(tmp_path):
    real = REAL / "stackexchange"
    stackexchange(tmp_path, "--input", real, "--set", "meta_sites=true", "--set", "partition_megabytes=0.5")
    assert "all accounts add up, 1,096 documents kept" in verified(tmp_path)
    counters = account(tmp_path, "read")["counters"]
    assert [counters[key] for key in ("records", "questions", "answers", "joined")] == [2807, 1096, 1611, 1611]
    assert reasons(tmp_path) == {"other_post_type": 100}
    first = kept(tmp_path, "cardano.stackexchange.com")["cardano.stackexchange.com/1"]
    assert first["meta"]["accepted"] == first["meta"]["answer_ids"].index(12)
    assert first["meta"]["answer_scores"] == sorted(first["meta"]["answer_scores"], reverse=True)
    for thread in kept(tmp_path).values():
        scores = thread["meta"]["answer_scores"]
        assert scores == sorted(scores, reverse=True)
        assert thread["text"].startswith("Q: ")
    archive = tmp_path / "archive"
    stackexchange(
        archive, "--input", real / "conlang.meta.stackexchange.com.7z", "--sites", "conlang.meta.stackexchange.com"
    )
    site = "conlang.meta.stackexchange.com"
    texts = [{key: d["text"] for key, d in kept(output, site).items()} for output in (archive, tmp_path)]
    assert texts[0] == texts[1]
    assert len(texts[0]) == 54


def test_an_archive_in_memory_is_the_publishers():
    """The writer's table of contents is read by others, too: py7zr, where it is installed, reads the sample."""
    py7zr = pytest.importorskip("py7zr")
    with py7zr.SevenZipFile(io.BytesIO((SAMPLES / "workbench.example.7z").read_bytes())) as archive:
        assert archive.testzip() is None
        assert archive.getnames() == ["Badges.xml", "Posts.xml", "Users.xml"]


def test_sites_that_cannot_be_counted_fail_by_name(tmp_path):
    """Of the largest sites: one cut in half, one empty, one in UTF-16; two of three others are taken."""
    dump = tmp_path / "dump"
    for name, count in (("a.example", 30), ("b.example", 20), ("c.example", 10)):
        pack(dump / f"{name}.7z", questions(count))
    whole = pack(dump / "d.example.7z", questions(400)).read_bytes()
    (dump / "d.example.7z").write_bytes(whole[: len(whole) // 3])
    pack(dump / "e.example.7z", b"")
    pack(dump / "f.example.7z", questions(500).decode().encode("utf-16"))
    (dump / "notes").mkdir()
    (dump / "notes" / "Posts.xml").write_bytes(questions(1))
    done = stackexchange(tmp_path, "--input", dump, "--set", "largest=2", status=1)
    assert "which sites are the largest is uncertain: 3 could not be counted" in done.stderr
    assert "3 records failed" in done.stdout
    assert reasons(tmp_path) == {"truncated_7z": 1, "no_posts": 1, "unread_encoding": 1}
    assert "all accounts add up, 50 documents kept" in verified(tmp_path)
    rows = [line.split("\t") for line in (tmp_path / "stackexchange" / "sites.tsv").read_text().splitlines()]
    decisions = {row[0] or row[1].rpartition("/")[0].rpartition("/")[2]: row[2:] for row in rows[1:]}
    doubt = "not among the 2 with the most posts (uncertain: not counted to the end: d.example, e.example, f.example)"
    assert decisions == {
        "a.example": ["60", "taken"],
        "b.example": ["40", "taken"],
        "c.example": ["20", doubt],
        "d.example": ["0 or more", "failed: truncated_7z"],
        "e.example": ["0 or more", "failed: no_posts"],
        "f.example": ["0 or more", "failed: unread_encoding"],
        "notes": ["", "its site cannot be told: it is in no folder named after one"],
    }
    again = stackexchange(tmp_path, "--input", dump, "--set", "largest=2", status=1)
    assert "3 records failed" in again.stdout
