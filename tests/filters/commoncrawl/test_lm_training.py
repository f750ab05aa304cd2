import gzip
import os
import stat
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sentencepiece

from filters.commoncrawl import kenlm_tools, lm_cli, lm_run, lm_training
from filters.commoncrawl.kenlm_tools import KenlmTools
from filters.commoncrawl.lm_training import TrainingOptions
from filters.commoncrawl.perplexity import PerplexityModel

TOOLS = kenlm_tools.find(kenlm_tools.default_cache_folder())
NOUNS = ["dog", "cat", "hen", "house", "river", "mountain", "teacher", "engine"]
VERBS = ["saw", "found", "left", "painted", "remembered"]
ARTICLES = [
    f"The {one} {verb} the {other}.\nThen the {other} {verb} a {one}; {number} times, as É. said."
    for number, one in enumerate(NOUNS)
    for other in NOUNS
    for verb in VERBS
]
SMALL = TrainingOptions("en", vocab_size=40, order=3, memory="64M")

needs_lmplz = pytest.mark.skipif(TOOLS is None, reason="lmplz is neither on PATH nor built")


def script(path: Path, text: str) -> Path:
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@needs_lmplz
def test_train(tmp_path):
    assert TOOLS is not None
    source = tmp_path / "articles.txt"
    source.write_text("\n".join(article.replace("\n", " ") for article in ARTICLES))
    made = lm_training.train(ARTICLES, SMALL, tmp_path / "models", TOOLS, [source])
    made_there = sorted(path.name for path in (tmp_path / "models").iterdir())
    assert made_there == [".owner.json", "en.arpa.bin", "en.lm.json", "en.sp.model"]
    assert made.documents == len(ARTICLES) == 320
    assert len(made.ngrams) == 3

    record = orjson.loads(made.record.read_bytes())
    assert record["counts"] == {"documents": 320, "pieces": made.pieces, "ngrams": list(made.ngrams)}
    assert record["settings"]["vocab_size"] == 40
    assert "memory" not in record["settings"]  # it does not change the result
    assert [entry["name"] for entry in record["inputs"]] == ["articles.txt"]
    assert [entry["bytes"] for entry in record["outputs"]] == [
        made.sentencepiece.stat().st_size,
        made.kenlm.stat().st_size,
    ]

    processor = sentencepiece.SentencePieceProcessor(model_file=str(made.sentencepiece))
    assert processor.get_piece_size() == 40
    lines = ["the dog saw the cat. then the cat saw a dog; 0 times, as e. said."]
    assert made.pieces > 320 * len(processor.encode_as_pieces(lines[0])) * 0.8
    model = PerplexityModel(made.sentencepiece, made.kenlm)
    prose, noise = model.perplexity("The hen found the river."), model.perplexity("buy cheap w4tches!!! xxl 50% off")
    assert prose is not None
    assert noise is not None
    assert prose < noise / 5


@needs_lmplz
@pytest.mark.parametrize("structure", ["probing", "trie", "trie-quantized"])
def test_same_input_and_settings_give_the_same_bytes(tmp_path, structure):
    assert TOOLS is not None
    for run, memory in (("one", "64M"), ("two", "256M")):
        options = TrainingOptions("en", vocab_size=40, order=3, structure=structure, prune=(0, 0, 1), memory=memory)
        lm_training.train(ARTICLES, options, tmp_path / run, TOOLS)
    for name in ("en.sp.model", "en.arpa.bin", "en.lm.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@needs_lmplz
def test_special_words_in_the_text(tmp_path):
    # "<s>" and "</s>" are KenLM's own marks; where they are pieces of the text, lmplz must not stop.
    assert TOOLS is not None
    odd = [f"{article} <s> </s> <unk> <S>" for article in ARTICLES]
    made = lm_training.train(odd, SMALL, tmp_path, TOOLS)
    assert made.documents == 320


@needs_lmplz
def test_command(tmp_path, capsys):
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(orjson.dumps({"text": article}) for article in ARTICLES))
    command = ["train", "--language", "xx", "--input", str(tmp_path / "*.jsonl"), "--output", str(tmp_path / "models")]
    assert lm_cli.main([*command, "--vocab-size", "40", "--order", "2", "--documents", "100", "--memory", "64M"]) == 0
    assert capsys.readouterr().out.startswith("100 documents, ")
    assert (tmp_path / "models" / "xx.arpa.bin").is_file()


def test_too_little_text_names_a_size_that_works(tmp_path):
    normalized = tmp_path / "normalized.txt"
    lm_training.write_normalized(ARTICLES, SMALL, normalized)
    with pytest.raises(ValueError, match=r"cannot learn 65536 pieces from this text: .*value <= \d+.*--vocab-size"):
        lm_training.train_sentencepiece(normalized, TrainingOptions("en"))
    options = TrainingOptions("en", soft_vocab_limit=True)
    model = lm_training.train_sentencepiece(normalized, options)
    pieces = sentencepiece.SentencePieceProcessor(model_proto=model).get_piece_size()
    assert 30 < pieces < 1000


def test_no_article_is_too_long_for_sentencepiece(tmp_path):
    # By default the trainer passes over lines of more than 4,192 bytes without an error.
    normalized = tmp_path / "normalized.txt"
    lm_training.write_normalized([" ".join(ARTICLES)], SMALL, normalized)
    assert normalized.stat().st_size > 20_000
    model = lm_training.train_sentencepiece(normalized, SMALL)
    assert sentencepiece.SentencePieceProcessor(model_proto=model).get_piece_size() == 40


def test_sentencepiece_learns_from_a_stable_sample(tmp_path):
    normalized = tmp_path / "normalized.txt"
    normalized.write_text("".join(f"line {number}\n" for number in range(10_000)))
    sample = list(lm_training._sample(normalized, 0.25))
    assert 2400 < len(sample) < 2600
    assert sample == list(lm_training._sample(normalized, 0.25))
    assert set(sample) < set(lm_training._sample(normalized, 0.5))
    assert len(list(lm_training._sample(normalized, 1.0))) == 10_000


def test_write_normalized(tmp_path):
    texts = ["One.\nTwo", "", "\x00", "\ud800é", "3", "4"]
    path = tmp_path / "normalized.txt"
    assert lm_training.write_normalized(texts, TrainingOptions("en", documents=3), path) == 3
    assert path.read_text(encoding="utf-8") == "one. two\n?e\n0\n"
    fused = TrainingOptions("en", documents=1, join_lines="fuse")
    assert lm_training.write_normalized(texts, fused, path) == 1
    assert path.read_text(encoding="utf-8") == "one.two\n"
    with pytest.raises(ValueError, match="no text to train on"):
        lm_training.write_normalized([" ", ""], fused, path)


@pytest.mark.parametrize(
    ("characters", "expected"),
    [(0, "ab\ncd\nef"), (1, "ab"), (2, "ab"), (3, "ab\ncd"), (5, "ab\ncd"), (6, "ab\ncd\nef"), (100, "ab\ncd\nef")],
)
def test_opening(characters, expected):
    assert lm_training.opening("ab\ncd\nef", characters) == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"language": ""}, "language must be a code such as en, not ''"),
        ({"language": "../en"}, "language must be a code such as en"),
        ({"documents": 0}, "documents must be 1 or more, not 0"),
        ({"opening_characters": -1}, "opening_characters must be 0 or more, not -1"),
        ({"order": 1}, "order must be 2 to 6, not 1"),
        ({"order": 7}, "order must be 2 to 6, not 7"),
        ({"prune": (0, 2, 1)}, "prune must be at most 5 counts that do not fall"),
        ({"prune": (-1,)}, "prune must be at most 5 counts that do not fall"),
        ({"prune": (0,) * 6}, "prune must be at most 5 counts that do not fall"),
        ({"structure": "hash"}, "structure must be one of probing, trie, trie-quantized, not 'hash'"),
        ({"join_lines": "keep"}, "join_lines must be one of fuse, space, not 'keep'"),
    ],
)
def test_options_are_checked(settings, message):
    with pytest.raises(ValueError, match=message):
        TrainingOptions(**{"language": "en", **settings})


def test_a_program_that_fails_is_quoted(tmp_path):
    failing = script(tmp_path / "lmplz", "echo out of disk >&2\nexit 3\n")
    tools = KenlmTools(failing, failing)
    with pytest.raises(RuntimeError, match="lmplz failed with status 3; the end of its log:\nout of disk"):
        lm_training.train(ARTICLES, SMALL, tmp_path / "models", tools)
    assert [path.name for path in (tmp_path / "models").iterdir()] == [".owner.json"]


def test_read_ngram_counts(tmp_path):
    (tmp_path / "arpa").write_text("\\data\\\nngram 1=5\nngram 2=17\n\n\\1-grams:\n-1\tngram 3=1\t0\n")
    assert lm_training.read_ngram_counts(tmp_path / "arpa") == (5, 17)


def test_programs_in_a_folder(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="must hold the programs lmplz and build_binary; one of them is missing"):
        kenlm_tools.find_or_build(tmp_path)
    expected = KenlmTools(script(tmp_path / "lmplz", ""), script(tmp_path / "build_binary", ""))
    assert kenlm_tools.find_or_build(tmp_path) == expected
    monkeypatch.setenv("PATH", str(tmp_path))
    assert kenlm_tools.find_or_build(cache=tmp_path / "none") == expected
    monkeypatch.setenv("PATH", "")
    assert kenlm_tools.find(tmp_path / "none") is None
    assert kenlm_tools.find_or_build(cache=tmp_path) == expected


def test_building_without_a_compiler_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"needs cmake and c\+\+\. On Debian.*libboost-program-options-dev"):
        kenlm_tools.find_or_build(cache=tmp_path / "cache")
    monkeypatch.setenv("XDG_CACHE_HOME", os.fspath(tmp_path))
    assert kenlm_tools.default_cache_folder() == tmp_path / "llama-corpus" / "kenlm-0.3.0"


def test_read_texts(tmp_path):
    pq.write_table(pa.table({"text": ["a\nb", None, ""], "id": [1, 2, 3]}), tmp_path / "1.parquet")
    (tmp_path / "2.jsonl").write_bytes(b'{"text": "c"}\n{"text": null}\n')
    (tmp_path / "3.txt.gz").write_bytes(gzip.compress(b"d\r\n\xff\n"))
    files = lm_run.expand([str(tmp_path / "*")])
    assert list(lm_run.read_texts(files)) == ["a\nb", "", "c", "d", "\ufffd"]


def test_read_texts_says_what_is_wrong(tmp_path):
    pq.write_table(pa.table({"content": ["a"]}), tmp_path / "1.parquet")
    with pytest.raises(ValueError, match=r"1\.parquet has no column 'text'; it has content"):
        list(lm_run.read_texts([tmp_path / "1.parquet"]))
    assert list(lm_run.read_texts([tmp_path / "1.parquet"], "content")) == ["a"]
    for line in (b'{"text": "a"', b'{"body": 1}', b"[1]"):
        (tmp_path / "2.jsonl").write_bytes(b'{"text": "a"}\n' + line)
        with pytest.raises(ValueError, match=r"2\.jsonl, line 2: not a JSON object with the key 'text'"):
            list(lm_run.read_texts([tmp_path / "2.jsonl"]))
    with pytest.raises(ValueError, match="no such file"):
        lm_run.expand([str(tmp_path / "*.txt")])


def test_command_says_what_is_wrong(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("text\n")
    command = ["train", "--input", str(tmp_path / "a.txt"), "--output", str(tmp_path / "models")]
    assert lm_cli.main([*command, "--order", "9"]) == 2
    assert capsys.readouterr().err == "error: order must be 2 to 6, not 9\n"
