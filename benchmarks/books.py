"""Near-dedup of books: signatures, exact check and index beside datasketch, and memory for 200,000 books.

``python -m benchmarks.books`` writes books of random sentences and other editions of them (or takes ``--input``), runs
both, checks that both find the same duplicates, and then looks for candidates among generated sketches of 200,000
books. Times are CPU seconds of this process.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import random
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from datasketch import MinHash, MinHashLSH

from benchmarks.result import RESULTS, result_file, write_result
from filters.near_duplicates.minhash import BANDS, ROWS, MinHasher, SampledPairs, lsh_pairs, overlap, sampled, unpack
from filters.near_duplicates.shingles import ShingleHasher

SAMPLES_A_BOOK = 700  # of 90,000 words
THRESHOLD = 0.9
T = TypeVar("T")


def make_books(count: int, words: int) -> list[str]:
    """Books of which every fourth is another edition of the one before it."""
    draw = random.Random(1)
    vocabulary = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 9))) for _ in range(20_000)]
    books: list[list[str]] = []
    for number in range(count):
        if number % 4 == 3:
            books.append([f"{w}x" if draw.random() < 0.004 else w for w in books[-1]])
        else:
            books.append([vocabulary[int(draw.paretovariate(0.7)) % 20_000] for _ in range(words)])
    return [re.sub(r"((?:\S+ ){12})", r"\1\n", " ".join(book)) for book in books]


def timed(work: Callable[[], T]) -> tuple[T, float]:
    started = time.process_time()
    result = work()
    return result, time.process_time() - started


def ours(texts: list[str]) -> tuple[set[tuple[int, int]], dict[str, float]]:
    hasher, minhasher = ShingleHasher(), MinHasher()
    sets, shingling = timed(lambda: [hasher.shingles(text) for text in texts])
    signatures, signing = timed(lambda: np.stack([minhasher.signature(s) for s in sets]))

    def candidates() -> set[tuple[int, int]]:
        finder = SampledPairs(len(sets))
        samples = [sampled(s) for s in sets]
        members = np.repeat(np.arange(len(sets), dtype=np.uint32), [len(s) for s in samples])
        finder.add(np.concatenate(samples), members)
        pairs = np.union1d(lsh_pairs(signatures), finder.pairs())
        return set(zip(*(side.tolist() for side in unpack(pairs)), strict=True))

    pairs, finding = timed(candidates)
    everyone = list(itertools.pairwise(range(len(sets))))
    _, checking = timed(lambda: [overlap(sets[a], sets[b]) for a, b in everyone])
    found = {pair for pair in pairs if overlap(*(sets[n] for n in pair)).jaccard > 0.8}
    return found, {"shingles": shingling, "signatures": signing, "candidates": finding, "pairs": checking}


def plain_shingles(text: str) -> list[str]:
    words = re.findall(r"\w+", text.lower())
    return [" ".join(words[at : at + 13]) for at in range(len(words) - 12)]


def plain(texts: list[str]) -> tuple[set[tuple[int, int]], dict[str, float]]:
    """As datasketch's documentation does it: a set of strings, ``update_batch``, ``MinHashLSH``."""
    sets, shingling = timed(lambda: [set(plain_shingles(text)) for text in texts])

    def sign() -> list[MinHash]:
        hashes = []
        for one in sets:
            minhash = MinHash(num_perm=128)
            minhash.update_batch([s.encode() for s in one])
            hashes.append(minhash)
        return hashes

    hashes, signing = timed(sign)
    lsh = MinHashLSH(threshold=0.5, num_perm=128)  # at 0.8 its bands miss a fifth of these
    found = set()
    for number, minhash in enumerate(hashes):
        for other in lsh.query(minhash):
            if len(sets[other] & sets[number]) > 0.8 * len(sets[other] | sets[number]):
                found.add((int(other), number))
        lsh.insert(number, minhash)
    everyone = list(itertools.pairwise(range(len(sets))))
    _, checking = timed(lambda: [len(sets[a] & sets[b]) / min(len(sets[a]), len(sets[b])) for a, b in everyone])
    return found, {"shingles": shingling, "signatures": signing, "pairs": checking}


def compare(texts: list[str]) -> dict[str, Any]:
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    (found, seconds), (their_found, their_seconds) = ours(texts), plain(texts)

    def rates(spent: dict[str, float]) -> dict[str, float]:
        both = spent["shingles"] + spent["signatures"]
        pairs = 2 * megabytes * (len(texts) - 1) / len(texts)  # every book but two is in two pairs
        return {
            "signatures_from_text": round(megabytes / both, 1),
            "exact_check_from_text": round(pairs / (2 * spent["shingles"] + spent["pairs"]), 1),
            "exact_check_of_sets": round(pairs / spent["pairs"], 1),
        }

    return {
        "books": len(texts),
        "megabytes": round(megabytes, 1),
        "megabytes_per_second": {"ours": rates(seconds), "datasketch": rates(their_seconds)},
        "duplicates": {"ours": len(found), "datasketch": len(their_found), "same": found == their_found},
    }


def scale(books: int, ranges: int) -> dict[str, Any]:
    """Candidates among generated sketches, of which every twentieth is nearly that of the book before it."""
    draw = np.random.default_rng(1)
    started = time.process_time()
    signatures = draw.integers(0, 2**32, (books, 128), np.uint32)
    copies = np.arange(19, books, 20)
    changed = draw.random((len(copies), 128)) < 0.1
    signatures[copies] = np.where(changed, signatures[copies], signatures[copies - 1])
    by_bands = lsh_pairs(signatures)
    finder = SampledPairs(books)
    members = np.repeat(np.arange(books, dtype=np.uint32), SAMPLES_A_BOOK // ranges)
    for number in range(ranges):
        hashes = draw.integers(number << 50, (number + 1) << 50, (books, SAMPLES_A_BOOK // ranges), np.uint64)
        kept = draw.random((len(copies), hashes.shape[1])) < 0.95
        hashes[copies] = np.where(kept, hashes[copies - 1], hashes[copies])
        finder.add(hashes.ravel(), members)
    pairs = np.union1d(by_bands, finder.pairs())
    first, second = unpack(pairs)
    expected = set(zip((copies - 1).tolist(), copies.tolist(), strict=True))
    found = set(zip(first.tolist(), second.tolist(), strict=True))
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "books": books,
        "sampled_shingles": books * (SAMPLES_A_BOOK // ranges) * ranges,
        "candidates": len(found),
        "missed": len(expected - found),
        "false": len(found - expected),
        "cpu_seconds": round(time.process_time() - started, 1),
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
        "of_which_signatures": signatures.nbytes,
    }


def index(books: int) -> dict[str, Any]:
    """The same bands over the same signatures, by ``lsh_pairs`` and by datasketch's index; a tenth are near copies."""
    draw = np.random.default_rng(2)
    signatures = draw.integers(0, 2**32, (books, 128), np.uint32)
    copies = np.arange(9, books, 10)
    signatures[copies] = np.where(draw.random((len(copies), 128)) < 0.1, signatures[copies], signatures[copies - 1])

    def by_datasketch() -> set[tuple[int, int]]:
        lsh, found = MinHashLSH(num_perm=128, params=(BANDS, ROWS)), set()
        for number, row in enumerate(signatures):
            minhash = MinHash(hashvalues=row, scheme="affine32")
            found |= {(int(other), number) for other in lsh.query(minhash)}
            lsh.insert(number, minhash)
        return found

    pairs, seconds = timed(lambda: lsh_pairs(signatures))
    their_pairs, their_seconds = timed(by_datasketch)
    first, second = unpack(pairs)
    return {
        "books": books,
        "books_per_second": {"ours": round(books / seconds), "datasketch": round(books / their_seconds)},
        "pairs": len(pairs),
        "same": set(zip(first.tolist(), second.tolist(), strict=True)) == their_pairs,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", nargs="+", type=Path, help="texts; made if not given")
    parser.add_argument("--count", type=int, default=32, help="books made")
    parser.add_argument("--words", type=int, default=60_000, help="of a made book")
    parser.add_argument("--books", type=int, default=200_000, help="generated sketches")
    parser.add_argument("--scale-only", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--result", type=result_file, default=RESULTS / "books.json")
    args = parser.parse_args()
    if args.scale_only:  # a process of its own, whose peak memory is that of the candidates alone
        print(json.dumps(scale(args.books, 35)))
        return
    texts = [p.read_text(errors="replace") for p in args.input] if args.input else make_books(args.count, args.words)
    command = [sys.executable, "-m", "benchmarks.books", "--scale-only", "--books", str(args.books)]
    scaled = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    result = {"machine": machine, "texts": compare(texts), "index": index(20_000), "candidates": scaled}
    print(json.dumps(result, indent=1))
    write_result(args.result, result)


if __name__ == "__main__":
    main()
