"""Conversations leave token shards: what fills their places has its own mask, and whole rows are filled up."""

import json
import shutil

import pytest

from pipeline.optout.command import main
from pipeline.verify.shards import verify_shards
from pipeline.verify.token_files import verify_token_files
from tests.pipeline.mix.chats import learnt, make, mix_of, talks
from tests.pipeline.optout.made import write_list

GONE = [3, 4, 17, 45]  # their numbers; 40 and more are of the second file
KINDS = {"concatenated": {}, "whole": {"packing": "whole", "seq_len": 300}}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("optout")
    make(root, talks(40, 1), talks(20, 2))
    for name, keys in KINDS.items():
        mix_of(root, name, budget=7000, heldout_tokens=400, **keys)
    return root


@pytest.fixture(scope="module")
def applied(made, tmp_path_factory):
    root = tmp_path_factory.mktemp("applied") / "root"
    shutil.copytree(made, root)
    lines = [f"url\thttps://talks.example/part-{n // 40}/{n % 40}" for n in GONE]
    write_list(root / "removals.tsv", *lines)
    folders = [str(root / name) for name in ("corpus", *KINDS)]
    flags = ["--corpus", str(root / "corpus"), "--list", str(root / "removals.tsv"), "--date", "2026-03-31", "--quiet"]
    main([*folders, *flags, "--apply"])
    return root


@pytest.mark.parametrize("name", KINDS)
def test_they_are_gone_and_all_accounts_add_up(made, applied, name):
    before = {piece.number for part in ("", "heldout") for piece in learnt(made / name / part)}
    after = {piece.number for part in ("", "heldout") for piece in learnt(applied / name / part)}
    assert before & set(GONE)
    assert not after & set(GONE)
    assert verify_shards(str(applied / name), corpus=str(applied / "corpus"))[1] == []
    assert verify_token_files(str(applied / "corpus" / "_tokens"), str(applied / "corpus"))[1] == []


@pytest.mark.parametrize("name", KINDS)
def test_each_piece_has_the_mask_of_its_document(made, applied, name):
    """As the mixture before has it, where that drew all of the document."""
    whole = {}
    for piece in (piece for part in ("", "heldout") for piece in learnt(made / "whole" / part)):
        whole[piece.number] = piece
    checked = 0
    for piece in learnt(applied / name):
        given = int(piece.offset > 0)
        if piece.number in whole:
            part = slice(piece.offset, piece.offset + len(piece.ids) - given)
            assert piece.ids[given:] == whole[piece.number].ids[part]
            assert piece.loss[given:] == whole[piece.number].loss[part]
            assert not any(piece.loss[:given])
            checked += 1
    assert checked > 20


def test_places_in_whole_rows_are_filled_up(made, applied):
    before, after = (json.loads((root / "whole" / "manifest.json").read_text()) for root in (made, applied))
    gone = sum(len(piece.ids) for piece in learnt(made / "whole") if piece.number in GONE)
    assert gone
    assert after["padding"] == before["padding"] + gone
    assert after["rows"] == before["rows"]
    kept = [piece for piece in learnt(made / "whole") if piece.number not in GONE]
    assert learnt(applied / "whole") == kept


def test_places_in_other_rows_are_filled_with_other_conversations(made, applied):
    manifest = json.loads((applied / "concatenated" / "manifest.json").read_text())
    assert sum(manifest["optout"]["filled"]) > 0
    assert manifest["optout"]["rows_out"] == 0
    drawn = [{piece.number for piece in learnt(root / "concatenated")} for root in (made, applied)]
    assert drawn[1] - drawn[0]
