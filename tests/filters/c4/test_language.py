import pytest

from filters.c4.language import Langdetect

ENGLISH = "The harbour was quiet that morning, and nobody had yet seen the boats come in from the sea."
GERMAN = "Der Hafen war an diesem Morgen ruhig, und niemand hatte die Boote vom Meer kommen sehen."


def test_languages_and_probabilities_which_do_not_change():
    model = Langdetect()
    language, probability = model.identify(ENGLISH)
    assert language == "en"
    assert probability > 0.99
    assert model.identify(GERMAN)[0] == "de"
    mixed = f"{ENGLISH[:30]} {GERMAN[:30]}"
    assert {model.identify(mixed) for _ in range(5)} == {Langdetect().identify(mixed)}


@pytest.mark.parametrize("text", ["", "   ", "123 456.", "http://a.example/"])
def test_a_text_that_tells_no_language(text):
    with pytest.raises(ValueError, match="langdetect_exception"):
        Langdetect().identify(text)
