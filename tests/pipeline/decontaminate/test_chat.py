"""The loss goes off for samples within conversations, beside where their template has it off."""

import shutil
from contextlib import redirect_stdout
from io import StringIO

import numpy as np
import pytest

from benchmarks.leaks import sample, whole, write_lines
from pipeline.decontaminate.command import main
from pipeline.mix.rows import open_folder
from pipeline.verify.shards import cure, verify_shards
from tests.pipeline.mix.chats import learnt, make, mix_of, talks
from tests.tokenizer.chat.conversations import conversation
from tokenizer.encode import Encoder

KINDS = {"concatenated": {}, "whole": {"packing": "whole", "seq_len": 400}}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Conversations, and three into which a sample was planted: in a question, in an answer, and over both."""
    root, rng = tmp_path_factory.mktemp("masks"), np.random.default_rng(0)
    samples = [sample(rng, 30) for _ in range(3)]
    found = [whole(one).replace("\n", " ") for one in samples]
    lines = talks(20, 1, longest=6, turns=2)
    words = found[2].split()
    lines += [
        conversation("harbour " + found[0], "lantern water"),
        conversation("lantern", f" winter {found[1]} copper ", "more", "harbour"),
        conversation(" ".join(words[:15]), " ".join(words[15:])),
    ]
    make(root, lines)
    write_lines(root / "evals" / "leaked.jsonl", samples)
    for name, keys in KINDS.items():
        mix_of(root, name, **keys)
    return root, found


@pytest.fixture(scope="module")
def said():
    """What the command says of each set."""
    return {}


@pytest.fixture(scope="module")
def masked(made, said, tmp_path_factory):
    root = tmp_path_factory.mktemp("masked") / "root"
    shutil.copytree(made[0], root)
    for name in KINDS:
        paths = ["--against", str(root / "evals"), "--report", str(root / f"overlap-{name}")]
        flags = ["--corpus", str(root / "corpus"), "--mask", "--method", "words", "--quiet"]
        with redirect_stdout(StringIO()) as output:
            main([str(root / name), *paths, *flags])
        said[name] = output.getvalue()
    return root


@pytest.mark.parametrize("name", KINDS)
def test_what_is_learnt_is_left_but_for_the_samples(made, masked, name):
    encoder = Encoder(made[0] / "tokenizer.model")
    before, after = ({(p.number, p.offset): p for p in learnt(root / name)} for root in (made[0], masked))
    assert before.keys() == after.keys()
    off = {}
    for key, piece in before.items():
        assert piece.ids == after[key].ids
        was, is_ = np.array(piece.loss), np.array(after[key].loss)
        assert not (is_ & ~was).any()  # nothing has loss that had none
        if (was != is_).any():
            off.setdefault(key[0], []).extend(np.array(piece.ids)[was & ~is_].tolist())
    assert sorted(off) == [21, 22]  # the sample in a question has no loss anyhow
    assert encoder.decode(off[21]) == made[1][1].removesuffix(".")  # a full stop at the end is no word
    assert encoder.decode(off[22]) == " ".join(made[1][2].split()[15:]).removesuffix(".")


@pytest.mark.parametrize("name", KINDS)
def test_verify_knows_of_both(masked, name):
    assert verify_shards(str(masked / name), corpus=str(masked / "corpus"))[1] == []
    record = open_folder(str(masked / name)).manifest["loss_mask"]
    assert len(record["against"]) == 1
    assert len(record["earlier"]) == 1
    assert "run the same python -m pipeline.decontaminate --mask again" in cure(str(masked / name))


@pytest.mark.parametrize("name", KINDS)
def test_what_is_new_is_told_apart_from_what_the_template_has(made, masked, said, name):
    was, is_ = (
        open_folder(str(root / name)).manifest["loss_mask"]["tokens"]["instructions"] for root in (made[0], masked)
    )
    assert f"the loss is off for these ids: instructions {is_:,} (+{is_ - was:,})." in said[name].replace("\n", " ")


@pytest.mark.parametrize("name", KINDS)
def test_without_samples_nothing_of_them_is_said(made, name):
    assert "decontaminate" not in cure(str(made[0] / name))
