"""What a template that keeps text makes of its arguments: the arguments, and the kinds of rule that any edition uses.

No rule repeats an argument, so that nested templates cannot make a page grow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from filters.wikitext.marks import GAP, HOLE
from filters.wikitext.names import words

_BLANK = " \t\n" + GAP  # what is left of a comment in an argument is blank, too
_CONTEXT = 40  # characters on either side of a template that a rule may look at


class Arguments(NamedTuple):
    """The arguments of one template call.

    Attributes:
        name: what stands before the first pipe.
        values: text of each argument; positional ones under ``"1"``, ``"2"``, ...; names are lower-case.
        language: code of the edition.
        parts: the call split at its pipes, with nothing taken off.
        page: the text that the call stands in.
        start: where in it the call begins.
        end: where in it the text goes on.
        title: the title of the page.
    """

    name: str
    values: Mapping[str, str]
    language: str
    parts: tuple[str, ...]
    page: str = ""
    start: int = 0
    end: int = 0
    title: str = ""

    def first(self, *names: str) -> str:
        """Returns the first of these arguments that is not blank, without outer spaces; else nothing."""
        for name in names:
            if value := self.values.get(name, "").strip(_BLANK):
                return value
        return ""

    def positional(self, start: int = 1) -> list[str]:
        """Returns the positional arguments that are not blank, from number ``start`` on."""
        numbers = sorted(int(name) for name in self.values if name.isdecimal() and len(name) < 4)
        values = (self.values[str(number)].strip(_BLANK) for number in numbers if number >= start)
        return [value for value in values if value]

    def before(self) -> str:
        """Returns the characters before the call, up to the start of its line."""
        return self.page[max(0, self.start - _CONTEXT) : self.start].rpartition("\n")[2]

    def after(self) -> str:
        """Returns the characters after the call, up to the end of its line."""
        return self.page[self.end : self.end + _CONTEXT].partition("\n")[0]


Rule = Callable[[Arguments], str]


def keep(*names: str, before: str = "", after: str = "") -> Rule:
    """Keeps the first of these arguments that is not blank, between two fixed texts."""

    def rule(arguments: Arguments) -> str:
        value = arguments.first(*names)
        return before + value + after if value else ""

    return rule


def keep_spaced(arguments: Arguments) -> str:
    """Keeps the first argument with its outer spaces, which matter inside a word or sentence."""
    return arguments.values.get("1", "")


def keep_name(arguments: Arguments) -> str:
    """Keeps the template's own name, and its positional arguments: ``{{84e|Congrès}}``."""
    return " ".join([arguments.name, *arguments.positional()])


def hole(arguments: Arguments) -> str:
    """Stands for what cannot be told from the page alone, and the sentence cannot do without."""
    return HOLE


def fixed(text: str) -> Rule:
    """Stands for the same text whatever the arguments."""
    return lambda arguments: text


def joined(separator: str, start: int = 1) -> Rule:
    """Joins the positional arguments from number ``start`` on."""
    return lambda arguments: separator.join(arguments.positional(start))


def last(arguments: Arguments) -> str:
    """Keeps the last positional argument."""
    values = arguments.positional()
    return values[-1] if values else ""


def last_after_first(arguments: Arguments) -> str:
    """Keeps the last positional argument if there are two: the first is a code, a colour or a size."""
    values = arguments.positional(2)
    return values[-1] if values else arguments.first("text", "texte")


def item_list(arguments: Arguments) -> str:
    """Turns positional arguments into list items."""
    return "".join(f"\n* {value}" for value in arguments.positional())


def block(*names: str) -> Rule:
    """Keeps an argument as lines of its own."""

    def rule(arguments: Arguments) -> str:
        value = arguments.first(*names)
        return f"\n{value}\n" if value else ""

    return rule


def with_details(arguments: Arguments) -> str:
    """Keeps the first argument, and the others after it in brackets: ``Name (kanji, romaji)``."""
    head, *details = arguments.positional() or [""]
    details = [detail for detail in details[:3] if detail != head]
    if not head:
        return ", ".join(details)
    return f"{head} ({', '.join(details)})" if details else head


def named_values(*names: str) -> Rule:
    """Joins the named arguments that are there by commas, each once."""
    return lambda arguments: ", ".join(dict.fromkeys(value for name in names if (value := arguments.first(name))))


def fraction(arguments: Arguments) -> str:
    """``{{frac|1|2}}`` is 1/2, ``{{frac|3|1|2}}`` is 3 1/2, ``{{frac|2}}`` is 1/2."""
    values = arguments.positional()[:3]
    if len(values) == 1:
        return f"1/{values[0]}"
    return " ".join([*values[:-2], "/".join(values[-2:])]) if values else ""


def ipa(arguments: Arguments) -> str:
    """``{{IPA|/a/}}``, and ``{{IPA|de|bɛɐ̯ˈliːn|lang|file}}`` with the code of a language first."""
    first, second, *_ = [*arguments.positional()[:2], "", ""]
    return second if second and first.isascii() and first.isalpha() and len(first) <= 3 else first


_IPA_WORDS = words("lang local us uk us,_uk uk,_us also pron ipa small all ausalso usalso ukalso")


def english_ipa(arguments: Arguments) -> str:
    """``{{IPAc-en|ˈ|b|ɜːr|l|ɪ|n}}``: the sounds joined; words that choose an introduction go."""
    sounds = [sound for sound in arguments.positional() if sound.lower() not in _IPA_WORDS]
    text = "".join(sounds).replace("_", " ").strip(" ,")
    return f"/{text}/" if text else ""
