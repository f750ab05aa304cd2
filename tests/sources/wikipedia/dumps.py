"""Small dumps, and the source run over them in this process."""

import bz2
from pathlib import Path
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from pipeline.corpus.manifest import read_manifest
from pipeline.corpus.shard import Layout
from pipeline.engine.options import RunOptions
from pipeline.engine.run import run_source
from pipeline.recipe import from_mapping
from pipeline.storage.listing import match
from sources.wikipedia.plan import plan_dumps
from sources.wikipedia.recipe import WikipediaRecipe
from sources.wikipedia.source import Wikipedia

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "samples" / "wikipedia"
END = "</mediawiki>\n"


def header(database: str = "enwiki", namespaces: str = '<namespace key="6">File</namespace>') -> str:
    return (
        f'<mediawiki version="0.11" xml:lang="en">\n  <siteinfo>\n    <dbname>{database}</dbname>\n'
        f"    <namespaces>{namespaces}</namespaces>\n  </siteinfo>\n"
    )


def page(number: int, text: str = "A sentence about it.", title: str = "", namespace: int = 0, extra: str = "") -> str:
    return (
        f"  <page>\n    <title>{escape(title or f'Title {number}')}</title>\n    <ns>{namespace}</ns>\n"
        f"    <id>{number}</id>\n{extra}    <revision>\n      <id>{number * 10}</id>\n"
        f"      <timestamp>2022-06-01T12:00:00Z</timestamp>\n"
        f"      <contributor><username>U</username><id>7</id></contributor>\n      <model>wikitext</model>\n"
        f'      <text bytes="1" xml:space="preserve">{escape(text)}</text>\n    </revision>\n  </page>\n'
    )


def xml(*pages: str) -> bytes:
    return (header() + "".join(pages) + END).encode()


def multistream(*groups: str) -> tuple[bytes, list[int]]:
    """A dump of one stream for the header, one for each group, one for the end; and where the groups begin."""
    dump, offsets = bz2.compress(header().encode()), []
    for group in groups:
        offsets.append(len(dump))
        dump += bz2.compress(group.encode())
    return dump + bz2.compress(END.encode()), offsets


def write_multistream(folder: Path, *groups: str, name: str = "enwiki-20220701-pages-articles-multistream") -> Path:
    """A multistream dump with its index."""
    dump, offsets = multistream(*groups)
    path = folder / f"{name}.xml.bz2"
    path.write_bytes(dump)
    index = "".join(f"{offset}:{number}:Title\n" for number, offset in enumerate(offsets, 1))
    (folder / f"{name}-index.txt.bz2").write_bytes(bz2.compress(index.encode()))
    return path


class Run:
    """What a run of the source left."""

    def __init__(self, output: Path) -> None:
        self.root = output / "wikipedia"
        self.manifest = read_manifest(Layout(str(self.root)))
        self.steps = {entry["step"]: entry for entry in self.manifest["ledger"]["steps"]}

    def documents(self) -> list[dict]:
        return self._rows(p for p in self.root.glob("*/*.parquet") if not p.parent.name.startswith("_"))

    def rejects(self) -> list[dict]:
        return self._rows(self.root.glob("_rejects/*.parquet"))

    def shards(self) -> list[str]:
        return sorted(path.stem for path in self.root.glob("_stats/*.json"))

    def reasons(self) -> dict[str, int]:
        """Documents by step and reason, failed ones with an exclamation mark."""
        return {
            f"{name}: {reason}{mark}": tally["documents"]
            for name, entry in self.steps.items()
            for kind, mark in (("dropped", ""), ("failed", "!"))
            for reason, tally in entry[kind].items()
        }

    def kept(self) -> dict[str, int]:
        return {subset: tally["documents"] for subset, tally in self.manifest["ledger"]["kept"].items()}

    @staticmethod
    def _rows(paths) -> list[dict]:
        files = sorted(paths)
        return pa.concat_tables([pq.read_table(path) for path in files]).to_pylist() if files else []


def run(output: Path, *inputs: Path | str, workers: int = 1, said: list[str] | None = None, **settings) -> Run:
    """Runs the source over dumps in this process; ``settings`` are recipe keys, and any length will do."""
    recipe = from_mapping(WikipediaRecipe, {"min_characters": 0, **settings}, "test")
    plan = plan_dumps(match([str(path) for path in inputs]), recipe, None, (said if said is not None else []).append)
    if said is not None:
        said += plan.warnings
    options = RunOptions(str(output), [f"--direct_num_workers={workers}"])
    run_source(Wikipedia(recipe, plan.heads), plan.scopes, options, Console(quiet=True))
    return Run(output)
