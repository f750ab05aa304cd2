"""Our model under lm-evaluation-harness: the numbers of its own Hugging Face model on the exported run."""

import math
from pathlib import Path

import pytest
import torch

from tokenizer.encode import Encoder
from trainer_bridge.checkpoint import load_model
from trainer_bridge.exporting import export

pytest.importorskip("lm_eval", reason="pip install '.[evaluation]'")

from lm_eval.models.huggingface import HFLM

from tests.trainer_bridge import runs
from trainer_bridge.benchmark.evaluation import measure
from trainer_bridge.benchmark.loading import Tasks
from trainer_bridge.benchmark.model import TrainedModel

TOY = Path("tests/trainer_bridge/benchmark/toy")
NAMES = ("toy_choice", "toy_last", "toy_rolling", "toy_generate")


@pytest.fixture(scope="module")
def theirs(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "hf"
    assert export(trained, folder, "fp32", trained / "tokenizer.model") is None
    return HFLM(pretrained=str(folder), device="cpu", dtype="float32", batch_size=2)


def ours(trained, dtype=torch.float32, batch_tokens=150):
    model = load_model(trained, torch.device("cpu"), dtype)
    return TrainedModel(model, Encoder(trained / "tokenizer.model"), runs.ALONE, batch_tokens)


def answers(samples):
    """Everything that a model answered, by question."""
    return {(s["doc_id"], s["filter"]): s["resps"] for s in samples}


@pytest.mark.parametrize("shots", [0, 2])
@pytest.mark.parametrize("name", NAMES)
def test_the_numbers_are_those_of_the_hugging_face_model(name, shots, trained, theirs, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[3])
    if shots and name in ("toy_last", "toy_rolling"):
        pytest.skip("a task without examples")
    mine, samples = measure(ours(trained), Tasks().load(f"{TOY}/{name}.yaml", shots=shots), None)
    expected, their_samples = measure(theirs, Tasks().load(f"{TOY}/{name}.yaml", shots=shots), None)
    assert mine.keys() == expected.keys() == {name}
    for metric, (value, _) in expected[name].items():
        assert math.isclose(mine[name][metric][0], value, rel_tol=1e-4, abs_tol=1e-4), metric
    compare(answers(samples[name]), answers(their_samples[name]))


def compare(mine, expected):
    assert mine.keys() == expected.keys()
    for question, wanted in expected.items():
        for one, other in zip(flat(mine[question]), flat(wanted), strict=True):
            assert one == other or abs(one - other) < 1e-4, question


def flat(answer):
    if isinstance(answer, list | tuple):
        return [part for inner in answer for part in flat(inner)]
    return [answer]


def test_bf16_differs_by_its_rounding_alone(trained, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[3])
    loaded = Tasks().load(f"{TOY}/toy_choice.yaml")
    _, exact = measure(ours(trained), loaded, None)
    _, rounded = measure(ours(trained, torch.bfloat16), loaded, None)
    for sample, other in zip(exact["toy_choice"], rounded["toy_choice"], strict=True):
        for [[(value, _)], [(near, _)]] in zip(sample["resps"], other["resps"], strict=True):
            assert value == pytest.approx(near, rel=0.03)


def test_a_limit_takes_the_first_documents(trained, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[3])
    _, samples = measure(ours(trained), Tasks().load(f"{TOY}/toy_choice.yaml"), 2)
    assert [sample["doc_id"] for sample in samples["toy_choice"]] == [0, 1]


def test_draws_do_not_depend_on_what_was_asked_before(trained, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[3])
    drawn = {
        "generation_kwargs": {"until": [], "max_gen_toks": 12, "do_sample": True, "temperature": 4.0},
        "repeats": 2,
    }
    model = ours(trained)

    def draw():
        return answers(measure(model, Tasks().load(f"{TOY}/toy_generate.yaml", drawn), 2)[1]["toy_generate"])

    first, second = draw(), draw()
    model.seed = 1
    assert first == second != draw()
    assert all(one != other for [[one, other]] in first.values())
