"""Runs of ids as Llama 2's appendix A.6 has them, beside a plain reading of it."""

import numpy as np
import pytest

from pipeline.decontaminate.samples import Sample, Samples
from pipeline.decontaminate.tokens import COMMON, LENGTHS, TokenIndex
from pipeline.mix.encode import load_encoder
from tests.pipeline.mix.corpora import prose, write_model


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return load_encoder(str(write_model(tmp_path_factory.mktemp("model"))))


def index_of(encoder, *texts):
    return TokenIndex(Samples((), tuple(Sample(0, k, text) for k, text in enumerate(texts, 1))), encoder)


def plain_marks(sample, document, over):
    """Which ids of a sample are contaminated by a document: every pair of places is tried."""
    marked = np.zeros(len(sample), bool)
    equal = sample[:, None] == document[None, :]
    seeds = np.all([equal[k : len(sample) - 9 + k, k : len(document) - 9 + k] for k in range(10)], axis=0)
    for p, q in np.argwhere(seeds).tolist():
        length, wrong = 10, 0
        for k in range(10, min(len(sample) - p, len(document) - q)):
            if equal[p + k, q + k]:
                length = k + 1
            else:
                wrong += 1
                if wrong > 4:
                    break
        if length > over:
            marked[p : p + length] = True
    return marked


def test_runs_are_those_of_a_plain_reading(encoder):
    rng = np.random.default_rng(0)
    texts = [text for text in prose(60, 5, longest=40) if len(text) > 60][:8]
    index = index_of(encoder, *texts)
    documents = []
    for text in (*texts, *texts):
        ids = encoder.encode(text).astype(np.uint16)
        for place in rng.integers(0, len(ids), 3):
            ids[place] = rng.integers(300, 390)  # another id here and there
        cut = int(rng.integers(0, 6))
        ids = np.delete(ids, int(rng.integers(0, len(ids))))[cut:]
        documents.append(np.concatenate([encoder.encode("then " + prose(1, int(rng.integers(99)))[0]), ids]))
    offsets = np.concatenate(([0], np.cumsum([len(ids) for ids in documents])))
    runs = index.scan(np.concatenate(documents).astype(np.uint16), offsets)
    longest = index.no_runs()
    np.maximum.at(longest, runs.starts, runs.lengths)
    starts = np.flatnonzero(longest)
    for over in LENGTHS:
        found = index.found(starts, longest[starts], over).tolist()
        expected = []
        for text in texts:
            sample = encoder.encode(text)
            marks = [plain_marks(sample, document, over) for document in documents]
            expected.append(int(np.any(marks, axis=0).sum()))
        assert found == expected
    assert sum(found) > 0


def test_a_run_ends_with_its_document_and_with_the_fifth_id_that_differs(encoder):
    text = " ".join(prose(12, 9, longest=40))
    ids = encoder.encode(text)[:60].astype(np.uint16)
    index = index_of(encoder, text)

    def lengths(*documents):
        offsets = np.concatenate(([0], np.cumsum([len(d) for d in documents])))
        runs = index.scan(np.concatenate(documents), offsets)
        return sorted(runs.lengths[runs.starts == 0].tolist())

    changed = ids.copy()
    changed[[12, 20, 30, 40, 50]] = 399
    assert lengths(ids) == [60]
    assert lengths(changed) == [50]
    assert lengths(ids[:25], ids[25:]) == [25]
    changed[9] = 399
    assert lengths(changed) == []  # the first ten differ


def test_what_stands_in_very_many_places_begins_no_run_but_is_part_of_one(encoder):
    phrase = "the quiet harbour lantern winter copper meadow signal thread orchard river stone"
    texts = [f"{phrase} {text} {n}" for n, text in enumerate(prose(COMMON + 20, 3, longest=30))]
    index = index_of(encoder, *texts)
    assert index.common.min() > 0
    whole = encoder.encode(texts[7]).astype(np.uint16)
    runs = index.scan(whole, np.array([0, len(whole)]))
    longest = index.no_runs()
    np.maximum.at(longest, runs.starts, runs.lengths)
    found = index.found(np.flatnonzero(longest), longest[longest > 0], 10)
    assert found[7] == index.sizes[7]


def test_the_ids_of_a_document_that_stand_in_runs_of_some_samples(encoder):
    """The plain reading the other way round: of the document, and of each place where it has a sample."""
    rng = np.random.default_rng(1)
    texts = [text for text in prose(60, 6, longest=40) if len(text) > 60][:4]
    index = index_of(encoder, *texts)
    samples = [encoder.encode(text) for text in texts]
    for _ in range(6):
        parts = [samples[0], samples[1], encoder.encode("then"), samples[0], samples[3][:9]]
        document = np.concatenate([part.copy() for part in parts]).astype(np.uint16)
        for place in rng.integers(0, len(document), 8):
            document[place] = rng.integers(300, 390)
        for chosen in ([0], [1], [0, 1], [2]):
            expected = np.any([plain_marks(document, samples[k], LENGTHS[0]) for k in chosen], axis=0)
            assert index.marked(document, np.array(chosen)).tolist() == expected.tolist()
    assert expected.sum() == 0
