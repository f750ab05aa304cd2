"""Experiments as a user makes them: what is shared, what is held out, kills, and an arm that must be found worse."""

import csv
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.end_to_end.commands import ROOT, outputs, run

MIXTURE = "sources: {lines: {share: 100}}\nseq_len: 32\nblock_tokens: 256\nmax_epochs: 40\n"
BUILD = """\
sources:
  lines:
    module: tests.pipeline.lines
    recipe: tests/pipeline/line_recipe.yaml
    raw: {{publisher: files, whole: true, input: [{texts}]}}
    set: [dedup=off]
mixture: {{proportions: {mixture}}}
tokenizer: {{arguments: [--vocab-size, '{pieces}', --uneven, --soft-vocab-limit]}}
"""
MODEL = """\
model: {dim: 32, layers: 1, heads: 2, ffn_hidden: 64, context: 64}
data: {shuffle_block: 1}
optimizer: {lr: 1.0e-2, warmup_steps: 5}
run: {steps: 1, batch_tokens: 512, micro_batch: 16, threads: 1, log_every: 20}
"""
BAD, COPIED = 12, 10  # documents: those with a bad word, and those of which a copy lies elsewhere


def written(folder: Path, texts: list[str], pieces: int) -> Path:
    """A baseline: raw texts, a mixture, a model, and the recipe of the build."""
    for name, content in {"mix.yaml": MIXTURE, "model.yaml": MODEL}.items():
        (folder / name).write_text(content)
    (folder / "texts").mkdir()
    half = len(texts) // 2
    for number, part in enumerate((texts[:half], texts[half:])):
        (folder / "texts" / f"{number}.txt").write_text("\n\n".join(part))
    recipe = BUILD.format(texts=folder / "texts", mixture=folder / "mix.yaml", pieces=pieces)
    (folder / "base.yaml").write_text(recipe)
    return folder


def words_of(folder: Path, output: str, *more: str) -> list[str]:
    base = ["--baseline", folder / "base.yaml", "--model", folder / "model.yaml", "--output", folder / output]
    return [*map(str, base), "--direct_num_workers", "1", *more]


def rows(corpus: Path) -> list[dict]:
    files = sorted(path for path in corpus.rglob("*.parquet") if "_rejects" not in path.parts)
    return [row for path in files for row in pq.read_table(path).to_pylist()]


def files_of(folder: Path) -> dict[str, bytes]:
    """What of an experiment is a function of its inputs: documents held out, corpora, token files."""
    found = {path.name: path.read_bytes() for path in (folder / "heldout").glob("*.*")}
    for arm in sorted((folder / "arms").iterdir()):
        found |= {f"{arm.name}/{name}": data for name, data in outputs(arm / "corpus" / "lines").items()}
        found |= {str(path.relative_to(folder)): path.read_bytes() for path in arm.glob("tokens/**/*.tokens")}
    return found


def kill(words: list[str], log: Path) -> None:
    """Starts an experiment, and kills it with -9 once a log is there."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.ablate", *words],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 120
    while not log.exists() and time.monotonic() < until:
        assert process.poll() is None, f"it ended before {log.name}"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """Texts of random words, some of them bad, copied, or copied nearly; the arm ``bad`` keeps the bad ones."""
    draw = random.Random(0)
    texts = [" ".join(f"w{draw.randrange(300)}" for _ in range(40)) for _ in range(160)]
    texts[:BAD] = [f"bad {text}" for text in texts[:BAD]]
    copies = texts[BAD : BAD + COPIED] + [f"{text} and more" for text in texts[BAD + COPIED : BAD + 2 * COPIED]]
    folder = written(tmp_path_factory.mktemp("corpora"), [*texts, *copies], 400)
    arm = ["--arm", "bad: lines.bad_word=nothing", "--set", "heldout.share=0.4", "--until", "corpora"]
    kill(words_of(folder, "killed", *arm), folder / "killed" / "_ablation" / "logs" / "baseline.corpus.log")
    for output in ("killed", "whole"):
        run("pipeline.ablate", *words_of(folder, output, *arm, "--jobs", "2"))
    return folder


def test_a_killed_experiment_ends_with_the_same_bytes(corpora):
    killed, whole = files_of(corpora / "killed"), files_of(corpora / "whole")
    assert set(killed) == set(whole) != set()
    assert [name for name in whole if killed[name] != whole[name]] == []


def test_no_arm_has_a_held_out_document_or_one_of_the_same_text(corpora):
    """Chosen are 40 % of what the baseline keeps; copies go by their checksums, whatever their ids."""
    folder = corpora / "whole"
    heldout = pq.read_table(folder / "heldout" / "documents.parquet").to_pylist()
    before = rows(folder / "heldout" / "build" / "corpus" / "lines")
    texts = {row["text"] for row in heldout}
    held_copies = sum(row["text"] in texts for row in before) - len(heldout)
    assert (len(before), len(heldout)) == (168, len(texts))
    assert 60 <= len(heldout) <= 67  # of chosen documents with one text the first is held out, and all are kept out
    assert 0 < held_copies <= COPIED
    for arm in ("baseline", "bad"):
        kept = rows(folder / "arms" / arm / "corpus" / "lines")
        assert {row["text"] for row in kept} & texts == set()
        assert len(kept) == len(before) - len(heldout) - held_copies + BAD * (arm == "bad")


def test_near_copies_are_found_in_the_corpus(corpora):
    """A text with two more words is no copy: it is trained on, and the held-out one is not judged."""
    folder = corpora / "whole"
    heldout = pq.read_table(folder / "heldout" / "documents.parquet").to_pylist()
    kept = {row["text"] for row in rows(folder / "arms" / "baseline" / "corpus" / "lines")}
    near = [f"{row['text']} and more" in kept or row["text"].removesuffix(" and more") in kept for row in heldout]
    samples = (folder / "arms" / "baseline" / "overlap" / "lines" / "samples.jsonl").read_text().splitlines()
    shares = [json.loads(line)["word_share"] for line in samples]
    assert [share > 0.9 for share in shares] == near
    assert sum(near) > 0


def test_only_what_an_arm_touches_is_made(corpora):
    folder = corpora / "whole" / "arms"
    words = ["--arm", "pieces: tokenizer.vocab_size=380", "--arm", "rate: train.optimizer.lr=1e-3"]
    words += ["--arm", "damaged: damage=0.5", "--set", "heldout.share=0.4", "--until", "corpora"]
    done = run("pipeline.ablate", *words_of(corpora, "whole", *words))
    assert "baseline: corpus" not in done.stderr
    shared = {
        "control": ("corpus", "models", "tokens"),
        "rate": ("corpus", "models", "tokens"),
        "bad": ("models/tokenizer",),
        "pieces": ("corpus/lines",),
        "damaged": ("models/tokenizer",),
    }
    for arm, names in shared.items():
        links = {str(path.relative_to(folder / arm)) for path in (folder / arm).rglob("*") if path.is_symlink()}
        links -= {name for name in links if name.startswith("corpus/lines/")}  # rejects of a damaged source, and such
        assert links == {"raw", *names}
        assert all((folder / arm / name).resolve() == (folder / "baseline" / name).resolve() for name in names)
    status = json.loads(run("pipeline.build", "status", folder / "pieces", "--json").stdout)  # all is done
    made = [stage["stage"] for stage in status["stages"] if stage["status"] == "done"]
    assert made == ["lines", "tokenizer", "encode"]
    run("pipeline.verify", folder / "bad" / "corpus")


def test_damage_shuffles_the_words_of_half_of_the_documents(corpora):
    folder = corpora / "whole" / "arms"
    before = {row["id"]: row for row in rows(folder / "baseline" / "corpus" / "lines")}
    after = {row["id"]: row for row in rows(folder / "damaged" / "corpus" / "lines")}
    assert list(after) == list(before)
    changed = [name for name in after if after[name]["text"] != before[name]["text"]]
    assert 0.35 < len(changed) / len(after) < 0.65
    for name, row in after.items():
        assert sorted(row["text"].split()) == sorted(before[name]["text"].split())
        assert {**row, "text": ""} == {**before[name], "text": ""}
    assert "all accounts add up" in run("pipeline.verify", folder / "damaged" / "corpus").stdout


def test_what_an_arm_kept_beside_the_baseline(corpora):
    (kept,) = json.loads((corpora / "whole" / "arms" / "bad" / "kept.json").read_text())["sources"]
    assert (kept["only_baseline"], kept["only_arm"], kept["changed"]) == (0, BAD, 0)
    assert [account[3:] for account in kept["accounts"] if account[2] == "bad_word"] == [[BAD, 0]]
    assert [sample["text"].startswith("bad ") for sample in kept["samples"]["only_arm"]] == [True] * 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--arm", "bad: lines.bad_word=other"], "has another arm bad"),
        (["--set", "heldout.share=0.3"], "holds another experiment (heldout.share: 0.4 -> 0.3)"),
        (["mine.yaml"], "the experiment comes first"),
        (["--jobs", "0"], "--jobs must be at least 1"),
        (["--model", "huge"], "huge"),
    ],
)
def test_what_is_refused(corpora, words, message):
    given = [*words_of(corpora, "whole", "--set", "heldout.share=0.4", "--until", "corpora"), *words]
    status = 2 if "--jobs" in words or "mine.yaml" in words else 1
    assert message in run("pipeline.ablate", *given, status=status).stderr


def test_a_folder_of_another_command_is_refused(corpora):
    words = [*words_of(corpora, "whole"), "--output", corpora / "whole" / "arms" / "bad", "--arm", "x: damage=1"]
    assert "is an output of python -m pipeline.build" in run("pipeline.ablate", *words, status=1).stderr


def test_a_dry_run_says_what_would_be_made_and_makes_nothing(corpora):
    words = words_of(corpora, "nowhere", "--arm", "x: lines.bad_word=other", "--arm", "lr: train.optimizer.lr=1")
    told = run("pipeline.ablate", *words, "--tokens", "5120", "--dry-run").stdout
    assert [line.split("│")[3].strip() for line in told.splitlines() if line.startswith("│")] == [
        "lines, tokenizer, encode",
        "nothing",
        "lines, encode",
        "nothing",
    ]
    assert "12 runs of 3 seeds" in told
    assert "5,120 tokens, 10 steps of 512" in told
    assert not (corpora / "nowhere").exists()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """An experiment on texts in which a word follows from the one before."""
    draw = random.Random(1)
    after = draw.sample(range(26), 26)
    texts = []
    for _ in range(150):
        letters = [draw.randrange(26)]
        while len(letters) < 50:
            letters.append(after[letters[-1]] if draw.random() < 0.9 else draw.randrange(26))
        texts.append(" ".join(chr(ord("a") + letter) for letter in letters))
    folder = written(tmp_path_factory.mktemp("trained"), texts, 320)
    words = ["--arm", "damaged: damage=0.5", "--seeds", "2", "--tokens", "30720"]
    words += ["--set", "heldout={share: 0.2, overlap: 1.01}", "--set", "points=2"]
    words = words_of(folder, "out", *words)
    run("pipeline.ablate", *words)
    return folder / "out", words


def test_the_damaged_arm_is_found_worse_and_the_control_is_not(trained):
    folder, _ = trained
    result = json.loads((folder / "results.json").read_text())
    assert result["arms"]["damaged"]["verdict"] == {"all": "worse", "lines": "worse"}
    assert result["arms"]["control"]["verdict"] == {"all": "no difference shown", "lines": "no difference shown"}
    assert result["heldout"]["sources"]["lines"]["judged"] == 30


def test_all_runs_are_as_long_and_judge_the_same_documents(trained):
    folder, _ = trained
    names = pq.read_table(folder / "heldout" / "documents.parquet")["id"].to_pylist()
    for arm in ("baseline", "control", "damaged"):
        for seed in ("seed-0", "seed-1"):
            with (folder / "arms" / arm / seed / "scores.csv").open(newline="") as file:
                scores = list(csv.DictReader(file))
            assert [(row["step"], row["document"]) for row in scores] == [(s, n) for s in ("30", "60") for n in names]
            manifest = json.loads((folder / "arms" / arm / seed / "shards" / "manifest.json").read_text())
            assert manifest["mixture"]["lines"]["tokens"] >= 30720
    control, base = (
        json.loads((folder / "arms" / arm / "seed-0" / "shards" / "configuration.json").read_text())["recipe"]
        for arm in ("control", "baseline")
    )
    assert (control["seed"], base["seed"]) == (1_000_000, 0)
    assert {**control, "seed": 0} == base


def test_the_tables_say_what_the_results_say(trained):
    folder, _ = trained
    arms = json.loads((folder / "results.json").read_text())["arms"]
    with (folder / "results.csv").open(newline="") as file:
        table = {(row["arm"], row["source"]): row for row in csv.DictReader(file)}
    assert float(table["damaged", "all"]["difference"]) == arms["damaged"]["difference"]["all"]["value"] > 0
    with (folder / "documents.csv").open(newline="") as file:
        documents = list(csv.DictReader(file))
    mean = sum(float(row["baseline"]) * int(row["bytes"]) for row in documents) / sum(
        int(r["bytes"]) for r in documents
    )
    assert mean == pytest.approx(arms["baseline"]["bits_per_byte"]["all"]["value"], abs=1e-5)


def test_the_same_command_again_changes_nothing(trained):
    folder, words = trained
    names = ("results.json", "results.csv", "documents.csv", "index.html")
    before = [(folder / name).read_bytes() for name in names]
    done = run("pipeline.ablate", *words)
    assert "Nothing to do: all was made before." in done.stdout
    assert [(folder / name).read_bytes() for name in names] == before
    assert b"no difference shown" in before[-1]
