"""RedPajama's cleaner over arXiv's bulk tars: python run_redpajama_arxiv.py OUT CHECKOUT LID TAR ...

Its language model is loaded once, not for every paper.
"""

import contextlib
import io
import json
import sys
import time
from pathlib import Path


def main(out: str, checkout: str, lid: str, *tars: str) -> None:
    sys.path.insert(0, str(Path(checkout, "data_prep", "arxiv")))
    import arxiv_cleaner  # noqa: PLC0415

    model = arxiv_cleaner.fasttext.load_model(lid)
    arxiv_cleaner.fasttext.load_model = lambda path: model
    folder = Path(out, "in")
    folder.mkdir()
    for tar in tars:
        (folder / Path(tar).name).symlink_to(Path(tar).resolve())
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        began = time.process_time()
        arxiv_cleaner.ArxivCleaner(data_dir=folder, work_dir=Path(out, "tmp"), target_dir=Path(out, "out")).run()
        seconds = time.process_time() - began
    texts = [json.loads(line)["text"] for line in Path(out, "out", "arxiv.jsonl").read_text().splitlines()]
    print(json.dumps({"seconds": seconds, "made": {"papers": len(texts), "characters": sum(map(len, texts))}}))


main(*sys.argv[1:])
