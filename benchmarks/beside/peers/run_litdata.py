"""litdata over the rows of a folder of shards, shuffled, in this process: python run_litdata.py SHARDS BATCH OUT"""

import contextlib
import io
import json
import sys
import time
from itertools import islice
from pathlib import Path

import litdata
import torch

from benchmarks.trainer_loader import write_for_litdata

torch.set_num_threads(1)


def main(folder: str, batch: str, out: str) -> None:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        size = write_for_litdata(Path(folder), out)
    data = litdata.StreamingDataset(
        out, item_loader=litdata.TokensLoader(block_size=size), shuffle=True, drop_last=True
    )
    loader = litdata.StreamingDataLoader(data, batch_size=int(batch), num_workers=0)
    for _ in islice(loader, 20):
        pass  # its first batches find the files
    tokens, began = 0, time.process_time()
    for _ in range(4):
        for ids in loader:
            tokens += ids.shape[0] * (ids.shape[1] - 1)
    seconds = time.process_time() - began
    print(json.dumps({"seconds": seconds, "amount": tokens / 1e6, "made": {"tokens": tokens}}))


if __name__ == "__main__":
    main(*sys.argv[1:])
