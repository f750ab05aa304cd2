"""The page of an experiment: what is found is said, and no text of strangers acts on it."""

import json
import re

import pytest

from pipeline.ablate.folder import Folder
from pipeline.ablate.page import write_page
from pipeline.ablate.results import sentence

EVIL = '</script><script>alert(1)</script><img src=x onerror="alert(2)">'
LEVEL = {"value": 1.0, "low": 0.9, "high": 1.1, "error": 0.05}


def estimate(value, low, high):
    return {"value": value, "low": low, "high": high, "error": 0.1}


def arm(difference=None, verdict=None, **more):
    found = {
        "overrides": [],
        "made": [],
        "steps": 10,
        "trains_alike": True,
        "bits_per_byte": {"all": LEVEL, "web": LEVEL},
        "by_seed": [1.0, 1.0],
        "curve": [{"step": 5, "bits_per_byte": 2.0}, {"step": 10, "bits_per_byte": 1.0}],
        "kept": [],
    }
    if difference:
        found |= {"difference": {"all": difference, "web": difference}, "verdict": {"all": verdict, "web": verdict}}
    return found | more


def kept(text, name):
    sample = {"id": name, "url": "javascript:alert(3)", "text": text, "left_out": 7}
    return {
        "source": "web",
        "accounts": [["dropped", "length", EVIL, 3, 5], ["kept", "", "all", 9, 7]],
        "documents": [9, 7],
        "only_baseline": 2,
        "only_arm": 0,
        "changed": 0,
        "samples": {"only_baseline": [sample], "only_arm": [], "changed": []},
    }


def result(control=None, **arms):
    same = control or arm(estimate(0.001, -0.02, 0.022), "no difference shown")
    return {
        "baseline": "sample",
        "model": "tiny",
        "tokens": 10_240,
        "seeds": 2,
        "confidence": 0.95,
        "seed_deviation": 0.01,
        "weights": {"web": 1.0},
        "heldout": {
            "sources": {"web": {"documents": 9, "judged": 7, "bytes": 900}},
            "copies_in": {"no_dedup": 2},
            "without": ["books"],
            "overlap": 0.5,
        },
        "arms": {"baseline": arm(), "control": same, **arms},
    }


def page(tmp_path, found):
    folder = Folder(str(tmp_path))
    folder.root.mkdir(exist_ok=True)
    run = folder.seed("baseline", 0) / "run"
    run.mkdir(parents=True, exist_ok=True)
    lines = [{"event": EVIL}, {"step": 1, "tokens": 1024, "loss": 5.0}, {"step": 2, "tokens": 2048, "loss": None}]
    (run / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    with open(write_page(folder, found, "Ablation <b>")) as file:
        return file.read()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    worse = arm(estimate(0.2, 0.1, 0.3), "worse", overrides=[f"web.key={EVIL}"], made=["web"], kept=[kept(EVIL, EVIL)])
    return page(tmp_path_factory.mktemp("page"), result(no_dedup=worse))


def test_what_was_found_stands_on_the_page(made):
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", made.partition("<script")[0]))
    assert "no_dedup web.key=" in text
    assert "+0.2000 +0.1000 +0.3000 worse" in text
    assert "control another seed of the data +0.0010 -0.0200 +0.0220 no difference shown" in text
    assert "2 of them are judged for no arm" in text
    assert "No documents of Gutenberg and Books3 are held out" in text
    assert "Only the baseline has" in text
    assert "7 more characters" in text
    assert "length dropped:" in text


def test_no_text_of_strangers_acts_on_it(made):
    assert made.startswith("<!doctype html>")
    assert made.count("<script") == 3  # the figures, the library, its own
    assert "<img" not in made
    assert "onerror=&#34;alert(2)&#34;" in made
    assert "javascript:" not in re.sub(r"<bdi>.*?</bdi>", "", made.partition('<script type="application/json"')[0])
    assert "<b>" not in made.partition("<script")[0]


def test_a_control_that_is_found_different_is_warned_of(tmp_path):
    assert "Trust none of its verdicts" not in page(tmp_path, result())
    assert "Trust none of its verdicts" in page(tmp_path, result(arm(estimate(0.2, 0.1, 0.3), "worse")))


def test_an_arm_that_trains_otherwise_is_said_to_be_judged_by_its_own_runs(tmp_path):
    other = arm(estimate(0.2, -0.1, 0.5), "no difference shown", trains_alike=False)
    assert "hot: another training or tokenizer" in page(tmp_path, result(hot=other, web=other | {"trains_alike": True}))


def test_one_seed_is_not_judged(tmp_path):
    single = arm(estimate(0.2, None, None), "one seed: not judged")
    text = page(tmp_path, {**result(single), "seeds": 1, "seed_deviation": None})
    assert "One seed: nothing tells an arm" in text
    assert sentence("control", single) == "the control: +0.2000 bits per byte, of one seed: not judged"
