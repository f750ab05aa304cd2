"""What every source's command says of wrong flags and keys: one clear message, and the exit status 1."""

import importlib
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WRONG = {
    "commoncrawl": {
        "--input samples/commoncrawl --set perplexity.keeep=all": "Did you mean perplexity.keep?",
        "--input samples/commoncrawl --set language.threshold=2": "threshold must lie between 0 and 1, it is 2",
        "--input samples/commoncrawl --set dedup.policy=some": (
            "dedup.policy is 'some'; allowed: drop_all, keep_first"
        ),
        "--input samples/commoncrawl --set language.model=nowhere.bin": "there is no model at nowhere.bin",
        "--input samples/commoncrawl --set language.keep=[en,fr]": (
            "there is no perplexity model for fr (samples/models/fr.sp.model and "
        ),
        "--input samples/commoncrawl --set language.keep=[en,xx,qq]": (
            "language.keep names 'qq', 'xx', which the model samples/models/lid.176.ftz does"
        ),
        "--input samples/commoncrawl --set 'perplexity.cutoffs={de: [370, 590]}'": (
            "perplexity.cutoffs has no entry for en"
        ),
        "--input samples/commoncrawl --set perplexity.cutoffs=quartiles": (
            "cutoffs must be a mapping or percentiles or ccnet, it is 'quartiles'"
        ),
        "--input samples/commoncrawl --set 'perplexity.percentiles=[60, 30]'": (
            "percentiles must rise between 0 and 100, they are 60.0 and 30.0"
        ),
        "--input samples/commoncrawl --set perplexity.languages=[de]": (
            "perplexity.languages names de, which language.keep does not keep"
        ),
    },
    "c4": {
        "--from wet --input nowhere": "--input 'nowhere' matches no file",
        "--from published --crawl CC-MAIN-2019-18 --files 0": "it goes with --from wet",
        "--from wet --input samples/c4 --set dedup.span_line=3": "Did you mean dedup.span_lines?",
        "--from wet --input samples/c4 --set bad_words.list=nowhere": "nowhere",
    },
    "github": {
        "": "give --input with a folder of repositories",
        "--input nowhere": "--input 'nowhere' matches nothing",
        "--input setup.py": "is no input of this source",
        "--input samples/github --set licenses=[mit]": "'mit' is no SPDX identifier",
        "--input samples/github --set paths.extensions=[py]": "extensions has 'py'",
        "--input samples/github --set tokenizer=nowhere.model": "there is no model at nowhere.model",
        "--input samples/github --set tokenizer=setup.py": "is no SentencePiece model",
        "--input samples/github --set quality.max_line=7": "there is no key quality.max_line",
    },
    "books": {
        "": "give --gutenberg with a mirror",
        "--gutenberg nowhere": "--gutenberg 'nowhere' matches no file",
        "--gutenberg samples/books/gutenberg --set near_dedup.threshold=0.5": "must be at least 0.8",
        "--gutenberg samples/books/gutenberg --set near_dedup.meassure=jaccard": "near_dedup.measure?",
        "--books3 samples/models/lid.176.ftz": "is none by its name",
    },
    "arxiv": {
        "--input samples/arxiv/bulk --part 1/99": "give at most as many parts (1/",
        "": "give --input with bulk tars",
        "--input nowhere": "'nowhere' matches no file",
        "--input samples/commoncrawl/prose": "no paper among",
        "--input samples/arxiv/bulk --metadata nowhere.json": "--metadata nowhere.json cannot be read",
        "--input samples/arxiv/bulk --set latex.after_bibliography=none": "is not one of keep, drop",
        "--input samples/arxiv/bulk --set limits.file_megabytes=0": "must be at least 1",
    },
    "stackexchange": {
        "": "give --input with the dump's archives",
        "--input nowhere": "--input 'nowhere' matches no file",
        "--input samples/books": "no posts among the inputs",
        "--input samples/stackexchange --sites x.example": "names x.example, of which there is no file",
        "--input samples/stackexchange/meta.workbench.example.7z": "take part with --set meta_sites=true",
        "--input samples/stackexchange --set largest=0": "largest must be at least 1",
        "--input samples/stackexchange --set largst=3": "Did you mean largest?",
        "--preferences": "give --input with the dump's archives",
        "--preferences --input samples/stackexchange --set preferences.max_pairs=0": "max_pairs must be at least 1",
        "--preferences --input samples/stackexchange --set preferences.prompt=x": "prompt must hold {question}",
    },
    "instructions": {
        "": "give --input with files of instruction data",
        "--input nowhere": "--input 'nowhere' matches no file",
        "--input samples/books": "none of the inputs is instruction data: there is no .json, .jsonl or .parquet in",
        "--input README.md": "README.md is in no format that is known: the line is no JSON",
        "--input samples/c4/c4-train.00001-of-00002.parquet": "its records have text, timestamp, url, which none of",
        "--input samples/stackexchange/workbench.example.7z": "this is no JSON, but a 7z archive: unpack it first",
        "--input samples/instructions --set split.max_token=5": "Did you mean split.max_tokens?",
        "--input samples/instructions --set split.tokenizer=README.md": "the tokenizer cannot be used",
        "--input samples/instructions --set language.drop=[xx]": "language.drop names 'xx'",
        "--input samples/instructions --grow": "--grow is not for what instructions is deduplicated by here",
    },
}


@pytest.mark.parametrize(
    ("source", "flags", "message"), [(s, *row) for s, rows in WRONG.items() for row in rows.items()]
)
def test_they_end_with_one_clear_message(source, flags, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    command = importlib.import_module(f"sources.{source}.command")
    with pytest.raises(SystemExit) as end:
        command.main(["--output", str(tmp_path), *shlex.split(flags)])
    assert end.value.code == 1
    said = capsys.readouterr().err
    assert message in said
    assert said.count("error: ") == 1
