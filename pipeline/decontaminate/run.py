"""What the command does that looks for evaluation samples: looks, tells, and acts where it is told to."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from pipeline.command_line import errors_told, sentences, warn
from pipeline.corpus.shard import Layout
from pipeline.decontaminate.command import COMMAND
from pipeline.engine.here import run_each
from pipeline.engine.options import RunOptions
from pipeline.engine.state import held
from pipeline.errors import InputError, OutputError
from pipeline.mix.watch import FileWatcher
from pipeline.storage.filesystem import exists, is_remote, join, list_tree, read_bytes, require, write_bytes
from pipeline.storage.ownership import Owned, check_apart, check_folder, claim_folder
from pipeline.terminal import make_light, print_whole

if TYPE_CHECKING:
    from pipeline.decontaminate.data import Data
    from pipeline.decontaminate.scan import Indexes, Question
    from pipeline.decontaminate.summary import Summary
KILLED = "What is finished is kept: the same command goes on from here."


def run(args: argparse.Namespace, flags: Sequence[str]) -> None:
    """Looks, tells, and acts."""
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
        from pipeline.decontaminate.scan import Indexes  # noqa: PLC0415

        args, report = self._args, self._args.report
        check_apart(report, args.folders, "DIR")
        check_folder(report, COMMAND)
        data = self._find()
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
            self._drop()
        elif listed and not args.drop and data.is_ours:
            self._say(f"Nothing was taken out. --drop takes out what has one of {listed:,} ids.")

    def _find(self) -> Data:
        """What is to be looked through; where a --drop was killed in between, its shards follow the corpus first."""
        from pipeline.decontaminate.data import find_data  # noqa: PLC0415
        from pipeline.decontaminate.report import DROPPED  # noqa: PLC0415

        args = self._args
        places = (args.folders[0], args.corpus, args.tokenizer, args.token_files)
        try:
            return find_data(*places)
        except InputError:
            if not args.drop or not exists(join(args.report, DROPPED)):
                raise
        self._say("What an earlier --drop began is ended first.")
        self._drop()
        return find_data(*places)

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
        """Writes the report, and shows its tables; gives what was found, and how many ids are listed for removal."""
        from pipeline.decontaminate import report  # noqa: PLC0415
        from pipeline.decontaminate.summary import summarize  # noqa: PLC0415

        root, threshold = self._args.report, self._args.threshold
        summary = summarize(root, data, indexes, threshold)
        owned.expect(name for name in report.NAMES if name != report.DROPPED)
        listed, nameless = report.write_report(root, data, question, indexes, summary, threshold)
        for table in report.tables_shown(summary, indexes):
            print_whole(self._console, table)
        over = sum(document.share >= threshold for document in summary.found)
        self._say(
            f"{len(summary.found):,} documents have something of a sample, {over:,} of them {threshold:.0%} of one or "
            f"more: {join(root, report.PAGE)}"
        )
        if nameless and not self._args.mask:
            warn(f"{nameless:,} of these have no id that a list can hold: --drop leaves them where they are")
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
        off = ", ".join(_counted(name, count, done.before.get(name, 0)) for name, count in done.after.items() if count)
        self._say(
            f"{data.shards.root}: the loss is off for these ids: {off or 'none'}. Shards written anew: {done.shards:,}."
        )
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

    def _drop(self) -> None:
        """Takes the listed documents out, as ``pipeline.optout`` takes out any."""
        from pipeline.decontaminate.report import DROPPED  # noqa: PLC0415
        from pipeline.mix.names import is_shard_folder  # noqa: PLC0415
        from pipeline.mix.rows import open_folder  # noqa: PLC0415
        from pipeline.optout.command import main as take_out  # noqa: PLC0415

        folders = list(self._args.folders)
        if is_shard_folder(folders[0]):
            folders.insert(0, open_folder(folders[0], self._args.corpus).corpus)
        moved = ["--corpus", self._args.corpus] if self._args.corpus else []
        quiet = ["--quiet"] if self._args.quiet else []
        take_out([*folders, "--list", join(self._args.report, DROPPED), "--apply", *moved, *quiet])


def _counted(name: str, count: int, before: int) -> str:
    """A source's ids with the loss off; where it was off for some before, as a template has it, how many are new."""
    return f"{name} {count:,}" + (f" ({count - before:+,})" if before else "")
