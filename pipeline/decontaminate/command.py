"""The command that looks for evaluation samples in a corpus or in token shards, and takes out what holds them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from pipeline.command_line import command_parser, errors_told, folder, parse, sentences, warn
from pipeline.engine.options import RunOptions
from pipeline.errors import InputError, OutputError
from pipeline.storage.filesystem import exists, is_remote, join, list_tree, read_bytes, require, write_bytes
from pipeline.storage.ownership import Owned, check_apart, check_folder, claim_folder
from pipeline.terminal import make_light, print_whole

if TYPE_CHECKING:
    from pipeline.decontaminate.data import Data
    from pipeline.decontaminate.scan import Indexes, Question
    from pipeline.decontaminate.summary import Summary

COMMAND = "pipeline.decontaminate"
NGRAM = 13  # words: of GPT-3 (Brown et al. 2020, appendix C), dolma, and lm-evaluation-harness
NGRAMS = (5, 50)
THRESHOLD = 0.8  # of a sample: a dirty one, in the words of Llama 2's appendix A.6
KILLED = "What is finished is kept: the same command goes on from here."

DESCRIPTION = """\
Tells how much of evaluation sets stands in training data, and where. Two methods, side by side:

words   runs of 13 words of a sample, in any case, punctuation, white space, quoting, HTML or Unicode form, in the
        texts of the corpus (the rule of GPT-3, dolma and lm-evaluation-harness);
tokens  runs of more than L tokens of a sample, of which 4 may differ, but none of the first 10, in the token files
        (Llama 2, appendix A.6); where the folder is token shards, or --tokenizer says whose token files are meant.

Every hit is compared to the letter, and traced to the document's id, address and raw file. Samples below 13 words are
compared as a whole and counted apart; of those below 5 ("tiny") only whether they stand anywhere is told."""

EPILOG = """\
evaluation sets are JSON lines (an object a line), Parquet, and task files of lm-evaluation-harness whose data lie
here; a folder means all of these in it. Without --fields all text of a sample is compared, but for ids and labels.

examples:
  python -m pipeline.decontaminate shards/ --against evals/*.jsonl --report overlap/
  python -m pipeline.decontaminate corpus/ --against evals/ --fields question,choices --report overlap/
  python -m pipeline.decontaminate corpus/ shards/ --against evals/ --report overlap/ --drop --threshold 0.5
  python -m pipeline.verify corpus/ shards/ --absent overlap/dropped.tsv
  python -m pipeline.decontaminate shards/ --against evals/ --report overlap/ --mask

in the folder of --report: report.md and report.json (tables for each set), samples.jsonl (each sample: its shares and
subsets), documents.tsv (each document with anything of a sample), removals.tsv (the ids of those that hold --threshold
of a sample or more, as python -m pipeline.optout takes it). --drop applies that list: the documents leave the corpus,
its token files, and the shards that are given, and what left is added to dropped.tsv. --mask keeps the documents, and
writes into the shards that the loss is off for what they hold of these samples: no id changes.

The same command again looks through only what is new. Every flag of Apache Beam passes through; --direct_num_workers
N takes N cores."""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = command_parser(COMMAND, DESCRIPTION, EPILOG)
    add = result.add_argument
    add(
        "folders",
        nargs="+",
        metavar="DIR",
        type=folder,
        help="a corpus, a source's folder, or token shards; further folders are token shards that --drop changes, too",
    )
    add("--against", nargs="+", required=True, metavar="PATH", help="evaluation sets: files, patterns, folders")
    add("--report", metavar="DIR", type=folder, required=True, help="the folder of the report: local, gs:// or s3://")
    add("--fields", metavar="A,B", default="", help="fields of the samples to compare (all text)")
    add("--method", choices=("words", "tokens", "both"), default="both", help="what to compare (both, where it can)")
    add("--ngram", metavar="N", type=int, default=NGRAM, help=f"words of a run ({NGRAM})")
    add("--tokenizer", metavar="FILE", help="of a corpus: the model of the token files to look through")
    add("--token-files", metavar="DIR", help="of a corpus: where token files are kept (_tokens in it)")
    add("--corpus", metavar="DIR", help="of token shards: where their corpus lies now, if it was moved")
    add(
        "--threshold",
        metavar="T",
        type=float,
        default=THRESHOLD,
        help=f"share of a sample that is too much ({THRESHOLD})",
    )
    add("--drop", action="store_true", help="take out the documents that hold so much of a sample")
    add("--mask", action="store_true", help="of token shards: have the loss off for what they hold of such samples")
    add("--quiet", action="store_true", help="no progress, only the tables")
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line, looks, tells, and acts where it is told to."""
    commands = parser()
    args, flags = parse(commands, arguments)
    if args.mask and args.drop:
        commands.error("--mask keeps documents, and --drop takes them out: give one of the two")
    if not NGRAMS[0] <= args.ngram <= NGRAMS[1]:
        commands.error(f"--ngram must be {NGRAMS[0]} to {NGRAMS[1]}, it is {args.ngram}")
    if not 0 < args.threshold <= 1:
        commands.error(f"--threshold must be above 0 and at most 1, it is {args.threshold}")
    make_light()
    with errors_told(stopped=KILLED):
        for path in (*args.folders, args.report, *args.against):
            require(path)
        Work(args, RunOptions(args.report, flags)).run()


class Work:
    """One run of the command.

    Args:
        args: The command's flags.
        options: How to run.
    """

    def __init__(self, args: argparse.Namespace, options: RunOptions) -> None:
        self._args, self._options = args, options
        self._progress, self._console = Console(stderr=True, quiet=args.quiet), Console(highlight=False)
        self._say = sentences(self._console)

    def run(self) -> None:
        """Looks, tells, and acts."""
        from pipeline.corpus.shard import Layout  # noqa: PLC0415 - not for --help
        from pipeline.decontaminate.data import find_data  # noqa: PLC0415
        from pipeline.decontaminate.scan import Indexes  # noqa: PLC0415
        from pipeline.engine.state import held  # noqa: PLC0415

        args, report = self._args, self._args.report
        check_apart(report, args.folders, "DIR")
        check_folder(report, COMMAND)
        data = find_data(args.folders[0], args.corpus, args.tokenizer, args.token_files)
        self._check_shards(data)
        question = self._question(data)
        indexes = Indexes(question)
        self._say(
            f"{len(indexes.samples.samples):,} samples of {len(indexes.samples.sets):,} sets; tables of "
            f"{indexes.nbytes / 1e6:,.0f} MB."
        )
        with held(Layout(report)):
            owned = claim_folder(report, COMMAND)
            owned.remove_temporaries()
            self._scan(data, question, indexes, owned)
            summary, listed = self._tell(data, question, indexes, owned)
            dropped = self._list_dropped(owned) if args.drop else 0
        if args.mask:
            self._mask(data, question, indexes, summary)
        elif dropped:
            self._drop(data)
        elif listed and not args.drop and data.is_ours:
            self._say(f"Nothing was taken out. --drop takes out {listed:,} documents.")

    def _check_shards(self, data: Data) -> None:
        from pipeline.mix.names import is_shard_folder  # noqa: PLC0415

        for root in self._args.folders[1:]:
            if not is_shard_folder(root):
                raise InputError(f"{root} is no folder of token shards: give one corpus, first, and then its shards")
        if self._args.drop and not data.is_ours:
            raise InputError(
                f"{self._args.folders[0]} is a folder of Parquet files without manifest, of which --drop takes nothing "
                "out: without it, documents.tsv tells files and rows."
            )
        if self._args.mask and (data.shards is None or self._args.folders[1:]):
            raise InputError(
                "--mask changes token shards: give their folder alone, one at a time. Of a corpus --drop takes "
                "documents out."
            )

    def _question(self, data: Data) -> Question:
        from pipeline.decontaminate.scan import Question  # noqa: PLC0415

        args, method = self._args, self._args.method
        if method == "tokens" and (data.store is None or data.without_tokens == len(data.files)):
            raise InputError(
                f"{args.folders[0]} has no token files to look through. python -m pipeline.mix makes them; of a "
                "corpus, --tokenizer says whose are meant."
            )
        tokens = method != "words" and data.store is not None
        if tokens and data.without_tokens:
            warn(
                f"{data.without_tokens:,} of {len(data.files):,} files have no token file: of these no ids are compared"
            )
        fields = tuple(name.strip() for name in args.fields.split(",") if name.strip())
        return Question(tuple(args.against), fields, args.ngram, method != "tokens", tokens, data.model)

    def _scan(self, data: Data, question: Question, indexes: Indexes, owned: Owned) -> None:
        """Looks through what was not looked through before."""
        from pipeline.decontaminate.scan import FOUND, ScanFile, found_name, is_done  # noqa: PLC0415
        from pipeline.engine.here import run_each  # noqa: PLC0415
        from pipeline.mix.watch import FileWatcher  # noqa: PLC0415
        from pipeline.storage.filesystem import delete_files  # noqa: PLC0415

        root, store = self._args.report, data.store if question.tokens else None
        missing = [file for file in data.files if not is_done(root, file, indexes.key)]
        names = {found_name(file.path) for file in data.files}
        owned.remove(*(name for name in owned.names if name.startswith(f"{FOUND}/") and name not in names))
        owned.expect(names)
        if not missing:
            return
        delete_files([join(root, *found_name(file.path).split("/")) for file in missing])
        step = ScanFile(question, indexes.key, data.corpus, store, root, self._options.flags)
        step.use(indexes)
        sizes = {file.path: file.tokens.text_bytes if file.tokens else file.bytes for file in missing}
        folder_ = join(root, FOUND)

        def look() -> set[str]:
            return set(list_tree(folder_, ".parquet"))

        measure = ("MB", 1e6)
        with FileWatcher(
            "scan", "files", set(sizes), look, sizes.__getitem__, measure, self._progress, is_remote(root)
        ):
            run = self._options.for_bytes(sum(sizes.values()))
            run_each(step, missing, "Look for samples", run, root)
        if lost := [file.path for file in missing if not is_done(root, file, indexes.key)]:
            raise OutputError(f"the run ended without {len(lost):,} files, {lost[0]} among them; run it again")

    def _tell(self, data: Data, question: Question, indexes: Indexes, owned: Owned) -> tuple[Summary, int]:
        """Writes the report, and shows its tables; gives what was found, and how many documents removal lists."""
        from pipeline.decontaminate import report  # noqa: PLC0415
        from pipeline.decontaminate.summary import summarize  # noqa: PLC0415

        root, threshold = self._args.report, self._args.threshold
        summary = summarize(root, data, indexes, threshold)
        owned.expect(name for name in report.NAMES if name != report.DROPPED)
        listed = report.write_report(root, data, question, indexes, summary, threshold)
        for table in report.tables_shown(summary, indexes):
            print_whole(self._console, table)
        over = sum(document.share >= threshold for document in summary.found)
        self._say(
            f"{len(summary.found):,} documents have something of a sample, {over:,} of them {threshold:.0%} of one or "
            f"more: {join(root, report.PAGE)}"
        )
        if over > listed and not self._args.mask:
            warn(f"{over - listed:,} of these have no id, or one with others: they cannot be listed by it")
        return summary, listed

    def _mask(self, data: Data, question: Question, indexes: Indexes, summary: Summary) -> None:
        """Has the loss off, in the shards, for what was found of samples of which a document holds too much."""
        from pipeline.decontaminate.masks import find_masks, mask_shards  # noqa: PLC0415
        from pipeline.optout.run import CountWatcher  # noqa: PLC0415

        assert data.shards is not None
        over = sum(bool(document.over) for document in summary.found)
        with CountWatcher("mask", over, self._progress, "documents") as watcher:
            spans = find_masks(data, indexes, summary.found, watcher.count)
        done = mask_shards(data.shards, spans, question, indexes, self._args.threshold)
        off = ", ".join(f"{name} {count:,}" for name, count in done.after.items() if count) or "none"
        self._say(f"{data.shards.root}: the loss is off for these ids: {off}. Shards written anew: {done.shards:,}.")
        if done.before != done.after:
            self._say("A run of the trainer that goes on with them is told so; a new one just leaves these ids out.")

    def _list_dropped(self, owned: Owned) -> int:
        """Adds what is listed to what was dropped before; gives how many ids that makes."""
        from pipeline.decontaminate.report import DROPPED, REMOVALS, removals  # noqa: PLC0415

        owned.expect([DROPPED])
        ids: set[str] = set()
        for name in (DROPPED, REMOVALS):
            place = join(self._args.report, name)
            lines = read_bytes(place).decode().split("\n") if exists(place) else []
            ids |= {line.partition("\t")[2] for line in lines if line.startswith("id\t")}
        write_bytes(join(self._args.report, DROPPED), removals(sorted(ids)))
        return len(ids)

    def _drop(self, data: Data) -> None:
        """Takes the listed documents out, as ``pipeline.optout`` takes out any."""
        from pipeline.decontaminate.report import DROPPED  # noqa: PLC0415
        from pipeline.optout.command import main as take_out  # noqa: PLC0415

        first, *others = self._args.folders
        folders = [first, *others] if data.shards is None else [data.corpus, first, *others]
        moved = ["--corpus", self._args.corpus] if self._args.corpus else []
        quiet = ["--quiet"] if self._args.quiet else []
        take_out([*folders, "--list", join(self._args.report, DROPPED), "--apply", *moved, *quiet])
