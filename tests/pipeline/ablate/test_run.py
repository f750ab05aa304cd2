"""How long arms train: the same number of tokens, also for an arm that joins later; one that cannot fails alone."""

import pytest
from rich.console import Console

from pipeline.ablate.arms import arms_of
from pipeline.ablate.display import Display
from pipeline.ablate.folder import Folder
from pipeline.ablate.recipe import load_ablation
from pipeline.ablate.run import CORPORA, Experiment
from pipeline.corpus.shard import write_json
from pipeline.errors import InputError


def made(root, *arms, allowed, tokens="auto", settled=None) -> Experiment:
    """An experiment of which all corpora are made, and their tokens counted."""
    recipe = load_ablation(None, (), arms, {"control": False, "tokens": tokens})
    found, folder = arms_of(recipe, "auto", check=False), Folder(str(root))
    for place in (folder.heldout, *(folder.arm(arm.name) / "corpus" for arm in found)):
        place.mkdir(parents=True)
    folder.documents.touch()
    for step in ("heldout", *(f"{arm.name}/corpus" for arm in found)):
        folder.done(step, {"made": True})
    for name, most in allowed.items():
        write_json(str(folder.arm(name) / "_build" / "counts.json"), {"tokens": most})
    if settled:
        folder.done("length", {"tokens": settled})
    return Experiment(recipe, found, folder, Display(Console(quiet=True)), lock=-1)


LESS = "less: commoncrawl.min_characters=900"


def test_of_auto_all_train_on_what_the_poorest_arm_has(tmp_path):
    run = made(tmp_path, LESS, allowed={"baseline": 9000, "less": 5000})
    assert (run.run(CORPORA).tokens, run.outcome.failed) == (4096, {})
    assert run.folder.record("length") == {"tokens": 4096}


def test_an_arm_that_has_too_few_tokens_fails_alone(tmp_path):
    run = made(tmp_path, LESS, allowed={"baseline": 9000, "less": 5000}, tokens="9000")
    assert run.run(CORPORA).steps == {"baseline": 8}
    assert list(run.outcome.failed) == ["less"]
    assert (
        "8,192 tokens are more than less allows by the epoch limits of its mixture: 5,000."
        in run.outcome.failed["less"]
    )


def test_a_baseline_that_has_too_few_tokens_stops_all(tmp_path):
    with pytest.raises(InputError, match="9,216 tokens are more than baseline allows"):
        made(tmp_path, LESS, allowed={"baseline": 9000, "less": 9900}, tokens="10000").run(CORPORA)


def test_an_arm_that_joins_later_trains_as_long_as_the_others_did_or_fails(tmp_path):
    arms = ("odd: train.run.batch_tokens=1536", "large: train.run.batch_tokens=2048")
    run = made(tmp_path, *arms, allowed={"baseline": 9000}, settled=4096)
    length = run.run(CORPORA)
    assert (length.tokens, length.steps) == (4096, {"baseline": 4, "large": 2})
    assert run.outcome.failed["odd"].startswith(
        "odd: the others train on 4,096 tokens, which are no whole steps of its 1,536"
    )
