"""What this project runs in a comparison, in one process, behind its imports: the last line is JSON.

python -m benchmarks.beside.ours main MODULE FOLDER ARGUMENT ...     a source's command; FOLDER is its own output
python -m benchmarks.beside.ours wikitext PAGES.jsonl
python -m benchmarks.beside.ours latex TAR ...
python -m benchmarks.beside.ours encode MODEL TEXTS.jsonl
python -m benchmarks.beside.ours feeder SHARDS BATCH
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def main_of(module: str, folder: str, *arguments: str) -> Callable[[], dict[str, Any]]:
    """A source's command, and what it kept."""
    command = importlib.import_module(module).main
    importlib.import_module(f"{module.rpartition('.')[0]}.run")  # what the command imports once its flags are read

    def work() -> dict[str, Any]:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
            command(list(arguments))
        kept = json.loads((Path(folder) / "manifest.json").read_bytes())["ledger"]["kept"]
        return (
            {name: tally["documents"] for name, tally in kept.items()}
            if len(kept) < 5
            else {"documents": sum(tally["documents"] for tally in kept.values())}
        )

    return work


def wikitext(path: str) -> Callable[[], dict[str, Any]]:
    """The cleaner of wikitext alone."""
    from filters.wikitext import WikiSite, to_text  # noqa: PLC0415

    pages = [json.loads(line)["text"] for line in Path(path).read_text().splitlines()]
    site = WikiSite.builtin("en")
    return lambda: {"characters": sum(len(to_text(page, site)) for page in pages)}


def latex(*paths: str) -> Callable[[], dict[str, Any]]:
    """The cleaner of LaTeX alone."""
    from benchmarks.latex import papers_in  # noqa: PLC0415
    from filters.latex import CleanPaper, clean_paper  # noqa: PLC0415

    papers = [files for _, files in papers_in(map(Path, paths))]

    def work() -> dict[str, Any]:
        found = [paper for paper in map(clean_paper, papers) if isinstance(paper, CleanPaper)]
        return {"papers": len(found), "characters": sum(len(paper.text) for paper in found)}

    return work


def encode(model: str, path: str) -> Callable[[], dict[str, Any]]:
    """Encoding of texts, one a call, none of which was seen before."""
    from tokenizer.encode import Encoder  # noqa: PLC0415

    texts = [json.loads(line)["text"] for line in Path(path).read_text().splitlines()]
    encoder = Encoder(Path(model))
    return lambda: {"ids": sum(len(encoder.encode_batch([text])[0]) for text in texts)}


def feeder(folder: str, batch: str) -> Callable[[], dict[str, Any]]:
    """Batches as a training step gets them, for some epochs."""
    import torch  # noqa: PLC0415

    from trainer_bridge.config import DataConfig  # noqa: PLC0415
    from trainer_bridge.loader import Feeder, Samples, Share  # noqa: PLC0415

    torch.set_num_threads(1)
    samples, size = Samples(DataConfig(), Path(folder)), int(batch)
    found = Feeder(samples, Share(size, size, 0, 1), 0, DataConfig(), torch.device("cpu"))
    for _ in range(20):
        next(found)

    def work() -> dict[str, Any]:
        tokens = sum(int(next(found).targets.numel()) for _ in range(4 * samples.reader.manifest.rows // size))
        found.close()
        return {"tokens": tokens}

    return work


WORK: dict[str, Callable[..., Callable[[], dict[str, Any]]]] = {
    "main": main_of,
    "wikitext": wikitext,
    "latex": latex,
    "encode": encode,
    "feeder": feeder,
}


def main(words: Sequence[str]) -> None:
    work = WORK[words[0]](*words[1:])
    began = time.process_time()
    made = work()
    seconds = time.process_time() - began
    told: dict[str, Any] = {"seconds": seconds, "made": made}
    if "tokens" in made:
        told["amount"] = made["tokens"] / 1e6
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1:])
