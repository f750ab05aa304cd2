"""cc_net over WET files: its classes in the order of its mine.py, in one process, with its defaults; all buckets kept.

    python run_cc_net.py OUT LID SENTENCEPIECE KENLM WET ...

One change, without which it reads nothing of today's files: its reader takes header lines by their place, and there is
one more since (WARC-Identified-Content-Language), which is taken out.
"""

import json
import logging
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import cc_net
import fasttext
from cc_net import dedup, jsonql, perplexity, process_wet_file, split_by_lang

LANGUAGE, MIN_LENGTH, THRESHOLD = "en", 300, 0.5
logging.disable(logging.WARNING)
fasttext.FastText.eprint = lambda _: None
parse = process_wet_file.parse_doc
process_wet_file.parse_doc = lambda headers, document: parse(
    [line for line in headers if not line.startswith("WARC-Identified-Content-Language")], document
)


def documents(paths: Iterable[str]) -> Iterator[dict[str, object]]:
    for path in paths:
        for document in process_wet_file.parse_warc_file(jsonql.open_read(Path(path)), MIN_LENGTH):
            document["cc_segment"] = Path(path).name
            yield document


def main(folder: str, lid: str, pieces: str, model: str, *paths: str) -> None:
    out, hashes = Path(folder), Path(folder, "hashes.bin")
    began = time.process_time()
    collector = dedup.HashesCollector(field="raw_content", output=hashes)
    jsonql.run_pipes(collector, inputs=documents(paths), output=out / "null")
    jsonql.run_pipes(
        dedup.DuplicatesRemover(field="raw_content", hashes_files=[hashes]),
        split_by_lang.Classifier(
            model=Path(lid), field="raw_content", out_field="language", top=1, threshold=THRESHOLD
        ),
        jsonql.where([lambda document: document.get("language") == LANGUAGE]),
        perplexity.MultiSentencePiece(
            {LANGUAGE: Path(pieces)}, field="raw_content", output_field="tokenized", normalize=True
        ),
        perplexity.DocLM({LANGUAGE: Path(model)}, field="tokenized", output_field="perplexity", normalize=False),
        perplexity.PerplexityBucket(Path(cc_net.__file__).parent / "data" / "cutoff.csv"),
        perplexity.DropKeys("tokenized"),
        jsonql.split(pattern=str(out / "{language}_{bucket}.json.gz"), mkdir=True),
        inputs=documents(paths),
        processes=1,
    )
    seconds = time.process_time() - began
    made = {
        path.name.split("_")[1].split(".")[0]: sum(1 for _ in jsonql.open_read(path))
        for path in sorted(out.glob("*_*.json.gz"))
    }
    print(json.dumps({"seconds": seconds, "made": made}))


main(*sys.argv[1:])
