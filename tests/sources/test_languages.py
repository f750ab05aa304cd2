import pytest

from pipeline.errors import RecipeError
from sources.books import recipe as books
from sources.books.steps import IdentifyLanguage as OfBooks
from sources.c4 import recipe as c4
from sources.c4.steps import IdentifyLanguage as OfC4
from sources.languages import refuse_unknown


def test_codes_that_the_model_does_not_know_are_refused_by_name():
    refuse_unknown(["en", "all"], ["de", "en"], "lid.ftz")
    with pytest.raises(RecipeError) as told:
        refuse_unknown(["xx", "en", "English"], ["en", "de"], "lid.ftz")
    message = "language.keep names 'English', 'xx', which the model lid.ftz does not know. It knows de, en."
    assert str(told.value) == message


def test_c4_refuses_them_by_either_method_and_books_knows_those_of_headers_too():
    OfC4(c4.LanguageRecipe(method="langdetect", keep="zh-cn")).load()
    OfBooks(books.LanguageRecipe(keep=("en", "mi"))).load()
    for step in (
        OfC4(c4.LanguageRecipe(keep="zh-cn")),
        OfC4(c4.LanguageRecipe(method="langdetect", keep="zh")),
        OfBooks(books.LanguageRecipe(keep=("en", "zh-cn"))),
    ):
        with pytest.raises(RecipeError, match=r"language\.keep names 'zh"):
            step.load()
