"""Evaluation samples are read from every kind of file; what is none is told with its file and line."""

import gzip
import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.leaks import write_lines
from pipeline.decontaminate.samples import read_samples
from pipeline.errors import InputError

RECORDS = [
    {"id": "no text", "question": "What is it?", "choices": {"text": ["one", "two"], "label": ["A", "B"]}, "n": 3},
    {"id": "nor this", "question": "And this?", "choices": {"text": ["three"], "label": ["A"]}, "n": None},
]


def texts(*paths, fields=()):
    return [sample.text for sample in read_samples([str(path) for path in paths], fields).samples]


def test_json_lines_parquet_and_folders(tmp_path):
    write_lines(tmp_path / "evals" / "one.jsonl", RECORDS)
    data = "\n\n".join(json.dumps(record) for record in RECORDS)
    (tmp_path / "evals" / "packed.jsonl.gz").write_bytes(gzip.compress(data.encode()))
    pq.write_table(pa.Table.from_pylist(RECORDS), tmp_path / "evals" / "three.parquet")
    expected = ["What is it?\none\ntwo", "And this?\nthree"]
    assert texts(tmp_path / "evals") == expected * 3
    found = read_samples([str(tmp_path / "evals")])
    assert [one.name for one in found.sets] == ["one", "packed", "three"]
    assert [(s.number, s.line) for s in found.samples] == [(0, 1), (0, 2), (1, 1), (1, 3), (2, 1), (2, 2)]
    assert texts(tmp_path / "evals" / "one.jsonl", fields=["choices"]) == ["one\ntwo", "three"]
    assert texts(tmp_path / "evals" / "*.parquet", fields=["question"]) == ["What is it?", "And this?"]


def test_text_is_found_however_deep_it_lies(tmp_path):
    path = tmp_path / "deep.jsonl"
    path.write_text('{"q": ' + "[" * 900 + '"a", "b"' + "]" * 900 + ', "r": "c"}\n')
    assert texts(path) == ["a\nb\nc"]


def test_task_files(tmp_path):
    data = write_lines(tmp_path / "data" / "test.jsonl", RECORDS)
    base = "dataset_path: json\ndoc_to_text: !function utils.text\nmetric_list: [{metric: acc}]\n"
    (tmp_path / "base.yaml").write_text(base)
    task = tmp_path / "mine.yaml"
    task.write_text(
        "include: base.yaml\ntask: mine\ntest_split: test\n"
        "dataset_kwargs: {data_files: {train: nowhere.jsonl, test: data/test.jsonl}}\n"
        'doc_to_decontamination_query: "{{ question }} {{choices.text}}"\n'
    )
    found = read_samples([str(task)])
    assert [(one.name, one.path, one.fields) for one in found.sets] == [("mine", str(data), ("question", "choices"))]
    assert [sample.text for sample in found.samples] == ["What is it?\none\ntwo", "And this?\nthree"]
    assert texts(task, fields=["question"]) == ["What is it?", "And this?"]


@pytest.mark.parametrize(
    ("name", "content", "fields", "message"),
    [
        ("a.jsonl", '{"q": "x"}\n{"q": \n', (), "a.jsonl, line 2: the line is no JSON"),
        ("a.jsonl", '{"q": "x"}\n\n["q"]\n', (), "a.jsonl, line 3: the line holds a list"),
        ("a.jsonl", '{"q": "x", "id": "1"}\n', ("z",), "line 1: it has no field z; its fields are q, id"),
        ("a.jsonl", '{"n": 1, "id": "1"}\n', (), "a.jsonl, line 1: it has no text. Name others with --fields"),
        ("a.jsonl", "", (), "a.jsonl, line 1: the file is empty"),
        ("a.parquet", "PAR1", (), "a.parquet is no Parquet file, or damaged"),
        ("a.txt", "x", (), "there are no evaluation sets; they are"),
        ("a.yaml", "task: [", (), "a.yaml is no task file"),
        ("a.yaml", "- 1", (), "a.yaml is no task file: it holds a list"),
        ("a.yaml", "include: a.yaml", (), "task files include each other"),
        ("a.yaml", "dataset_path: cais/mmlu", (), "its data are 'cais/mmlu', which do not lie here"),
        (
            "a.yaml",
            "dataset_path: json\ndataset_kwargs: {data_files: {train: x}}",
            (),
            "none of which is its test_split",
        ),
        ("a.yaml", "dataset_path: json\ndataset_kwargs: {data_files: nowhere.jsonl}", (), "nowhere.jsonl"),
    ],
)
def test_what_is_no_sample_is_told(tmp_path, name, content, fields, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=re.escape(message)):
        read_samples([str(tmp_path / name)], fields)
