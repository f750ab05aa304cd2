import shutil
from pathlib import Path

import pytest

from pipeline.errors import RecipeError
from sources.commoncrawl.models import settle_languages, unscored
from sources.commoncrawl.recipe import CommonCrawlRecipe, LanguageRecipe, PerplexityRecipe

MODELS = Path(__file__).parents[3] / "samples" / "models"


def recipe(*languages: str, **perplexity) -> CommonCrawlRecipe:
    return CommonCrawlRecipe(language=LanguageRecipe(keep=languages), perplexity=PerplexityRecipe(**perplexity))


def scored(*languages: str, **perplexity) -> tuple[tuple[str, ...] | None, str]:
    settled = settle_languages(recipe(*languages, **perplexity))
    return settled.perplexity.languages, unscored(settled)


def test_languages_whose_models_are_there_are_scored():
    assert scored("en") == (("en",), "")
    assert scored("de", "en", keep=("all",)) == (("en",), "Perplexity is scored for en; pages in de have bucket all.")
    assert scored("all", keep=("tail", "all"))[0] == ("en",)
    assert scored("de", keep=("all",))[1].startswith("No language kept has a perplexity model at samples/models/{lang")
    assert scored("all", enabled=False) == (None, "")


def test_a_language_needs_both_its_models(tmp_path):
    for name in ("de.sp.model", "de.arpa.bin", "fr.sp.model"):
        shutil.copy(MODELS / f"en{name[2:]}", tmp_path / name)
    where = {"sentencepiece": f"{tmp_path}/{{language}}.sp.model", "lm": f"{tmp_path}/{{language}}.arpa.bin"}
    assert scored("all", keep=("all",), **where)[0] == ("de",)
    with pytest.raises(
        RecipeError, match=r"no perplexity model for en \(.*/en\.sp\.model and .*/en\.arpa\.bin\), so all"
    ):
        scored("de", "en", **where)


def test_at_a_web_address_those_named_or_with_cutoffs_are_scored_and_nothing_is_fetched():
    where = {"sentencepiece": "https://localhost:1/{language}.sp", "lm": "https://localhost:1/{language}.lm"}
    assert scored("en", "de", **where)[0] == ("de", "en")
    assert scored("sl", "de", keep=("all",), **where)[0] == ("de", "sl")
    assert scored("en", cutoffs="percentiles", **where)[0] == ("en",)
    assert len(scored("all", cutoffs="ccnet", keep=("all",), **where)[0]) == 17
    fewer = {"cutoffs": "percentiles", "few_pages_cutoffs": {"fr": (1.0, 2.0)}, "keep": ("all",)}
    assert scored("all", **fewer, **where)[0] == ("fr",)


def test_languages_can_be_named():
    assert scored("all", languages=("fr", "en"), keep=("all",))[0] == ("en", "fr")


@pytest.mark.parametrize(
    ("languages", "settings", "message"),
    [
        (
            ("en", "de"),
            {},
            r"no perplexity model for de \(samples/models/de\.sp\.model and samples/models/de\.arpa\.bin\)",
        ),
        (("all",), {}, r"no perplexity model for af, als, am and 172 more"),
        (("en",), {"cutoffs": {"de": (1.0, 2.0)}}, r"cutoffs has no entry for en, .* perplexity\.cutoffs=percentiles"),
        (("en",), {"languages": ("de",)}, r"perplexity\.languages names de, which language\.keep does not keep"),
        (
            ("en", "de"),
            {"lm": "a", "sentencepiece": "b"},
            r"name the models of one language, and language\.keep keeps more",
        ),
        (("en", "zz"), {}, r"language\.keep names 'zz', which the model"),
    ],
)
def test_choices_that_would_drop_all_are_refused(languages, settings, message):
    with pytest.raises(RecipeError, match=message):
        scored(*languages, **settings)


def test_languages_that_are_kept_but_not_named_for_scoring_are_not_dropped_in_silence():
    with pytest.raises(RecipeError, match=r"perplexity\.languages does not name de, which language\.keep keeps"):
        scored("en", "de", languages=("en",))
    assert scored("en", "de", languages=("en",), keep=("all",))[0] == ("en",)
