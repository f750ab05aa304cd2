"""Documents scored one by one: the same sums as a plain forward pass, whatever lies beside them in a batch."""

import csv
import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from tests.trainer_bridge import tiny
from trainer_bridge.errors import TrainerError
from trainer_bridge.scoring import Document, chosen_checkpoints, read_documents, score, windows, write_scores


class Letters:
    """A tokenizer whose ids are the letters of a text, a being 2; begin-of-sequence is 1."""

    def encode(self, text):
        return [1, *(2 + ord(letter) - ord("a") for letter in text)]


def nats(model, ids):
    """The loss of all but the first id, the plain way."""
    with torch.no_grad():
        logits = model(torch.tensor([ids[:-1]])).log_softmax(-1)
    return -logits[0].gather(1, torch.tensor(ids[1:])[:, None]).sum().item()


@pytest.fixture(scope="module")
def model():
    return tiny.model().eval()


def test_a_document_scores_as_by_itself(model):
    texts = ["abc", "a", "", "thequickbrownfox", "zz"]
    found = score(model, Letters(), [Document(text, "", text) for text in texts], 32, 3)
    assert [(one.tokens, one.bytes) for one in found] == [(len(text), len(text)) for text in texts]
    wanted = [nats(model, Letters().encode(text)) if text else 0.0 for text in texts]
    assert [one.nats for one in found] == pytest.approx(wanted, rel=1e-5)


def test_a_long_document_is_scored_in_windows(model):
    text = "abcdefghij"
    ids = Letters().encode(text)
    assert [piece.tolist() for piece in windows(ids, 4)] == [ids[0:5], ids[4:9], ids[8:11]]
    (found,) = score(model, Letters(), [Document("x", "", text)], 4, 2)
    assert found.nats == pytest.approx(sum(nats(model, ids[a:b]) for a, b in ((0, 5), (4, 9), (8, 11))), rel=1e-5)


def test_bytes_are_those_of_the_text(model):
    (found,) = score(model, Letters(), [Document("x", "", "ab")], 8, 1)
    assert found.bytes == len("ab")
    assert math.isfinite(found.nats)


def test_what_is_no_file_of_documents_is_refused(tmp_path):
    (tmp_path / "text.parquet").write_bytes(b"no Parquet")
    with pytest.raises(TrainerError, match="cannot be read as Parquet"):
        read_documents(tmp_path / "text.parquet")
    pq.write_table(pa.table({"id": ["a"], "body": ["b"]}), tmp_path / "other.parquet")
    with pytest.raises(TrainerError, match="has no column text"):
        read_documents(tmp_path / "other.parquet")
    pq.write_table(pa.table({"id": ["a"], "text": pa.array([None], pa.string())}), tmp_path / "empty.parquet")
    assert read_documents(tmp_path / "empty.parquet") == [Document("a", "", "")]


def test_only_checkpoints_that_are_there_are_chosen(tmp_path):
    for step in (5, 10):
        folder = tmp_path / "checkpoints" / f"step-{step:09d}"
        folder.mkdir(parents=True)
        (folder / "run.json").write_text("{}")
    assert [path.name for path in chosen_checkpoints(tmp_path, [10, 5])] == ["step-000000010", "step-000000005"]
    assert [path.name for path in chosen_checkpoints(tmp_path, None)] == ["step-000000010"]
    with pytest.raises(TrainerError, match="has no checkpoint of step 7, but of 5, 10"):
        chosen_checkpoints(tmp_path, [7])


def test_the_table_appears_when_it_is_whole(tmp_path):
    def rows():
        yield [1, "web", "a,b", 2, 3, "4.500000"]
        assert not (tmp_path / "scores.csv").exists()

    write_scores(tmp_path / "scores.csv", rows())
    with (tmp_path / "scores.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["step"], row["document"], row["nats"]) == ("1", "a,b", "4.500000")
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]
