from tests.tokenizer.models import write_corpus
from tokenizer.corpus import Corpus
from tokenizer.encode import Encoder
from tokenizer.fertility import BATCH_BYTES, PAPER, Fertility, measure, measure_sources
from tokenizer.proportions import load_shares


def test_bytes_and_tokens_of_whole_documents(model_of):
    encoder = Encoder(model_of("released_settings"))
    batch = ["the house\n", "", "中" * 10]
    found = measure(encoder, batch)
    assert found == Fertility(3, 40, sum(len(encoder.encode(text)) for text in batch))
    assert found.bytes_per_token == round(40 / found.tokens, 3)


def test_many_documents_are_measured_in_batches(model_of):
    encoder = Encoder(model_of("released_settings"))
    text = "the house " * 10_000
    once = measure(encoder, [text])
    many = measure(encoder, [text] * 25)
    assert 25 * len(text) > 2 * BATCH_BYTES
    assert (many.documents, many.bytes, many.tokens) == (25, 25 * once.bytes, 25 * once.tokens)


def test_no_text_has_no_fertility(model_of):
    assert measure(Encoder(model_of("released_settings")), []).bytes_per_token is None


def test_each_source_is_measured(model_of, tmp_path):
    corpus = Corpus(str(write_corpus(tmp_path, {"books/all/0": [["the house"]], "c4/all/0": [["x", "y"]]})))
    sources = {name: corpus.row_groups(name) for name in ("books", "c4")}
    found = measure_sources(Encoder(model_of("released_settings")), corpus, sources, seed=0)
    assert {name: (each.documents, each.bytes) for name, each in found.items()} == {"books": (1, 9), "c4": (2, 2)}


def test_the_paper_has_a_figure_for_each_source():
    assert list(PAPER) == list(load_shares("llama1"))
