"""Recipes and overrides: right types in, one clear line out."""

import json

import pytest

from trainer_bridge.config import ModelConfig, TrainConfig
from trainer_bridge.errors import TrainerError
from trainer_bridge.recipe import build, listed, load_config, recipe_names, to_dict
from trainer_bridge.train import configure, parse


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_goes_through_json_unchanged(name):
    config = load_config(name, [])
    assert build(TrainConfig, json.loads(json.dumps(to_dict(config)))) == config


def test_the_papers_recipe():
    config = load_config("65B", [])
    assert (config.optimizer.lr, config.optimizer.betas, config.optimizer.weight_decay) == (1.5e-4, (0.9, 0.95), 0.1)
    assert (config.optimizer.clip, config.optimizer.warmup_steps, config.optimizer.final_lr_fraction) == (
        1.0,
        2000,
        0.1,
    )
    assert (config.run.tokens, config.run.batch_tokens) == (1.4e12, 2048 * 2048)
    assert {n: load_config(n, []).optimizer.lr for n in ("7B", "13B", "33B")} == {
        "7B": 3e-4,
        "13B": 3e-4,
        "33B": 1.5e-4,
    }
    assert {n: load_config(n, []).run.tokens for n in ("7B", "13B", "33B")} == {"7B": 1e12, "13B": 1e12, "33B": 1.4e12}
    epsilons = {n: load_config(n, []).model.norm_eps for n in ("7B", "13B", "33B", "65B")}
    assert epsilons == {"7B": 1e-6, "13B": 1e-6, "33B": 1e-6, "65B": 1e-5}


def test_overrides_take_the_keys_type():
    overrides = ["optimizer.lr=1e-5", "optimizer.betas=[0.9, 0.99]", "run.batch_tokens=1_024", "model.kv_heads=4"]
    overrides += ["data.document_mask=true", "efficiency.compile=off", "run.init_from=null", "run.tokens=2.5e9"]
    config = load_config("7B", overrides)
    assert (config.optimizer.lr, config.optimizer.betas, config.run.batch_tokens) == (1e-5, (0.9, 0.99), 1024)
    assert (config.data.document_mask, config.efficiency.compile, config.run.init_from) == (True, "off", None)
    assert (config.model.kv_heads, config.run.tokens) == (4, 2.5e9)


def test_keys_are_listed_as_a_recipe_and_its_overrides_have_them():
    assert "run.batch_tokens = 1024\n" in listed(["--keys", "--model", "tiny"])
    assert "optimizer.lr = 0.5\n" in listed(["--model", "tiny", "optimizer.lr=0.5", "--keys"])
    assert "optimizer.lr = 0.0003\n" in listed(["--keys"])
    with pytest.raises(TrainerError, match=r"did you mean optimizer\.lr\?"):
        listed(["--model", "tiny", "optimizer.lrr=0.5"])


def test_a_recipe_of_ones_own(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("model: {dim: 64, layers: 1, heads: 2}\n")
    assert load_config(str(path), []).model == ModelConfig(dim=64, layers=1, heads=2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: {dim: 64, layers: 1}", r"model: missing 1 required positional argument: 'heads'"),
        ("modl: {}", r"unknown key modl; did you mean model\?"),
        ("model: 7", "model must be a mapping, not 7"),
        ("[1, 2]", "holds no mapping"),
        ("model: {dim: 64", "is not valid YAML"),
        ("model: {dim: 64, dim: 128}", "the key dim stands twice"),
        ("model: {dim: big, layers: 1, heads: 1}", r"model\.dim = 'big' cannot be used; allowed: a value of type int"),
        ("model: {dim: 1.5, layers: 1, heads: 1}", r"model\.dim = 1\.5 cannot be used"),
        ("model: {dim: true, layers: 1, heads: 1}", r"model\.dim = True cannot be used"),
        ("model: {dim: 6, layers: 1, heads: 2}", "gives an even head width"),
        (
            "model: {dim: 8, layers: 1, heads: 4, kv_heads: 3}",
            r"model\.kv_heads = 3 cannot be used; allowed: a divisor",
        ),
        ("model: {dim: 8, layers: 0, heads: 1}", "model.layers = 0"),
        ("model: {dim: 8, layers: 1, heads: 1}\ndata: {document_mask: 3}", r"data\.document_mask = 3 cannot be used"),
        ("model: {dim: 8, layers: 1, heads: 1}\noptimizer: {betas: [0.9]}", r"optimizer\.betas = \[0\.9\]"),
        ("model: {dim: 8, layers: 1, heads: 1}\nrun: {keep: 0}", r"run\.keep = 0 cannot be used; allowed: at least 1"),
    ],
)
def test_a_bad_recipe_is_named(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(TrainerError, match=message):
        load_config(str(path), [])


@pytest.mark.parametrize(
    "override",
    [
        "run.steps=0",
        "run.tokens=0",
        "run.tokens=.nan",
        "run.threads=0",
        "optimizer.lr=-1",
        "optimizer.eps=0",
        "optimizer.clip=0",
        "optimizer.betas=[0.9, 1.0]",
        "optimizer.warmup_steps=-1",
        "model.heads=0",
        "model.dim=0",
        "model.kv_heads=0",
        "model.vocab_size=-5",
        "model.rope_theta=0",
        "model.init_std=-0.1",
    ],
)
def test_a_value_out_of_range_is_named(override):
    key, _, _ = override.partition("=")
    with pytest.raises(TrainerError, match=f"^{key} = .* cannot be used; allowed: "):
        load_config("7B", [override])


@pytest.mark.parametrize("override", ["lr", "lr=1", "optimizer.lr", "optimizer.lr=[1"])
def test_a_bad_override_is_named(override):
    with pytest.raises(TrainerError, match="override '"):
        load_config("7B", [override])


def test_overrides_may_stand_anywhere_on_the_command_line():
    words = "--model 7B run.keep=7 --data shards --steps 5 run.micro_batch=2 --output run optimizer.lr=1e-5"
    config = configure(parse(words.split()))
    assert (config.run.keep, config.run.micro_batch, config.run.steps, config.optimizer.lr) == (7, 2, 5, 1e-5)


def parsed(*words):
    return configure(parse(["--model", "tiny", "--output", "run", "--data", "shards", *words]))


@pytest.mark.parametrize("path", ["mix #2", "20240501", "2024-05-01", "null", "on", "1e5", "~/x: y", "[a]", "a=b"])
def test_paths_are_taken_as_they_stand(path):
    assert configure(parse(["--model", "tiny", "--output", "run", "--data", path])).data.path == path
    assert parsed("--tokenizer", path).data.tokenizer == path
    if path != "null":  # which says that there is none
        assert parsed(f"run.init_from={path}").run.init_from == path
    assert parsed("run.init_from=null").run.init_from is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--steps", "5", "run.steps=6"], r"run\.steps is given twice: as --steps and by name"),
        (["data.path=x"], r"data\.path is given twice: as --data and by name"),
        (["--tokenizer", "x", "data.tokenizer=y"], r"data\.tokenizer is given twice: as --tokenizer and by name"),
        (["optimizer.skip_window=16"], r"optimizer\.skip_window = 16 cannot be used; allowed: at least 32"),
        (["optimizer.schedule=constant"], "allowed: cosine, linear, wsd"),
        (["optimizer.decay_fraction=1.5"], "allowed: a share from 0 to 1"),
        (["run.profile=-1"], "allowed: at least 0"),
        (["model.context=10000000"], "allowed: at most 4,194,304"),
    ],
)
def test_contradictions_and_values_out_of_range_are_named(words, message):
    with pytest.raises(TrainerError, match=message):
        parsed(*words)
