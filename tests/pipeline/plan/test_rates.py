"""Rates are read off manifests, and off the file that the benchmarks write."""

import json
from pathlib import Path

import pytest

from pipeline.corpus.ledger import Ledger
from pipeline.errors import InputError, RecipeError
from pipeline.plan.rates import Rates, SourceRate, StageRate, rates_of_corpus, read_rates


def manifest(source: str, seconds: float, inputs: list[int]) -> dict[str, object]:
    ledger = Ledger()
    ledger.step("read").counters["text_bytes"] = 3000
    ledger.keep("head", 600)
    ledger.keep("middle", 400)
    return {
        "source": source,
        "ledger": ledger.as_json(),
        "inputs": [{"path": str(i), "bytes": size} for i, size in enumerate(inputs)],
        "outputs": [{"bytes": 120}, {"bytes": 80}],
        "timing": {"worker_seconds": seconds, "peak_bytes": 5},
    }


def write(corpus: Path, name: str, content: object) -> None:
    (corpus / name).mkdir(parents=True)
    (corpus / name / "manifest.json").write_text(json.dumps(content))


def test_rates_of_each_source_of_a_corpus(tmp_path: Path) -> None:
    write(tmp_path, "books", manifest("books", 2.0, [1000, 3000]))
    write(tmp_path, "c4", manifest("c4", 0.0, [1000]))
    write(tmp_path, "books/deeper", manifest("none", 2.0, [1000]))
    assert rates_of_corpus(str(tmp_path)) == {"books": SourceRate(4000, 3000, 1000, 200, 2.0, 5)}
    assert rates_of_corpus(str(tmp_path))["books"].read_per_second == 1500


def test_a_folder_without_manifests_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no SOURCE/manifest\.json; run a source into it first"):
        rates_of_corpus(str(tmp_path))


def test_a_damaged_manifest_is_named(tmp_path: Path) -> None:
    (tmp_path / "books").mkdir()
    (tmp_path / "books" / "manifest.json").write_text("{")
    with pytest.raises(InputError, match=r"books/manifest\.json is damaged"):
        rates_of_corpus(str(tmp_path))


def test_a_file_of_rates_comes_back_as_it_was_written(tmp_path: Path) -> None:
    rates = Rates("two cores", {"books": SourceRate(4, 3, 3, 2, 1.5, 5)}, StageRate(8, 2.0, 1), None)
    path = tmp_path / "rates.json"
    path.write_text(rates.as_json())
    assert read_rates(path) == rates


@pytest.mark.parametrize(("content", "error"), [("{", InputError), ('{"machin": ""}', RecipeError)])
def test_a_damaged_file_of_rates_is_told(tmp_path: Path, content: str, error: type[Exception]) -> None:
    path = tmp_path / "rates.json"
    path.write_text(content)
    with pytest.raises(error, match=r"rates\.json"):
        read_rates(path)
