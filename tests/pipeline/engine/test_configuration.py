"""Which configurations of an output are the same."""

import pytest

from pipeline.corpus.manifest import CONFIGURATION
from pipeline.corpus.shard import Layout, write_json
from pipeline.engine.configuration import same_configuration
from pipeline.storage.filesystem import join

HERE = {"format": 1, "recipe": {"language": {"model": "m/lid.bin", "keep": ["en"]}}, "models": {"m/lid.bin": "s1"}}


@pytest.fixture
def layout(tmp_path) -> Layout:
    layout = Layout(str(tmp_path))
    write_json(join(layout.root, CONFIGURATION), HERE)
    return layout


def other(model: str, sum_: str, keep: str = "en") -> dict:
    return {"format": 1, "recipe": {"language": {"model": model, "keep": [keep]}}, "models": {model: sum_}}


def test_a_model_that_lies_elsewhere_is_the_same(layout):
    assert same_configuration(layout, other("/abs/m/lid.bin", "s1")) == HERE


@pytest.mark.parametrize("given", [other("m/lid.bin", "s2"), other("/abs/m/lid.bin", "s1", "de"), {"format": 1}])
def test_another_model_or_another_recipe_is_not(layout, given):
    assert same_configuration(layout, given) == given


def test_models_that_changed_places_are_not(layout):
    first = {"recipe": {"a": "x", "b": "y"}, "models": {"x": "s1", "y": "s2"}}
    write_json(join(layout.root, CONFIGURATION), first)
    swapped = {"recipe": {"a": "y", "b": "x"}, "models": {"x": "s1", "y": "s2"}}
    assert same_configuration(layout, swapped) == swapped


def test_a_new_output(tmp_path):
    assert same_configuration(Layout(str(tmp_path)), HERE) == HERE
