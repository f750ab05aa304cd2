"""The passes before the rest: what they leave, what they do not do twice, and what they say."""

import hashlib
import json
import re
from io import StringIO
from pathlib import Path

from rich.console import Console

from pipeline.corpus.shard import Layout
from pipeline.storage.filesystem import InputFile, write_bytes
from sources.stackexchange.plan import plan_site
from sources.stackexchange.prepare import RowProgress, known_count, sort_range, write_checksum
from sources.stackexchange.recipe import StackExchangeRecipe
from sources.stackexchange.sites import Site
from sources.stackexchange.source import StackExchange
from sources.stackexchange.store import SiteFiles

ROWS = "".join(f'  <row Id="{n}" PostTypeId="1" Body="{"x" * 90}" />\n' for n in range(200))
DATA = f"<posts>\n{ROWS}</posts>\n".encode()


def source_of(tmp_path: Path) -> tuple[StackExchange, Layout]:
    path = tmp_path / "a.com" / "Posts.xml"
    path.parent.mkdir()
    path.write_bytes(DATA)
    recipe = StackExchangeRecipe(partition_megabytes=0.01, range_megabytes=0.01, max_row_megabytes=0.001)
    plan = plan_site(Site("a.com", InputFile(str(path), len(DATA))), recipe, None)
    layout = Layout(str(tmp_path / "out"))
    files = SiteFiles(layout, "work", plan.partitions, plan.ranges)
    return StackExchange(recipe, {"a.com": plan}, {"a.com": files}), layout


def test_the_ranges_of_a_file_hold_all_its_rows_and_are_not_sorted_twice(tmp_path):
    source, layout = source_of(tmp_path)
    files = source.files["a.com"]
    assert len(files.ranges) == files.partitions == 3
    for number in range(3):
        sort_range(source, layout, "a.com", number, None)
    facts = [json.loads(Path(files.facts(number)).read_text()) for number in range(3)]
    assert sum(sum(fact["rows"]) for fact in facts) == 200
    before = Path(files.rows(1)).stat().st_mtime_ns
    Path(source.plans["a.com"].site.file.path).unlink()
    sort_range(source, layout, "a.com", 1, None)
    assert Path(files.rows(1)).stat().st_mtime_ns == before


def test_the_checksum_of_a_raw_file_and_of_one_that_is_gone(tmp_path):
    source, _ = source_of(tmp_path)
    files, path = source.files["a.com"], Path(source.plans["a.com"].site.file.path)
    write_checksum(source, "a.com", None)
    known = {"bytes": len(DATA), "sha256": hashlib.sha256(DATA).hexdigest()}
    assert json.loads(Path(files.checksum).read_text()) == known
    path.unlink()
    write_checksum(source, "a.com", None)
    assert json.loads(Path(files.checksum).read_text()) == known
    Path(files.checksum).unlink()
    write_checksum(source, "a.com", None)
    assert json.loads(Path(files.checksum).read_text()) == {"bytes": len(DATA), "sha256": None}


def test_a_count_is_of_one_file(tmp_path):
    layout, site = Layout(str(tmp_path)), Site("a.com", InputFile("x/a.com.7z", 7))
    assert known_count(layout, site) is None
    write_bytes(f"{tmp_path}/_counts/a.com.json", b'{"path": "x/a.com.7z", "bytes": 7, "posts": 12}')
    assert known_count(layout, site) == (12, None)
    assert known_count(layout, Site("a.com", InputFile("x/a.com.7z", 8))) is None


def test_progress_is_read_off_the_files(tmp_path):
    write_bytes(f"{tmp_path}/a/00000.progress", b"1200")
    write_bytes(f"{tmp_path}/a/00001.progress", b"34")
    console = Console(file=StringIO(), width=100)
    with RowProgress({"a": str(tmp_path / "a"), "b": str(tmp_path / "b")}, console, False) as shown:
        shown.look()
        line = shown.line()
    assert re.fullmatch(r"sorted 1,234 rows of 2 sites, [\d,]+ a second, [\d,]+ s", line)
