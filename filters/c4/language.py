"""C4's language identification: langdetect with a fixed seed.

Reference: TensorFlow Datasets ``text/c4_utils.py`` (``detect_english``). langdetect draws n-grams of a text by chance;
the seed makes its answer a function of the text.
"""

from __future__ import annotations

from langdetect import DetectorFactory, LangDetectException  # type: ignore[import-untyped]
from langdetect.detector_factory import PROFILES_DIRECTORY  # type: ignore[import-untyped]

SEED = 0
MIN_PROBABILITY = 0.99  # c4_utils.detect_english


class Langdetect:
    """langdetect with profiles of its own, so that no other user of the library in the process meets the seed."""

    def __init__(self) -> None:
        self._factory = DetectorFactory()
        self._factory.load_profile(PROFILES_DIRECTORY)
        self._factory.seed = SEED

    @property
    def languages(self) -> list[str]:
        """The codes of the languages that there are profiles of."""
        return list(self._factory.get_lang_list())

    def identify(self, text: str) -> tuple[str, float]:
        """The most probable language of a text and its probability.

        Raises:
            ValueError: The text holds nothing to tell a language by; or nothing was found likely.
        """
        detector = self._factory.create()
        detector.append(text)
        try:
            found = detector.get_probabilities()
        except LangDetectException as error:
            raise ValueError("langdetect_exception") from error
        if not found:
            raise ValueError("no_predictions")
        return str(found[0].lang), float(found[0].prob)
