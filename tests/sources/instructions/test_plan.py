import json
import re
from pathlib import Path

import pytest

from pipeline.errors import InputError
from sources.instructions.plan import plan_inputs
from sources.instructions.recipe import InstructionsRecipe

RECIPE = InstructionsRecipe()
GOOD = json.dumps([{"instruction": "a", "output": "b"}])


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return folder


def plan(*patterns: Path | str, given: str | None = None):
    found = plan_inputs([str(pattern) for pattern in patterns], RECIPE, given, lambda sentence: None)
    return [Path(file.path).name for file in found.inputs], found.sentences + found.warnings


def test_of_a_folder_what_is_data_is_taken(tmp_path):
    files = {
        "a_json": GOOD,
        "b_jsonl": '{"x": 1}',
        "c_json": "broken",
        "README_md": "text",
        "d_json": "",
        "e_yaml": "x",
    }
    written(tmp_path, **files)
    assert plan(tmp_path) == (
        ["a.json", "c.json", "d.json"],
        [
            "passed over, no .json, .jsonl or .parquet by their names: README.md, e.yaml",
            "b.jsonl: passed over, in no format that is known: its records have x, which none of the formats has",
        ],
    )
    assert plan(tmp_path / "*.json") == (["a.json", "c.json", "d.json"], [])
    assert plan(tmp_path, given="alpaca")[0] == ["a.json", "b.jsonl", "c.json", "d.json"]


def test_a_named_file_needs_no_suffix_and_is_refused_where_it_is_nothing(tmp_path):
    written(
        tmp_path,
        good=GOOD,
        b_jsonl='{"x": 1}',
        README_md="# Title\n",
        numbers_json="[1, 2]",
        indented_json=json.dumps({"data": []}, indent=1),
        a_7z="7z\xbc",
    )
    assert plan(tmp_path / "good") == (["good"], [])
    for name, why in (
        ("b.jsonl", "its records have x, which none of the formats has. Known are alpaca, sharegpt"),
        ("README.md", "the line is no JSON: "),
        (
            "indented.json",
            "the line is no JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1); "
            "it begins '{', an object over several lines: put it on one (jq -c .). Known are",
        ),
        ("numbers.json", "the element holds a number, not an object. Known are alpaca"),
    ):
        with pytest.raises(InputError, match=re.escape(f"{name} is in no format that is known: {why}")):
            plan(tmp_path / name)


def test_files_that_are_passed_over_alike_are_named_together(tmp_path):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:8be3\n"
    files = {f"{name}_jsonl": f'{{"{name}": 1}}' for name in "uvwxyz"}
    written(tmp_path, good_json=GOOD, train_jsonl=pointer, test_jsonl=pointer, **files)
    named, warnings = plan(tmp_path)
    assert named == ["good.json"]
    why = "passed over, in no format that is known"
    assert warnings[0] == (
        f"test.jsonl, train.jsonl: {why}: this is no JSON, but a pointer of Git LFS in its place: fetch the file "
        "(git lfs pull)"
    )
    assert warnings[1] == f"u.jsonl: {why}: its records have u, which none of the formats has"
    assert warnings[5:] == ["likewise for other reasons: y.jsonl, z.jsonl"]


def test_nothing_to_read_is_refused(tmp_path):
    written(tmp_path, b_jsonl='{"x": 1}')
    with pytest.raises(InputError, match=r"none of the inputs is instruction data: .*b\.jsonl: its records have x"):
        plan(tmp_path)
    (tmp_path / "other").mkdir()
    written(tmp_path / "other", notes_txt="x")
    with pytest.raises(InputError, match=r"there is no \.json, \.jsonl or \.parquet in them"):
        plan(tmp_path / "other")
