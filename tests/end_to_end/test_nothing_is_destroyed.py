"""No command deletes or writes over a file that it did not write: strangers' files in every folder are found again."""

import contextlib
import hashlib
import io
import runpy
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from filters.commoncrawl import lm_cli
from pipeline.card import command as card
from pipeline.corpus.manifest import CONFIGURATION
from pipeline.corpus.promised import promise
from pipeline.corpus.shard import Layout
from pipeline.errors import UserError
from pipeline.mix import command as mix_command
from pipeline.report import command as report
from pipeline.storage.ownership import RECORD
from sources.arxiv import command as arxiv
from sources.books import command as books
from sources.c4 import command as c4
from sources.commoncrawl import command as commoncrawl
from sources.commoncrawl import training_command
from sources.github import command as github
from sources.stackexchange import command as stackexchange
from sources.wikipedia import command as wikipedia
from sources.wikipedia import templates
from tests.end_to_end.commands import ROOT
from tests.pipeline import runs
from tests.pipeline.line_source import LineRecipe
from tests.pipeline.mix.corpora import mix, prose, recipe, write_corpus, write_model
from tests.pipeline.report.corpora import Made, make_source
from tests.trainer_bridge import runs as trainer_runs
from tokenizer import train as tokenizer_train
from trainer_bridge import evaluate, export, generate, import_weights, verify
from trainer_bridge.errors import run_command

SAMPLES = ROOT / "samples"
WET = str(SAMPLES / "commoncrawl" / "CC-MAIN-20260312010203-20260312040203-00000.warc.wet.gz")
# What a stranger's file may be called: as what the commands write, but for a name of its own.
SUFFIXES = (".parquet", ".arrow", ".json", ".npy", ".tsv", ".model", ".tokens", ".bin", ".tmp", ".redo", "")


def contents(root: Path) -> dict[str, str]:
    """The files below a folder, with the checksums of their bytes."""
    found = [path for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def call(main: Callable[[Sequence[str]], object], *arguments: object) -> tuple[int, str]:
    """Runs a command in this process; gives its status and what it told."""
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        try:
            status = main([*map(str, arguments)])
        except SystemExit as end:
            status = end.code
    if isinstance(status, str):
        return 1, status
    return int(status or 0), told.getvalue()


def strangers(root: Path, *, in_stats: bool = True) -> dict[str, str]:
    """Puts files of every kind into every folder below one, and copies of its files under other names."""
    for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
        for number, suffix in enumerate(SUFFIXES):
            if in_stats or folder.name != "_stats" or suffix != ".json":  # it would be taken for a shard's: told
                (folder / f"mine{suffix}").write_text(f"stranger {number} of {folder.name}")
        (folder / ".mine.tmp").write_text("hidden")
        (folder / "mine").with_suffix(".d").mkdir()
        (folder / "mine.d" / "deep.parquet").write_text("deeper")
    return {name: digest for name, digest in contents(root).items() if "mine" in name}


def still_there(root: Path, before: dict[str, str]) -> None:
    after = contents(root)
    assert {name: after.get(name) for name in before} == before


@dataclass(frozen=True)
class Command:
    """A command, where it writes below what it is told, and the rest of its flags."""

    main: Callable[[Sequence[str]], object]
    below: str
    flags: tuple[object, ...]

    def run(self, output: Path, *more: object) -> tuple[int, str]:
        return call(self.main, *self.flags, *more, "--output", output)


COMMANDS = {
    "commoncrawl": Command(commoncrawl.main, "commoncrawl", ("--input", WET)),
    "c4": Command(c4.main, "c4", ("--from", "wet", "--input", WET)),
    "wikipedia": Command(
        wikipedia.main, "wikipedia", ("--input", *sorted((SAMPLES / "wikipedia").glob("*-multistream.xml.bz2"))[:1])
    ),
    "books": Command(books.main, "books", ("--books3", SAMPLES / "books" / "books3.tar.gz")),
    "arxiv": Command(arxiv.main, "arxiv", ("--input", SAMPLES / "arxiv" / "eprints")),
    "github": Command(github.main, "github", ("--input", SAMPLES / "github" / "stack-00000-of-00001.parquet")),
    "stackexchange": Command(
        stackexchange.main, "stackexchange", ("--input", *sorted((SAMPLES / "stackexchange").glob("*.7z"))[:1])
    ),
    "train_reference": Command(
        training_command.main, "", ("--input", WET, "--urls", SAMPLES / "commoncrawl/wikipedia_reference_urls.txt")
    ),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_source_leaves_a_folder_of_anybody_else(tmp_path, name):
    command = COMMANDS[name]
    folder = tmp_path / "out" / command.below
    for path in ("en/a.parquet", "manifest.json", "_stats/a.json", "_work/x.arrow", "configuration.json"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text('{"source": "a stranger\'s"}')
    before = contents(tmp_path)
    status, told = command.run(tmp_path / "out")
    assert (status, contents(tmp_path)) == (1, before)
    assert "is not empty (_stats, _work, configuration.json and 2 more), and nothing in it shows that python -m" in told


@pytest.mark.parametrize("name", COMMANDS)
def test_a_source_leaves_its_input_where_its_output_would_be(tmp_path, name):
    command = COMMANDS[name]
    flag, *given = command.flags[-2:]
    where = tmp_path / "out" / (command.below or "deep")
    where.mkdir(parents=True)
    path = Path(given[-1]) if name != "train_reference" else Path(WET)
    (shutil.copytree if path.is_dir() else shutil.copy)(path, where / path.name)
    flags = command.flags[:-2] if name != "train_reference" else command.flags[2:]
    flag = flag if name != "train_reference" else "--input"
    before = contents(tmp_path)
    status, told = call(command.main, *flags, flag, where / path.name, "--output", tmp_path / "out")
    assert (status, contents(tmp_path)) == (1, before)
    assert "where the command writes" in told


def test_a_folder_that_is_read_holds_no_output(tmp_path):
    (tmp_path / "raw").mkdir()
    shutil.copy(WET, tmp_path / "raw")
    before = contents(tmp_path)
    status, told = call(commoncrawl.main, "--input", tmp_path / "raw", "--output", tmp_path / "raw" / "corpus")
    assert (status, contents(tmp_path)) == (1, before)
    assert "all of which is read" in told


def line_output(tmp_path: Path) -> tuple[Path, Path]:
    raw = runs.write_input(tmp_path / "raw")
    runs.run(raw, tmp_path / "out")
    return raw, tmp_path / "out" / "lines"


def test_strangers_in_every_folder_of_a_source(tmp_path):
    """Runs that do nothing, make shards again, go on after a kill, and are refused; all sources share the engine."""
    raw, root = line_output(tmp_path)
    layout = Layout(str(root))
    promise(
        layout, "a", ["medium/a.parquet"]
    )  # a kill left it: shard a wrote to another subset, and to its work folder
    (root / "medium").mkdir()
    (root / "medium" / "a.parquet").write_text("left over")
    for name in ("units/a.arrow", "hashes/000000.blocks", "decisions/000000.blocks", "settled.json"):
        (root / "_work/0123456789abcdef" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "_work/0123456789abcdef" / name).write_text("left over")
    (root / "_stats" / "a.json").unlink()
    before = strangers(root, in_stats=False)
    runs.run(raw, tmp_path / "out")
    still_there(root, before)
    left = {"medium/a.parquet", *(str(path.relative_to(root)) for path in root.rglob("0123456789abcdef/*/*.*"))}
    assert {name for name in left & set(contents(root)) if "mine" not in name} == set()

    (raw / "b.txt").rename(tmp_path / "b.txt")
    (raw / "b.txt").symlink_to("nowhere")
    runs.run(raw, tmp_path / "unreadable")
    before = strangers(tmp_path / "unreadable", in_stats=False)
    (raw / "b.txt").unlink()
    (tmp_path / "b.txt").rename(raw / "b.txt")
    assert runs.run(raw, tmp_path / "unreadable", retry_failed=True).written == 2
    still_there(tmp_path / "unreadable", before)
    with pytest.raises(UserError, match="was made by another configuration"):
        runs.run(raw, tmp_path / "unreadable", LineRecipe(bad_word="other"))
    still_there(tmp_path / "unreadable", before)
    for path in (tmp_path / "unreadable/lines/_stats").glob("[abcd]*.json"):
        path.unlink()
    runs.run(raw, tmp_path / "unreadable", LineRecipe(bad_word="other"))
    still_there(tmp_path / "unreadable", before)


def refused_for(stranger: Path, message: str, raw: Path, output: Path) -> None:
    """A run refuses to go on because of somebody's file, and leaves it as it is."""
    stranger.write_text("{}")
    with pytest.raises(UserError, match=message):
        runs.run(raw, output)
    assert stranger.read_text() == "{}"


def test_a_stranger_among_the_stats_is_told(tmp_path):
    raw, root = line_output(tmp_path)
    message = r"mine\.json is no stats file of this name\. Move it away"
    refused_for(root / "_stats" / "mine.json", message, raw, tmp_path / "out")


def test_a_name_that_a_shard_would_take(tmp_path):
    raw, root = line_output(tmp_path)
    shutil.rmtree(root)
    (root / "short").mkdir(parents=True)
    (root / RECORD).write_text('{"format": 1, "command": "sources.lines", "names": []}')
    message = r"holds short/c\.parquet, which no run wrote"
    refused_for(root / "short" / "c.parquet", message, raw, tmp_path / "out")


def test_a_folder_of_a_version_without_records_goes_on(tmp_path):
    raw, root = line_output(tmp_path)
    expected = contents(root)
    (root / RECORD).unlink()
    (root / "_stats" / "c.json").unlink()
    (root / "manifest.json").unlink()
    runs.run(raw, tmp_path / "out")
    differ = {name for name, digest in contents(root).items() if expected[name] != digest}
    assert {name for name in differ if not name.startswith("_timing/")} <= {"manifest.json"}


def mixture(tmp_path: Path) -> Path:
    write_corpus(tmp_path / "corpus", {"a": [prose(40, 1), prose(30, 2)], "b": [prose(30, 3)]})
    write_model(tmp_path)
    mix(tmp_path, recipe({"a": 60, "b": 40}, heldout_tokens=64))
    return tmp_path / "shards"


def test_strangers_in_every_folder_of_a_mixture(tmp_path):
    root = mixture(tmp_path)
    tokens = tmp_path / "corpus" / "_tokens"
    made, kept = contents(root), strangers(root)
    kept_tokens = strangers(tokens)
    next(root.glob("data-00000-of-*.arrow")).unlink()
    next((root / "_stats").glob("data-00001-of-*.json")).unlink()
    next(tokens.rglob("part-0.tokens")).unlink()
    mix(tmp_path, recipe({"a": 60, "b": 40}, heldout_tokens=64))
    still_there(root, {**kept, **made})
    still_there(tokens, kept_tokens)
    with pytest.raises(UserError, match="was made by another configuration"):
        mix(tmp_path, recipe({"a": 50, "b": 50}))
    for path in root.rglob("data-*.arrow"):
        path.unlink()
    mix(tmp_path, recipe({"a": 50, "b": 50}))
    still_there(root, kept)


@pytest.mark.parametrize("where", ["mine", "corpus/a", "corpus", "corpus/_tokens"])
def test_a_mixture_leaves_other_folders(tmp_path, where):
    mixture(tmp_path)
    (tmp_path / "m.yaml").write_text("sources: {a: {share: 60}, b: {share: 40}}")
    (tmp_path / "mine").mkdir()
    for name in ("state.json", "data-00000-of-00002.arrow", "data-00001-of-00002.arrow", CONFIGURATION):
        (tmp_path / "mine" / name).write_text("{}")
    before = contents(tmp_path)
    flags = ("--proportions", tmp_path / "m.yaml", "--corpus", tmp_path / "corpus", "--output", tmp_path / where)
    more = ("--tokenizer", tmp_path / "tokenizer.model", "--set", "seq_len=16", "--quiet")
    status, told = call(mix_command.main, *flags, *more)
    assert (status, contents(tmp_path)) == (1, before)
    assert "Choose another --output" in told


def test_card_and_report_write_over_what_is_their_own(tmp_path):
    make_source(tmp_path / "corpus", {"a": [Made("x")]}, "wikipedia")
    readme, page = tmp_path / "README.md", tmp_path / "report" / "index.html"
    page.parent.mkdir()
    for file, main, output in ((readme, card.main, readme), (page, report.main, page.parent)):
        file.write_text("# Mine")
        status, told = call(main, tmp_path / "corpus", "--output", output)
        assert (status, file.read_text()) == (1, "# Mine")
        assert "did not write it. Choose another name; --overwrite writes over it" in told
        assert call(main, tmp_path / "corpus", "--output", output, "--overwrite")[0] == 0
        assert call(main, tmp_path / "corpus", "--output", output)[0] == 0
        assert file.read_text() != "# Mine"
    readme.write_text(readme.read_text() + "\nEdited by hand.\n")
    assert call(card.main, tmp_path / "corpus", "--output", readme)[0] == 1
    assert readme.read_text().endswith("Edited by hand.\n")


def test_a_tokenizer_leaves_other_folders_and_strangers(tmp_path):
    write_corpus(tmp_path / "corpus", {"a": [prose(400, 1, longest=40)]})
    (tmp_path / "m.yaml").write_text("sources: {a: {share: 100}}")
    flags = ("--corpus", tmp_path / "corpus", "--proportions", tmp_path / "m.yaml", "--size", "20KB", "--quiet")
    more = ("--vocab-size", "300", "--soft-vocab-limit", "--uneven", "--output")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "model.bin").write_text("mine")
    for where in ("mine", "corpus", "corpus/tokenizer"):
        before = contents(tmp_path)
        status, told = call(tokenizer_train.main, *flags, *more, tmp_path / where)
        assert (status, contents(tmp_path)) == (1, before), told
    assert call(tokenizer_train.main, *flags, *more, tmp_path / "model")[0] == 0
    (tmp_path / "model" / "_work-mine").mkdir()
    (tmp_path / "model" / "_work-mine" / "notes").write_text("mine")
    before = strangers(tmp_path / "model")
    (tmp_path / "model" / "report.json").unlink()
    (tmp_path / "model" / "tokenizer.model").unlink()
    (tmp_path / "model" / "tokenizer.vocab").unlink()
    assert call(tokenizer_train.main, *flags, *more, tmp_path / "model")[0] == 0
    still_there(tmp_path / "model", before)


def trainer_command(module: ModuleType, *arguments: object) -> tuple[int, str]:
    """A command of the trainer, which takes its flags from the command line."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [module.__name__, *map(str, arguments)])
        return call(lambda _: run_command(module.main))


def test_strangers_in_every_folder_of_the_trainer(tmp_path):
    """Runs that keep fewer checkpoints, exports and imports, whole and killed; commands that only read."""
    data, run, hf, imported = (tmp_path / name for name in ("data", "run", "hf", "imported"))
    trainer_runs.shards(data)
    trainer_runs.train(data, run, run={"save_every": 1, "keep": 3, "steps": 3})
    before = {folder: strangers(folder) for folder in (data, run)}
    trainer_runs.train(data, run, run={"save_every": 1, "keep": 1, "steps": 5})
    assert trainer_command(export, run, "--to", hf)[0] == 0
    before[hf] = strangers(hf)
    (hf / "config.json").unlink()  # as a kill leaves it
    assert trainer_command(export, run, "--to", hf)[0] == 0
    assert trainer_command(import_weights, hf, "--output", imported)[0] == 0
    before[imported] = strangers(imported)
    for folder, found in before.items():
        still_there(folder, found)
    everything = contents(tmp_path)
    for status, module, *arguments in (
        (2, export, run, "--to", hf),
        (2, export, run, "--to", data),
        (2, import_weights, hf, "--output", imported),
        (2, import_weights, hf, "--output", run),
        (0, evaluate, run, "--data", data),
        (2, generate, run, "no tokenizer is there"),
        (0, verify, run, imported),
    ):
        found, told = trainer_command(module, *arguments)
        assert (found, contents(tmp_path)) == (status, everything), told


def test_an_environment_is_made_in_a_new_folder_only(tmp_path):
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(SystemExit, match="move what is there away"):
        runpy.run_path(str(ROOT / "tools" / "set_up.py"))["environment"](tmp_path)
    assert contents(tmp_path).keys() == {"mine"}


def test_models_and_definitions_leave_other_folders(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "en.sp.model").write_text("fetched")
    (tmp_path / "texts.txt").write_text("one\ntwo\n")
    (tmp_path / "programs").mkdir()
    for name in ("lmplz", "build_binary"):
        (tmp_path / "programs" / name).write_text("#!/bin/sh\nexit 3\n")
        (tmp_path / "programs" / name).chmod(0o755)
    before = contents(tmp_path)
    train = ("train", "--input", tmp_path / "texts.txt", "--kenlm-programs", tmp_path / "programs")
    status, told = call(lm_cli.main, *train, "--output", tmp_path / "mine")
    assert (status, contents(tmp_path)) == (2, before)
    assert "nothing in it shows that python -m filters.perplexity made it" in told
    dump = sorted((SAMPLES / "wikipedia").glob("*-multistream.xml.bz2"))[0]
    status, told = call(templates.main, dump, "--pages", "2", "--definitions", tmp_path / "mine")
    assert (status, contents(tmp_path)) == (1, before)
    assert "nothing in it shows that python -m sources.wikipedia.templates made it" in told
