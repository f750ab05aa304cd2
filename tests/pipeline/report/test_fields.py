import importlib
from dataclasses import fields, is_dataclass

import pytest

from pipeline.recipe import as_mapping
from pipeline.report.fields import (
    COMMON,
    EXTRAS,
    SPECIAL,
    Field,
    by_language,
    cutoffs,
    fields_of,
    list_fields,
    surveyed,
)
from sources.books.near_duplicates import REPORT, REPORT_SCHEMA

RECIPES = {
    "commoncrawl": "CommonCrawlRecipe",
    "c4": "C4Recipe",
    "github": "GitHubRecipe",
    "wikipedia": "WikipediaRecipe",
    "books": "BooksRecipe",
    "arxiv": "ArxivRecipe",
    "stackexchange": "StackExchangeRecipe",
    "instructions": "InstructionsRecipe",
}
SCHEMAS = {
    "commoncrawl": "sources.commoncrawl.source",
    "c4": "sources.c4.source",
    "github": "sources.github.raw_file",
    "wikipedia": "sources.wikipedia.source",
    "books": "sources.books.source",
    "arxiv": "sources.arxiv.source",
    "stackexchange": "sources.stackexchange.source",
    "stackexchange_preferences": "sources.stackexchange.preferences",
    "instructions": "sources.instructions.source",
}
TABLE = [(source, field) for source, listed in SPECIAL.items() for field in listed]


@pytest.mark.parametrize(("source", "field"), TABLE, ids=[f"{s}:{f.column}" for s, f in TABLE])
def test_every_field_of_the_table_is_one_of_its_source(source, field):
    meta = importlib.import_module(SCHEMAS[source]).META
    columns = {f"meta.{child.name}" for child in meta} | {"characters", "license", "language"}
    assert field.column in columns
    assert field.of in columns | {""}


@pytest.mark.parametrize(("source", "field"), TABLE, ids=[f"{s}:{f.column}" for s, f in TABLE])
def test_every_cutoff_of_the_table_is_a_key_of_the_recipe(source, field):
    if not field.cutoffs:
        return
    kind = getattr(importlib.import_module(f"sources.{source}.recipe"), RECIPES[source])
    recipe = as_mapping(kind())
    if source == "commoncrawl":  # whose default takes them from the pages
        recipe["perplexity"]["cutoffs"] = {"en": [340, 520]}
    found = cutoffs(field, recipe)
    assert len(found) == (2 if field.names else 1)


def test_the_columns_beside_the_documents():
    assert {(e.file, e.field.column) for e in EXTRAS["books"]} == {(REPORT, "overlap")}
    assert "overlap" in REPORT_SCHEMA.names


def test_cutoffs_that_a_survey_found_are_drawn_where_all_scopes_agree():
    field = Field("meta.perplexity", "Perplexity", cutoffs="perplexity.cutoffs.{language}")
    recipe = {"language": {"keep": ["en"]}, "perplexity": {"cutoffs": "percentiles"}}
    one = {"en": {"cutoffs": [240.0, 290.0]}, "de": {"cutoffs": None}}
    assert cutoffs(field, recipe) == ()
    assert cutoffs(field, surveyed(recipe, {"a": {"cutoffs": one}, "b": {"cutoffs": one}})) == (240.0, 290.0)
    other = {"cutoffs": {"en": {"cutoffs": [230.0, 290.0]}}}
    assert cutoffs(field, surveyed(recipe, {"a": {"cutoffs": one}, "b": other})) == ()
    table = {"perplexity": {"cutoffs": {"en": [1, 2]}}}
    assert surveyed(table, {"a": {"cutoffs": one}}) is table


def test_cutoffs_of_one_language_alone():
    field = Field("meta.perplexity", "Perplexity", cutoffs="perplexity.cutoffs.{language}")
    recipe = {"language": {"keep": ["en"]}, "perplexity": {"cutoffs": {"en": [1, 2.5], "de": [3, 4]}}}
    assert cutoffs(field, recipe) == (1.0, 2.5)
    assert cutoffs(field, {**recipe, "language": {"keep": ["en", "de"]}}) == ()
    assert cutoffs(field, {**recipe, "language": {"keep": ["fr"]}}) == ()
    assert cutoffs(field, {}) == ()


@pytest.mark.parametrize("value", [None, "high", True, {"a": 1}, []])
def test_what_is_no_number_is_no_cutoff(value):
    assert cutoffs(Field("n", "N", cutoffs="a.b"), {"a": {"b": value}}) == ()


def test_all_sources_have_the_common_fields_once():
    for source in (*SPECIAL, "unknown"):
        listed = fields_of(source)
        assert set(COMMON) <= set(listed)
        assert len(listed) == len(set(listed))
    assert list_fields("stackexchange") == ["answer_scores", "score", "site"]


def test_fields_are_frozen():
    assert is_dataclass(Field)
    assert {f.name for f in fields(Field)} >= {"column", "title", "cutoffs", "of"}


def test_fields_by_language():
    cuts = {"en": [1.0, 2.0], "de": [3.0, 4.0], "fr": [5.0, 6.0]}
    field = Field("meta.perplexity", "Perplexity", cutoffs="perplexity.cutoffs.{language}")
    some = {"language": {"keep": ["de", "en"]}, "perplexity": {"cutoffs": cuts}}
    assert list(by_language(field, some)) == ["en", "de"]
    assert cutoffs(by_language(field, some)["de"], some) == (3.0, 4.0)
    assert list(by_language(field, some | {"language": {"keep": ["all"]}})) == ["en", "de", "fr"]
    assert by_language(field, some | {"language": {"keep": ["en"]}}) == {}
    assert by_language(field, {}) == {}
    assert by_language(Field("n", "N", cutoffs="min_characters"), some) == {}
