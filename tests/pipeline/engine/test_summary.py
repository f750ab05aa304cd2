from io import StringIO

from rich.console import Console

from pipeline.corpus.ledger import Ledger
from pipeline.corpus.shard import Layout
from pipeline.engine.run import RunResult
from pipeline.engine.summary import failures, funnel, print_summary
from pipeline.terminal import print_whole
from tests.pipeline.corpus.test_ledger import sample
from tests.pipeline.ledgers import reading

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
FAILED = """\
2 records failed (in b.txt)
  read: damaged: the [bold]line[/bold] is damaged
  see them: python -m pipeline.inspect 'corpus/[odd] lines' --dropped-by read
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
        "messages": {"read: damaged": ["the [bold]line[/bold] is damaged"]},
        "configuration": {"recipe": {}},
        "inputs": [entry("raw/b.txt", 3, 1), entry("raw/c.txt", 2, 0)],
        "rejects": [{"path": "_rejects/b.parquet"}],
        "timing": timing or {"worker_seconds": 0.0, "steps": {}, "peak_bytes": 0},
    }
    return RunResult(written + done_before, done_before, written, 12.34, manifest, Layout("corpus/[odd] lines"))


def entry(path: str, records: int, failed: int) -> dict:
    return {"path": path, "bytes": 9, "sha256": None, "records": records, "failed": failed}


def summary(ran: RunResult, *commands: str, width: int = 100) -> str:
    console = Console(file=StringIO(), width=width, highlight=False)
    print_summary(ran, console, commands)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"


def test_the_funnel():
    assert shown(funnel(sample(), "lines")) == FUNNEL


def test_a_narrow_screen_cuts_no_number():
    console = Console(file=StringIO(), width=40, highlight=False)
    print_whole(console, funnel(sample(), "lines"))
    assert "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n" == FUNNEL


RETRY = "  once their files are mended or fetched anew: the same command with --retry-failed"


def test_files_that_gave_nothing_may_be_read_again():
    ran = result(sample(), 1, 0)
    assert RETRY not in summary(ran, width=200)  # one record of a file is wrong, and stays so
    ran.manifest["inputs"] = [entry("raw/b.txt", 1, 1)]
    assert f"{RETRY}\n" in summary(ran, width=200)
    ran.manifest["inputs"] = [entry("https://x.org/b.txt", 1, 1)]
    assert f"{RETRY}, which fetches them anew, in place of the copies in the cache\n" in summary(ran, width=200)


def test_the_funnel_of_nothing():
    text = shown(funnel(Ledger(), "lines"))
    assert "│read │ records │         0 │  0.0% │          0│" in text
    assert "│kept │ in all  │         0 │  0.0% │          0│" in text


def test_a_run_that_wrote_some_of_its_shards():
    ran = result(sample(), 3, 1200, {"worker_seconds": 3.0, "steps": {}, "peak_bytes": 1_234_000_000})
    ran.manifest["ledger"]["steps"][0]["counters"]["text_bytes"] = 6_000_000
    assert summary(ran, "python -m pipeline.verify corpus/lines") == (
        f"{FUNNEL}{FAILED}"
        "words cut 4 characters (14.3%) from documents it kept\n"
        "Wrote 3 of 1,203 shards, 1,200 were done before, in 12.3 s.\n"
        "6.0 MB of text, 2.0 MB/s per worker, largest worker 1.23 GB.\n"
        "Output: corpus/[odd] lines\n"
        "Next:\n"
        "  python -m pipeline.verify corpus/lines\n"
    )


def test_what_was_mended_is_told():
    ran = result(sample(), 1, 0)
    ran.manifest["ledger"]["steps"][0]["counters"] |= {"repaired_length": 1200, "repeated_id": 1, "other": 9}
    assert (
        "\n1,200 records had a wrong Content-Length, and end where the next record begins\n"
        "1 record had the id of one before in their file; their offset was added to it\n"
    ) in summary(ran)


def test_a_run_that_had_nothing_to_do():
    assert summary(result(sample(), 0, 7)) == (
        f"{FUNNEL}{FAILED}"
        "words cut 4 characters (14.3%) from documents it kept\n"
        "Nothing to do: all 7 shards were done before.\n"
        "Output: corpus/[odd] lines\n"
    )


def test_a_run_whose_steps_cut_nothing_says_nothing_of_it():
    ledger = reading((1, 5), (1, 5))
    ledger.keep("all", 5)
    text = summary(result(ledger, 2, 0))
    assert text.endswith("┘\nWrote 2 of 2 shards, in 12.3 s.\nOutput: corpus/[odd] lines\n")


def test_long_lines_are_for_copying_so_they_are_not_broken():
    command = "python -m pipeline.verify " + "very/long/path/" * 20
    assert f"  {command}\n" in summary(result(sample(), 1, 0), command, width=40)


class TestFailures:
    def of(self, failed: int, *inputs: dict) -> str:
        ledger = Ledger()
        step = ledger.step("read")
        step.entered.add(10, 0)
        for _ in range(failed):
            step.fail("damaged", 0)
        return failures({"ledger": ledger.as_json(), "inputs": inputs})

    def test_nothing_failed(self):
        assert self.of(0, entry("a", 5, 0)) == ""

    def test_files_that_could_not_be_read_are_named(self):
        assert self.of(1, entry("raw/a.txt", 1, 1), entry("b.txt", 9, 0)) == (
            "1 record failed (1 file could not be read: a.txt)"
        )
        assert self.of(3, entry("raw/a", 1, 1), entry("s3://x/b", 1, 1), entry("c", 8, 1)) == (
            "3 records failed (2 files could not be read: a, b; others in c)"
        )

    def test_no_more_than_three_files_are_named(self):
        files = [entry(f"{number}.txt", 1, 1) for number in range(1200)]
        assert self.of(1200, *files) == (
            "1,200 records failed (1,200 files could not be read: 0.txt, 1.txt, 2.txt and 1,197 more)"
        )

    def test_parts_of_a_file_are_one_file(self):
        assert self.of(2, entry("a", 2, 2), entry("a", 8, 0)) == "2 records failed (in a)"

    def test_a_name_that_is_no_utf8(self):
        assert self.of(1, entry("raw/\udcff.txt", 1, 1)) == "1 record failed (1 file could not be read: \ufffd.txt)"

    def test_failures_of_later_steps_belong_to_no_file(self):
        ledger = sample()
        del ledger.steps["read"].failed["damaged"]
        assert failures({"ledger": ledger.as_json(), "inputs": [entry("a", 5, 0)]}) == "1 record failed"


def test_rejects_that_are_not_kept_are_not_pointed_to():
    ran = result(sample(), 1, 0)
    ran.manifest["rejects"] = []
    assert "\n2 records failed (in b.txt)\n" in summary(ran)
