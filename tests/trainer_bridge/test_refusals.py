"""Models that this one cannot be, and weights that are not those of the run: refused by name, not taken in silence."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from tests.trainer_bridge import runs, tiny
from tests.trainer_bridge.test_exchange import command, write_meta_release
from trainer_bridge import evaluate, export, exporting, importing, single
from trainer_bridge.checkpoint import latest_checkpoint, load_model, read_info
from trainer_bridge.convert import from_hf_config, hf_config
from trainer_bridge.errors import TrainerError

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return runs.trained(tmp_path_factory.mktemp("trained"), 2)


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A Hugging Face model in three files, whose ids of begin and end are unlike LLaMA's."""
    folder = tmp_path_factory.mktemp("released") / "hf"
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**{**hf_config(tiny.SHAPE, 60, 61, "float32"), "eos_token_id": [61, 62]}))
    model.save_pretrained(folder, max_shard_size="30KB")
    assert len(list(folder.glob("*.safetensors"))) > 1
    return folder, model


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"model": {"heads": 2}}, "model.heads: was 4, is 2"),
        ({"model": {"heads": 8}}, "model.heads: was 4, is 8"),
        ({"model": {"rope_theta": 100.0}}, "model.rope_theta: was 10000.0, is 100.0"),
        ({"model": {"norm_eps": 0.1}}, "model.norm_eps: was 1e-06, is 0.1"),
        ({"model": {"layers": 1}}, "model.layers: was 2, is 1"),
        ({"model": {"context": 16}}, "model.context: was 32, is 16"),
    ],
)
def test_init_from_compares_as_a_resumption_does(trained, tmp_path, changes, named):
    run, data = trained
    changes = {"run": {"init_from": str(run)}, **changes}
    key = named.partition(":")[0].removeprefix("model.")
    with pytest.raises(TrainerError, match=named.replace(".", r"\.") + rf"(.|\n)*run\.init_changes='\[{key}\]'"):
        runs.trainer(data, tmp_path / "run", **changes)


def test_init_from_compares_the_tokenizer_and_takes_what_is_allowed(trained, tmp_path):
    run, _ = trained
    other = runs.shards(tmp_path / "other", tokenizer_sha256="1" * 64)
    with pytest.raises(TrainerError, match="tokenizer: was 000"):
        runs.trainer(other, tmp_path / "run", run={"init_from": str(run)})
    sections = {"run": {"steps": 1, "init_from": str(run), "init_changes": ("tokenizer", "rope_theta")}}
    runs.train(other, tmp_path / "allowed", model={"rope_theta": 5e5}, **sections)
    first = json.loads((tmp_path / "allowed" / "metrics.jsonl").read_text().splitlines()[2])["event"]
    assert first.startswith(
        f"weights from {run}\nchanged model.rope_theta: was 10000.0, is 500000.0\nchanged tokenizer:"
    )
    with pytest.raises(TrainerError, match=r"run\.init_changes = 'lr' cannot be used; allowed: dim, layers"):
        runs.config(run={"init_changes": ("lr",)}).validate()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hidden_act", "relu"),
        ("hidden_act", "gelu"),
        ("partial_rotary_factor", 0.5),
        ("attention_bias", True),
        ("mlp_bias", True),
        ("tie_word_embeddings", True),
        ("quantization_config", {"bits": 4}),
        ("sliding_window", 4096),
        ("model_type", "mistral"),
        ("head_dim", 16),
        ("rope_scaling", {"rope_type": "llama3", "factor": 8.0}),
        ("rope_parameters", {"rope_type": "linear", "factor": 2.0}),
        ("rope_parameters", {"rope_type": "default", "partial_rotary_factor": 0.25}),
        ("hidden_size", "wide"),
        ("num_attention_heads", 5),
        ("max_position_embeddings", 1 << 40),
    ],
)
def test_a_config_of_another_model_is_refused_by_its_key(key, value):
    values = hf_config(tiny.SHAPE, 1, 2, "float32")
    assert from_hf_config(values).heads == 4
    name = next((k for k in ("partial_rotary_factor", "rope_type") if isinstance(value, dict) and k in value), key)
    ours = {"hidden_size": "dim", "num_attention_heads": "heads", "max_position_embeddings": "context"}
    with pytest.raises(TrainerError, match=f"{ours.get(key, name)}.* cannot be used; allowed|{key} = "):
        from_hf_config({**values, key: value})


def test_metas_files_of_other_models_are_refused(tmp_path):
    write_meta_release(tmp_path / "meta", tiny.model(), 2)
    path = tmp_path / "meta" / "params.json"
    params = json.loads(path.read_text())
    for extra, message in (
        ({"use_scaled_rope": True}, "use_scaled_rope = True cannot be used"),
        ({"rope_theta": 500000.0}, r"say it with --context \(Code Llama: 16384, Llama 3: 8192\)"),
        ({"moe_args": {}}, "moe_args is no key of a LLaMA's"),
        ({"n_heads": 5}, "a divisor of model.dim"),
        ({"dim": "wide"}, "cannot be used|lacks|fit"),
    ):
        path.write_text(json.dumps({**params, **extra}))
        with pytest.raises(TrainerError, match=message):
            importing.import_weights(tmp_path / "meta", tmp_path / "run")
    path.write_text(json.dumps({**params, "rope_theta": 500000.0}))
    assert importing.import_weights(tmp_path / "meta", tmp_path / "run", 8192).context == 8192
    path.write_text("[]")
    with pytest.raises(TrainerError, match="holds no keys and values"):
        importing.import_weights(tmp_path / "meta", tmp_path / "run2")
    path.write_text(json.dumps(params))
    (tmp_path / "meta" / "consolidated.00.pth").unlink()
    with pytest.raises(TrainerError, match=r"lacks consolidated\.00\.pth, and holds consolidated\.01\.pth"):
        importing.import_weights(tmp_path / "meta", tmp_path / "run2")


def test_only_the_files_of_the_index_are_taken(released, tmp_path):
    source, model = released
    folder = shutil.copytree(source, tmp_path / "hf")
    stale = {name: torch.zeros_like(weight) for name, weight in model.state_dict().items()}
    save_file(stale, folder / "zz-old.safetensors")  # of another training, say
    importing.import_weights(folder, tmp_path / "run")
    x = tiny.ids(2, 32)
    torch.testing.assert_close(load_model(tmp_path / "run", CPU)(x), model(x).logits, atol=1e-5, rtol=1e-5)
    info = read_info(latest_checkpoint(tmp_path / "run"))
    assert (info["bos"], info["eos"]) == (60, 61)
    exporting.export(tmp_path / "run", tmp_path / "out", "fp32", None)
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert (config["bos_token_id"], config["eos_token_id"], config["max_position_embeddings"]) == (60, 61, 32)


def test_files_that_contradict_each_other_are_refused(released, tmp_path):
    source, _ = released
    index = "model.safetensors.index.json"

    def refused(message, change):
        folder = shutil.copytree(source, tmp_path / "hf")
        change(folder)
        with pytest.raises(TrainerError, match=message):
            importing.import_weights(folder, tmp_path / "run")
        assert not (tmp_path / "run").exists()
        shutil.rmtree(folder)

    first = sorted(source.glob("*.safetensors"))[0].name
    refused("remove the one that is not the model's", lambda f: shutil.copy(f / first, f / "model.safetensors"))
    refused("no model.safetensors.index.json that says which", lambda f: (f / index).unlink())
    refused("cannot be read", lambda f: (f / first).unlink())
    refused("has no weight_map", lambda f: (f / index).write_text("{}"))
    refused("names files outside", lambda f: (f / index).write_text('{"weight_map": {"a": "../x.safetensors"}}'))

    def more(folder):
        save_file({**load_file(folder / first), "more.weight": torch.zeros(1)}, folder / first)

    def other_type(folder):
        weights = load_file(folder / first)
        name = next(iter(weights))
        save_file({**weights, name: weights[name].to(torch.int8)}, folder / first)

    refused("holds other weights than", more)
    refused("is torch.int8; allowed: float32", other_type)


def test_leftovers_of_killed_imports_and_exports_are_no_obstacle(released, tmp_path, monkeypatch):
    source, _ = released
    run, hf = tmp_path / "run", tmp_path / "hf"

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(single, "write_sums", killed)
        with pytest.raises(KeyboardInterrupt):
            importing.import_weights(source, run)
    assert (run / "checkpoints" / "step-000000000.tmp").is_dir()
    importing.import_weights(source, run)
    with pytest.raises(TrainerError, match="already holds a run"):
        importing.import_weights(source, run)
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["step-000000000"]

    with monkeypatch.context() as patch:
        patch.setattr(exporting, "hf_config", killed)
        with pytest.raises(KeyboardInterrupt):
            exporting.export(run, hf, "fp32", None)
    (hf / "notes.txt").write_text("mine")
    exporting.export(run, hf, "fp32", None)
    assert sorted(path.name for path in hf.iterdir() if path.name[0] != ".") == [
        *("config.json", "model.safetensors", "notes.txt")
    ]
    AutoModelForCausalLM.from_pretrained(hf)
    with pytest.raises(TrainerError, match="is not empty: it holds a whole export"):
        exporting.export(run, hf, "fp32", None)


def test_exports_into_what_is_not_theirs_are_refused(trained, released, tmp_path, monkeypatch, capsys):
    run, _ = trained
    (tmp_path / "file").write_text("mine")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("mine")
    for to in ("file", "model", "file/below"):
        assert command(export.main, monkeypatch, run, "--to", tmp_path / to) == 2
        assert "Choose another --to" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == (tmp_path / "model" / "config.json").read_text() == "mine"
    with pytest.raises(TrainerError, match="is not empty"):
        importing.import_weights(released[0], tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["config.json"]


def with_weight(run, data, folder, value):
    """A copy of a run whose checkpoint has one weight of another value."""
    trainer = runs.trainer(data, folder, run={"steps": 3})
    with torch.no_grad():
        trainer.model.output.weight[0, 0] = value
    trainer.step = 1
    trainer.save()
    trainer.checkpointer.wait()
    trainer.close()
    return folder


def test_exports_do_not_lose_values(trained, tmp_path):
    run, data = trained
    large = with_weight(run, data, tmp_path / "large", 1e5)
    with pytest.raises(TrainerError, match=r"lm_head\.weight holds values up to 100000, too large for torch\.float16"):
        exporting.export(large, tmp_path / "fp16", "fp16", None)
    exporting.export(large, tmp_path / "bf16", "bf16", None)
    broken = with_weight(run, data, tmp_path / "broken", float("nan"))
    with pytest.raises(TrainerError, match="holds values that are not finite"):
        exporting.export(broken, tmp_path / "nan", "fp32", None)


def test_evaluation_of_a_broken_run_is_valid_json_and_one_process_speaks(trained, tmp_path, monkeypatch, capsys):
    run, data = trained
    broken = with_weight(run, data, tmp_path / "broken", float("nan"))
    assert command(evaluate.main, monkeypatch, broken, "--data", data) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out, parse_constant=pytest.fail)["scores"]["all"]["loss"] is None
    assert "all  loss not finite" in shown.err
    from trainer_bridge.errors import run_command

    monkeypatch.setenv("RANK", "1")
    with pytest.raises(SystemExit) as end:
        run_command(evaluate.main, alone=True)
    assert end.value.code == 0
    assert capsys.readouterr() == ("", "")
