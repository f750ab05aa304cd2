"""The command that looks for evaluation samples in a corpus or in token shards, and takes out what holds them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from pipeline.command_line import command_parser, folder, parse

if TYPE_CHECKING:
    pass

COMMAND = "pipeline.decontaminate"
NGRAM = 13  # words: of GPT-3 (Brown et al. 2020, appendix C), dolma, and lm-evaluation-harness
NGRAMS = (5, 50)
THRESHOLD = 0.8  # of a sample: a dirty one, in the words of Llama 2's appendix A.6

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
    import_module("pipeline.decontaminate.run").run(args, flags)
