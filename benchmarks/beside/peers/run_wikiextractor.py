"""wikiextractor's cleaning alone, page by page: python run_wikiextractor.py PAGES.jsonl"""

import json
import logging
import sys
import time
from pathlib import Path

from wikiextractor.extract import Extractor

logging.disable(logging.CRITICAL)
pages = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
began = time.process_time()
found = [Extractor(str(n), "", "", page["title"], []).clean_text(page["text"]) for n, page in enumerate(pages)]
seconds = time.process_time() - began
print(json.dumps({"seconds": seconds, "made": {"characters": sum(len(part) for page in found for part in page)}}))
