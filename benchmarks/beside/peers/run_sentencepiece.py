"""SentencePiece, one text a call: python run_sentencepiece.py MODEL TEXTS.jsonl"""

import json
import sys
import time
from pathlib import Path

import sentencepiece

processor = sentencepiece.SentencePieceProcessor(model_file=sys.argv[1])
texts = [json.loads(line)["text"] for line in Path(sys.argv[2]).read_text().splitlines()]
began = time.process_time()
ids = sum(len(processor.encode(text)) for text in texts)
print(json.dumps({"seconds": time.process_time() - began, "made": {"ids": ids}}))
