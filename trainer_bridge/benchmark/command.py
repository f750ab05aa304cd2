"""Evaluates a run as the papers do: python -m trainer_bridge.benchmark RUN --tasks llama1."""

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from importlib import import_module

from trainer_bridge.benchmark.suites import read_suite, suite_names
from trainer_bridge.command_line import local_path
from trainer_bridge.errors import TrainerError

MISSING = "lm-evaluation-harness is not installed: pip install '.[evaluation]'"
EXAMPLES = """\
examples:
  python -m trainer_bridge.benchmark run/ --tasks llama1                      the paper's tables
  python -m trainer_bridge.benchmark run/ --tasks llama1:hellaswag llama1:boolq
  python -m trainer_bridge.benchmark run/ --tasks lambada_openai my_task.yaml --limit 200
  python -m trainer_bridge.benchmark run/ --tasks llama1 --data sets/         data sets from a folder, not the hub
  python -m trainer_bridge.benchmark run/ --tasks llama1 --run-code --judge 'python perspective.py'
  torchrun --nproc-per-node 8 -m trainer_bridge.benchmark run/ --tasks llama2
  python -m trainer_bridge.benchmark --list llama1                            its rows

The same command goes on where it was stopped. Results: RUN/benchmark/STEP/results.md and results.json."""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = argparse.ArgumentParser(
        prog="python -m trainer_bridge.benchmark",
        description=(__doc__ or "").split("\n")[0],
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument("run", nargs="?", type=local_path, help="directory of a run, or one checkpoint")
    result.add_argument(
        "--tasks",
        nargs="+",
        default=["llama1"],
        metavar="NAME",
        help=f"{', '.join(suite_names())}; SUITE:ROW; a task of lm-evaluation-harness; a .yaml file in its format "
        "(default: llama1)",
    )
    result.add_argument("--leave", nargs="+", default=[], metavar="ROW", help="rows to leave out, by how they begin")
    result.add_argument("--list", choices=suite_names(), help="list the rows of a suite, and end")
    result.add_argument("--data", type=local_path, metavar="DIR", help="folder of data sets (docs/evaluation.md)")
    result.add_argument("--output", type=local_path, metavar="DIR", help="results (default: RUN/benchmark/STEP)")
    result.add_argument("--limit", type=int, help="documents of each task (default: all)")
    result.add_argument("--shots", type=int, help="examples in the prompt (default: what each row says)")
    result.add_argument("--dtype", choices=("auto", "bf16", "fp32"), default="auto", help="auto: bf16 on a GPU")
    result.add_argument("--batch-tokens", type=int, default=16384, help="positions of a batch (default: %(default)s)")
    result.add_argument("--seed", type=int, default=0, help="of sampled answers")
    result.add_argument("--tokenizer", help="SentencePiece model; default: the run's own")
    result.add_argument("--samples", action="store_true", help="write down every question and answer")
    result.add_argument("--beside", default="7B", help="sizes of the paper's model shown beside (default: 7B)")
    result.add_argument("--run-code", action="store_true", help="run programs that the model wrote, in a sandbox")
    result.add_argument(
        "--judge", metavar="COMMAND", help="a program that scores texts: a JSON object a line in, a number a line out"
    )
    return result


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Reads the command line."""
    commands = parser()
    options = commands.parse_intermixed_args(arguments)
    for name in ("tasks", "leave"):  # as the harness's own command, a,b is two
        setattr(options, name, [part for word in getattr(options, name) for part in word.split(",") if part])
    if options.run is None and not options.list:
        commands.error("a run is needed: python -m trainer_bridge.benchmark RUN --tasks llama1")
    for name in ("limit", "batch_tokens"):
        if (value := getattr(options, name)) is not None and value < 1:
            commands.error(f"--{name.replace('_', '-')} must be at least 1")
    if options.shots is not None and options.shots < 0:
        commands.error("--shots must be at least 0")
    return options


def _list(suite: str) -> None:
    for row in read_suite(suite):
        needs = {"code": "  needs --run-code", "judge": "  needs --judge", None: ""}[row.needs]
        sys.stdout.write(f"{row.name:<32} table {row.table:>2}  {row.title}{needs}\n")


def main() -> int:
    """Runs the command line."""
    options = parse(sys.argv[1:])
    if options.list:
        _list(options.list)
        return 0
    if importlib.util.find_spec("lm_eval") is None:
        raise TrainerError(MISSING)
    status: int = import_module("trainer_bridge.benchmark.run").run(options)
    return status
