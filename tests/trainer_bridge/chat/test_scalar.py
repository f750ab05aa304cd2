"""Reward models as they are read: equal to transformers', and refused where they are of something else."""

import json

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from tests.trainer_bridge.chat import planted
from trainer_bridge.chat.dialogue import read_dialogues
from trainer_bridge.chat.judges import load_judges
from trainer_bridge.chat.prompts import Prompt
from trainer_bridge.chat.scalar import load_reward, read_scalar
from trainer_bridge.errors import TrainerError

CPU, FP32 = torch.device("cpu"), torch.float32
TEXTS = [[1, 5, 9, 2], [1, 7, 2], [1, 30, 31, 32, 33, 34, 2]]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = planted.made(tmp_path_factory.mktemp("made"))
    planted.random_reward(folder / "reward", folder)
    return folder


def dialogues(made, template=None):
    return read_dialogues(made / "made.model", template or str(made / "short.yaml"), 96)


def test_scores_equal_those_of_transformers(made):
    theirs = AutoModelForSequenceClassification.from_pretrained(str(made / "reward"))
    rows = torch.tensor([[*text, *[theirs.config.pad_token_id] * (7 - len(text))] for text in TEXTS])
    with torch.no_grad():
        wanted = theirs(input_ids=rows, attention_mask=torch.ones_like(rows)).logits.squeeze(-1)
    found = load_reward(made / "reward", CPU, FP32, dialogues(made)).model.scores(TEXTS, 2)
    assert torch.allclose(torch.tensor(found), wanted, atol=1e-5)


def test_the_last_value_of_a_text_is_its_score(made):
    model = read_scalar(made / "reward")
    with torch.no_grad():
        values = model(torch.tensor([TEXTS[0]]))
    assert values.shape == (1, 4)
    assert model.scores(TEXTS, 3)[0] == pytest.approx(float(values[0, -1]), abs=1e-6)


def test_another_template_or_tokenizer_is_refused_by_name(made, tmp_path):
    with pytest.raises(TrainerError, match=r"was trained with another template \(SHA-256 .* than the model has"):
        load_reward(made / "reward", CPU, FP32, dialogues(made, "vicuna_v1.1"))
    planted.write_tokenizer(tmp_path / "made.model", 600)
    planted.template_file(tmp_path)
    with pytest.raises(TrainerError, match="was trained with another tokenizer"):
        load_reward(made / "reward", CPU, FP32, dialogues(tmp_path))


def test_what_is_no_finished_reward_model_is_refused(made, tmp_path):
    with pytest.raises(TrainerError, match=r"holds no reward.json: give the output of python -m"):
        load_reward(tmp_path, CPU, FP32)
    run = planted.random_run(tmp_path / "run", made)
    with pytest.raises(TrainerError, match=r"holds no reward\.json"):
        load_reward(run, CPU, FP32)
    broken = planted.random_reward(tmp_path / "broken", made)
    (broken / "model.safetensors").write_bytes((broken / "model.safetensors").read_bytes()[:-50])
    with pytest.raises(TrainerError, match="cannot be read"):
        load_reward(broken, CPU, FP32)
    changed = planted.random_reward(tmp_path / "changed", made)
    other = planted.random_reward(tmp_path / "other", made, seed=6)
    (changed / "model.safetensors").write_bytes((other / "model.safetensors").read_bytes())
    with pytest.raises(TrainerError, match=r"model.safetensors is not the one that .*reward.json tells of"):
        load_reward(changed, CPU, FP32)
    (broken / "reward.json").write_text(json.dumps([1]))
    with pytest.raises(TrainerError, match="holds no keys and values"):
        load_reward(broken, CPU, FP32)


def test_scores_that_are_not_finite_are_named(made, tmp_path):
    broken = planted.random_reward(tmp_path / "broken", made, head=float("nan"))
    judges = load_judges(broken, None, dialogues(made), CPU, FP32, 0.15, 4)
    with pytest.raises(TrainerError, match=r"gives 1 scores that are not finite, the first for .* the prompt p7"):
        judges.scores([Prompt("p7", (), [1, 5])], [[6, 2]])


def test_a_safety_model_decides_for_safety_prompts_and_below_the_threshold(made):
    safety = planted.random_reward(made / "safety", made, seed=9, head=8.0)
    both = load_judges(made / "reward", safety, dialogues(made), CPU, FP32, 0.15, 4)
    only = [load_judges(path, None, dialogues(made), CPU, FP32, 0.15, 4) for path in (made / "reward", safety)]
    prompts = [Prompt(str(number), (), [1, 5 + number], number == 0) for number in range(12)]
    answers = [[40 + number, 2] for number in range(12)]
    helpful, safe = (judges.scores(prompts, answers) for judges in only)
    reward = torch.tensor(safe).sigmoid()
    assert bool((reward < 0.15).any())
    assert bool((reward > 0.15).any())
    wanted = [
        s if number == 0 or r < 0.15 else h for number, (h, s, r) in enumerate(zip(helpful, safe, reward, strict=True))
    ]
    assert both.scores(prompts, answers) == wanted
