"""Language identification, as CCNet does it with fastText's lid.176 model.

Source: CCNet, ``cc_net/split_by_lang.py`` (``predict``, ``Classifier``); the LLaMA paper, section 2.1.
"""

from collections.abc import Sequence

from filters.fasttext.classifier import CACHE_WORDS, LinearTextClassifier

# CCNet keeps a page whose score, rounded to two decimals, reaches 0.5 (``cc_net/mine.py``, ``lang_threshold``).
SCORE_DECIMALS = 2
DEFAULT_THRESHOLD = 0.5
LABEL_PREFIX = "__label__"


class LanguageIdentifier:
    """Names the language of pages with a fastText model (``lid.176.bin``, ``lid.176.ftz``).

    Memory: that of :class:`filters.fasttext.classifier.LinearTextClassifier`, about 37 MB beside the library's own for
    lid.176.ftz.

    Args:
        path: A local model file.
        cache_words: How many words beside the vocabulary to keep in memory.

    Raises:
        ValueError: The file is missing, damaged, or no supervised fastText model.

    Attributes:
        classifier: The model; it counts the texts, and those that the library was asked about.
        languages: The codes of the languages that the model knows.
    """

    def __init__(self, path: str, *, cache_words: int = CACHE_WORDS) -> None:
        self.classifier = LinearTextClassifier(path, cache_words=cache_words, decimals=SCORE_DECIMALS)
        self.languages = [label.removeprefix(LABEL_PREFIX) for label in self.classifier.labels]

    def identify(self, texts: Sequence[str]) -> list[tuple[str, float]]:
        r"""The language of each page.

        The newlines of a page are deleted, not replaced: words at line ends fuse, and CCNet's scores with them.

        Args:
            texts: Pages of any length and number of lines. The more at a time, the less time each takes.

        Returns:
            (code of the most probable language such as ``en``, its score rounded to two decimals) per page. The
            score is always what Python's ``round`` makes of fastText's probability. Where fastText predicts nothing,
            which no lid.176 model does, the pair is ("", 0.0).
        """
        labels, scores = self.classifier.predict(
            [text.encode("utf-8", "replace").replace(b"\n", b"") for text in texts]
        )
        pairs = zip(labels.tolist(), scores.tolist(), strict=True)
        return [("" if label < 0 else self.languages[label], score) for label, score in pairs]


def keep_language(language: str, score: float, wanted: frozenset[str], threshold: float) -> str | None:
    """Decides whether a page stays.

    Args:
        language: Its language, from :meth:`LanguageIdentifier.identify`.
        score: Its score, likewise.
        wanted: The languages asked for.
        threshold: The least score that stays.

    Returns:
        None to keep the page; "language" where it is in another language, whatever the score; "low_score" where its
        language is not certain enough.
    """
    if language not in wanted:
        return "language"
    return None if score >= threshold else "low_score"
