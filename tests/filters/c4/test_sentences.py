import gzip
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.c4.sentences import PunktModel, SentenceCounter, load_punkt
from tests.filters.c4.nltk_punkt import MODEL, nltk_tokenizer

MODEL_EN = load_punkt(str(MODEL))
COUNTER = SentenceCounter(MODEL_EN)
NLTK = nltk_tokenizer()

PLAIN = """
the The he He They rain Rain fell J j U.S U.S.A a.m p.m Mr Mrs Dr Inc Co No no etc e.g i.e vs St al Jan I O'Neil café
Éire naïve 東京 Ünal well-known t-Corp non-U.S K.va Kva 3 3.5 1999 12,000 -4 $5 50% #1
"""
MARKS = """
( ) [ ] { } ' " “ ” ‘ ’ « » - -- --- * @ & # ; : , ` ... .. . ? ! ?! !! ?? .) ." ?" !' .' ;. :. ,. -. '.
"""
WORDS = [*PLAIN.split(), *MARKS.split()]
GAPS = [" ", " ", " ", " ", "", "  ", "\n", "\n\n", "\t", "\u00a0", "\u2028", "\x1c", "\x85"]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        (" \n ", 0),
        ("One", 1),
        ("One.", 1),
        ("One. Two.", 2),
        ("Mr. Smith went to Washington.", 1),
        ("We met at 5 p.m. The rain fell.", 2),
        ("We met at 5 p.m. by the gate.", 1),
        ("In the U.S. Army he served.", 1),
        ("J. Smith and T. S. Eliot wrote.", 1),
        ("It was 1999. The rain fell.", 2),
        ("It cost 5. dollars then.", 1),
        ('"Stop!" he said. "Why?" she asked.', 4),
        ("He waited... and left.", 1),
        ("He waited... The rain fell.", 2),
        ("(He left.) Then she left.", 2),
        ('He said "Go."', 1),
        ("What?! No!!! Yes.", 3),
        ("This line looks like it has three sentences...but it's actually just 1.", 1),
        ("One line.\nAnother line.", 2),
        ("no space.After the stop", 1),
        ("See Mr. Smith etc. Nobody came.", 2),
    ],
)
def test_literal_counts_that_nltk_gives_too(text, count):
    assert COUNTER.count(text) == count == len(NLTK.tokenize(text))


def made_text(draw: random.Random) -> str:
    return "".join(draw.choice(WORDS) + draw.choice(GAPS) for _ in range(draw.randrange(1, 14)))


def test_equal_to_nltk_on_texts_made_of_all_that_it_looks_at():
    draw = random.Random(1)
    for _ in range(6000):
        text = made_text(draw)
        assert COUNTER.count(text) == len(NLTK.tokenize(text)), text


@settings(max_examples=400)
@given(st.text(alphabet="aAbUzS. .?!\"')(-,;15 \n\t\u00a0é", max_size=60))
def test_equal_to_nltk_on_any_text(text):
    assert COUNTER.count(text) == len(NLTK.tokenize(text))


def test_equal_to_nltk_at_every_word_of_the_model():
    for word in sorted({*MODEL_EN.abbreviations, *(w for pair in MODEL_EN.collocations for w in pair)}):
        for behind in ("The", "the", "Smith", "smith", "(He", '"He', "5", "magnin", "Edelman"):
            for form in (word, word.capitalize(), word.upper(), f"non-{word}", f"({word}"):
                text = f"By {form}. {behind} went."
                assert COUNTER.count(text) == len(NLTK.tokenize(text)), text


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_a_limit_stops_the_count_and_changes_no_count_below_it(limit):
    draw = random.Random(2)
    for _ in range(500):
        text = made_text(draw)
        assert COUNTER.count(text, limit) == min(COUNTER.count(text), limit)


def test_another_model_decides_otherwise():
    model = PunktModel(frozenset({"rain"}), frozenset({("##number##", "fell")}), frozenset({"then"}), {"fell": 4})
    counter, nltk = SentenceCounter(model), nltk_tokenizer(model)
    for text, count in (("The rain. Then it", 2), ("The rain. Now it", 1), ("By 3. fell", 1), ("The snow. it", 2)):
        assert counter.count(text) == count == len(nltk.tokenize(text))


@pytest.mark.parametrize("text", ["!" * 200_000, "a." * 100_000, ". " * 100_000, "." * 200_000, "a.)" + " " * 300_000])
def test_time_grows_with_the_length_alone(text):
    assert COUNTER.count(text) >= 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not gzip",
        gzip.compress(b"{", mtime=0)[:-3],
        gzip.compress(b"[1]", mtime=0),
        gzip.compress(b"{}", mtime=0),
        gzip.compress(json.dumps({"abbreviations": 3}).encode(), mtime=0),
    ],
)
def test_what_is_no_model_is_told(tmp_path, data):
    path = tmp_path / "model.json.gz"
    path.write_bytes(data)
    with pytest.raises(ValueError, match="is no model of sentence ends"):
        load_punkt(str(path))
    with pytest.raises(ValueError, match="is no model of sentence ends"):
        load_punkt(str(tmp_path / "nowhere"))
