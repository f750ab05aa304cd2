"""The stages of the comparison: what each runs on, and who runs."""

from __future__ import annotations

import bz2
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from benchmarks.beside.environments import Peers, this_python
from benchmarks.beside.runs import COMMAND, FUNCTION, MAIN, OUT, ROOT, Entrant

Made = dict[str, Any]
PEERS = ROOT / "benchmarks" / "beside" / "peers"
EMBEDDED = ROOT / "samples" / "models"
LID = str(EMBEDDED / "lid.176.ftz")
WET_MEGABYTES, WIKI_MEGABYTES, POSTS, TEXT_MEGABYTES = 60, 9, 40_000, 20
ROWS, BATCH = 16384, 8
ONE_WORKER = ["--direct_num_workers", "1", "--quiet"]


@dataclass(frozen=True)
class Stage:
    """A stage.

    Attributes:
        title: What is compared.
        peer: With whom.
        unit: What the work is counted in.
        prepare: Makes the input in a folder, out of raw files where some are given; tells its paths and sizes.
        entrants: Who runs, given that.
    """

    title: str
    peer: str
    unit: str
    prepare: Callable[[Path, Sequence[str]], Made]
    entrants: Callable[[Made, Peers], list[Entrant]]


def ours(amount: float, boundary: str, *words: str) -> Entrant:
    """This project in one process, behind its imports."""
    return Entrant("this project", [this_python(), "-m", "benchmarks.beside.ours", *words], amount, boundary=boundary)


def source(package: str, amount: float, arguments: Sequence[str]) -> list[Entrant]:
    """A source's command, behind its imports and from the shell."""
    words = [*arguments, "--output", OUT, *ONE_WORKER]
    command = [this_python(), "-m", f"sources.{package}", *words]
    return [
        ours(amount, MAIN, "main", f"sources.{package}.command", f"{OUT}/{package}", *words),
        Entrant("this project", command, amount, boundary=COMMAND),
    ]


def peer(name: str, amount: float, boundary: str, python: str, script: str, *words: str) -> Entrant:
    """A peer, by one of the scripts beside this module."""
    return Entrant(name, [python, str(PEERS / script), *words], amount, True, boundary)


def wet_files(work: Path, inputs: Sequence[str]) -> Made:
    """A WET file like a crawl's."""
    paths = list(inputs)
    if not paths:
        _run("benchmarks.make_wet", "--output", str(work / "wet"), "--files", "1", "--megabytes", str(WET_MEGABYTES))
        paths = sorted(map(str, (work / "wet").glob("*.wet.gz")))
    return {"paths": paths, "megabytes": sum(_unpacked(path) for path in paths) / 1e6}


def commoncrawl(made: Made, peers: Peers) -> list[Entrant]:
    """From WET files to buckets: dedup of lines, language, perplexity; no reference classifier."""
    models = Path(os.environ.get("MODELS", EMBEDDED)).resolve()  # en.sp.model and en.arpa.bin
    pieces, lm = str(models / "en.sp.model"), str(models / "en.arpa.bin")
    settings = [
        f"perplexity.sentencepiece={pieces}", f"perplexity.lm={lm}", "perplexity.keep=all", "reference.enabled=false",
        "perplexity.cutoffs={en: [340, 520]}",
    ]  # fmt: skip
    arguments = ["--input", *made["paths"], *(word for setting in settings for word in ("--set", setting))]
    theirs = peer(
        "cc_net", made["megabytes"], MAIN, peers.python("cc_net"), "run_cc_net.py", OUT, LID, pieces, lm, *made["paths"]
    )
    return [*source("commoncrawl", made["megabytes"], arguments), theirs]


def wiki_pages(work: Path, inputs: Sequence[str]) -> Made:
    """A dump of a wiki, and its pages' wikitext as JSON lines."""
    from benchmarks.wikipedia import SAMPLE, make_dump, pages_of  # noqa: PLC0415
    from sources.wikipedia.pages import parse_page  # noqa: PLC0415

    raw = [page for path in (inputs or [str(SAMPLE)]) for page in pages_of(Path(path))]
    dump = make_dump(work, raw, WIKI_MEGABYTES)
    xml = work / "enwiki.xml"
    xml.write_bytes(bz2.decompress(dump.read_bytes()))
    pages = [parse_page(page) for page in pages_of(xml)]
    found = [{"title": page.title, "text": page.text} for page in pages if page.namespace == 0]
    (work / "pages.jsonl").write_text("".join(json.dumps(page) + "\n" for page in found))
    size = sum(len(page["text"].encode()) for page in found) / 1e6
    return {"xml": str(xml), "pages": str(work / "pages.jsonl"), "megabytes": size}


def wikitext(made: Made, peers: Peers) -> list[Entrant]:
    """From wikitext to text."""
    size, python = made["megabytes"], peers.python("wikiextractor")
    command = [python, "-m", "wikiextractor.WikiExtractor", made["xml"], "-o", OUT, "--json", "--processes", "1", "-q"]
    arguments = ["--input", made["xml"], "--lang", "en", "--set", "dedup.enabled=false"]
    return [
        ours(size, FUNCTION, "wikitext", made["pages"]),
        *source("wikipedia", size, arguments),
        peer("wikiextractor", size, FUNCTION, python, "run_wikiextractor.py", made["pages"]),
        Entrant("wikiextractor", command, size, True, COMMAND),
    ]


def eprints(work: Path, inputs: Sequence[str]) -> Made:
    """A bulk tar of arXiv's."""
    from benchmarks.latex import own_papers, papers_in  # noqa: PLC0415

    paths = list(inputs)
    if not paths:
        paths = [str(work / "arXiv_src_2001_001.tar")]
        with tarfile.open(paths[0], "w") as outer:
            for number, (_, files) in enumerate(own_papers()):
                _add(outer, f"2001/2001.{number:05d}.gz", _packed(files))
    papers = [files for _, files in papers_in(map(Path, paths))]
    size = sum(len(data) for files in papers for name, data in files.items() if name.endswith(".tex")) / 1e6
    return {"paths": paths, "megabytes": size}


def latex(made: Made, peers: Peers) -> list[Entrant]:
    """From e-prints to text."""
    size, checkout = made["megabytes"], peers.checkout("RedPajama-Data")
    words = (OUT, checkout, LID, *made["paths"])
    return [
        ours(size, FUNCTION, "latex", *made["paths"]),
        *source("arxiv", size, ["--input", *made["paths"]]),
        peer("RedPajama", size, MAIN, peers.python("html"), "run_redpajama_arxiv.py", *words),
    ]


def posts(work: Path, inputs: Sequence[str]) -> Made:
    """A site's Posts.xml."""
    from benchmarks.stackexchange import SAMPLE, blocks_of, make_site  # noqa: PLC0415

    path, _ = make_site(work, blocks_of(list(inputs) or [str(SAMPLE / "*.7z")]), POSTS, packed=False)
    return {"path": str(path)}


def stackexchange(made: Made, peers: Peers) -> list[Entrant]:
    """From posts to questions with their answers."""
    words = (OUT, peers.checkout("stackexchange-dataset"), made["path"])
    return [
        *source("stackexchange", POSTS, ["--input", made["path"]]),
        peer("stackexchange-dataset", POSTS, MAIN, peers.python("html"), "run_eleuther.py", *words),
    ]


def texts(work: Path, inputs: Sequence[str]) -> Made:
    """Texts as JSON lines, and a tokenizer of their kind."""
    import sentencepiece  # noqa: PLC0415

    from pipeline.formats.warc import WarcRecord, read_records  # noqa: PLC0415

    found = [Path(path).read_text(errors="replace") for path in inputs]
    if not inputs:
        _run("benchmarks.make_wet", "--output", str(work / "wet"), "--files", "1", "--megabytes", str(TEXT_MEGABYTES))
        with next((work / "wet").glob("*.wet.gz")).open("rb") as stream:
            records = [r for r in read_records(stream) if isinstance(r, WarcRecord) and r.kind == "conversion"]
        found = [record.body.decode(errors="replace") for record in records]
    path, model = work / "texts.jsonl", work / "tokenizer.model"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in found))
    with model.open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([line[:2000] for text in found[:800] for line in text.split("\n") if line]),
            model_writer=file, model_type="bpe", vocab_size=8000, byte_fallback=True, split_digits=True,
            normalization_rule_name="identity", remove_extra_whitespaces=False, minloglevel=2,
        )  # fmt: skip
    return {"path": str(path), "model": str(model), "megabytes": sum(len(text.encode()) for text in found) / 1e6}


def encoding(made: Made, peers: Peers) -> list[Entrant]:
    """From texts that were not seen before to ids, one text a call."""
    size, words = made["megabytes"], (made["model"], made["path"])
    return [
        ours(size, FUNCTION, "encode", *words),
        peer("SentencePiece", size, FUNCTION, this_python(), "run_sentencepiece.py", *words),
    ]


def shards(work: Path, inputs: Sequence[str]) -> Made:
    """Token shards of random ids."""
    from benchmarks.trainer_loader import write_random_shards  # noqa: PLC0415

    if inputs:
        return {"folder": inputs[0]}
    folder = work / "shards"
    folder.mkdir()
    write_random_shards(folder, ROWS)
    return {"folder": str(folder)}


def loader(made: Made, peers: Peers) -> list[Entrant]:
    """From shards to a step's batches, shuffled."""
    words = (made["folder"], str(BATCH))
    return [
        ours(0, FUNCTION, "feeder", *words),
        peer("litdata, ids alone", 0, FUNCTION, peers.python("torch+"), "run_litdata.py", *words, OUT),
    ]


def nothing(_: Path, __: Sequence[str]) -> Made:
    """No input."""
    return {}


def step(_: Made, peers: Peers) -> list[Entrant]:
    """Forward, backward and optimiser of a LLaMA with 35M parameters, on two threads."""
    words, threads = ["-m", "benchmarks.trainer_step", "--json", "--threads", "2"], {"OMP_NUM_THREADS": "2"}
    return [
        Entrant("this project", [this_python(), *words, "--only", "ours"], 0, False, FUNCTION, threads),
        Entrant("litgpt", [peers.python("torch+"), *words, "--only", "litgpt"], 0, True, FUNCTION, threads),
    ]


STAGES = {
    "commoncrawl": Stage(
        "CommonCrawl: WET files to buckets (models: MODELS=DIR, by default the embedded ones)",
        "cc_net 1.0.0", "MB of text", wet_files, commoncrawl,
    ),
    "wikitext": Stage("Wikipedia: wikitext to text", "wikiextractor 3.1.0", "MB of wikitext", wiki_pages, wikitext),
    "latex": Stage("arXiv: e-prints to text", "RedPajama-Data rp_v1 (a checkout)", "MB of TeX", eprints, latex),
    "stackexchange": Stage(
        "StackExchange: posts to questions with answers", "stackexchange-dataset (a checkout)", "posts", posts,
        stackexchange,
    ),
    "encode": Stage("Tokenizer: fresh texts, one a call", "SentencePiece", "MB of text", texts, encoding),
    "loader": Stage("Loader: batches of a training step", "litdata 0.2.76", "M tokens", shards, loader),
    "step": Stage("Training step: a LLaMA of 35M parameters, two threads", "litgpt 0.5.13", "tokens", nothing, step),
}  # fmt: skip


def _run(module: str, *words: str) -> None:
    subprocess.run([sys.executable, "-m", module, *words], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def _unpacked(path: str) -> int:
    import gzip  # noqa: PLC0415

    size = 0
    with gzip.open(path) as stream:
        while piece := stream.read(1 << 20):
            size += len(piece)
    return size


def _packed(files: dict[str, bytes]) -> bytes:
    import gzip  # noqa: PLC0415

    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as inner:
        for name, data in files.items():
            _add(inner, name, data)
    return gzip.compress(buffer.getvalue(), mtime=0)


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    archive.addfile(entry, BytesIO(data))
