import pytest
import sentencepiece

from tests.tokenizer.models import RELEASED, texts
from tokenizer import model
from tokenizer.errors import TokenizerError
from tokenizer.settings import settings
from tokenizer.training import _explain, train


@pytest.fixture(scope="module")
def sentences(tmp_path_factory):
    path = tmp_path_factory.mktemp("training") / "sentences.txt"
    path.write_text("".join(line + "\n" for text in texts()[:3] for line in text.split("\n") if line))
    return path


def test_training_is_the_library_s_and_repeats_itself(sentences, tmp_path):
    reached: list[int] = []
    for name in ("one", "two"):
        train(sentences, settings(900), tmp_path / name, reached.append)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    processor = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "one"))
    assert processor.get_piece_size() == 900
    assert [processor.id_to_piece(i) for i in (0, 1, 2, 3, 13, 258)] == [
        *("<unk>", "<s>", "</s>", "<0x00>", "<0x0A>", "<0xFF>")
    ]
    assert processor.encode("x 1\n23", out_type=str)[-5:] == ["▁", "1", "<0x0A>", "2", "3"]
    assert processor.decode([0]) == " ⁇ "
    assert reached
    assert reached[-1] <= 900


def test_too_little_text(tmp_path):
    path = tmp_path / "few.txt"
    path.write_text("a few words\n")
    with pytest.raises(
        TokenizerError, match=r"^the sample supports 2\d\d pieces at the most, not 32,000: give --vocab-s"
    ):
        train(path, settings(), tmp_path / "model", print)
    train(path, settings(soft_vocab_limit=True), tmp_path / "model", print)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "model"))
    assert 259 < processor.get_piece_size() < 300


def test_too_few_pieces(sentences, tmp_path):
    with pytest.raises(TokenizerError, match=r"^--vocab-size 200 is too small: .* bytes alone take \d+ pieces$"):
        train(sentences, settings(200), tmp_path / "model", print)


def test_other_failures():
    assert _explain("", -9, 10) == "the trainer was killed (signal 9); the usual cause is memory: give a smaller --size"
    assert _explain("INTERNAL: something", 1, 10) == "the trainer failed: INTERNAL: something"


# sentencepiece_model.proto, TrainerSpec: what a file that leaves a field out says.
DEFAULTS = {14: 1_000_000, 15: b"\x00\x00@?", 17: 2, 24: 0, 32: 1, 45: b"<unk>", 46: b"<s>", 47: b"</s>", 48: b"<pad>"}
INPUT, PREFIX, VOCAB_SIZE, SELF_TEST, INPUT_FORMAT, THREADS = 1, 2, 4, 6, 7, 16


def fields_of(path, part: int) -> dict:
    """The fields of a part of a model that say anything."""
    (found,) = (value for number, value in model._fields(path.read_bytes()) if number == part)
    assert isinstance(found, bytes)
    return {number: value for number, value in model._fields(found) if value not in (0, b"", bytes(4))}


@pytest.mark.skipif(not RELEASED.exists(), reason="the released model is not there")
def test_settings_are_those_of_the_released_model(sentences, tmp_path):
    """The trainer writes its settings into the model: names of files, pieces and threads apart, they agree."""
    train(sentences, settings(900), tmp_path / "model", print)
    apart = {INPUT, PREFIX, VOCAB_SIZE, SELF_TEST, INPUT_FORMAT, THREADS}
    ours, theirs = (
        {number: value for number, value in fields_of(path, model.TRAINER).items() if number not in apart}
        for path in (tmp_path / "model", RELEASED)
    )
    assert {**DEFAULTS, **ours} == {**DEFAULTS, **theirs}
    assert fields_of(tmp_path / "model", model.NORMALIZER) == fields_of(RELEASED, model.NORMALIZER)
