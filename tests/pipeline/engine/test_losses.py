from pipeline.corpus.ledger import Ledger
from pipeline.engine.losses import decisive_keys, great_losses, nothing_kept
from pipeline.steps import DropShort
from tests.pipeline.ledgers import reading


def manifest(entered: int, kept: int, step: str = "perplexity", rejects: bool = True, **dropped: int) -> dict:
    """Of a source with two steps, the first of which keeps all."""
    ledger = Ledger()
    read, judged = ledger.step("read"), ledger.step(step)
    read.entered.add(entered, 0)
    read.left.add(entered, 0)
    judged.entered.add(entered, 0)
    judged.left.add(kept, 0)
    for reason, count in dropped.items():
        for _ in range(count):
            (judged.fail if reason.startswith("error") else judged.drop)(reason, 0)
    for _ in range(kept):
        ledger.keep("all", 0)
    recipe = {"perplexity": {"keep": ["head"]}, "min_characters": 300}
    return {
        "ledger": ledger.as_json(),
        "configuration": {"recipe": recipe},
        "rejects": [{"path": "_rejects/a.parquet"}] if rejects else [],
    }


def test_a_step_that_drops_nearly_all_is_named_with_its_reasons_and_what_to_do():
    said = great_losses(manifest(100, 9, bucket_tail=60, bucket_all=30, error_ValueError=1), "my corpus/x", {})
    assert said == [
        "Nearly all went at step perplexity: 91 of the 100 documents that reached it (bucket_tail 60, bucket_all 30, "
        "error_ValueError 1). Read some: python -m pipeline.inspect 'my corpus/x' --dropped-by perplexity; what "
        "decides it in the recipe: perplexity.*"
    ]


def test_a_step_names_the_keys_that_decide_it():
    keys = decisive_keys([DropShort(300)])
    assert keys == {"length": "min_characters"}
    said = great_losses(manifest(20, 0, "length", rejects=False, too_short=20), "corpus/x", keys)
    assert said == [
        "Nearly all went at step length: 20 of the 20 documents that reached it (too_short 20). What decides it in the "
        "recipe: min_characters"
    ]


def test_records_that_are_no_documents():
    ledger = reading((500, 0))
    for _ in range(500):
        ledger.step("read").drop("not_an_article", 0)
    found = {"ledger": ledger.as_json(), "configuration": {}, "rejects": []}
    assert great_losses(found, "corpus/wikipedia", {}) == [
        "Nearly all went at step read: 500 of the 500 records that reached it (not_an_article 500). See that the "
        "inputs are what this source reads"
    ]
    assert nothing_kept(found) == "nothing was kept of 500 records read: 500 at step read"


def test_nine_in_ten_are_not_nearly_all_and_a_handful_says_nothing():
    assert great_losses(manifest(100, 10, bucket_tail=90), "corpus/x", {}) == []
    assert great_losses(manifest(5, 0, bucket_tail=5), "corpus/x", {}) == []
    assert len(great_losses(manifest(6, 0, bucket_tail=6), "corpus/x", {})) == 1


def test_whether_nothing_was_kept():
    assert nothing_kept(manifest(2, 1, bucket_tail=1)) == ""
    assert nothing_kept(manifest(0, 0)) == ""
    both = manifest(2, 0, bucket_tail=1, error_ValueError=1)
    assert nothing_kept(both) == "nothing was kept of 2 records read: 2 at step perplexity"
    assert nothing_kept(manifest(2, 0, error_ValueError=2)) == "nothing was kept: every record failed"
