"""What arms share: links to what the baseline made, and records by which pipeline.build takes it for done."""

from dataclasses import replace

import pytest

from pipeline.ablate.arms import arms_of
from pipeline.ablate.recipe import load_ablation
from pipeline.ablate.sharing import describe, link, share
from pipeline.build.run import identity_of
from pipeline.build.status import statuses
from pipeline.build.work import DONE, FAILED, Record, Work
from pipeline.errors import OutputError

TRAINED = "base: sample\nperplexity: {train: true}\n"


@pytest.fixture
def made(tmp_path):
    """A baseline with models of its own, as a build leaves it, and an arm that changes the crawl alone."""
    recipe = tmp_path / "trained.yaml"
    recipe.write_text(TRAINED)
    words = ["web: commoncrawl.min_characters=9"]
    arms = arms_of(load_ablation(None, (), words, {"baseline": str(recipe), "control": False}), "auto", check=False)
    root = tmp_path / "ablation"
    work = Work(str(root / "arms" / "baseline"))
    with work.held():
        for stage in (stage for stage in arms[0].stages if stage.name in arms[0].touched):
            for output in stage.outputs:
                place = work.path(*output.split("/"))
                is_file = "." in place.name
                (place.parent if is_file else place).mkdir(parents=True, exist_ok=True)
                (place if is_file else place / f"{stage.name}.txt").write_text(stage.name)
            work.write(stage.name, Record(identity_of(stage, work), DONE))
        for name in ("c4", "commoncrawl"):
            (work.path("tokens", "0123456789abcdef-bos", name)).mkdir(parents=True)
    return arms, root


def test_an_arm_that_writes_beside_what_it_shares_writes_into_a_folder_of_its_own(made):
    """The cut-offs follow the crawl's recipe and lie in the folder of the language models, which do not."""
    (base, arm), root = made
    folder = root / "arms" / "web"
    share(arm, base, folder, root / "arms" / "baseline")
    assert arm.touched == ("cutoffs", "commoncrawl", "encode")
    models = folder / "models" / "perplexity"
    assert (models.is_symlink(), (models / "perplexity.txt").is_symlink()) == (False, True)
    assert not (models / "cutoffs.yaml").exists()
    (models / "cutoffs.yaml").write_text("its own")
    assert (root / "arms" / "baseline" / "models" / "perplexity" / "cutoffs.yaml").read_text() == "cutoffs"


def test_what_is_shared_is_done_and_what_is_touched_is_not(made):
    (base, arm), root = made
    folder = root / "arms" / "web"
    share(arm, base, folder, root / "arms" / "baseline")
    share(arm, base, folder, root / "arms" / "baseline")  # again, as after a kill
    work = Work(str(folder))
    shared = ["arxiv", "books", "c4", "github", "perplexity", "stackexchange", "wikipedia"]
    assert work.records() == shared
    stages = {stage.name: stage for stage in arm.stages}
    for name in shared:
        record = work.record(name)
        assert record is not None
        assert record.identity == identity_of(stages[name], work)  # so that the build has nothing to do
    assert (folder / "corpus" / "c4" / "c4.txt").read_text() == "c4"
    assert not (folder / "corpus" / "commoncrawl").exists()
    assert [path.name for path in (folder / "tokens" / "0123456789abcdef-bos").iterdir()] == ["c4"]


def test_the_status_of_an_arm_tells_of_all_that_is_made_in_its_folder(made):
    (base, arm), root = made
    folder, baseline = root / "arms" / "web", root / "arms" / "baseline"
    names = [stage.name for stage in base.stages]
    assert names[-3:] == ["report", "card", "train"]
    Work(str(baseline)).describe({"recipe": "recipe.yaml", "tokens": "auto", "stages": names, "sources": {}})
    share(replace(arm, touched=()), base, folder, baseline)
    describe(folder, baseline, "encode")
    found = [(entry.stage, entry.status) for entry in statuses(Work(str(folder)))]
    assert (found[-1], {status for _, status in found}) == (("encode", DONE), {DONE})


def test_what_an_arm_made_before_it_was_mended_goes_aside(made):
    """It failed at c4 and the tokenizer, half made, and does not touch them any more."""
    (base, arm), root = made
    folder = root / "arms" / "web"
    for name in ("corpus/c4", "models/tokenizer"):
        (folder / name).mkdir(parents=True)
        (folder / name / "half.txt").write_text(name)
    (folder / ".owner.json").write_bytes((root / "arms" / "baseline" / ".owner.json").read_bytes())
    work = Work(str(folder))
    work.write("c4", Record({"another": "recipe"}, FAILED))
    share(arm, base, folder, root / "arms" / "baseline")
    assert [(folder / name).is_symlink() for name in ("corpus/c4", "models/tokenizer")] == [True, True]
    assert (folder / "_build" / "aside" / "corpus.c4.1" / "half.txt").read_text() == "corpus/c4"
    assert (folder / "_build" / "aside" / "models.tokenizer.1" / "half.txt").exists()
    record = work.record("c4")
    assert record is not None
    assert record.status == DONE


def test_no_arm_writes_through_a_link_that_it_had_before_it_was_mended(made):
    (base, arm), root = made
    folder, baseline = root / "arms" / "web", root / "arms" / "baseline"
    share(replace(arm, touched=()), base, folder, baseline)
    assert (folder / "corpus").is_symlink()
    share(arm, base, folder, baseline)
    assert ((folder / "corpus").is_symlink(), (folder / "corpus" / "c4").is_symlink()) == (False, True)
    share(replace(arm, damage=0.5, touched=("encode",)), base, folder, baseline)  # writes copies of all sources
    assert not (folder / "corpus" / "c4").exists()
    share(replace(arm, touched=()), base, folder, baseline)
    assert (folder / "corpus").is_symlink()
    assert (baseline / "corpus" / "c4" / "c4.txt").exists()


def test_what_somebody_put_in_the_way_is_not_written_over(tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(OutputError, match="is there, and is no link"):
        link(tmp_path / "there", tmp_path / "target")
    link(tmp_path / "deep" / "link", tmp_path / "target")
    link(tmp_path / "deep" / "link", tmp_path / "target")
    assert (tmp_path / "deep" / "link").readlink().as_posix() == "../target"
