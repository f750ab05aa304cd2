"""Perplexity of a document under a language model of Wikipedia: how CCNet tells prose from the rest.

Reference: cc_net ``perplexity.py`` (``MultiSentencePiece``, ``DocLM``, ``PerplexityBucket``). ``python -m
filters.perplexity`` trains the models and finds the cut-offs.
"""

import math
import sys
from collections.abc import Mapping
from types import MappingProxyType

import kenlm
import sentencepiece

from filters.normalize import LanguageModelNormalizer

# CCNet's published cut-offs (cutoff.csv, percentiles 30 and 60): head below the first, middle below the second.
CCNET_CUTOFFS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "bg": (450.0, 680.0), "ca": (210.0, 330.0), "cs": (820.0, 1140.0), "da": (380.0, 600.0), "de": (370.0, 590.0),
        "en": (340.0, 520.0), "es": (180.0, 290.0), "fr": (180.0, 330.0), "hr": (720.0, 910.0), "hu": (80.0, 140.0),
        "it": (220.0, 360.0), "nl": (430.0, 650.0), "pl": (160.0, 260.0), "pt": (170.0, 270.0), "ro": (180.0, 270.0),
        "ru": (210.0, 310.0), "uk": (140.0, 220.0),
    }
)  # fmt: skip
KENLM_MAGIC = b"mmap lm http://kheafield.com/code"  # lm/binary_format.cc
ARPA_START = b"\\data\\"
HEAD_BYTES = 1 << 16
MAX_LOG10 = 300.0  # keeps 10 ** x finite; no text comes near it


class PerplexityModel:
    """A SentencePiece model and a KenLM model over its pieces, for one language.

    The document is normalised to one line, cut into pieces, and scored with begin and end of sentence.

    Memory: the two models; KenLM's binary files are mapped, so that all processes of a machine share one copy.

    Args:
        sentencepiece_path: A SentencePiece model.
        kenlm_path: A KenLM model, binary or ARPA.
        join_lines: ``fuse`` words across line ends, as CCNet does, or put a ``space`` between them.

    Raises:
        ValueError: A file is missing or damaged, or ``join_lines`` is neither.
    """

    def __init__(self, sentencepiece_path: str, kenlm_path: str, *, join_lines: str = "fuse") -> None:
        self._normalize = LanguageModelNormalizer(join_lines)
        try:
            processor = sentencepiece.SentencePieceProcessor(model_file=sentencepiece_path)
        except (OSError, RuntimeError) as error:
            raise ValueError(f"{sentencepiece_path} is no SentencePiece model: {error}") from error
        self._processor = processor
        self._model = _load_kenlm(kenlm_path)

    def perplexity(self, text: str) -> float | None:
        """The perplexity of a document.

        Args:
            text: A document of any number of lines, without lone surrogates.

        Returns:
            ``10 ** (-log10 score / (pieces + 1))``, rounded to one decimal as in CCNet; None where nothing is left
            of the text after normalisation.
        """
        pieces = self._processor.encode_as_pieces(self._normalize(text))
        if not pieces:
            return None
        score: float = self._model.score(" ".join(pieces), bos=True, eos=True)
        return round(math.pow(10.0, min(-score / (len(pieces) + 1), MAX_LOG10)), 1)


def _load_kenlm(path: str) -> kenlm.Model:
    """Loads a model, mapped: what no text asks for is never read.

    Raises:
        ValueError: The file is missing, cut short, or neither a binary model nor an ARPA file.
    """
    config = kenlm.Config()
    config.show_progress = False
    config.load_method = kenlm.LoadMethod.LAZY
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD_BYTES)
        if not head.startswith(KENLM_MAGIC) and ARPA_START not in head:
            raise ValueError("it begins like neither a binary model nor an ARPA file")
        return kenlm.Model(path, config)
    except (OSError, RuntimeError, ValueError) as error:
        raise ValueError(f"{path} is no KenLM model: {error}") from error


def bucket(perplexity: float, language: str, cutoffs: Mapping[str, tuple[float, float]]) -> str:
    """CCNet's bucket of a document.

    Returns:
        ``head`` below the language's first cut-off, ``middle`` below its second, else ``tail``; ``all`` for a
        language without cut-offs.
    """
    if language not in cutoffs:
        return "all"
    head, middle = cutoffs[language]
    if perplexity < head:
        return "head"
    return "middle" if perplexity < middle else "tail"


if __name__ == "__main__":
    from filters.lm_cli import main

    sys.exit(main())
