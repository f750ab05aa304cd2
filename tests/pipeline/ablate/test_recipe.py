"""Experiments as people write them: files, flags, arms, and what is refused before anything is made."""

import pytest

from pipeline.ablate.arms import arms_of, length_of, own_lists, plain_recipe
from pipeline.ablate.keys import changed
from pipeline.ablate.recipe import AblationRecipe, HeldoutRecipe, built_in, load_ablation, parse_arms
from pipeline.build.recipe import load_build
from pipeline.errors import RecipeError
from tests.tables import refusals, results

SOURCES = ("commoncrawl", "c4", "github", "wikipedia", "books", "arxiv", "stackexchange")


def experiment(*arms: str, **flags) -> AblationRecipe:
    return load_ablation(None, (), arms, flags)


def test_the_built_in_experiments_can_be_read():
    assert built_in() == ["sample"]
    sample = load_ablation("sample", (), (), {"seeds": 2, "tokens": None})
    assert (sample.seeds, sample.tokens, list(sample.arms)) == (2, "150000", ["no_dedup", "all_buckets", "damaged"])
    assert sample.heldout == HeldoutRecipe(share=0.2, documents=12, document_bytes=4096)


def test_arms_of_flags_join_those_of_the_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("baseline: sample\narms: {a: c4.dedup.lines=false}\nseeds: 2\n")
    found = load_ablation(str(path), ["heldout.share=0.1"], ["b: c4=null"], {"baseline": None})
    assert found.arms == {"a": ("c4.dedup.lines=false",), "b": ("c4=null",)}
    assert (found.seeds, found.heldout.share) == (2, 0.1)
    with pytest.raises(RecipeError, match=r"--arm a: .*mine.yaml has an arm of this name"):
        load_ablation(str(path), (), ["a: c4=null"], {})
    with pytest.raises(RecipeError, match="--arm b stands twice"):
        load_ablation(str(path), (), ["b: c4=null", "b: arxiv=null"], {})


test_arms_of_a_command_line = results(
    lambda text: parse_arms([text]),
    {
        "no_dedup: commoncrawl.dedup.enabled=false": {"no_dedup": ["commoncrawl.dedup.enabled=false"]},
        "a:c4.dedup.lines=false  books.min_characters=9": {"a": ["c4.dedup.lines=false", "books.min_characters=9"]},
        "a: commoncrawl.perplexity.keep=[head, middle]": {"a": ["commoncrawl.perplexity.keep=[head, middle]"]},
        "x: mixture.sources.c4.share=3 mixture.sources.books.share=2": {
            "x": ["mixture.sources.c4.share=3", "mixture.sources.books.share=2"]
        },
    },
)

test_arms_that_are_none = refusals(
    lambda text: parse_arms([text]),
    RecipeError,
    dict.fromkeys(("a", "a=b", "a:", ": c4=null", "a b: c4=null"), "must be a name, a colon, and what it overrides"),
)

test_experiments_that_are_refused = refusals(
    lambda settings: load_ablation(None, settings, (), {}),
    RecipeError,
    {
        ("seed=3",): "there is no key seed. Did you mean seeds?",
        ("seeds=0",): "seeds must be at least 1",
        ("arms={baseline: [c4=null]}",): "baseline is the name of an arm that is always there",
        ("arms={../x: [c4=null]}",): "'../x' is no name",
        ("arms={a: []}",): "arms.a overrides nothing",
        ("control=false",): "there is nothing to compare",
        ("heldout.share=0.6",): "share must lie above 0 and be 0.5 at the most",
        ("confidence=95",): "confidence must be 0.5 or more, and below 1",
        ("tokens=many",): "many",
    },
)


def test_what_an_override_means():
    base = load_build("sample")
    made = changed(
        base,
        [
            "commoncrawl.dedup.enabled=false",
            "c4=null",
            "mixture.sources.books.max_epochs=9",
            "mixture.proportions=redpajama",
            "tokenizer.vocab_size=1024",
            "tokenizer.uneven=false",
            "train.optimizer.lr=1e-3",
            "train.model=134M",
            "tokens=1B",
        ],
        "arm x",
    ).recipe
    assert made.sources["commoncrawl"].set == (*base.sources["commoncrawl"].set, "dedup.enabled=false")
    assert list(made.sources) == [name for name in SOURCES if name != "c4"]
    assert made.mixture.set[-1] == "sources.books.max_epochs=9"
    assert (made.mixture.proportions, made.tokens) == ("redpajama", "1B")
    assert made.tokenizer.arguments == ("--vocab-size", "1024")
    assert (made.train.model, made.train.arguments[-1]) == ("134M", "optimizer.lr=1e-3")


test_overrides_that_are_refused = refusals(
    lambda override: changed(load_build("sample"), [override], "arm x"),
    RecipeError,
    {
        "comoncrawl.dedup.enabled=false": "arm x: comoncrawl.dedup.enabled: there is no such key. Did you mean "
        "commoncrawl.dedup.enabled?",
        "optimizer.lr=1": "Did you mean train.optimizer.lr?",
        "tokenizer.vocabsize=9": "Did you mean tokenizer.vocab_size?",
        "tokenizer.output=x": "there is no such key",
        "mixture.max_epoch=9": "Did you mean mixture.max_epochs?",
        "mixture.sources.c4.share=10": "arm x: mix/llama1: the shares must sum to 100",
        "tokenizer.vocab_size=many": "arm x: tokenizer: argument --vocab-size: invalid int value: 'many'",
        "tokenizer.vocab_size=-5": "arm x: tokenizer: --vocab-size must be 1 or more, it is -5",
        "mixture.proportions.c4=17": "it has no keys below it. Did you mean mixture.sources.c4.share?",
        "mixture.heldout_tokens=9": "arm x: mixture.heldout_tokens: documents are held out before the mixture",
        "train.run.seed=9": "arm x: train.run.seed: each run has a seed of its own: see seeds",
        "mixture.max_epochs=-1": "max_epochs must be above 0",
        "c4=true": "c4=null leaves it out",
        "damage=0": "damage must be a share of the documents, above 0 to 1",
        "margin": "must look like key=value",
        "margin=-1": "margin must not be negative",
        "perplexity.trained=true": "there is no key perplexity.trained. Did you mean perplexity.train?",
    },
)

test_keys_of_sources_and_trainer_are_asked_for_before_anything_is_made = refusals(
    lambda override: arms_of(experiment(f"x: {override}"), "auto"),
    RecipeError,
    {
        "commoncrawl.dedup.enable=false": "arm x: commoncrawl: there is no key commoncrawl.dedup.enable. Did you mean "
        "commoncrawl.dedup.enabled?",
        "books.min_characters=few": "books: min_characters must be of type int, it is 'few'",
        "train.optimizer.lrr=1": "arm x: unknown key optimizer.lrr; did you mean optimizer.lr?",
        "commoncrawl.dedup.enabled=true": "arm x: it is the baseline once more, with commoncrawl.dedup.enabled=true",
        "tokenizer.vocab_size=2048": "arm x: it is the baseline once more",
        "tokens=1M": "arm x: it is the baseline once more",
        "train.run.steps=9": "all arms train on the same number of tokens",
    },
)


def test_an_arm_touches_what_it_must():
    arms = arms_of(
        experiment(
            "web: commoncrawl.dedup.enabled=false",
            "rate: train.optimizer.lr=1e-4",
            "pieces: tokenizer.vocab_size=1024",
            "shares: mixture.sources.c4.share=10 mixture.sources.commoncrawl.share=72",
            "without: c4=null",
            "damaged: damage=0.5",
        ),
        "auto",
        check=False,
    )
    touched = {arm.name: (arm.touched, arm.shares_data) for arm in arms}
    assert touched == {
        "baseline": ((*SOURCES, "tokenizer", "encode"), False),
        "control": ((), False),  # its shards are of another seed
        "web": (("commoncrawl", "encode"), False),
        "rate": ((), True),
        "pieces": (("tokenizer", "encode"), False),
        "shares": (("encode",), False),
        "without": (("encode",), False),
        "damaged": (("encode",), False),
    }
    assert [arm.name for arm in arms if not arm.trains_alike] == ["rate", "pieces"]
    assert {arm.name: arm.data_seed for arm in arms if arm.data_seed} == {"control": 1_000_000}


def test_what_is_trained_on_a_source_follows_it(tmp_path):
    path = tmp_path / "trained.yaml"
    path.write_text("base: sample\nperplexity: {train: true}\nreference: {train: true}\n")
    arms = arms_of(
        experiment("wiki: wikipedia.min_characters=9", "web: commoncrawl.min_characters=9", baseline=str(path)),
        "auto",
        check=False,
    )
    touched = {arm.name: arm.touched for arm in arms[2:]}
    assert touched["wiki"] == ("wikipedia", "perplexity", "cutoffs", "reference", "commoncrawl", "encode")
    assert touched["web"] == ("cutoffs", "commoncrawl", "encode")


def test_every_source_of_every_arm_keeps_the_held_out_documents_out():
    arms = arms_of(experiment("web: commoncrawl.dedup.enabled=false"), "auto", check=False)
    for arm in arms:
        assert {source.set[-1] for source in arm.recipe.sources.values()} == {"optout={work}/../../heldout/optout.tsv"}
        assert arm.mixture.heldout_tokens == 0
    assert own_lists(plain_recipe(experiment())) == []


def test_lists_of_the_baselines_own_are_for_all_arms():
    words = ["optout=samples/removals.tsv", "c4.optout=own.tsv"]
    base, _ = arms_of(experiment(set=words), "auto", check=False)
    assert own_lists(plain_recipe(experiment(set=words))) == ["samples/removals.tsv", "own.tsv"]
    assert (base.recipe.optout, base.recipe.sources["c4"].set[-1][:12]) == (None, "optout={work")
    with pytest.raises(RecipeError, match="arm x: an arm has no list of removals of its own"):
        arms_of(experiment("x: c4.optout=own.tsv"), "auto", check=False)


def test_the_length_is_that_of_the_experiment_whatever_the_recipe_says():
    arms = arms_of(experiment("large: train.run.batch_tokens=2048"), "auto", check=False)
    assert [arm.recipe.train.arguments for arm in arms[:2]] == [(), ()]  # the recipe's --steps 150 are gone
    length = length_of(arms, 9000)
    assert (length.tokens, length.steps) == (8192, {"baseline": 8, "control": 8, "large": 4})
    assert [length.save_every("baseline", points) for points in (1, 3, 9)] == [8, 3, 1]
    with pytest.raises(RecipeError, match="2,000 tokens are less than a step of 2,048"):
        length_of(arms, 2000)
