"""Instruction data and preferences from end to end: samples, damaged input, kills, other workers, later commands."""

import gzip
import json
import shutil
from pathlib import Path

from samples.make_instructions import MESSAGE
from tests.end_to_end.commands import ROOT, documents, killed, manifest, outputs, rejects, run, run_once, source

SAMPLES = ROOT / "samples" / "instructions"
SITES = ["--preferences", "--input", *sorted((ROOT / "samples" / "stackexchange").glob("*.7z"))]
PREFERENCES = "stackexchange_preferences"

instructions = source("instructions")
stackexchange = source("stackexchange")

sample = run_once(instructions, "--input", SAMPLES, err=["passed over, no .json, .jsonl or .parquet by their names"])
preferences = run_once(stackexchange, *SITES, out=["34 rows: 10 questions and 19 answers"])


def gone(output: Path, name: str = "instructions") -> dict[str, dict[str, int]]:
    found = {}
    for step in manifest(output, name)["ledger"]["steps"]:
        counts = {r: t["documents"] for kind in ("dropped", "failed") for r, t in step[kind].items()}
        found.update({step["step"]: counts} if counts else {})
    return found


def kept(output: Path, subset: str = "*", name: str = "instructions") -> dict[str, dict]:
    return {d["id"]: d for d in documents(output, subset, name)}


def test_every_rule_drops_something_of_the_sample(sample):
    assert (
        "all accounts add up, 21 documents kept; 3 records failed"
        in run("pipeline.verify", sample / "instructions").stdout
    )
    assert gone(sample) == {
        "read": {"broken_json": 1, "not_an_object": 1, "tree_state": 1, "unknown_role": 1},
        "turns": {"cut_text": 1, "empty_answer": 3, "no_trained_answer": 1, "two_user_turns": 1},
        "clean": {"blocked_word": 1},
        "text_dedup": {"duplicate": 1},
        "dedup": {"duplicate_id": 1},
    }
    datasets = [d["meta"]["dataset"] for d in documents(sample, "conversations", "instructions")]
    assert {name: datasets.count(name) for name in datasets} == {
        "alpaca": 4,
        "gpt4all": 2,
        "koala": 2,
        "oasst": 2,
        "sharegpt": 3,
        "wizardlm": 2,
    }
    datasets = [d["meta"]["dataset"] for d in documents(sample, "preferences", "instructions")]
    assert sorted(datasets) == ["hh-rlhf"] * 3 + ["oasst"] * 3


def test_documents_of_the_sample_keep_the_contract(sample):
    for document in documents(sample, "conversations", "instructions"):
        messages, meta = document["meta"]["messages"], document["meta"]
        rest = messages[messages[0]["role"] == "system" :]
        assert [turn["role"] for turn in rest] == ["user", "assistant"] * (len(rest) // 2) != []
        assert [turn["train"] for turn in rest] == [turn["role"] == "assistant" for turn in rest]
        assert document["text"] == "\n\n".join(turn["content"] for turn in messages)
        assert (meta["chosen"], meta["rejected"], meta["margin"]) == (None, None, None)
    for document in documents(sample, "preferences", "instructions"):
        messages, meta = document["meta"]["messages"], document["meta"]
        assert messages[-1]["role"] == "user"
        said = [*(turn["content"] for turn in messages), meta["chosen"], meta["rejected"]]
        assert document["text"] == "\n\n".join(said)
    chat = kept(sample)["sharegpt/hB4rPq0_0"]["meta"]["messages"]
    assert chat[1]["content"] == (
        "You can let the shell do it:\n\n```bash\nwc -l < boats.txt\n```\n\nIf a boat may be there **twice**:\n\n"
        "1. Sort the names.\n\n2. Let `uniq` drop the copies."
    )
    pair = kept(sample)["oasst/1f2a6f0e-0000-4000-8000-000000000002-1f2a6f0e-0000-4000-8000-000000000004"]["meta"]
    assert (pair["margin"], pair["chosen_rank"], pair["rejected_rank"]) == (2.0, 0, 2)
    languages = {d["id"]: d["language"] for d in documents(sample, "*", "instructions")}
    assert languages["oasst/1f2a6f0e-0000-4000-8000-000000000012"] == "de"
    assert languages["sharegpt/sPanish_0"] == "es"


def test_offsets_lead_to_the_raw_records(sample, capsys):
    data = (SAMPLES / "sharegpt_html.json").read_bytes()
    for document in documents(sample, "*", "instructions"):
        if document["meta"]["dataset"] == "sharegpt":
            record, _ = json.JSONDecoder().raw_decode(data[document["origin"]["offset"] :].decode())
            assert f"sharegpt/{record['id']}" == document["id"]
    found = run(
        "pipeline.inspect", sample / "instructions", "--id", "sharegpt/hB4rPq0_0", "--before-after", "--json"
    ).stdout
    assert json.loads(found)["before"].startswith(
        "How do I count the boats in a file with one name a line?\n\n<div class="
    )
    identifier = next(name for name in kept(sample) if name.startswith("oasst/") and name.count("-") > 8)
    shown = run("pipeline.inspect", sample / "instructions", "--id", identifier, "--before-after", "--json").stdout
    assert json.loads(shown)["before"] == kept(sample)[identifier]["text"]


def test_two_workers_another_order_and_a_kill_give_the_same_bytes(sample, tmp_path):
    files = sorted(path for path in SAMPLES.rglob("*") if path.suffix in {".json", ".gz", ".parquet"})
    instructions(tmp_path / "two", "--input", *reversed(files), "--quiet", workers=2)
    assert outputs(tmp_path / "two") == outputs(sample)
    stats = tmp_path / "killed" / "instructions" / "_stats"
    killed(
        "sources.instructions",
        "--input",
        SAMPLES,
        "--output",
        tmp_path / "killed",
        until=lambda: any(stats.glob("*.json")),
    )
    instructions(tmp_path / "killed", "--input", SAMPLES, "--quiet")
    assert outputs(tmp_path / "killed") == outputs(sample)
    assert "Nothing to do" in instructions(sample, "--input", SAMPLES).stdout


def chat(name: object, *said: object) -> dict:
    return {"id": name, "conversations": [{"from": ("human", "gpt")[n % 2], "value": v} for n, v in enumerate(said)]}


def test_bad_input_costs_itself(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    long = [f"word {n} " * 100 for n in range(10_000)]  # 10 MB
    over = "x" * (17 << 20)
    whole = [chat("long", *long), chat("over", "a question", over), chat("last", "a question", "a good answer")]
    (raw / "long.json").write_text(json.dumps(whole))
    good = json.dumps(chat("good", "another question", "another good answer"))
    deep = '{"id": "deep", "conversations": ' + "[" * 100_000 + "]" * 100_000 + "}"
    (raw / "odd.json").write_text(f'[{deep}, 5, {{"id": 1{"0" * 5000}}}, {good}, "x"]')
    packed = gzip.compress(
        json.dumps([chat(f"c{n}", f"question {n}", f"the answer {n * n}") for n in range(3000)]).encode()
    )
    (raw / "cut.json.gz").write_bytes(packed[: len(packed) // 2])
    (raw / "empty.json").write_bytes(b"")
    (raw / "nothing.json").write_bytes(b"[]")
    (raw / "half.jsonl").write_bytes(
        good.encode().replace(b"good", b"half")[:60] + b"\n\0\n" + good.replace("good", "other").encode()
    )
    node = {
        **MESSAGE,
        "message_id": "p",
        "role": "prompter",
        "text": "Why?",
        "parent_id": None,
        "tree_state": "ready_for_export",
    }
    tree = [node, {**node, "message_id": "a", "parent_id": "p", "role": "assistant", "text": "So."}]
    tree += [
        {**node, "message_id": name, "parent_id": parent} for name, parent in (("x", "y"), ("y", "x"), ("z", "gone"))
    ]
    tree.append(tree[1])
    (raw / "messages.jsonl").write_text("\n".join(json.dumps({**one, "message_tree_id": "p"}) for one in tree))
    done = instructions(tmp_path / "out", "--input", raw)
    assert "1 file could not be read: empty.json" in done.stdout
    assert gone(tmp_path / "out")["read"] == {
        "broken_json": 4,
        "cycle": 2,
        "duplicate_message": 1,
        "empty_file": 1,
        "missing_parent": 1,
        "not_an_object": 2,
        "record_too_large": 1,
        "truncated_gzip": 1,
    }
    names = kept(tmp_path / "out")
    assert {"sharegpt/good", "sharegpt/last", "oasst/a", "sharegpt/other"} <= set(names)
    assert [name.startswith("sharegpt/long#") for name in names].count(True) > 1000
    assert sum(len(d["meta"]["messages"]) for n, d in names.items() if n.startswith("sharegpt/long#")) == 10_000
    assert [name.startswith("sharegpt/c") for name in names].count(True) > 1000
    assert "all accounts add up" in run("pipeline.verify", tmp_path / "out" / "instructions").stdout


def test_a_file_of_no_known_format_is_refused(tmp_path):
    (tmp_path / "other.jsonl").write_text('{"question": "a", "answer": "b"}\n')
    refused = instructions(tmp_path / "out", "--input", tmp_path / "other.jsonl", status=1).stderr
    assert "its records have answer, question, which none of the formats has. Known are alpaca, sharegpt" in refused
    assert not (tmp_path / "out").exists()


def test_later_commands_see_what_is_said(sample, tmp_path):
    corpus = tmp_path / "corpus"
    shutil.copytree(sample, corpus)
    text = "Most likely flea beetles: tiny, dark, and they jump when you come near. A fine net, put on the day you sow"
    (tmp_path / "evals.jsonl").write_text(json.dumps({"question": text}))
    report = tmp_path / "report"
    run("pipeline.decontaminate", corpus, "--against", tmp_path / "evals.jsonl", "--report", report, "--drop")
    assert "sharegpt/gArd3nX_0" not in kept(corpus)
    listed = tmp_path / "removals.tsv"
    listed.write_text("id\tsharegpt/hB4rPq0_0\n")
    run("pipeline.optout", corpus, "--list", listed, "--apply", "--report", tmp_path / "answer.tsv")
    assert len(kept(corpus)) == 19
    run("pipeline.verify", corpus / "instructions")
    instructions(tmp_path / "again", "--input", SAMPLES, "--set", f"optout={listed}", "--quiet")
    assert gone(tmp_path / "again")["read"]["opt_out"] == 1
    assert len(kept(tmp_path / "again")) == 20


def test_pairs_of_the_sites(preferences):
    assert (
        "all accounts add up, 10 documents kept; 2 records failed"
        in run("pipeline.verify", preferences / PREFERENCES).stdout
    )
    assert gone(preferences, PREFERENCES) == {
        "read": {
            "duplicate_id": 1,
            "like_scores": 2,
            "malformed_row": 2,
            "no_answer": 3,
            "no_question": 2,
            "other_post_type": 3,
        },
        "text": {"empty_answer": 1},
    }
    pair = kept(preferences, name=PREFERENCES)["workbench.example/1/2-5"]
    assert (pair["meta"]["answer_votes"], pair["meta"]["answer_scores"], pair["meta"]["margin"]) == (
        [9, -2],
        [3, -1],
        4.0,
    )
    assert pair["meta"]["rejected"] == "Just use screws."
    shown = run("pipeline.inspect", preferences / PREFERENCES, "--id", pair["id"], "--before-after", "--json").stdout
    assert json.loads(shown)["before"].endswith("\n\n<p>Just use screws.</p>\n")


def test_pairs_are_the_same_with_two_workers_and_listed_posts_are_left_out(preferences, tmp_path):
    stackexchange(tmp_path / "two", *SITES, "--quiet", workers=2)
    assert outputs(tmp_path / "two") == outputs(preferences)
    listed = tmp_path / "removals.tsv"
    listed.write_text("stackexchange-post\tworkbench.example/5\n")
    stackexchange(tmp_path / "without", *SITES, "--set", f"optout={listed}", "--quiet")
    names = kept(tmp_path / "without", name=PREFERENCES)
    assert names
    assert not [name for name in names if name.startswith("workbench.example/1/") and "5" in name[20:]]
    assert all("Just use screws" not in row["text"] for row in rejects(tmp_path / "without", PREFERENCES))
