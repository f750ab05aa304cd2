"""The rooms of the house: imports go one way, down the floors, and there are no circles."""

import ast
import itertools
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("pipeline", "sources", "filters", "tokenizer", "trainer_bridge")

# The floors of pipeline/, from the ground up: a module imports from its own floor and from those below it.
FLOORS = (
    ("text", "errors", "terminal"),
    ("settings", "units", "service_options"),
    ("recipe", "recipe_keys"),
    ("storage",),
    ("corpus", "command_line", "service_options"),
    ("formats", "steps", "readings"),
    ("removals",),
    ("survey",),
    ("source",),
    ("engine",),
    ("mix", "trace"),
    ("report", "plan", "verify"),
    ("inspect", "card"),
    ("publish", "build", "optout"),
    ("decontaminate",),
    ("ablate",),
)

# What each room may import of the others. All read settings alike, and keep the law of outputs. One library holds all
# inner loops in C, and imports no room.
GROUND = {"pipeline.storage", "pipeline.settings", "pipeline.errors", "pipeline.terminal", "pipeline.recipe_keys"}
NEIGHBOURS = {
    "filters": GROUND,
    "tokenizer": {*GROUND, "filters.native"},
    "trainer_bridge": {*GROUND, "tokenizer.model", "tokenizer.encode", "tokenizer.errors", "tokenizer.chat"},
    "pipeline": {"tokenizer", "filters.near_duplicates"},  # the words of texts, hashed
    "sources": {"filters", "pipeline", "tokenizer"},
}

# What Python runs, too, but not a user: processes that commands begin, and what only prints.
WITHOUT_FLAGS = {
    "filters.wikitext.editions.__main__",
    "pipeline.engine.boot",
    "pipeline.engine.worker",
    "tokenizer.training",
    "trainer_bridge.benchmark.sandbox",
    "trainer_bridge.recipe",
}
RUNS = re.compile(r'run_module\("([\w.]+)"\)|^from ([\w.]+) import main$', re.M)


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def folder_of(name: str) -> str:
    return ".".join(name.split(".")[:2])


def imports_of(path: Path, modules: set[str]) -> set[str]:
    """The modules of this project that a file imports, wherever in it the import stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (inner & modules) or {node.module}
    return found & modules


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    files = {name_of(path): path for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    return {name: imports_of(path, set(files)) for name, path in files.items()}


def test_rooms_import_only_the_rooms_that_they_may(graph):
    room = {name: name.partition(".")[0] for name in graph}
    wrong = [
        f"{name} imports {other}"
        for name, others in graph.items()
        for other in sorted(others)
        if room[other] != room[name] and not {room[other], folder_of(other)} & NEIGHBOURS[room[name]]
    ]
    assert wrong == []


def test_the_storage_is_imported_without_beam():
    """The tokenizer and the trainer use it where Beam is not installed."""
    program = "import sys, pipeline.storage.ownership; sys.exit('apache_beam' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def test_pipeline_imports_go_down_its_floors(graph):
    floor = {part: number for number, parts in enumerate(FLOORS) for part in parts}
    inside = {name: name.split(".")[1] for name in graph if name.startswith("pipeline.")}
    assert set(inside.values()) == set(floor)
    wrong = [
        f"{name} imports {other}"
        for name, other in itertools.chain.from_iterable(((n, o) for o in sorted(graph[n])) for n in inside)
        if other in inside and floor[inside[other]] > floor[inside[name]]
    ]
    assert wrong == []


def circle_in(graph: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_modules_import_each_other(graph):
    assert circle_in(graph) == []


def test_no_folders_import_each_other(graph):
    folders: dict[str, set[str]] = {}
    for name, others in graph.items():
        folder = folder_of(name)
        folders.setdefault(folder, set()).update({folder_of(other) for other in others} - {folder})
    assert circle_in(folders) == []


def test_a_circle_is_found():
    assert set(circle_in({"a": {"b"}, "b": {"c"}, "c": {"a"}})) == {"a", "b", "c"}


def commands() -> list[str]:
    """The modules with the parsers of all that ``python -m`` runs."""
    found = set()
    for path in itertools.chain.from_iterable((ROOT / room).rglob("*.py") for room in ROOMS):
        text, name = path.read_text(encoding="utf-8"), name_of(path)
        if '\nif __name__ == "__main__":\n' not in text or name in WITHOUT_FLAGS:
            continue
        elsewhere = RUNS.search(text)
        found.add(name if "\ndef parser() -> " in text or not elsewhere else elsewhere[1] or elsewhere[2])
    return sorted(found)


def test_help_and_refusals_are_told_without_what_any_work_needs():
    """One process imports all commands, has all write their help, and refuse a flag: then nothing heavy is imported."""
    assert len(commands()) == 41
    program = f"""\
import importlib, sys
for name in {commands()}:
    command = importlib.import_module(name)
    assert command.parser().format_help().startswith("usage: python -m "), name
    sys.argv[1:] = ["--wrong"]
    try:
        command.main()
    except SystemExit as end:
        assert end.code == 2, name
    if found := {{"numpy", "pyarrow", "torch", "apache_beam"}} & set(sys.modules):
        sys.exit(f"{{name}} imports {{found}}")
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("error: ") == 41


def test_commands_start_without_what_only_their_work_needs():
    """Help, refusals, runs with nothing to do, and looking into a corpus import neither Beam nor plots nor torch."""
    sources = [f"sources.{path.parent.name}.command" for path in sorted((ROOT / "sources").glob("*/command.py"))]
    looking = ["pipeline.verify.command", "pipeline.inspect.command", "pipeline.mix.tracing", "pipeline.mix.command"]
    looking += ["pipeline.build.command", "pipeline.optout.command", "pipeline.decontaminate.command"]
    looking += ["pipeline.ablate.command"]
    heavy = {"apache_beam", "pandas", "datasets", "torch", "plotly"}
    program = f"import sys, {', '.join([*sources, *looking])}; sys.exit(' '.join({heavy!r} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
