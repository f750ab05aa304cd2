"""Runs, Hugging Face models and Meta's releases: the same logits in every direction; and the commands around them."""

import hashlib
import io
import json
import math
import shutil

import pytest
import sentencepiece
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from tests.trainer_bridge import runs, tiny
from trainer_bridge import evaluate, evaluation, export, exporting, generate, import_weights, importing
from trainer_bridge.checkpoint import load_model
from trainer_bridge.config import ModelConfig
from trainer_bridge.convert import hf_config
from trainer_bridge.errors import TrainerError, run_command
from trainer_bridge.loader import Samples
from trainer_bridge.vocabulary import Vocabulary

CPU = torch.device("cpu")
CLOSE = {"atol": 1e-5, "rtol": 1e-5}
TEXTS = ["The cat sat on the mat.", "A dog ran in the park, naïve as ever.", "Is it 3 or 4?", "Über den Wolken"]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    """A SentencePiece model with LLaMA's settings."""
    stream = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS * 20),
        model_writer=stream,
        model_type="bpe",
        vocab_size=320,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        character_coverage=0.99,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.model"
    path.write_bytes(stream.getvalue())
    return path


@pytest.fixture(scope="module")
def trained(tokenizer, tmp_path_factory):
    """Shards of real text in two sources, and a run on them."""
    folder = tmp_path_factory.mktemp("trained")
    vocabulary = Vocabulary(tokenizer)
    docs = [
        tiny.Doc([*vocabulary.encode(text), vocabulary.model.eos_id()], number % 2, number)
        for number, text in enumerate(TEXTS * 20)
    ]
    size = vocabulary.model.get_piece_size()
    sha256 = hashlib.sha256(tokenizer.read_bytes()).hexdigest()
    data = tiny.write_shards(folder / "data", docs, runs.SEQ_LEN, vocab=size, tokenizer_sha256=sha256)
    sections = {"model": {"vocab_size": size}, "optimizer": {"lr": 2e-2}, "run": {"steps": 60, "batch_tokens": 256}}
    runs.train(data, folder / "run", **sections)
    (folder / "run" / "tokenizer.model").write_bytes(tokenizer.read_bytes())
    return folder / "run", data


def command(main, monkeypatch, *words):
    monkeypatch.setattr("sys.argv", ["command", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        run_command(main)
    return end.value.code


def test_an_exported_run_opens_in_transformers_with_the_same_logits(trained, tmp_path, monkeypatch):
    run, _ = trained
    assert command(export.main, monkeypatch, run, "--to", tmp_path / "hf") == 0
    ours, theirs = load_model(run, CPU), AutoModelForCausalLM.from_pretrained(tmp_path / "hf", dtype=torch.float32)
    assert isinstance(theirs, LlamaForCausalLM)
    x = tiny.ids(2, 32, ours.config.vocab)
    torch.testing.assert_close(ours(x), theirs(x).logits, **CLOSE)
    assert theirs.config.num_key_value_heads == 2


def test_an_exported_tokenizer_gives_the_same_ids(trained, tmp_path):
    run, _ = trained
    exporting.export(run, tmp_path / "hf", "fp32", run / "tokenizer.model")
    theirs, ours = AutoTokenizer.from_pretrained(tmp_path / "hf"), Vocabulary(run / "tokenizer.model")
    for text in [*TEXTS, "two  spaces", "line\nbreak", "日本 😀"]:
        assert theirs(text)["input_ids"] == ours.encode(text)
        assert theirs.decode(theirs(text)["input_ids"], skip_special_tokens=True) == text
    assert (theirs.bos_token_id, theirs.eos_token_id) == (1, 2)


def test_an_export_in_several_files_and_another_type(trained, tmp_path, monkeypatch):
    run, _ = trained
    monkeypatch.setattr(exporting, "FILE_BYTES", 20_000)
    exporting.export(run, tmp_path / "hf", "bf16", None)
    files = sorted(path.name for path in (tmp_path / "hf").glob("*.safetensors"))
    assert files == [f"model-{i:05d}-of-00003.safetensors" for i in (1, 2, 3)]
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "hf")
    assert theirs.dtype == torch.bfloat16
    expected = load_model(run, CPU).state_dict()["layers.1.feed_forward.w3.weight"]
    assert torch.equal(theirs.model.layers[1].mlp.up_proj.weight, expected.bfloat16())
    with pytest.raises(TrainerError, match="is not empty"):
        exporting.export(run, tmp_path / "hf", "bf16", None)


@pytest.mark.parametrize("grouped", [False, True])
def test_a_hugging_face_model_comes_in_with_the_same_logits(tmp_path, grouped, monkeypatch):
    shape = tiny.GROUPED if grouped else tiny.SHAPE
    torch.manual_seed(0)
    theirs = LlamaForCausalLM(LlamaConfig(**{**hf_config(shape, 1, 2, "float32"), "initializer_range": 0.2})).eval()
    theirs.save_pretrained(tmp_path / "hf")
    assert command(import_weights.main, monkeypatch, tmp_path / "hf", "--output", tmp_path / "run") == 0
    x = tiny.ids(2, 32)
    torch.testing.assert_close(load_model(tmp_path / "run", CPU)(x), theirs(x).logits, **CLOSE)


def write_meta_release(folder, model, shards):
    """Meta's files of a model, cut as its model parallelism cuts them."""
    folder.mkdir()
    by_rows = ("wq", "wk", "wv", "w1", "w3", "output")
    for shard in range(shards):
        state = {"rope.freqs": torch.zeros(4)}
        for name, weight in model.state_dict().items():
            part = name.split(".")[-2]
            if weight.dim() == 2:
                weight = weight.chunk(shards, dim=0 if part in by_rows else 1)[shard]  # noqa: PLW2901
            state[name] = weight.clone()
        torch.save(state, folder / f"consolidated.{shard:02d}.pth")
    config = model.config
    params = {"dim": config.dim, "n_layers": config.layers, "n_heads": config.heads, "multiple_of": 256}
    params |= {"norm_eps": config.norm_eps, "vocab_size": -1}
    if config.kv_heads:
        params["n_kv_heads"] = config.kv_heads
    (folder / "params.json").write_text(json.dumps(params))


@pytest.mark.parametrize(("shape", "shards"), [(tiny.SHAPE, 1), (tiny.SHAPE, 2), (tiny.GROUPED, 2)])
def test_metas_release_comes_in_with_the_same_logits(tmp_path, shape, shards):
    model = tiny.model(shape)
    write_meta_release(tmp_path / "meta", model, shards)
    config = importing.import_weights(tmp_path / "meta", tmp_path / "run")
    assert config.context == (2048 if shape is tiny.SHAPE else 4096)
    x = tiny.ids(2, 32)
    torch.testing.assert_close(load_model(tmp_path / "run", CPU)(x), model(x), **CLOSE)
    exporting.export(tmp_path / "run", tmp_path / "hf", "fp32", None)  # and on to Hugging Face
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "hf", dtype=torch.float32)
    torch.testing.assert_close(theirs(x).logits, model(x), **CLOSE)


def test_training_starts_from_imported_weights(trained, tmp_path):
    run, data = trained
    exporting.export(run, tmp_path / "hf", "fp32", None)
    importing.import_weights(tmp_path / "hf", tmp_path / "imported")
    sections = {"model": {"vocab_size": load_model(run, CPU).config.vocab}}
    with pytest.raises(TrainerError, match=r"holds weights only; start a run of its own with run\.init_from="):
        runs.trainer(data, tmp_path / "imported", **sections)
    one, other = (
        runs.train(data, tmp_path / f"from{i}", **sections, run={"steps": 2, "init_from": str(origin)})
        for i, origin in enumerate((tmp_path / "imported", run))
    )
    assert one == other
    assert one[0]["loss"] < 2.5


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "holds neither Meta's params.json nor Hugging Face's config.json"),
        ({"params.json": "{}"}, r"holds no consolidated\.\*\.pth"),
        ({"params.json": "{", "consolidated.00.pth": ""}, r"params\.json cannot be read"),
        ({"params.json": "{}", "consolidated.00.pth": "junk"}, "the weights cannot be read"),
        ({"config.json": '{"model_type": "gpt2"}'}, "model_type = 'gpt2' cannot be used; allowed: 'llama'"),
        ({"config.json": '{"model_type": "llama"}'}, "lacks the key hidden_size"),
    ],
)
def test_what_cannot_be_imported_is_named(tmp_path, files, message):
    (tmp_path / "in").mkdir()
    for name, text in files.items():
        (tmp_path / "in" / name).write_text(text)
    with pytest.raises(TrainerError, match=message):
        importing.import_weights(tmp_path / "in", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_weights_of_another_shape_are_refused(tmp_path):
    write_meta_release(tmp_path / "meta", tiny.model(), 1)
    params = json.loads((tmp_path / "meta" / "params.json").read_text())
    (tmp_path / "meta" / "params.json").write_text(json.dumps({**params, "n_layers": 3}))
    with pytest.raises(TrainerError, match="do not fit their shape"):
        importing.import_weights(tmp_path / "meta", tmp_path / "run")


def test_generate_command(trained, monkeypatch, capsys):
    run, _ = trained
    assert command(generate.main, monkeypatch, run, "The", "--temperature", "0", "--tokens", "8") == 0
    out = capsys.readouterr().out
    assert out.startswith("The cat sat on")
    assert command(generate.main, monkeypatch, run, "The", "--top-p", "0") == 2
    assert command(generate.main, monkeypatch, run, "The", "--tokens", "0") == 2
    assert command(generate.main, monkeypatch, run, "The " * 100) == 2
    assert "ids; the model's context is 32" in capsys.readouterr().err
    assert command(generate.main, monkeypatch, "/nowhere", "The") == 2
    assert "no run directory /nowhere" in capsys.readouterr().err


def test_a_tokenizer_is_found_for_a_checkpoint_and_must_be_the_runs_own(trained, tmp_path, monkeypatch, capsys):
    run, _ = trained
    checkpoint = run / "checkpoints" / "step-000000060"
    assert command(generate.main, monkeypatch, checkpoint, "The", "--tokens", "1") == 0
    assert command(export.main, monkeypatch, checkpoint, "--to", tmp_path / "hf") == 0
    assert (tmp_path / "hf" / "tokenizer.model").read_bytes() == (run / "tokenizer.model").read_bytes()
    capsys.readouterr()
    copy = shutil.copytree(checkpoint, tmp_path / "copy")
    assert command(generate.main, monkeypatch, copy, "The") == 2
    assert "give one with --tokenizer FILE" in capsys.readouterr().err
    words = [copy, "The", "--tokenizer", run / "tokenizer.model", "--tokens", "1"]
    assert command(generate.main, monkeypatch, *words) == 0
    (tmp_path / "other.model").write_bytes((run / "tokenizer.model").read_bytes() + b"\n")
    for main, words in ((generate.main, (copy, "The")), (export.main, (copy, "--to", tmp_path / "hf2"))):
        assert command(main, monkeypatch, *words, "--tokenizer", tmp_path / "other.model") == 2
        assert "other.model is not the tokenizer of" in capsys.readouterr().err


def test_bytes_of_ids_are_those_of_the_text(tokenizer):
    vocabulary = Vocabulary(tokenizer)
    for text in [*TEXTS, "日本 😀", " leading", "tab\t"]:
        ids = vocabulary.model.encode(text)
        total = vocabulary.byte_counts[ids].sum() - vocabulary.begins_with_space[ids[0]]
        assert total == len(text.encode())
    assert vocabulary.byte_counts[[0, 1, 2]].tolist() == [0, 0, 0]


def test_evaluation_is_the_mean_over_every_target_once(trained, monkeypatch, capsys):
    run, data = trained
    assert command(evaluate.main, monkeypatch, run, "--data", data, "--batch", 7) == 0
    scores = json.loads(capsys.readouterr().out)["scores"]
    model, samples = load_model(run, CPU), Samples(evaluation.IN_ORDER, data)
    batch = samples.batch(0, samples.order.rows)
    ids = torch.from_numpy(batch.ids).long()
    losses = torch.nn.functional.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    sources = torch.from_numpy(batch.sources[:, 1:]).flatten()
    assert scores["all"]["loss"] == pytest.approx(losses.mean().item(), rel=1e-5)
    assert scores["a"]["loss"] == pytest.approx(losses[sources == 0].mean().item(), rel=1e-5)
    assert scores["a"]["tokens"] + scores["b"]["tokens"] == scores["all"]["tokens"] == ids[:, 1:].numel()


def test_bits_per_byte_counts_the_bytes_of_the_text(trained, tokenizer, tmp_path, monkeypatch, capsys):
    """A whole document in one row: its targets are its text and eos; the bos is not predicted."""
    run, _ = trained
    vocabulary = Vocabulary(tokenizer)
    text = TEXTS[0]
    ids = [*vocabulary.encode(text), 2]
    sha256 = hashlib.sha256(tokenizer.read_bytes()).hexdigest()
    size = vocabulary.model.get_piece_size()
    data = tiny.write_shards(
        tmp_path / "one", [tiny.Doc(ids)], len(ids) - 1, vocab=size, shards=1, tokenizer_sha256=sha256
    )
    assert command(evaluate.main, monkeypatch, run, "--data", data) == 0
    score = json.loads(capsys.readouterr().out)["scores"]["all"]
    assert score["bytes"] == len(text.encode())
    assert score["bits_per_byte"] == pytest.approx(score["loss"] * score["tokens"] / math.log(2) / len(text))


def test_evaluation_refuses_other_shards(trained, tmp_path, monkeypatch, capsys):
    run, _ = trained
    other = runs.shards(tmp_path / "other")
    assert command(evaluate.main, monkeypatch, run, "--data", other) == 2
    assert "is not the tokenizer of the shards" in capsys.readouterr().err
    assert command(evaluate.main, monkeypatch, run, "--data", tmp_path) == 2
    for limit in ("--batch", "--limit"):
        assert command(evaluate.main, monkeypatch, run, "--data", other, limit, "0") == 2
        assert "must be at least 1" in capsys.readouterr().err


def test_presets_survive_the_way_to_hugging_face():
    shape = ModelConfig(dim=8192, layers=80, heads=64, kv_heads=8, ffn_hidden=28672, vocab_size=32000, context=4096)
    values = LlamaConfig(**hf_config(shape, 1, 2, "bfloat16")).to_dict()
    assert (values["num_key_value_heads"], values["intermediate_size"]) == (8, 28672)
    assert values["head_dim"] == 128
