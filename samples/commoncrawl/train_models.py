"""Trains the small English models that ship with the sample.

``en.sp.model`` and ``en.arpa.bin`` learn from ``prose/*.txt`` and from free texts of four Debian packages
(:mod:`samples.commoncrawl.free_texts`); ``reference.ftz`` learns from pages that the templates in ``training/*.txt``
give. The pages of the WET files are in neither, so that they can be scored fairly.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import fasttext

from filters.commoncrawl import lm_cli
from filters.commoncrawl.reference import TrainingReport, train_reference_model
from samples.commoncrawl import free_texts
from samples.commoncrawl.assemble import Blocks, expand, read_blocks

SOURCES = Path(__file__).parent

# Perplexity. 2.6 MB of text; n-grams that occur seldom are left out, and quantised tries are KenLM's smallest form.
PERPLEXITY_OPTIONS = ("--language", "en", "--vocab-size", "4000", "--structure", "trie-quantized", "--memory", "1G")
PRUNE = ("--prune", "0", "0", "1", "2", "2")

# Reference classifier. Ten templates of cited pages and eleven of others are filled so many times in all.
PAGES_OF_EACH_KIND = 1_000
REFERENCE_SEED = 0
REFERENCE_DIM = 16  # a vocabulary of some four thousand words; the sample needs no more


def train_perplexity(output: Path, packages: Path, kenlm_programs: Path | None = None) -> None:
    """Runs ``python -m filters.perplexity train`` on the prose and the free texts.

    Args:
        output: folder of the models.
        packages: folder into which the Debian packages were unpacked.
        kenlm_programs: folder of ``lmplz`` and ``build_binary``, if they are not on the path.

    Raises:
        FileNotFoundError: a package is not there.
        RuntimeError: the command failed; it has said why.
    """
    with tempfile.TemporaryDirectory() as folder:
        texts = [*free_texts.write_texts(packages, Path(folder)), *sorted((SOURCES / "prose").glob("*.txt"))]
        arguments = ["train", "--input", *map(str, texts), "--output", str(output), *PERPLEXITY_OPTIONS, *PRUNE]
        if kenlm_programs:
            arguments += ["--kenlm-programs", str(kenlm_programs)]
        if status := lm_cli.main(arguments):
            raise RuntimeError(f"the language model could not be trained (status {status})")


def training_library() -> Blocks:
    """The templates of training pages; ``{report}`` is a line of ``prose/reports.txt``."""
    paths = [SOURCES / "boilerplate.txt", SOURCES / "training" / "reference.txt", SOURCES / "training" / "other.txt"]
    library = read_blocks(paths)
    reports = (SOURCES / "prose" / "reports.txt").read_text(encoding="utf-8").splitlines()
    return Blocks(library.blocks, {**library.words, "report": reports})


def training_pages(kind: str, count: int, library: Blocks) -> Iterator[str]:
    """Yields pages from the templates whose names start with ``kind`` (reference or other), in turn."""
    templates = [name for name in library.blocks if name.startswith(f"{kind}-") and name != "reference-url"]
    for number in range(count):
        template = templates[number % len(templates)]
        yield "\n".join(expand(template, {}, library, "training", [number]))


def train_reference(output: Path) -> TrainingReport:
    """Trains the classifier with ``filters.commoncrawl.reference.train_reference_model`` and quantises it.

    Args:
        output: folder of ``reference.ftz``.

    Returns:
        The report on the held-out tenth of the training pages, before quantisation.
    """
    library = training_library()
    full = output / "reference.bin"
    report = train_reference_model(
        training_pages("reference", PAGES_OF_EACH_KIND, library),
        training_pages("other", PAGES_OF_EACH_KIND, library),
        full,
        seed=REFERENCE_SEED,
        dim=REFERENCE_DIM,
    )
    model = fasttext.load_model(str(full))
    model.quantize(qnorm=True)
    model.save_model(str(output / "reference.ftz"))
    full.unlink()
    return report
