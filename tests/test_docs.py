"""README and docs: their commands run, print what is shown, and know their flags; their links lead somewhere.

How blocks are marked is written in CONTRIBUTING.md. Everything happens in one folder and in this process, which starts
soonest; of the training a few steps are enough.
"""

import contextlib
import importlib
import importlib.util
import io
import os
import re
import runpy
import shlex
import shutil
import signal
import subprocess
import sys
import warnings
from argparse import ArgumentParser
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.command_line import parse
from pipeline.recipe_keys import recipe_keys
from tools.recipe_keys import SOURCES, sections, with_section
from trainer_bridge.config import TrainConfig

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "samples" / "README.md",
    ROOT / "benchmarks" / "README.md",
]
NAMES = [str(path.relative_to(ROOT)) for path in PAGES]
NEEDS = {"data", "network", "cluster", "gpu", "set-up", "time", "lm_eval"}
LONGEST_README = 150

# What makes the commands cheap, and changes nothing that they print but figures.
ONE = ["--direct_num_workers", "1"]
FOUR_STEPS = ["--set", 'train.arguments=[--steps, "4"]']
EXTRA = {"sources": ONE, "pipeline.mix": ONE, "pipeline.build": FOUR_STEPS, "trainer_bridge.train": ["--steps", "4"]}
WITH_RECIPE = ("sources.", "pipeline.mix", "pipeline.build", "pipeline.ablate")
IN_PARTS = ("filters.perplexity", "samples.make_commoncrawl")
WITHOUT_KEYS = (
    "pipeline.ablate.damage",
    "sources.wikipedia.references",
    "sources.wikipedia.templates",
    "sources.publishers",
)

_FENCE = re.compile(r"^```(?P<mark>[^\n]*)\n(?P<body>.*?)^```$", re.M | re.S)
_INLINE = re.compile(r"`((?:python -m|make) [^`]+)`")
_LINK = re.compile(r"\]\((?P<path>[^)#\s]*)(?:#(?P<anchor>[^)\s]*))?\)")
_VARYING = ((r"in [\d.,]+ s\.", "in # s."), (r"[\d.]+ MB/s per worker, largest worker [\d.]+ GB", "# MB/s"))


@dataclass(frozen=True)
class Block:
    """A fenced block: its mark (``sh needs=data``), its text, and its line on the page."""

    mark: str
    text: str
    line: int

    @property
    def commands(self) -> list[list[str]]:
        """The words of each command, comments and continued lines undone."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [words for line in lines if (words := shlex.split(line, comments=True))]


def blocks(path: Path) -> list[Block]:
    text = path.read_text(encoding="utf-8")
    return [Block(f["mark"].strip(), f["body"], text.count("\n", 0, f.start()) + 1) for f in _FENCE.finditer(text)]


def is_run(block: Block) -> bool:
    return block.mark == "sh"


class Workshop:
    """A folder with the samples in it, in which commands are run as a user types them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[tuple[str, ...], str] = {}

    def run(self, words: list[str]) -> str:
        """Runs a command; gives what it printed."""
        if words[0] == "make":
            return "".join(self._once(line) for line in self._lines_of(words[1:]))
        return self._python(words)

    def _lines_of(self, goals: list[str]) -> list[list[str]]:
        """The commands of a target of the Makefile; set-up is done."""
        command = ["make", "-n", "-f", ROOT / "Makefile", "BIN=.", "SETUP=", "TRAINER=", "TESTS=", *goals]
        # The tests may themselves run under make, whose flags are not for this one.
        own = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
        done = subprocess.run(command, cwd=self._folder, env=own, capture_output=True, text=True, check=True)
        return Block("", done.stdout, 0).commands

    def _once(self, words: list[str]) -> str:
        if tuple(words) not in self._made:
            self._made[tuple(words)] = self._python(words)
        return self._made[tuple(words)]

    def _python(self, words: list[str]) -> str:
        assert words[0].endswith("python"), f"cannot run {words}: mark its block with what it needs"
        assert words[1] == "-m"
        target = None
        if ">" in words:
            words, target = words[: words.index(">")], words[-1]
        module, arguments = words[2], words[3:]
        extra = next((more for name, more in EXTRA.items() if module.startswith(name)), [])
        status, printed = called(module, [*arguments, *(extra if module not in WITHOUT_KEYS else [])])
        assert status == 0, f"{shlex.join(words)} ended with {status}:\n{printed}"
        if target and target != "/dev/null":
            (self._folder / target).write_text(printed, encoding="utf-8")
        return printed


def called(module: str, arguments: list[str]) -> tuple[int, str]:
    """Runs ``python -m module`` in this process: its exit status, and all that it printed."""
    out = io.StringIO()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    before = sys.argv
    sys.argv = [module, *arguments]
    status = 0
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            warnings.simplefilter("ignore")
            runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.argv = before
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return status, out.getvalue()


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    folder = tmp_path_factory.mktemp("docs")
    for name in ("samples", "recipes"):
        (folder / name).symlink_to(ROOT / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("COLUMNS", "120")
        shop = Workshop(folder)
        shop.run(["make", "demo"])
        shop.run(["make", "commoncrawl"])
        others = [path for path in (folder / "work" / "corpus").iterdir() if path.name != "commoncrawl"]
        for path in (*others, folder / "work" / "shards", folder / "work" / "run"):
            (folder / path.relative_to(folder / "work")).symlink_to(path)  # what the pages' reader has made himself
        yield shop


def normal(line: str, *, figures: bool = False) -> str:
    line = " ".join(line.split())
    for pattern, sign in _VARYING:
        line = re.sub(pattern, sign, line)
    return re.sub(r"[\d.,]+|'.*?'", "#", line) if figures else line


def missing_lines(shown: Block, printed: str) -> list[str]:
    """The lines of a block of output that were not printed."""
    figures = shown.mark.endswith("figures")
    there = {normal(line, figures=figures) for line in printed.splitlines()}
    wanted = [line for line in shown.text.splitlines() if line.strip() not in ("", "...")]
    return [line for line in wanted if normal(line, figures=figures) not in there]


@pytest.mark.parametrize("name", [n for n, p in zip(NAMES, PAGES, strict=True) if any(map(is_run, blocks(p)))])
def test_commands_run_and_print_what_is_shown(workshop, name):
    printed = ""
    for block in blocks(ROOT / name):
        if is_run(block):
            printed = "".join(workshop.run(words) for words in block.commands)
        elif block.mark in ("text", "text figures"):
            assert missing_lines(block, printed) == [], f"{name}, line {block.line}: not printed (any more)"


def test_a_line_that_was_not_printed_is_found():
    printed = "Wrote 4 of 4 shards, in 12.1 s.\nkept   3\n"
    assert missing_lines(Block("text", "Wrote 4 of 4 shards, in 7.5 s.\n...\nkept 4\n", 0), printed) == ["kept 4"]
    assert missing_lines(Block("text figures", "kept 4\n", 0), printed) == []


@pytest.mark.parametrize("name", NAMES)
def test_commands_stand_in_blocks_that_say_what_they_need(name):
    for block in blocks(ROOT / name):
        kind, _, rest = block.mark.partition(" ")
        where = f"{name}, line {block.line}"
        assert kind in ("sh", "text", "yaml", "python"), f"{where}: mark the block sh, or with what it is"
        if kind == "sh":
            assert not rest or rest.removeprefix("needs=") in NEEDS, f"{where}: {block.mark}"
    outside = _FENCE.sub("", (ROOT / name).read_text(encoding="utf-8"))
    assert re.findall(r"^ {4,}(?:python -m|make) .*", outside, re.M) == []


@cache
def help_of(module: str, part: str) -> str:
    """What ``--help`` of a command says, or of a part of it, such as ``train``."""
    return called(module, [part, "--help"] if module in IN_PARTS else ["--help"])[1]


@cache
def keys_of(module: str) -> set[str]:
    if module == "trainer_bridge.train":
        return {key.path for key in recipe_keys(TrainConfig)}
    status, listed = called(module, ["--keys"])
    assert status == 0
    return {line.partition(" = ")[0] for line in listed.splitlines() if not line.startswith(" ")}


def every_command(path: Path) -> list[list[str]]:
    """Commands in blocks and in running text."""
    outside = _FENCE.sub("", path.read_text(encoding="utf-8"))
    inline = [shlex.split(found) for found in _INLINE.findall(outside.replace("\n", " "))]
    return [*inline, *(words for block in blocks(path) if block.mark.startswith("sh") for words in block.commands)]


def faults_of(words: list[str]) -> list[str]:
    """What is wrong with a command: no such module or target, flags or keys that it does not know."""
    if words[0] == "make":
        targets = re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
        goals = [word for word in words[1:] if "=" not in word and word.islower()]
        return [f"make has no target {goal}" for goal in goals if goal not in [*targets, *SOURCES]]
    if "-m" not in words or words[0] not in ("python", "torchrun"):
        return []
    module, arguments = words[words.index("-m") + 1], words[words.index("-m") + 2 :]
    if "*" in module or "..." in module:
        return []
    if importlib.util.find_spec(module) is None:
        return [f"there is no {module}"]
    flags = [(word, after) for word, after in pairwise([*arguments, "--"]) if word.startswith("-")]
    unknown = [
        (flag, value)
        for flag, value in flags
        if not re.search(rf"(?<![\w-]){re.escape(flag)}\b", help_of(module, arguments[0]))
    ]
    faults = []
    if unknown and module.startswith(WITH_RECIPE):
        rest = [word for pair in unknown for word in pair if word != "--"]
        try:
            parse(ArgumentParser(), rest)
        except SystemExit:
            faults.append(f"{module} does not know {rest}")
    elif unknown:
        faults.append(f"{module} does not know {unknown}")
    if module.startswith(WITH_RECIPE) and module not in WITHOUT_KEYS:
        given = [value.partition("=")[0] for flag, value in flags if flag == "--set"]
        faults += [f"{module} has no key {key}" for key in given if key not in keys_of(module)]
    if module == "trainer_bridge.train":
        given = [word.partition("=")[0] for word in arguments if re.match(r"\w+\.\w+=", word)]
        faults += [f"{module} has no key {key}" for key in given if key not in keys_of(module)]
    return faults


@pytest.mark.parametrize("name", NAMES)
def test_commands_know_their_flags_and_keys(name):
    assert [(words, faults) for words in every_command(ROOT / name) if (faults := faults_of(words))] == []


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("make coffee", "make has no target coffee"),
        ("python -m sources.coffee", "there is no sources.coffee"),
        ("python -m pipeline.plan --coffee 2", "pipeline.plan does not know [('--coffee', '2')]"),
        ("python -m sources.books --set coffee=2", "sources.books has no key coffee"),
        ("python -m sources.books --runnr X", "sources.books does not know ['--runnr', 'X']"),
        ("torchrun -m trainer_bridge.train run.coffee=2", "trainer_bridge.train has no key run.coffee"),
    ],
)
def test_a_command_that_is_wrong_is_found(command, fault, capsys):
    assert faults_of(shlex.split(command)) == [fault]


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as its readers make them."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", path.read_text(encoding="utf-8")), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name):
    page_ = ROOT / name
    broken = []
    for link in _LINK.finditer(_FENCE.sub("", page_.read_text(encoding="utf-8"))):
        if link["path"].startswith(("https://", "http://")):
            continue
        target = (page_.parent / link["path"]).resolve() if link["path"] else page_
        if not target.exists() or (link["anchor"] and link["anchor"] not in anchors(target)):
            broken.append(link[0])
    assert broken == []


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= LONGEST_README


def test_the_keys_on_the_pages_are_what_the_docstrings_say():
    for path, ending in sections():
        text = path.read_text(encoding="utf-8")
        assert text == with_section(text, ending), f"python -m tools.recipe_keys writes {path.name} anew"


@pytest.mark.parametrize("name", SOURCES)
def test_every_key_of_a_recipe_has_a_meaning(name):
    assert [key.path for key in recipe_keys(SOURCES[name]) if not key.meaning] == []


@pytest.mark.parametrize("name", SOURCES)
def test_the_fields_of_each_source_are_specified(name):
    meta = importlib.import_module("sources.github.raw_file" if name == "github" else f"sources.{name}.source").META
    formats = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    row = next(line for line in formats.partition("### meta")[2].splitlines() if line.startswith(f"| {name} |"))
    assert [field.name for field in meta if f"`{field.name}`" not in row] == []


def test_the_example_of_a_new_source_works(tmp_path, monkeypatch, capsys):
    example, shown = (
        next(block for block in blocks(ROOT / "CONTRIBUTING.md") if block.mark == mark)
        for mark in ("python letters.py", "text letters")
    )
    (tmp_path / "letters.py").write_text(example.text, encoding="utf-8")
    (tmp_path / "letters.yaml").write_text("min_characters: 20\n", encoding="utf-8")
    (tmp_path / "in").mkdir()
    letters = ("To you\nIt rains, and the harbour is full of small boats.\n", "Hm\nNot a word.\n", "Hm")
    for number, text in enumerate(letters):
        (tmp_path / "in" / f"{number}.txt").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SystemExit) as end:
        importlib.import_module("letters").main(["--input", "in", "--direct_num_workers", "1"])
    assert end.value.code == 0
    assert missing_lines(shown, capsys.readouterr().out) == []
    sys.modules.pop("letters")
