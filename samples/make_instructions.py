"""Builds the sample of instruction data: a file in each format, as its publisher ships it.

Usage::

    python -m samples.make_instructions [--output DIR]

What is said was written for this project, in ``instructions/written.yaml``. The same sources give the same bytes; those
of Parquet also depend on the version of pyarrow.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from samples.gzipped import gzipped
from samples.written import output_folder, write_files

OUTPUT = Path(__file__).parent / "instructions"
MODULE = "samples.make_instructions"
# What a message of OpenAssistant's has, and its value where nothing else is written.
MESSAGE = {
    "message_id": None,
    "parent_id": None,
    "user_id": None,
    "created_date": "2023-02-05T14:23:50.983374+00:00",
    "text": "",
    "role": "",
    "lang": "en",
    "review_count": 3,
    "review_result": True,
    "deleted": False,
    "rank": None,
    "synthetic": False,
    "model_name": None,
    "emojis": {},
}


def json_list(records: Sequence[Mapping[str, Any]], indent: int) -> bytes:
    """A list, an element of which may be written as it stands."""
    pad = "\n" + " " * indent
    texts = [
        record["raw"] if "raw" in record else json.dumps(record, ensure_ascii=False, indent=indent).replace("\n", pad)
        for record in records
    ]
    return f"[{pad}{f',{pad}'.join(texts)}\n]\n".encode()


def json_lines(records: Sequence[Mapping[str, Any]]) -> bytes:
    """An object a line."""
    return b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in records)


def message(written: Mapping[str, Any], parent: str | None) -> dict[str, Any]:
    """A message of a tree with all its fields, and its replies."""
    replies = [message(reply, written["message_id"]) for reply in written.get("replies", ())]
    return {**MESSAGE, **written, "parent_id": parent, "replies": replies}


def parquet(records: Sequence[Mapping[str, Any]]) -> bytes:
    """A Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(records)), buffer, compression="zstd")
    return buffer.getvalue()


def files() -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each file."""
    written = yaml.safe_load((OUTPUT / "written.yaml").read_text(encoding="utf-8"))
    yield "alpaca_data.json", json_list(written["alpaca"], 4)
    yield "sharegpt_html.json", json_list(written["sharegpt"], 2)
    yield "koala.jsonl.gz", gzipped(json_lines(written["koala"]))
    yield "gpt4all.parquet", parquet(written["gpt4all"])
    yield "alpaca_evol_instruct.json", json_list(written["wizardlm"], 2)
    trees = [{**tree, "prompt": message(tree["prompt"], None), "origin": "web"} for tree in written["oasst"]]
    yield "oasst.trees.jsonl.gz", gzipped(json_lines(trees))
    for name, pairs in written["hh-rlhf"].items():
        rows = [{kind: pair["prompt"] + pair[kind] for kind in ("chosen", "rejected")} for pair in pairs]
        yield f"hh-rlhf/{name}.jsonl.gz", gzipped(json_lines(rows))


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``python -m samples.make_instructions``."""
    write_files(MODULE, OUTPUT, output_folder(MODULE, OUTPUT, arguments), files())


if __name__ == "__main__":
    main()
