"""What one edition calls languages and countries, and how it writes what its templates show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from filters.wikitext.options import DEFAULT_OPTIONS, Options


@dataclass(frozen=True)
class Edition:
    """One edition, as far as its rules must know it.

    Attributes:
        language: code of the edition.
        options: what is written of labels and attributions.
        languages: the edition's names of languages, by code.
        label: how a text is labelled with its language, ``{language}: {text}``; empty where it never is.
        countries: the edition's names of countries, by code of three letters (ISO 3166, and those of sports).
        scales: words for 10³, 10⁶, 10⁹, ...
        range_words: words between two values of a measure.
    """

    language: str
    options: Options = DEFAULT_OPTIONS
    languages: Mapping[str, str] = field(default_factory=dict)
    label: str = ""
    countries: Mapping[str, str] = field(default_factory=dict)
    scales: tuple[str, ...] = ()
    range_words: Mapping[str, str] = field(default_factory=dict)

    def country(self, code: str) -> str:
        """Returns the name of a country that is given by its code; any other text as it is."""
        return self.countries.get(code, code)

    def labelled(self, code: str, text: str) -> str:
        """Returns a text with the name of its language, where labels are asked for and the name is known."""
        name = self.languages.get(code.lower())
        if not text or not name or not self.label or not self.options.language_labels:
            return text
        return self.label.replace("{language}", name).replace("{text}", text)
