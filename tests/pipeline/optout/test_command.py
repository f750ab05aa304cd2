"""Documents leave a corpus, its token files, and its token shards, and nothing else changes."""

import json
import shutil
import signal

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.errors import InputError
from pipeline.mix.corpus import CorpusFile
from pipeline.mix.encode import encode_file, load_encoder
from pipeline.mix.rows import open_folder, read_document, store_of
from pipeline.mix.token_files import TokenStore
from pipeline.optout.command import main
from pipeline.optout.sets import read_rows
from pipeline.removals.matching import load_removals
from pipeline.trace import main as trace
from pipeline.verify.absent import absent_from_shards, absent_from_source
from pipeline.verify.accounts import verify
from pipeline.verify.shards import rows_out, verify_shards
from pipeline.verify.token_files import verify_token_files
from tests.end_to_end.commands import run
from tests.pipeline.mix.corpora import mix, pieces, prose, recipe, write_model
from tests.pipeline.optout.made import all_text, files_of, log, make, make_source, report, write_list
from trainer_bridge.shards import ShardReader

LINES = (
    "url\tHTTP://A.example:80/0/3/\tfirst request",
    "url-prefix\thttps://a.example/1/2",
    "repository\tOwner1/repo6",
    "id\ta/https://a.example/2/short",
    "domain\texample.org",
    "url\thttps://b.example/1/4",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make(tmp_path_factory.mktemp("optout"))


def copy(made, target):
    for name in ("corpus", "shards"):
        shutil.copytree(made / name, target / name)
    write_list(target / "removals.tsv", *LINES)
    return target


def arguments(root, *more):
    folders = [str(root / "corpus"), str(root / "shards")]
    flags = ["--corpus", str(root / "corpus"), "--list", str(root / "removals.tsv"), "--date", "2026-03-31", "--quiet"]
    return [*folders, *flags, *more]


@pytest.fixture(scope="module")
def applied(made, tmp_path_factory):
    """The list was applied to a copy."""
    root = copy(made, tmp_path_factory.mktemp("applied"))
    main(arguments(root, "--apply", "--report", str(root / "answer.tsv")))
    return root


GONE = {
    "a": ["0/3", *(f"1/{n}" for n in (2, *range(20, 30))), *(f"{file}/6" for file in range(4))],
    "b": ["1/4", "0/6", "1/6"],
}


def removed(name):
    return {f"https://{name}.example/{page}" for page in GONE[name]}


def kept(root, name):
    files = sorted((root / "corpus" / name).glob("[!_]*/*.parquet"))
    return {row["url"]: row for file in files for row in pq.read_table(file).to_pylist()}


def texts_gone(made):
    pages = {**kept(made, "a"), **kept(made, "b")}
    return [pages[url]["text"] for name in GONE for url in removed(name) & pages.keys()]


def test_the_documents_leave_the_corpus(made, applied):
    for name in GONE:
        before, after = kept(made, name), kept(applied, name)
        assert removed(name) & before.keys()
        assert after == {url: row for url, row in before.items() if url not in removed(name)}
        rows = {row["id"]: row for row in rejects(applied, name)}
        assert len(rows) == len(rejects(made, name))
        count, faults = verify(str(applied / "corpus" / name))
        assert (count, faults) == (len(after), [])
        ledger = json.loads((applied / "corpus" / name / "manifest.json").read_text())["ledger"]
        gone = len(before) - len(after)
        assert ledger["steps"][-1]["step"] == "opt_out"
        assert ledger["steps"][-1]["dropped"]["opt_out"]["documents"] == gone
        assert ledger["steps"][-1]["entered"]["documents"] == len(before)
    (reject,) = [row for row in rejects(applied, "a") if row["text"] == "opted out"]
    assert (reject["text"], reject["url"], reject["meta"]["repo"]) == ("opted out", None, None)
    assert (reject["step"], reject["reason"]) == ("length", "too_short")
    assert reject["origin"]["file"].endswith("part-2.txt")


def rejects(root, name):
    files = sorted((root / "corpus" / name / "_rejects").glob("*.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def test_the_manifest_names_the_list(applied):
    removals = load_removals(str(applied / "removals.tsv"))
    manifest = json.loads((applied / "corpus/a/manifest.json").read_text())
    assert manifest["optout"] == {removals.sha256: 4}  # of each shard of a something went
    manifest = json.loads((applied / "shards/manifest.json").read_text())
    assert manifest["optout"]["lists"] == [removals.sha256]
    assert manifest["optout"]["documents"] == sum(len(kept_numbers) for kept_numbers in numbers_removed(applied))
    assert log(applied / "shards")[0]["date"] == log(applied / "corpus/a")[0]["date"] == "2026-03-31"
    assert [line["list"] for line in log(applied / "corpus/b")] == [removals.sha256]


def numbers_removed(root):
    return [file.removed for file in open_folder(str(root / "shards"), str(root / "corpus")).files]


def test_the_texts_are_nowhere(made, applied):
    before, after = all_text(made), all_text(applied)
    texts = texts_gone(made)
    assert len(texts) > 10
    for text in texts:
        assert text in before
        assert text not in after
        words = text.split(": ")[1]
        assert words[:40] not in after or len(words) < 40


def test_token_files_are_as_if_they_were_encoded_anew(applied, tmp_path):
    folder = open_folder(str(applied / "shards"), str(applied / "corpus"))
    store = store_of(folder)
    assert verify_token_files(store.root, str(applied / "corpus"))[1] == []
    fresh = TokenStore(store.corpus, str(tmp_path), store.coding)
    encoder = load_encoder(folder.tokenizer)
    for file in folder.files:
        stats = store.read_stats(file.path)
        assert encode_file(fresh, encoder, CorpusFile("", file.path, stats.bytes, stats.sha256), None) == stats
        for ours, theirs in zip(store.names(file.path), fresh.names(file.path), strict=True):
            assert (tmp_path / theirs).read_bytes() == (applied / "corpus/_tokens" / ours).read_bytes()


def rows_of(root, below=""):
    folder = open_folder(str(root / "shards" / below), str(root / "corpus"))
    for entry in folder.manifest["shards"]:
        rows = read_rows(folder, entry["file"], range(entry["rows"]))
        yield [(row.ids.tolist(), row.segments) for row in rows.values()]


def test_rows_without_them_keep_their_ids_and_documents(made, applied):
    now, changed = open_folder(str(applied / "shards"), str(applied / "corpus")), 0
    for before, after in zip(rows_of(made), rows_of(applied), strict=True):
        assert len(before) == len(after)
        for old, new in zip(before, after, strict=True):
            gone = [s for s in old[1] if is_removed(now, s.number)]
            if not gone:
                assert new == old
                continue
            changed += 1
            assert not any(is_removed(now, s.number) for s in new[1])
            assert [s for s in new[1] if s in old[1]] == [s for s in old[1] if s not in gone]
            assert counts(new[1]) == counts(old[1])  # of each source as many ids, in each row
    assert changed > 50


def test_rows_of_the_held_out_set_go_where_nothing_is_left_to_fill_them(made, applied):
    now = open_folder(str(applied / "shards"), str(applied / "corpus"))
    (before,), (after,) = list(rows_of(made, "heldout")), list(rows_of(applied, "heldout"))
    stay = [row for row in before if not any(is_removed(now, s.number) for s in row[1])]
    assert 0 < len(stay) <= len(after) < len(before)
    assert [row for row in after if row in stay] == stay
    manifest = json.loads((applied / "shards/heldout/manifest.json").read_text())
    assert (manifest["rows"], manifest["optout"]["rows_out"]) == (len(after), len(before) - len(after))


def is_removed(folder, number):
    file = next(f for f in folder.files if f.first_number <= number < f.first_number + f.documents)
    return file.row_of(number) is None


def counts(segments):
    return {s: sum(x.stop - x.start for x in segments if x.source == s) for s in {x.source for x in segments}}


def test_the_shards_are_sound_and_their_shares_as_before(made, applied):
    rows, faults = verify_shards(str(applied / "shards"), corpus=str(applied / "corpus"))
    assert faults == []
    assert "; held out: 3 rows were taken out for removals" in rows_out(str(applied / "shards"))  # 3 of 10
    before, after = (json.loads((root / "shards/manifest.json").read_text()) for root in (made, applied))
    assert rows == before["rows"]
    assert [e["tokens"] for e in after["mixture"].values()] == [e["tokens"] for e in before["mixture"].values()]
    assert after["share_error"] == pytest.approx(before["share_error"])
    assert after["optout"]["rows_out"] == 0
    assert after["optout"]["earlier"] == [before["fingerprint"]]
    assert after["fingerprint"] != before["fingerprint"]


def test_every_id_of_a_changed_row_is_in_the_document_that_it_names(applied):
    """Verification takes a sample; here it is all of them."""
    folder = open_folder(str(applied / "shards"), str(applied / "corpus"))
    encoder, texts = load_encoder(folder.tokenizer), {}
    for ids, segments in (row for below in ("", "heldout") for rows in rows_of(applied, below) for row in rows):
        for segment in segments:
            if segment.number not in texts:
                text = read_document(folder, segment.number, ["text"])[2]["text"]
                texts[segment.number] = encoder.encode_batch([text], add_bos=True, add_eos=True)[0].tolist()
            given = int(folder.got_bos(segment))
            part = ids[segment.start + given : segment.stop]
            assert part == texts[segment.number][segment.offset : segment.offset + len(part)]


def test_it_is_proved_and_a_second_time_changes_nothing(made, applied, capsys):
    removals = load_removals(str(applied / "removals.tsv"))
    corpus = str(applied / "corpus")
    for name in GONE:
        assert absent_from_source(f"{corpus}/{name}", removals) == []
        assert absent_from_source(str(made / "corpus" / name), removals) != []
    assert absent_from_shards(str(applied / "shards"), removals, corpus) == []
    faults = absent_from_shards(str(made / "shards"), removals, str(made / "corpus"))
    assert any("data-00000" in fault and "rows with documents that are listed" in fault for fault in faults)
    assert any("kept_out" in fault for fault in faults)
    before, logged = files_of(applied), log(applied / "shards")
    main(arguments(applied, "--apply"))
    assert files_of(applied) == before
    assert log(applied / "shards") == logged
    assert "nothing of it is to go" in capsys.readouterr().out


def test_a_corpus_that_was_published_without_rejects(made, tmp_path):
    shutil.copytree(made / "corpus/a", tmp_path / "a")
    shutil.rmtree(tmp_path / "a/_rejects")
    removals = load_removals(str(write_list(tmp_path / "removals.tsv", "domain\texample.org")))
    assert any("_rejects" in fault for fault in absent_from_source(str(tmp_path / "a"), removals))
    assert absent_from_source(str(tmp_path / "a"), removals, rejects=False) == []


def test_the_report_says_what_was_found_without_text(made, applied):
    rows = report(applied / "answer.tsv")
    assert {row["line"] for row in rows} == {"1", "2", "3", "4", "5", "6"}
    (first,) = [row for row in rows if row["line"] == "1"]
    assert (first["note"], first["found"], first["url"]) == ("first request", "document", "https://a.example/0/3")
    assert [row["found"] for row in rows if row["line"] == "5"] == ["nothing"]
    assert [row["found"] for row in rows if row["line"] == "4"] == ["reject"]
    text = (applied / "answer.tsv").read_text()
    assert not any(one[:30] in text for one in texts_gone(made))


def test_a_dry_run_tells_and_changes_nothing(made, tmp_path, capsys):
    root = copy(made, tmp_path)
    before = files_of(root)
    main(arguments(root))
    assert files_of(root) == before
    said = capsys.readouterr().out
    assert "Nothing was changed" in said
    assert "Lines of the list that mean something here: 5 of 6" in said
    assert "tokens: a " in said


@pytest.mark.parametrize("change", [1, 5, 17, 38, 64, 76])
def test_killed_at_any_point_the_same_command_ends_it(made, applied, tmp_path, change):
    root = copy(made, tmp_path)
    words = arguments(root, "--apply")
    run("tests.pipeline.optout.killed", str(change), *words, status=-signal.SIGKILL)
    run("pipeline.optout", *words)
    assert files_of(root) == {name: data for name, data in files_of(applied).items() if name != "answer.tsv"}


def test_where_all_was_drawn_documents_are_drawn_once_more_and_the_shares_hold(made, tmp_path):
    for name in ("corpus", "tokenizer.model"):
        copied = shutil.copytree if (made / name).is_dir() else shutil.copy
        copied(made / name, tmp_path / name)
    mix(tmp_path, recipe({"a": 70, "b": 30}, shard_rows=60, seed=1))
    write_list(tmp_path / "removals.tsv", "url\thttps://a.example/0/3", "id\tb/https://b.example/1/4")
    before = [row for rows in rows_of(tmp_path) for row in rows]
    main(arguments(tmp_path, "--apply"))
    folder = open_folder(str(tmp_path / "shards"))
    account = folder.manifest["optout"]
    assert account["rows_out"] == 0
    assert account["again"] == account["filled"]
    assert min(account["again"]) > 0
    assert verify_shards(str(tmp_path / "shards"))[1] == []
    after = [row for rows in rows_of(tmp_path) for row in rows]
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert all(any(is_removed(folder, s.number) for s in old[1]) for old, _ in changed)
    by_source = [[sum(s.stop - s.start for s in row[1] if s.source == 1) for row in pair] for pair in changed]
    assert all(old == new for old, new in by_source)
    assert absent_from_shards(str(tmp_path / "shards"), load_removals(str(tmp_path / "removals.tsv"))) == []
    once = files_of(tmp_path)
    main(arguments(tmp_path, "--apply"))
    assert files_of(tmp_path) == once


def test_killed_between_shards_no_document_is_drawn_again_twice(made, tmp_path):
    """All was drawn, so what a shard was given before the kill cannot be told from what it had."""
    for name in ("corpus", "tokenizer.model"):
        copied = shutil.copytree if (made / name).is_dir() else shutil.copy
        copied(made / name, tmp_path / name)
    mix(tmp_path, recipe({"a": 70, "b": 30}, shard_rows=600, seed=1))
    write_list(tmp_path / "removals.tsv", *LINES)
    whole = shutil.copytree(tmp_path, tmp_path.with_name("whole"))
    main(arguments(whole, "--apply"))
    root = shutil.copytree(tmp_path, tmp_path.with_name("killed"))
    run("tests.pipeline.optout.killed", "3:.arrow", *arguments(root, "--apply"), status=-signal.SIGKILL)
    assert [path.read_bytes() == (whole / "shards" / path.name).read_bytes() for path in arrows(root)] == [
        True,
        True,
        False,
        False,
        False,
    ]
    told, *_ = absent_from_shards(str(root / "shards"), load_removals(str(root / "removals.tsv")), str(root / "corpus"))
    assert told.endswith("removals were begun and not ended: run the same python -m pipeline.optout again")
    main(arguments(root, "--apply"))
    assert files_of(root) == files_of(whole)


def arrows(root):
    return sorted((root / "shards").glob("*.arrow"))


def test_of_a_long_document_that_fills_a_place_the_rest_fills_others(tmp_path):
    """Six books, drawn in parts: of one some parts go, and of the others there are fewer than places."""
    folder = tmp_path / "raw/long"
    folder.mkdir(parents=True)
    books = [" ".join(prose(60, number)) for number in range(6)]
    (folder / "books.txt").write_text("".join(f"https://l.example/{n}\tx/y\t{text}\n" for n, text in enumerate(books)))
    make_source(tmp_path, "long")
    write_model(tmp_path)
    mix(tmp_path, recipe({"long": 100}, shard_rows=600, part_tokens=16, max_epochs=1.0))
    write_list(tmp_path / "removals.tsv", "url\thttps://l.example/2")
    main(arguments(tmp_path, "--apply"))
    account = open_folder(str(tmp_path / "shards")).manifest["optout"]
    assert account["rows_out"] == 0
    assert account["filled"] == account["again"]
    assert verify_shards(str(tmp_path / "shards"))[1] == []
    begun = [(piece.number, piece.ids[1:9]) for piece in pieces(tmp_path / "shards")]
    assert len({number for number, _ in begun}) == 5
    assert max(begun.count(one) for one in begun) == 2  # a part of the epoch, and what fills a place


def test_where_nothing_is_left_of_a_source_the_rows_go_and_it_can_be_traced(made, tmp_path, capsys):
    """All of a source goes; and the shards follow later, when the corpus is as it is wanted already."""
    for name in ("corpus", "tokenizer.model"):
        copied = shutil.copytree if (made / name).is_dir() else shutil.copy
        copied(made / name, tmp_path / name)
    mix(tmp_path, recipe({"a": 70, "b": 30}, shard_rows=60, seed=1))
    write_list(tmp_path / "removals.tsv", "domain\tb.example")
    before, old = list(rows_of(tmp_path)), json.loads((tmp_path / "shards/manifest.json").read_text())
    corpus = [str(tmp_path / "corpus"), "--list", str(tmp_path / "removals.tsv"), "--quiet", "--apply"]
    main(corpus)
    removals = load_removals(str(tmp_path / "removals.tsv"))
    told = absent_from_shards(str(tmp_path / "shards"), removals)
    assert sum("is gone since the shards were made: python -m pipeline.optout" in fault for fault in told) == 4
    main([str(tmp_path / "shards"), *corpus])
    folder = open_folder(str(tmp_path / "shards"))
    manifest = folder.manifest
    stay = [[row for row in rows if not any(is_removed(folder, s.number) for s in row[1])] for rows in before]
    assert list(rows_of(tmp_path)) == stay
    assert manifest["rows"] == sum(map(len, stay)) == old["rows"] - manifest["optout"]["rows_out"]
    gaps = [json.loads(path.read_text()) for path in sorted((tmp_path / "shards/_stats").glob("*.json"))]
    assert any(account.get("optout", {}).get("gaps") for account in gaps)
    rows, faults = verify_shards(str(tmp_path / "shards"))
    assert (rows, [fault for fault in faults if "has a share of" not in fault]) == (manifest["rows"], [])
    assert absent_from_shards(str(tmp_path / "shards"), removals) == []
    reader = ShardReader(tmp_path / "shards")
    ids = np.empty((manifest["rows"], 17), np.int32)
    read = reader.read(np.arange(manifest["rows"]), ids)
    assert ids.tolist() == [row[0] for rows in stay for row in rows]
    assert not any(is_removed(folder, number) for number in np.unique(read.numbers).tolist())
    found = ((row, s) for row, (_, segments) in enumerate(stay[0]) for s in segments if s.source == 0)
    place, token = next((row, s.start + 2) for row, s in found if s.stop > s.start + 3)
    capsys.readouterr()
    trace([str(tmp_path / "shards"), "--row", str(place), "--token", str(token)])
    said = capsys.readouterr().out
    assert "https://a.example/" in said
    assert "characters" in said
    run_again = files_of(tmp_path)
    main([str(tmp_path / "shards"), *corpus])
    assert files_of(tmp_path) == run_again


def test_several_lists_one_after_the_other(made, tmp_path):
    """Documents in parts, little that is not drawn: rows are filled, and taken out, beside others that were before."""
    shutil.copytree(made / "corpus", tmp_path / "corpus")
    shutil.copy(made / "tokenizer.model", tmp_path)
    keys = {"shard_rows": 200, "heldout_tokens": 400, "part_tokens": 8, "seed": 13}
    mix(tmp_path, recipe({"a": 70, "b": 30}, **keys), budget=14_000)
    lists = (
        [*(f"a/{n}/7" for n in range(4)), *(f"b/0/{n}" for n in range(30)), *(f"b/1/{n}" for n in range(12))],
        ["a/0/8", "a/0/9", "a/2/1", *(f"b/1/{n}" for n in range(12, 22))],
        [*(f"a/3/{n}" for n in range(9, 14)), *(f"b/1/{n}" for n in range(22, 27))],
    )
    shares, counts = "has a share of", []
    for pages in lists:
        addresses = (page.split("/", 1) for page in pages)
        write_list(tmp_path / "removals.tsv", *(f"url\thttps://{name}.example/{page}" for name, page in addresses))
        main(arguments(tmp_path, "--apply"))
        assert [fault for fault in verify_shards(str(tmp_path / "shards"))[1] if shares not in fault] == []
        manifest = json.loads((tmp_path / "shards/manifest.json").read_text())
        counts.append((manifest["optout"]["rows_out"], sum(manifest["optout"]["filled"])))
        ShardReader(tmp_path / "shards")
    assert len(manifest["optout"]["lists"]) == len(manifest["optout"]["earlier"]) == 3
    (rows_1, filled_1), (rows_2, filled_2), (rows_3, filled_3) = counts
    assert 0 < rows_1 < rows_2 < rows_3
    assert 0 < filled_1 < filled_2 < filled_3


def test_exact_has_the_scopes_made_anew_with_the_list(made, tmp_path):
    root = copy(made, tmp_path)
    shutil.copytree(made / "raw", root / "raw")
    before = kept(root, "a")
    main([str(root / "corpus/a"), "--list", str(root / "removals.tsv"), "--apply", "--exact", "--quiet"])
    assert kept(root, "a").keys() == before.keys() - removed("a")
    with pytest.raises(InputError, match="--set optout=LIST"):
        make_source(root, "a")
    result = make_source(root, "a", optout=str(root / "removals.tsv"))
    assert result.planned - result.done_before == 4
    assert kept(root, "a").keys() == before.keys() - removed("a")
    assert verify(str(root / "corpus/a"))[1] == []
    ledger = result.manifest["ledger"]["steps"][0]
    assert (ledger["step"], ledger["dropped"]["opt_out"]["documents"]) == ("read", 17)  # and the short one
    assert absent_from_source(str(root / "corpus/a"), load_removals(str(root / "removals.tsv"))) == []


def test_token_files_that_are_gone_are_made_again_where_they_are_needed(made, applied, tmp_path, capsys):
    root = copy(made, tmp_path)
    shutil.rmtree(root / "corpus/_tokens")
    main(arguments(root, "--apply"))
    told = capsys.readouterr()
    assert f" {root}/shards --corpus {root}/corpus --absent" in told.out  # it was moved
    assert told.err.startswith(f"warning: {root}/shards/heldout: shares are off by ")
    assert told.err.count("warning") == 1
    assert files_of(root / "shards") == files_of(applied / "shards")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["corpus", "shards/heldout"], "is the held-out set of the folder above"),
        (["shards"], "give the corpus of the shards, too"),
        (["raw"], "neither a corpus nor a folder of token shards"),
        (["nowhere"], "there is no folder"),
        (["corpus", "--list", "bad.tsv"], "bad.tsv, line 2: there is no kind 'urll'; did you mean url?"),
        (["corpus", "--list", "gone.tsv"], "cannot be read: No such file or directory"),
        (["corpus", "--report", "tokenizer.model"], "did not write it. Choose another name.\n"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(made, monkeypatch, capsys, words, message):
    monkeypatch.chdir(made)
    write_list(made / "good.tsv", "url\thttps://a.example/0/3")
    write_list(made / "bad.tsv", "# a list", "urll\thttps://a.example/0/3")
    before = files_of(made)
    with pytest.raises(SystemExit) as end:
        main([*words, *([] if "--list" in words else ["--list", "good.tsv"])])
    assert end.value.code == 1
    assert message in capsys.readouterr().err
    assert files_of(made) == before


def test_a_damaged_file_stops_it_before_it_is_taken_for_sound(made, tmp_path, capsys):
    root = copy(made, tmp_path)
    (path,) = (root / "corpus/a/all").glob("part-0.parquet")
    stats = json.loads((root / "corpus/a/_stats/part-0.json").read_text())
    stats["outputs"][0]["sha256"] = "0" * 64
    (root / "corpus/a/_stats/part-0.json").write_text(json.dumps(stats))
    before = path.read_bytes()
    with pytest.raises(SystemExit):
        main(arguments(root, "--apply"))
    assert "is not what was written to it" in capsys.readouterr().err
    assert path.read_bytes() == before
