"""What the datasets library says of configurations in the card: columns, rows, bytes. The library itself writes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import InputError, OutputError
from pipeline.publish.contents import ARROW, Configuration
from pipeline.storage.filesystem import open_input
from pipeline.storage.hub import INSTALL


def dataset_info(configurations: Sequence[Configuration]) -> list[dict[str, Any]]:
    """The part ``dataset_info`` of a card's header; parts of sources are left out, whose columns are their source's.

    Raises:
        InputError: The library is not installed.
        OutputError: A file cannot be read.
    """
    try:
        from datasets import DatasetInfo, Features  # noqa: PLC0415 - slow, and no dependency of a worker
        from datasets.info import DatasetInfosDict  # noqa: PLC0415
        from datasets.splits import SplitDict, SplitInfo  # noqa: PLC0415
        from huggingface_hub import DatasetCardData  # noqa: PLC0415
    except ImportError as error:
        raise InputError(f"publishing needs {INSTALL}") from error
    found = DatasetInfosDict()
    for one in configurations:
        if one.is_whole:
            splits = SplitDict()
            for split in one.splits:
                splits.add(SplitInfo(split.name, num_bytes=split.bytes, num_examples=split.rows))
            size = sum(split.bytes for split in one.splits)
            found[one.name] = DatasetInfo(
                features=Features.from_arrow_schema(_columns(one.example.path)),
                config_name=one.name,
                splits=splits,
                download_size=size,
                dataset_size=size,
            )
    card = DatasetCardData()
    found.to_dataset_card_data(card)
    written = card.to_dict().get("dataset_info", [])
    return written if isinstance(written, list) else [written]


def _columns(path: str) -> pa.Schema:
    try:
        with open_input(path) as handle:
            schema = pa.ipc.open_stream(handle).schema if path.endswith(ARROW) else pq.read_schema(handle)
    except (pa.ArrowException, OSError) as error:
        raise OutputError(f"{path} cannot be read: {error}. python -m pipeline.verify tells more.") from error
    return schema.remove_metadata()
