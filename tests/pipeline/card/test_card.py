import json
import re

import yaml
from datasets import load_dataset

from pipeline.card.card import code, data_card, escaped
from pipeline.report.corpus import find
from tests.pipeline.report.corpora import HOSTILE, RECIPE, Made, make_source, scored

SHARD = [
    scored("first text", 50.0),
    scored("second text", 60.0, license="CC BY-SA 3.0, GFDL", language="de"),
    scored("third", 900.0),
    Made("bad", "length", "error_ValueError"),
]


def card_of(tmp_path, title="A corpus") -> tuple[dict, str]:
    card = data_card(find([str(tmp_path)]), title)
    found = re.fullmatch(r"---\n(.*?)---\n(.*)", card, re.S)
    return yaml.safe_load(found[1]), found[2]


def test_the_header_is_hugging_faces(tmp_path):
    make_source(tmp_path, {"a": SHARD}, "wikipedia")
    make_source(tmp_path, {"a": [Made("x", subset="train"), Made("y", subset="validation")]}, "c4")
    header, _ = card_of(tmp_path)
    assert header == {
        "pretty_name": "A corpus",
        "language": ["de", "en"],
        "license": ["cc-by-sa-3.0", "odc-by"],
        "task_categories": ["text-generation"],
        "size_categories": ["n<1K"],
        "tags": ["pretraining", "llama"],
        "configs": [
            {
                "config_name": "c4",
                "data_files": [
                    {"split": "train", "path": ["c4/train/*.parquet"]},
                    {"split": "validation", "path": ["c4/validation/*.parquet"]},
                ],
            },
            {"config_name": "wikipedia", "data_files": [{"split": "train", "path": ["wikipedia/head/*.parquet"]}]},
        ],
    }


def test_load_dataset_opens_the_corpus_by_its_card(tmp_path):
    make_source(tmp_path / "corpus", {"a": [Made("x", subset="train"), Made("y", subset="validation")]}, "c4")
    (tmp_path / "corpus" / "README.md").write_text(data_card(find([str(tmp_path / "corpus")]), "T"))
    loaded = load_dataset(str(tmp_path / "corpus"), "c4", cache_dir=str(tmp_path / "cache"))
    assert {split: rows["text"][:] for split, rows in loaded.items()} == {"train": ["x"], "validation": ["y"]}


def test_the_card_has_counts_processing_and_limits(tmp_path):
    recipe = {**RECIPE, "rejects": {"keep": "sample", "fraction": 0.05}}
    make_source(tmp_path, {"a": SHARD}, "commoncrawl", recipe=recipe)
    _, card = card_of(tmp_path)
    assert "| CommonCrawl | 2 | 21 | 4 | 50.0% |" in card
    assert "| `length` | failed: `error_ValueError` | 1 | 25.0% |" in card
    assert "| `perplexity` | dropped: `bucket_tail` | 1 | 25.0% |" in card
    assert "| **kept** | `head` | 2 | 50.0% |" in card
    assert "| `perplexity.cutoffs.en` | 100.0, 300.0 |" in card
    assert "Licences recorded (of all documents): CC BY-SA 3.0, GFDL 100.0%." in card
    assert "Languages (of all documents): de 50.0%; en 50.0%." in card
    assert "- CommonCrawl: 1 record could not be read." in card
    assert "only a sample (5%) is kept as text" in card
    assert "it lacks C4, GitHub, Wikipedia, Gutenberg and Books3, ArXiv, StackExchange." in card
    assert "Versions: python 3" in card


def test_the_mixture_where_one_is_given(tmp_path):
    make_source(tmp_path, {"a": SHARD})
    (tmp_path / "shards").mkdir()
    entry = {"share_asked": 1.0, "share_reached": 0.9, "unique_tokens": 1400, "tokens": 3000, "epochs": 2.0}
    entry["kept_out_tokens"] = 100
    manifest = {"mixture": {"commoncrawl": entry}, "tokenizer_sha256": "ab" * 32}
    (tmp_path / "shards" / "manifest.json").write_text(json.dumps(manifest))
    _, card = card_of(tmp_path)
    assert "| CommonCrawl | 2 | 21 | 4 | 50.0% | 1.5 k | 90.00% | 2 |" in card
    assert "a mixture of 3 k tokens, which has none of 100 tokens that are held out, or copies of what is." in card
    assert "SHA-256 abababababababab…" in card


def test_a_run_that_has_not_ended_is_said(tmp_path):
    make_source(tmp_path, {"a": SHARD}, finished=False)
    assert "the run has not ended; done so far: 1 shard." in card_of(tmp_path)[1]


def test_nothing_from_data_is_markup(tmp_path):
    fields = {"language": f"x{HOSTILE}", "license": "a|b\n# head [l](http://evil.example)"}
    shard = [Made("text", fields=fields), Made("bad", "length", f"`{HOSTILE}|`")]
    make_source(tmp_path, {"a": shard}, "we|ird", recipe={"k|y": "v|`<b>"})
    header, card = card_of(tmp_path, f"T\n# {HOSTILE}")
    plain = re.sub(r"`[^`\n]*`", "", card)
    assert not re.search(r"(?<!\\)<(?!/?details>|/?summary>)", plain)
    assert not re.search(r"(?<!\\)\]\(", plain)
    assert "\x1b" not in card
    rows = [line for line in card.splitlines() if line.startswith("| `length`")]
    assert [len(re.findall(r"(?<!\\)\|", row)) for row in rows] == [5]
    assert card.startswith("# T ")
    assert "\n# " not in card
    assert header["configs"][0]["config_name"] == "we|ird"


def test_escapes():
    assert escaped("a_b *c* <d> [e](f) | `g`\nh") == r"a\_b \*c\* \<d\> \[e\](f) \| \`g\` h"
    assert code("a`b|c\nd") == "`a\u02cbb\u2502c d`"
    assert len(escaped("x" * 5000)) == 801
