"""Builds the CommonCrawl sample from its written sources: the WET files and the small models.

Usage::

    python -m samples.make_commoncrawl wet [--output DIR]
    python -m samples.make_commoncrawl models --packages DIR [--output DIR] [--kenlm-programs DIR]

The same sources give the same bytes. The models also learn from Debian packages, which ``--packages`` holds;
``models/lid.176.ftz`` alone is not made here (see models/README.md).
"""

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

import orjson

from samples.commoncrawl import train_models, wet
from samples.written import own_folder, write_files

MODULE = "samples.make_commoncrawl"
MODELS = Path(__file__).parent / "models"


def write_wet(output: Path) -> None:
    """Writes the WET files and the list of reference URLs to ``output``."""
    files = dict(wet.wet_files())
    files[wet.REFERENCE_URLS] = "".join(f"{url}\n" for url in wet.reference_urls()).encode()
    write_files(MODULE, wet.SOURCES, output, files.items())


def write_models(output: Path, packages: Path, kenlm_programs: Path | None) -> None:
    """Trains the models into ``output``, and prints the reports of the trainings."""
    own_folder(MODULE, MODELS, output)
    train_models.train_perplexity(output, packages, kenlm_programs)
    report = train_models.train_reference(output)
    model = output / "reference.ftz"
    facts = orjson.dumps({**dataclasses.asdict(report), "model": str(model)}).decode()
    sys.stdout.write(f"{model} ({model.stat().st_size} bytes)\nbefore quantisation: {facts}\n")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = argparse.ArgumentParser(
        prog="python -m samples.make_commoncrawl",
        description="Builds the CommonCrawl sample from its written sources.",
    )
    commands = result.add_subparsers(dest="command", required=True, metavar="COMMAND")
    pages = commands.add_parser("wet", help="assemble the WET files from the written pages")
    pages.add_argument("--output", type=Path, default=wet.SOURCES, help="folder (default: the sample's own)")
    models = commands.add_parser("models", help="train the perplexity models and the reference classifier")
    models.add_argument("--output", type=Path, default=MODELS, help="folder (default: the sample's own)")
    models.add_argument(
        "--packages", type=Path, required=True, help="folder into which the Debian packages were unpacked"
    )
    models.add_argument("--kenlm-programs", type=Path, help="folder of lmplz and build_binary, if not on PATH")
    return result


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of ``python -m samples.make_commoncrawl``."""
    arguments = parser().parse_args(argv)
    if arguments.command == "wet":
        write_wet(arguments.output)
    else:
        write_models(arguments.output, arguments.packages, arguments.kenlm_programs)


if __name__ == "__main__":
    main()
