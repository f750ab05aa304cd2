"""Rejection sampling: the best of many answers, also of earlier iterations, and the same bytes after a kill."""

import json

import pyarrow.parquet as pq
import pytest

from tests.trainer_bridge.chat import planted
from trainer_bridge.chat.rejection import main
from trainer_bridge.chat.rejection_sampling import Sample, choose
from trainer_bridge.errors import TrainerError

PROMPTS = 7


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = planted.made(tmp_path_factory.mktemp("world"))
    planted.random_run(folder / "run", folder)
    planted.random_reward(folder / "reward", folder)
    planted.write_prompts(folder / "prompts", PROMPTS)
    return folder


def run(monkeypatch, world, output, *words, reward="reward"):
    options = ["--model", world / "run", "--reward", world / reward, "--prompts", world / "prompts", "--output", output]
    more = ["rejection.tokens=8", "rejection.samples=3", "rejection.batch=2", "device.threads=1"]
    monkeypatch.setattr("sys.argv", ["rejection", *map(str, [*options, *more, *words])])
    main()


def best(output):
    path = output / "corpus" / "rejection_sampling" / "conversations" / "best.parquet"
    return {row["text"].split("\n\n")[0]: row for row in pq.read_table(path).to_pylist()}


def sample(score, iteration=0, k=0, ended=True):
    return Sample("p", iteration, k, "a", [5, 2], score, ended)


def test_the_best_is_chosen_and_of_equal_ones_the_earliest():
    assert choose([sample(1.0), sample(3.0, k=1), sample(2.0, k=2)], True).k == 1
    assert choose([sample(1.0, 1), sample(1.0, 0, 2), sample(1.0, 0, 1)], True).k == 1
    assert choose([sample(1.0), sample(3.0, k=1, ended=False)], True).k == 0
    assert choose([sample(1.0), sample(3.0, k=1, ended=False)], False).k == 1
    assert choose([sample(1.0, ended=False), sample(3.0, k=1, ended=False)], True).k == 1


def test_each_prompt_gets_its_best_sample(world, tmp_path, monkeypatch, capsys):
    run(monkeypatch, world, tmp_path / "a", "rejection.ended_only=false")
    samples = pq.read_table(tmp_path / "a" / "samples.parquet").to_pylist()
    assert len(samples) == PROMPTS * 3
    highest = {}
    for row in samples:
        highest[row["prompt"]] = max(highest.get(row["prompt"], -1e9), row["score"])
    found = best(tmp_path / "a")
    assert len(found) == PROMPTS
    assert sorted(row["meta"]["score"] for row in found.values()) == sorted(highest.values())
    assert all(row["meta"]["messages"][-1]["role"] == "assistant" for row in found.values())
    result = json.loads((tmp_path / "a" / "result.json").read_text())
    assert result["best_score"] > result["mean_score"]
    assert "samples                             21" in capsys.readouterr().out


def test_a_stopped_command_goes_on_to_the_same_bytes(world, tmp_path, monkeypatch):
    run(monkeypatch, world, tmp_path / "a")
    names = ["samples.jsonl", "samples.parquet", "result.json", "corpus/rejection_sampling/conversations/best.parquet"]
    whole = {name: (tmp_path / "a" / name).read_bytes() for name in names}
    lines = whole["samples.jsonl"].splitlines(keepends=True)
    (tmp_path / "a" / "samples.jsonl").write_bytes(b"".join(lines[:8]) + lines[8][:30])
    for name in names[1:]:
        (tmp_path / "a" / name).unlink()
    run(monkeypatch, world, tmp_path / "a")
    assert {name: (tmp_path / "a" / name).read_bytes() for name in names} == whole


def test_samples_depend_on_seed_iteration_and_k(world, tmp_path, monkeypatch):
    run(monkeypatch, world, tmp_path / "a")
    run(monkeypatch, world, tmp_path / "b", "rejection.iteration=1")
    first, second = (pq.read_table(tmp_path / name / "samples.parquet").to_pylist() for name in "ab")
    assert [row["ids"] for row in first] != [row["ids"] for row in second]
    assert len({tuple(row["ids"]) for row in first[:3]}) == 3
    with pytest.raises(TrainerError, match=r"rejection\.iteration: was 0, is 2"):
        run(monkeypatch, world, tmp_path / "a", "rejection.iteration=2")


def test_the_best_over_all_earlier_iterations(world, tmp_path, monkeypatch):
    run(monkeypatch, world, tmp_path / "a", "rejection.ended_only=false")
    words = ["--earlier", tmp_path / "a", "rejection.iteration=1", "rejection.ended_only=false"]
    run(monkeypatch, world, tmp_path / "b", *words)
    first, second = best(tmp_path / "a"), best(tmp_path / "b")
    new = {}
    for row in pq.read_table(tmp_path / "b" / "samples.parquet").to_pylist():
        new[row["prompt"][:16]] = max(new.get(row["prompt"][:16], -1e9), row["score"])
    for prompt, row in second.items():
        assert row["meta"]["score"] == max(first[prompt]["meta"]["score"], new[row["id"].split("-")[0]])
    assert {row["meta"]["iteration"] for row in second.values()} == {0, 1}


def test_earlier_samples_are_scored_anew_by_another_reward_model(world, tmp_path, monkeypatch, capsys):
    planted.random_reward(world / "other", world, seed=11)
    run(monkeypatch, world, tmp_path / "a", "rejection.ended_only=false")
    again = ["rejection.ended_only=false", "rejection.iteration=1"]
    run(monkeypatch, world, tmp_path / "b", "--earlier", tmp_path / "a", *again, reward="other")
    assert "21 samples are scored anew" in capsys.readouterr().err
    run(monkeypatch, world, tmp_path / "c", "rejection.ended_only=false", reward="other")
    own = {
        (row["prompt"], row["k"]): row["score"] for row in pq.read_table(tmp_path / "c" / "samples.parquet").to_pylist()
    }
    highest = {}
    for (prompt, _), score in own.items():
        highest[prompt[:16]] = max(highest.get(prompt[:16], -1e9), score)
    for row in best(tmp_path / "b").values():
        assert row["meta"]["score"] >= highest[row["id"].split("-")[0]] - 1e-5


def test_what_cannot_be_used_is_named(world, tmp_path, monkeypatch, capsys):
    with pytest.raises(TrainerError, match="holds no finished rejection sampling"):
        run(monkeypatch, world, tmp_path / "a", "--earlier", tmp_path / "none")
    with pytest.raises(TrainerError, match="answers of 90 ids leave 6 of the context of 96"):
        run(monkeypatch, world, tmp_path / "b", "rejection.tokens=90")
    assert f"left out {PROMPTS} prompts: too_long" in capsys.readouterr().err


def test_an_earlier_output_is_refused_before_anything_is_written(world, tmp_path, monkeypatch):
    run(monkeypatch, world, tmp_path / "a")
    with pytest.raises(TrainerError, match=r"are of iteration 0, as these would be: .* such as 1"):
        run(monkeypatch, world, tmp_path / "b", "--earlier", tmp_path / "a")
    path = tmp_path / "a" / "samples.parquet"
    pq.write_table(pq.read_table(path).replace_schema_metadata({"chat": "{}"}), path)
    with pytest.raises(TrainerError, match="are of another tokenizer: None"):
        run(monkeypatch, world, tmp_path / "b", "--earlier", tmp_path / "a", "rejection.iteration=1")
    pq.write_table(pq.read_table(path).drop_columns(["ids"]), path)
    with pytest.raises(TrainerError, match="has not the columns of samples"):
        run(monkeypatch, world, tmp_path / "b", "--earlier", tmp_path / "a", "rejection.iteration=1")
    path.write_bytes(b"PAR1")
    with pytest.raises(TrainerError, match=r"samples\.parquet cannot be read"):
        run(monkeypatch, world, tmp_path / "b", "--earlier", tmp_path / "a", "rejection.iteration=1")
    assert not (tmp_path / "b").exists()


def test_a_computation_goes_on_in_its_own_numbers(world, tmp_path, monkeypatch):
    run(monkeypatch, world, tmp_path / "a")
    with pytest.raises(TrainerError, match=r"dtype: was 'float32', is 'bfloat16'"):
        run(monkeypatch, world, tmp_path / "a", "device.dtype=bf16")
