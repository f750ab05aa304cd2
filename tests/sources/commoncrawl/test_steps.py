import pytest

from pipeline.corpus.document import Document
from pipeline.errors import RecipeError
from sources.commoncrawl.recipe import LanguageRecipe, PerplexityRecipe
from sources.commoncrawl.steps import IdentifyLanguage, ScorePerplexity

ENGLISH = "The old harbour lies on the northern shore of the bay, and its history reaches back to the middle ages."
GERMAN = "Der alte Hafen liegt am nördlichen Ufer der Bucht, und seine Geschichte reicht bis in das Mittelalter zurück."
SETTLED = {"cutoffs": {"en": {"pages": 200, "from": "percentiles", "cutoffs": [50.0, 90_000.0]}}}


def pages(*texts: str) -> list[Document]:
    return [Document(str(n), text, "commoncrawl", "f", n, number=n) for n, text in enumerate(texts)]


def test_what_a_survey_measured_is_taken_and_the_rest_is_measured():
    known = {0: ("en", 0.87, 49.9), 2: ("xx", 0.1, None)}
    found = pages(ENGLISH, ENGLISH, GERMAN)
    language = IdentifyLanguage(LanguageRecipe())
    language.load()
    language.settle(SETTLED, known)
    assert language.apply(found) == [None, None, "language"]
    assert [(d.language, d.meta["language_score"] > 0.8) for d in found] == [("en", True), ("en", True), ("xx", False)]
    perplexity = ScorePerplexity(PerplexityRecipe(cutoffs="percentiles"), ["en"])
    perplexity.load()
    perplexity.settle(SETTLED, known)
    assert perplexity.apply(found[:2]) == [None, None]
    assert [d.meta["bucket"] for d in found[:2]] == ["head", "middle"]
    assert found[0].meta["perplexity"] == 49.9 < found[1].meta["perplexity"]


def test_languages_without_a_model_have_bucket_all_and_so_has_a_page_without_pieces():
    found = pages(ENGLISH, GERMAN, " ")
    for document, language in zip(found, ("en", "de", "en"), strict=True):
        document.language = language
    step = ScorePerplexity(PerplexityRecipe(cutoffs={"en": (1.0, 2.0), "de": (1.0, 2.0)}, keep=("head", "all")), ["en"])
    step.load()
    assert step.apply(found) == ["bucket_tail", None, None]
    assert [d.meta["bucket"] for d in found] == ["tail", "all", "all"]


@pytest.mark.parametrize("keep", [("en", "xx"), ("english",), ("EN",), ("",)])
def test_a_language_that_the_model_does_not_know_is_refused_by_name(keep):
    step = IdentifyLanguage(LanguageRecipe(keep=keep))
    with pytest.raises(
        RecipeError, match=rf"names '{keep[-1]}', which the model .* does not know\. It knows af, als, am,"
    ):
        step.load()
