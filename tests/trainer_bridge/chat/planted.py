"""A world in which people prefer courteous answers (samples/make_chat.py), and a model that learnt to answer in it."""

import hashlib
import io
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import sentencepiece
import torch
from safetensors.torch import save_file

from samples.make_chat import courtesy, instructions, pairs
from tests.trainer_bridge import tiny
from tests.trainer_bridge.runs import train
from tokenizer.chat.encode import encode_conversation
from tokenizer.chat.template import load_template
from tokenizer.encode import Encoder
from trainer_bridge.chat.corpora import write_conversations
from trainer_bridge.chat.scalar import write_record
from trainer_bridge.checkpoint import MODEL as MODEL_PREFIX
from trainer_bridge.config import ModelConfig
from trainer_bridge.convert import hf_config, to_hf
from trainer_bridge.run_folder import RunFolder
from trainer_bridge.single import write_checkpoint
from trainer_bridge.stored import file_sha256

SEQ_LEN = 64
MODEL = {"dim": 48, "layers": 2, "heads": 4, "ffn_hidden": 128, "context": 96}


def template_file(folder: Path) -> Path:
    """A template whose prompts are short."""
    path = folder / "short.yaml"
    path.write_text(
        'name: short\nfirst: "{bos}USER: {user} ASSISTANT:"\nlater: "USER: {user} ASSISTANT:"\n'
        'first_with_system: "{bos}{system} USER: {user} ASSISTANT:"\nanswer: " {answer}"\nend: "{eos}"\n'
    )
    return path


def write_tokenizer(path: Path, vocab_size: int = 640) -> Path:
    """A BPE model of the world's words."""
    model = io.BytesIO()
    lines = [f"USER: {record['instruction']} ASSISTANT: {record['output']}" for record in instructions()]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        model_type="bpe",
        vocab_size=vocab_size,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=2,
    )
    path.write_bytes(model.getvalue())
    return path


def conversation(record: dict[str, str]) -> list[dict]:
    """An instruction and its answer as turns."""
    return [
        {"role": "user", "content": record["instruction"]},
        {"role": "assistant", "content": record["output"]},
    ]


def write_prompts(folder: Path, count: int = 400) -> Path:
    """A corpus of conversations."""
    rows = [(f"{number}", conversation(record), {}) for number, record in enumerate(list(instructions())[:count])]
    write_conversations(folder / "conversations" / "a.parquet", "instructions", rows)
    return folder


def pair_rows(count: int) -> list[dict]:
    """Preference pairs as a corpus has them; the margin is how many more courtesies the chosen answer has."""
    rows = []
    for number, record in enumerate(list(pairs())[:count]):
        prompt, _, chosen = record["chosen"].partition("\n\nAssistant: ")
        rejected = record["rejected"].partition("\n\nAssistant: ")[2]
        turns = [{"role": "user", "content": prompt.removeprefix("\n\nHuman: "), "train": True}]
        margin = float(courtesy(chosen) - courtesy(rejected))
        rows.append({"messages": turns, "chosen": chosen, "rejected": rejected, "margin": margin, "number": number})
    return rows


def write_pairs(folder: Path, rows: list[dict]) -> Path:
    """A corpus of pairs."""
    folder.mkdir(parents=True, exist_ok=True)
    meta = [{key: value for key, value in row.items() if key != "number"} for row in rows]
    table = pa.table({"id": [f"pair {number}" for number in range(len(rows))], "text": [""] * len(rows), "meta": meta})
    pq.write_table(table, folder / "pairs.parquet")
    return folder


def write_shards(folder: Path, tokenizer: Path, template: Path) -> Path:
    """The instructions as token shards with a loss mask on answers."""
    encoder, chosen = Encoder(tokenizer), load_template(template)
    encoded = [encode_conversation(encoder, chosen, conversation(record)) for record in instructions()]
    documents = [tiny.Doc(ids.tolist(), 0, number) for number, (ids, _) in enumerate(encoded)]
    loss = [bool(on) for _, mask in encoded for on in mask]
    sha256 = hashlib.sha256(tokenizer.read_bytes()).hexdigest()
    return tiny.write_shards(
        folder, documents, SEQ_LEN, vocab=encoder.vocab_size, sources=("a",), tokenizer_sha256=sha256, loss=loss
    )


def made(folder: Path) -> Path:
    """A folder with the world's tokenizer and template."""
    folder.mkdir(parents=True, exist_ok=True)
    write_tokenizer(folder / "made.model")
    template_file(folder)
    return folder


def answering_model(folder: Path, steps: int = 160) -> Path:
    """A run that was trained on the instructions, with its tokenizer and template."""
    made(folder)
    tokenizer, template = folder / "made.model", folder / "short.yaml"
    shards = write_shards(folder / "shards", tokenizer, template)
    train(
        shards,
        folder / "run",
        model={**MODEL, "kv_heads": None, "vocab_size": Encoder(tokenizer).vocab_size},
        data={"document_mask": True},
        optimizer={"lr": 4e-3, "warmup_steps": 10},
        run={"steps": steps, "batch_tokens": 16 * SEQ_LEN, "micro_batch": 16, "save_every": 1000, "log_every": 1000},
    )
    shutil.copyfile(tokenizer, folder / "run" / "tokenizer.model")
    shutil.copyfile(template, folder / "run" / "template.yaml")
    return folder / "run"


def random_run(folder: Path, made: Path, seed: int = 0, **shape) -> Path:
    """A run that nothing was trained in: random weights, and the tokenizer and template of a folder."""
    tokenizer = made / "made.model"
    encoder = Encoder(tokenizer)
    config = ModelConfig(**{**MODEL, "dim": 32, "vocab_size": encoder.vocab_size, **shape})
    built = tiny.model(config, seed, std=0.1)
    target = RunFolder(folder, "trainer_bridge.import_weights")
    tensors = {MODEL_PREFIX + name: parameter.detach() for name, parameter in built.named_parameters()}
    known = {"bos": encoder.bos_id, "eos": encoder.eos_id, "tokenizer_sha256": encoder.sha256}
    info = {"step": 0, "loader": None, "config": {"model": asdict(config)}, "weights_only": True, **known}
    write_checkpoint(target, 0, tensors, info)
    target.close()
    shutil.copyfile(tokenizer, folder / "tokenizer.model")
    shutil.copyfile(made / "short.yaml", folder / "template.yaml")
    return folder


def random_reward(folder: Path, made: Path, seed: int = 5, head: float = 1.0) -> Path:
    """A reward model with random weights, in the files that the command writes."""
    encoder, template = Encoder(made / "made.model"), load_template(made / "short.yaml")
    config = ModelConfig(**{**MODEL, "dim": 32, "vocab_size": encoder.vocab_size})
    trunk = {
        name: weight for name, weight in tiny.model(config, seed, std=0.1).state_dict().items() if "output" not in name
    }
    torch.manual_seed(seed)
    weights = to_hf(trunk, config) | {"score.weight": head * torch.randn(1, config.dim)}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    values = hf_config(config, encoder.bos_id, encoder.eos_id, "float32")
    values |= {"architectures": ["LlamaForSequenceClassification"], "num_labels": 1, "pad_token_id": encoder.unk_id}
    (folder / "config.json").write_text(json.dumps(values))
    shutil.copyfile(made / "made.model", folder / "tokenizer.model")
    shutil.copyfile(made / "short.yaml", folder / "template.yaml")
    record = {"tokenizer_sha256": encoder.sha256, "template": {"name": template.name, "sha256": template.sha256}}
    write_record(folder, {**record, "weights_sha256": file_sha256(folder / "model.safetensors")})
    return folder
