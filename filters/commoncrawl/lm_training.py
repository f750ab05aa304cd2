"""Trains the pair of models that perplexity needs: a SentencePiece unigram model and a KenLM 5-gram model.

CCNet's recipe (its ``Makefile`` and ``cc_net/get_wiki_cirrus.py``): the normalised text of up to 1,000,000 Wikipedia
articles, one article a line; SentencePiece with 65,536 pieces and character coverage 0.9995; the pieces as the words of
an unpruned 5-gram model, ``lmplz -o 5 --vocab_estimate 65536 --discount_fallback``, then ``build_binary``.
Where we differ, and why:

- CCNet took each article's opening; here it is the whole article, or its first lines (``opening_characters``).
- Openings have no newlines. A whole article has, and fusing words at each of them would teach words that nobody
  writes, so ``join_lines`` is ``space`` here by default, whatever the scorer is set to.
- SentencePiece silently ignores lines over 4,192 bytes; here its limit is raised so that no article is lost.
- CCNet's Makefile trains a 40,000-piece model over the first one (precedence of ``||`` and ``&&``); here it is 65,536.

The same input and settings give the same bytes, on any number of cores.
"""

import contextlib
import dataclasses
import hashlib
import io
import itertools
import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import orjson
import sentencepiece

from filters.commoncrawl.kenlm_tools import KENLM_VERSION, KenlmTools
from filters.commoncrawl.lm_defaults import DOCUMENTS, ORDER, SENTENCEPIECE_BYTES, STRUCTURES, VOCAB_SIZE
from filters.commoncrawl.normalize import LanguageModelNormalizer, check_join_lines
from pipeline.storage.ownership import check_apart, claim_folder

COMMAND = "filters.perplexity"
CHARACTER_COVERAGE = 0.9995  # CCNet, Makefile
# SentencePiece adds up float32 counts per thread, so the number of threads is part of the recipe, not of the machine.
SENTENCEPIECE_THREADS = 16
LONGEST_LINE = 1 << 30  # the largest that SentencePiece allows
ORDERS = range(2, 7)  # what KenLM is compiled for


@dataclass(frozen=True)
class TrainingOptions:
    """Settings of one training.

    Attributes:
        language: names the files: ``<language>.sp.model``, ``<language>.arpa.bin``, ``<language>.lm.json``.
        documents: how many articles are read, in the order of the inputs.
        opening_characters: 0 for whole articles; else the leading lines of an article until they reach this many
            characters (at least one line).
        join_lines: what becomes of newlines, ``fuse`` or ``space``.
        vocab_size: number of SentencePiece pieces.
        soft_vocab_limit: take fewer pieces where the text does not support ``vocab_size``, in place of an error.
        sentencepiece_bytes: SentencePiece learns from a sample of about this many bytes of normalised text.
        order: order of the n-gram model, 2 to 6.
        prune: ``lmplz --prune``: per order, n-grams seen this often or less are dropped. Empty: none.
        structure: ``probing``, ``trie`` or ``trie-quantized``.
        memory: sorting memory of ``lmplz``, such as ``4G`` or ``50%``.
    """

    language: str
    documents: int = DOCUMENTS
    opening_characters: int = 0
    join_lines: str = "space"
    vocab_size: int = VOCAB_SIZE
    soft_vocab_limit: bool = False
    sentencepiece_bytes: int = SENTENCEPIECE_BYTES
    order: int = ORDER
    prune: tuple[int, ...] = ()
    structure: str = "probing"
    memory: str = field(default="4G", metadata={"changes_output": False})

    def __post_init__(self) -> None:
        check_join_lines(self.join_lines)
        if not self.language or not self.language.replace("-", "").replace("_", "").isalnum():
            raise ValueError(f"language must be a code such as en, not {self.language!r}")
        for key in ("documents", "vocab_size", "sentencepiece_bytes"):
            if getattr(self, key) < 1:
                raise ValueError(f"{key} must be 1 or more, not {getattr(self, key)}")
        if self.opening_characters < 0:
            raise ValueError(f"opening_characters must be 0 or more, not {self.opening_characters}")
        if self.order not in ORDERS:
            raise ValueError(f"order must be {ORDERS.start} to {ORDERS.stop - 1}, not {self.order}")
        if len(self.prune) > self.order or list(self.prune) != sorted(self.prune) or min((*self.prune, 0)) < 0:
            raise ValueError(f"prune must be at most {self.order} counts that do not fall, not {self.prune}")
        if self.structure not in STRUCTURES:
            raise ValueError(f"structure must be one of {', '.join(STRUCTURES)}, not {self.structure!r}")


@dataclass(frozen=True)
class TrainedModels:
    """What :func:`train` wrote.

    Attributes:
        sentencepiece: path of the SentencePiece model.
        kenlm: path of the KenLM model.
        record: path of the JSON record.
        documents: articles used.
        pieces: pieces that the 5-gram model was estimated from.
        ngrams: number of n-grams per order, from 1 on.
    """

    sentencepiece: Path
    kenlm: Path
    record: Path
    documents: int
    pieces: int
    ngrams: tuple[int, ...]


def train(
    texts: Iterable[str], options: TrainingOptions, output: Path, tools: KenlmTools, inputs: Sequence[Path] = ()
) -> TrainedModels:
    """Trains both models and writes them, and the record of how they came to be.

    Args:
        texts: articles, in a stable order.
        options: the settings.
        output: folder of the results; made if absent. Temporary files of several times the text lie in it meanwhile.
        tools: KenLM's programs.
        inputs: the files that ``texts`` come from, for the record (name, size, SHA-256).

    Raises:
        ValueError: there is no text, or too little for ``vocab_size`` (the message names a size that would do).
        RuntimeError: ``lmplz`` or ``build_binary`` failed.
        UserError: the folder holds what this command did not write, or the inputs.
    """
    check_apart(str(output), map(str, inputs))
    _claim(output, options.language)
    with tempfile.TemporaryDirectory(prefix=f".{options.language}-", dir=output) as folder:
        work = Path(folder)
        documents = write_normalized(texts, options, work / "normalized.txt")
        model = train_sentencepiece(work / "normalized.txt", options)
        (work / "sp.model").write_bytes(model)
        pieces = estimate(work, options, tools)
        ngrams = read_ngram_counts(work / "arpa")
        build_binary(work, options, tools)
        counts = {"documents": documents, "pieces": pieces, "ngrams": list(ngrams)}
        return TrainedModels(*_publish(work, output, options, counts, inputs), documents, pieces, ngrams)


def _names(language: str) -> list[str]:
    return [f"{language}.{suffix}" for suffix in ("sp.model", "arpa.bin", "lm.json")]


def _claim(output: Path, language: str) -> None:
    """Makes the folder of the models the command's own; one of a version without records has a record of a model."""

    def earlier(_: str) -> list[str] | None:
        records = sorted(output.glob("*.lm.json"))
        names = [name for record in records for name in _names(record.name.removesuffix(".lm.json"))]
        return [name for name in names if (output / name).exists()] or None

    claim_folder(str(output), COMMAND, earlier).expect(_names(language))


def write_normalized(texts: Iterable[str], options: TrainingOptions, path: Path) -> int:
    """Writes up to ``options.documents`` normalised articles, one a line, and returns how many.

    Articles of which nothing is left are passed over and not counted.

    Raises:
        ValueError: no article is left.
    """
    normalize = LanguageModelNormalizer(options.join_lines)
    openings = (opening(text, options.opening_characters) for text in texts)
    lines = (line for line in map(normalize, openings) if line and not line.isspace())
    documents = 0
    with path.open("wb") as file:
        for line in itertools.islice(lines, options.documents):
            file.write(line.encode("utf-8", "replace") + b"\n")
            documents += 1
    if not documents:
        raise ValueError("the inputs hold no text to train on")
    return documents


def opening(text: str, characters: int) -> str:
    """Returns the leading lines of ``text`` until they reach ``characters`` characters; all of it for 0."""
    if not characters or len(text) <= characters:
        return text
    text = text.strip()
    end = text.find("\n", characters)
    return text if end < 0 else text[:end]


def train_sentencepiece(normalized: Path, options: TrainingOptions) -> bytes:
    """Returns the bytes of a SentencePiece unigram model.

    Raises:
        ValueError: the text is too little for ``options.vocab_size`` pieces.
    """
    model = io.BytesIO()
    share = min(1.0, options.sentencepiece_bytes / normalized.stat().st_size)
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_sample(normalized, share),
            model_writer=model,
            model_type="unigram",
            vocab_size=options.vocab_size,
            hard_vocab_limit=not options.soft_vocab_limit,
            character_coverage=CHARACTER_COVERAGE,
            max_sentence_length=LONGEST_LINE,
            num_threads=SENTENCEPIECE_THREADS,
            minloglevel=1,
        )
    except (RuntimeError, OSError) as error:
        raise ValueError(
            f"SentencePiece cannot learn {options.vocab_size} pieces from this text: {str(error).strip()} "
            "Give more text, a smaller --vocab-size, or --soft-vocab-limit."
        ) from error
    return model.getvalue()


def _sample(normalized: Path, share: float) -> Iterator[str]:
    """Yields a share of the lines, chosen by a hash of their number: the same ones in every run."""
    limit = int(share * (1 << 64))
    with normalized.open("rb") as file:
        for number, line in enumerate(file):
            key = hashlib.blake2b(number.to_bytes(8, "little"), digest_size=8).digest()
            if int.from_bytes(key, "little") < limit:
                yield line.rstrip(b"\n").decode("utf-8")


def estimate(work: Path, options: TrainingOptions, tools: KenlmTools) -> int:
    """Runs ``lmplz`` over the pieces of ``normalized.txt``, writes ``arpa``, and returns the number of pieces.

    Raises:
        RuntimeError: ``lmplz`` failed; the message holds the end of its log.
    """
    command = [str(tools.lmplz), "-o", str(options.order), "-S", options.memory, "-T", f"{work}/"]
    # A piece that reads <s>, </s> or <unk> cannot be told from the model's own marks; lmplz would stop at the first.
    command += ["--vocab_estimate", str(options.vocab_size), "--skip_symbols", "--arpa", str(work / "arpa")]
    if options.prune:
        command += ["--prune", *map(str, options.prune)]
    command += ["--discount_fallback"]
    log = work / "lmplz.log"
    pieces = 0
    with log.open("wb") as log_file:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log_file, stderr=log_file)
        # If the pipe breaks, lmplz has stopped by itself, and its status and log say why.
        with contextlib.suppress(BrokenPipeError), process:
            assert process.stdin is not None
            pieces = _write_pieces(work, process.stdin)
    _check(process.returncode, "lmplz", log)
    return pieces


def _write_pieces(work: Path, sink: IO[bytes]) -> int:
    processor = sentencepiece.SentencePieceProcessor(model_file=str(work / "sp.model"))
    pieces = 0
    with (work / "normalized.txt").open("rb") as lines:
        for line in lines:
            encoded = processor.encode_as_pieces(line.rstrip(b"\n").decode("utf-8"))
            pieces += len(encoded)
            sink.write(" ".join(encoded).encode("utf-8") + b"\n")
    return pieces


def read_ngram_counts(arpa: Path) -> tuple[int, ...]:
    r"""Returns the n-gram counts of an ARPA file's header (``\data\``, then ``ngram 1=...``)."""
    with arpa.open("rb") as file:
        header = itertools.islice(file, 2 * ORDERS.stop)
        return tuple(int(line.partition(b"=")[2]) for line in header if line.startswith(b"ngram "))


def build_binary(work: Path, options: TrainingOptions, tools: KenlmTools) -> None:
    """Turns ``arpa`` into ``arpa.bin``, KenLM's mapped format.

    Raises:
        RuntimeError: ``build_binary`` failed.
    """
    structure = STRUCTURES[options.structure]
    command = [str(tools.build_binary), "-S", options.memory, "-T", f"{work}/", *structure]
    log = work / "build_binary.log"
    with log.open("wb") as log_file:
        done = subprocess.run(
            [*command, str(work / "arpa"), str(work / "arpa.bin")], stdout=log_file, stderr=log_file, check=False
        )
    _check(done.returncode, "build_binary", log)


def _check(status: int, program: str, log: Path) -> None:
    if status:
        tail = log.read_text(encoding="utf-8", errors="replace").strip()[-1500:]
        raise RuntimeError(f"{program} failed with status {status}; the end of its log:\n{tail}")


def _publish(
    work: Path, output: Path, options: TrainingOptions, counts: dict[str, Any], inputs: Sequence[Path]
) -> tuple[Path, Path, Path]:
    """Moves the results to their names; the record goes last, so where it is, all is."""
    names = _names(options.language)
    settings = {
        entry.name: getattr(options, entry.name)
        for entry in dataclasses.fields(options)
        if entry.metadata.get("changes_output", True)
    }
    record = {
        "settings": settings,
        "counts": counts,
        "inputs": [describe_file(path, path.name) for path in inputs],
        "outputs": [describe_file(work / "sp.model", names[0]), describe_file(work / "arpa.bin", names[1])],
        "versions": {"sentencepiece": sentencepiece.__version__, "kenlm": KENLM_VERSION},
    }
    (work / "lm.json").write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    for made, name in zip(("sp.model", "arpa.bin", "lm.json"), names, strict=True):
        os.replace(work / made, output / name)
    return output / names[0], output / names[1], output / names[2]


def describe_file(path: Path, name: str) -> dict[str, Any]:
    """Returns a file's name, size in bytes and SHA-256, for a record."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return {"name": name, "bytes": path.stat().st_size, "sha256": digest.hexdigest()}
