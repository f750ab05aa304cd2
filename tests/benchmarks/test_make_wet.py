"""Generated WET files: the same bytes each time, the form of a crawl, and vocabulary and lines as asked for."""

import argparse
import io
import re

import numpy as np
import pytest
from fastwarc.warc import ArchiveIterator
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import make_wet
from benchmarks.result import result_file, write_result
from benchmarks.wet_text import Rarity, TextModel, WordFactory

NAME = "CC-MAIN-20260312010203-20260312040203-0000{}.warc.wet.gz"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wet")
    make_wet.main(["--output", str(folder), "--files", "2", "--megabytes", "0.3"])
    return folder


def records(path):
    return [
        (record.headers["WARC-Type"], record.headers.get("WARC-Identified-Content-Language"), record.reader.read())
        for record in ArchiveIterator(io.BytesIO(path.read_bytes()), parse_http=False, strict_mode=True)
    ]


def test_same_arguments_give_the_same_bytes(made, tmp_path):
    make_wet.main(["--output", str(tmp_path), "--files", "2", "--megabytes", "0.3"])
    names = sorted(path.name for path in made.glob("[!.]*"))
    assert names == [NAME.format(0), NAME.format(1)]
    assert [(tmp_path / name).read_bytes() for name in names] == [(made / name).read_bytes() for name in names]


def test_files_of_anybody_else_stay(tmp_path):
    (tmp_path / NAME.format(0)).write_text("mine")
    (tmp_path / "result.json").write_text("[1]")
    with pytest.raises(SystemExit):
        make_wet.main(["--output", str(tmp_path), "--files", "1", "--megabytes", "0.3"])
    with pytest.raises(argparse.ArgumentTypeError, match="no benchmark wrote it"):
        result_file(str(tmp_path / "result.json"))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        NAME.format(0): "mine",
        "result.json": "[1]",
    }
    write_result(tmp_path / "new" / "result.json", {"machine": {}})
    assert result_file(str(tmp_path / "new" / "result.json")).exists()


def test_another_seed_gives_other_pages(made, tmp_path):
    make_wet.main(["--output", str(tmp_path), "--files", "1", "--megabytes", "0.3", "--seed", "1"])
    ours, others = ({body for _, _, body in records(folder / NAME.format(0))[1:]} for folder in (made, tmp_path))
    assert not ours & others


def test_files_hold_a_warcinfo_and_as_much_text_as_asked_for(made):
    for number in range(2):
        found = records(made / NAME.format(number))
        assert [kind for kind, _, _ in found].count("warcinfo") == 1
        text = [body for kind, _, body in found if kind == "conversion"]
        # The last page may go beyond the wanted size, by the largest page that there is.
        assert 300_000 <= sum(map(len, text)) < 300_000 + max(map(len, text))


def test_every_language_writes_its_own_script(made):
    found = [record for number in range(2) for record in records(made / NAME.format(number))]
    share = {
        code: [len(re.findall(letters, body.decode())) / len(body.decode()) for _, c, body in found if c == code]
        for code, letters in (("rus", "[а-яё]"), ("zho", "[\u4e00-\u9fff]"), ("eng", "[a-z]"))
    }
    assert all(values and min(values) > 0.3 for values in share.values())


def test_seed_text_is_imitated(tmp_path):
    seed = tmp_path / "seed.txt"
    seed.write_text("Zanzibar quokkas juggle. " * 20_000)
    make_wet.main(["--output", str(tmp_path / "wet"), "--files", "1", "--megabytes", "0.3", "--seed-text", str(seed)])
    english = b"".join(body for _, code, body in records(tmp_path / "wet" / NAME.format(0)) if code == "eng")
    assert english.count(b"quokkas") > 1000


def test_chain_follows_the_seed_text():
    model = TextModel(["a", "b", "c", "d"], " ", Rarity(share=0, exponent=1.5, changed=0))
    words = model.words(64, np.random.default_rng(0))[:64]
    start = words[0]
    assert words == [chr(ord("a") + (ord(start) - ord("a") + i) % 4) for i in range(64)]


def test_rare_words_keep_the_punctuation_of_the_place():
    model = TextModel(["(stable),"] * 9, " ", Rarity(share=1, exponent=1.5, changed=0))
    assert all(re.fullmatch(r"\(.+\),", word) for word in model.words(100, np.random.default_rng(0)))


@settings(max_examples=50)
@given(st.integers(0, 2**62))
def test_a_rank_has_one_word(rank):
    factory = WordFactory(["harbour", "statement", "weather", "of"])
    assert factory.word(rank) == factory.word(rank) != ""
    assert not re.search(r"\s", factory.word(rank))


def test_repeated_share_counts_what_dedup_removes():
    pages = [np.array(keys, np.uint64) for keys in ([1, 2, 3], [1, 4, 4, 5], [6])]
    # Of eight lines, key 1 goes twice and one copy of key 4.
    assert make_wet.repeated_share(pages) == pytest.approx(3 / 8)
