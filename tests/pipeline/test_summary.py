from io import StringIO

from rich.console import Console

from pipeline.ledger import Ledger
from pipeline.run import RunResult
from pipeline.shard import Layout
from pipeline.summary import funnel, print_summary
from tests.pipeline.test_ledger import sample

FUNNEL = """\
lines
┏━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━┳━━━━━━━━┳━━━━━━━━━━━┓
┃step  ┃                          ┃ documents ┃  share ┃ characters┃
┡━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━╇━━━━━━━━╇━━━━━━━━━━━┩
│read  │ records                  │         5 │ 100.0% │         50│
│read  │ failed: damaged          │         1 │  20.0% │          0│
│words │ failed: error_ValueError │         1 │  20.0% │         12│
│words │ dropped: bad_word        │         1 │  20.0% │         10│
├──────┼──────────────────────────┼───────────┼────────┼───────────┤
│kept  │ head                     │         1 │  20.0% │         20│
│kept  │ tail                     │         1 │  20.0% │          4│
│kept  │ in all                   │         2 │  40.0% │         24│
└──────┴──────────────────────────┴───────────┴────────┴───────────┘
"""


def shown(*printed: object) -> str:
    console = Console(file=StringIO(), width=100)
    for item in printed:
        console.print(item)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"


def result(ledger: Ledger, written: int, done_before: int, timing: dict | None = None) -> RunResult:
    manifest = {
        "source": "lines",
        "ledger": ledger.as_json(),
        "timing": timing or {"worker_seconds": 0.0, "steps": {}, "peak_bytes": 0},
    }
    return RunResult(written + done_before, done_before, written, 12.34, manifest, Layout("corpus/[odd] lines"))


def summary(ran: RunResult, *commands: str, width: int = 100) -> str:
    console = Console(file=StringIO(), width=width, highlight=False)
    print_summary(ran, console, commands)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"


def test_the_funnel():
    assert shown(funnel(sample(), "lines")) == FUNNEL


def test_the_funnel_of_nothing():
    text = shown(funnel(Ledger(), "lines"))
    assert "│read │ records │         0 │  0.0% │          0│" in text
    assert "│kept │ in all  │         0 │  0.0% │          0│" in text


def test_a_run_that_wrote_some_of_its_shards():
    ran = result(sample(), 3, 1200, {"worker_seconds": 3.0, "steps": {}, "peak_bytes": 1_234_000_000})
    ran.manifest["ledger"]["steps"][0]["counters"]["text_bytes"] = 6_000_000
    assert summary(ran, "python -m pipeline.verify corpus/lines") == (
        f"{FUNNEL}"
        "words cut 4 characters (8.0%) from documents it kept\n"
        "Wrote 3 of 1,203 shards, 1,200 were done before, in 12.3 s.\n"
        "6.0 MB of text, 2.0 MB/s per worker, largest worker 1.23 GB.\n"
        "Output: corpus/[odd] lines\n"
        "Next:\n"
        "  python -m pipeline.verify corpus/lines\n"
    )


def test_a_run_that_had_nothing_to_do():
    assert summary(result(sample(), 0, 7)) == (
        f"{FUNNEL}"
        "words cut 4 characters (8.0%) from documents it kept\n"
        "Nothing to do: all 7 shards were done before.\n"
        "Output: corpus/[odd] lines\n"
    )


def test_a_run_whose_steps_cut_nothing_says_nothing_of_it():
    ledger = Ledger()
    step = ledger.step("read")
    step.entered.add(1, 5)
    step.left.add(1, 5)
    ledger.keep("all", 5)
    text = summary(result(ledger, 2, 0))
    assert text.endswith("┘\nWrote 2 of 2 shards, in 12.3 s.\nOutput: corpus/[odd] lines\n")


def test_long_lines_are_for_copying_so_they_are_not_broken():
    command = "python -m pipeline.verify " + "very/long/path/" * 20
    assert f"  {command}\n" in summary(result(sample(), 1, 0), command, width=40)
