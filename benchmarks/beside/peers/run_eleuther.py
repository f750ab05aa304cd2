"""EleutherAI's stackexchange-dataset over a Posts.xml, with its defaults: python run_eleuther.py OUT CHECKOUT POSTS

It keeps the answers of a score of 3 or more, and of these three at most.
"""

import contextlib
import io
import json
import os
import re
import sys
import time
from pathlib import Path


def main(out: str, checkout: str, posts: str) -> None:
    sys.path.insert(0, checkout)
    os.chdir(out)
    from pairer import QA_Pairer  # noqa: PLC0415

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        began = time.process_time()
        QA_Pairer(posts, name="site", out_folder="texts").main()
        seconds = time.process_time() - began
    texts = [path.read_text() for path in Path("texts").glob("*.txt")]
    answers = sum(len(re.findall(r"(?m)^A:$", text)) for text in texts)
    print(json.dumps({"seconds": seconds, "made": {"questions": len(texts), "answers": answers}}))


main(*sys.argv[1:])
