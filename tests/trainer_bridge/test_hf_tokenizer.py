"""The exported tokenizer: for each kind of model it gives the training ids through AutoTokenizer, or there is none."""

import random

import pytest
import sentencepiece

from tests.tokenizer.models import KINDS, texts, train
from tokenizer.model import UNUSED, parse_model
from trainer_bridge.exporting import KEPT, write_tokenizer
from trainer_bridge.hf_tokenizer import why_not

transformers = pytest.importorskip("transformers")

HELD = {
    "released_settings",
    "merging_scripts_and_digits",
    "no_dummy_prefix",
    "across_spaces",
    "no_byte_fallback",
    "characters",
    "without_bos",
}
MORE = {"without_bos": {"bos_id": -1, "eos_id": -1, "unk_id": 0}}
ALPHABET = "ab the\n\t\r 12\u00e9\U0001f600\u2581=-<s>/\u3000\u00bd\ufb01\u200b\x00\u0301"
NASTY = [
    "",
    " ",
    "  two",
    " lead",
    "\n",
    "<s>",
    "</s> x <unk>",
    "\u2581\u2581 x",
    "the t<fim> x",
    "aab" * 20,
    "-" * 70,
    "\u2028x",
]


@pytest.fixture(scope="module")
def all_texts():
    drawn = random.Random(0)
    made = ["".join(drawn.choices(ALPHABET, k=drawn.randint(1, 40))) for _ in range(1500)]
    return [*NASTY, *made, *(text[:1500] for text in texts())]


@pytest.mark.parametrize("kind", [*KINDS, *MORE])
def test_the_same_ids_or_none(kind, all_texts, tmp_path, monkeypatch):
    monkeypatch.setitem(KINDS, "without_bos", MORE["without_bos"])
    path = train(tmp_path / "tokenizer.model", kind)
    (tmp_path / "hf").mkdir()
    cause = write_tokenizer(path, tmp_path / "hf", 2048)
    assert (cause is None) == (kind in HELD)
    if cause:
        assert [file.name for file in (tmp_path / "hf").iterdir()] == [KEPT]
        return
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")
    ours = sentencepiece.SentencePieceProcessor(model_file=str(path))
    bos = [ours.bos_id()] * (ours.bos_id() >= 0)
    for text in all_texts:
        ids = ours.encode(text)
        assert theirs(text)["input_ids"] == bos + ids, text
        if ours.unk_id() not in ids:
            assert theirs.decode(ids) == ours.decode(ids), text


def test_models_with_unused_pieces_are_told(tmp_path):
    path = train(tmp_path / "tokenizer.model", "released_settings", 700)
    model = parse_model(path.read_bytes(), path)
    assert why_not(model) is None
    unused = type(model)(
        **{**{k: getattr(model, k) for k in model.__dataclass_fields__}, "kinds": (*model.kinds[:-1], UNUSED)}
    )
    assert why_not(unused) == "it has unused pieces"
