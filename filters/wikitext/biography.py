"""The rule of ``{{Bio}}`` of the Italian edition, which writes the first sentence of the articles about people.

Source: Template:Bio of that edition, and its documentation. ``{{Bio|Nome=Ada|Cognome=Neri|Sesso=F|LuogoNascita=Roma|
AnnoNascita=1870|Attività=poetessa|Nazionalità=italiana}}`` is ``Ada Neri (Roma, 1870) è una poetessa italiana.``
"""

from __future__ import annotations

import re

from filters.wikitext.rules import Arguments

_UNO = re.compile(r"(?:[xyz]|gn|p[ns]|s[^aeiouàèéìòùh])", re.IGNORECASE)
_VOWEL = re.compile(r"[aeiouàèéìòù]", re.IGNORECASE)
_FIRST_DAY = re.compile(r"^1(?= )")
_LIVING = 1900  # whose century (Epoca) is an earlier one has died, though it is not said when
_UNKNOWN = frozenset(("?", "..."))
_LINK = re.compile(r"^\[\[(?:[^\[\]|]*\|)?")


def italian_biography(arguments: Arguments) -> str:
    """Writes the sentence: the name, when and where the person was born and died, and what she or he was."""
    first = arguments.first
    name = " ".join(part for part in (first("titolo"), first("nome"), first("cognome")) if part)
    if not name:
        return ""
    name = _attached(name, first("postcognome"))
    epoch = first("epoca")
    is_dead = any(map(first, ("annomorte", "giornomesemorte", "luogomorte", "luogomortealt"))) or (
        epoch.isdecimal() and int(epoch[:6]) < _LIVING
    )
    born, died = _place_and_day(arguments, "nascita"), _place_and_day(arguments, "morte")
    life = " – ".join([born or "...", died or "..."]) if is_dead else born
    inside = "; ".join(part for part in (first("predata").strip(" ;,"), life) if part)
    sentence = f"{name} ({inside})" if inside else name
    sentence = _attached(sentence, first("fineincipit") or _what(arguments, is_dead))
    return sentence if first("punto").lower() == "no" or sentence.endswith(".") else f"{sentence}."


def _place_and_day(arguments: Arguments, event: str) -> str:
    """Writes ``Roma, 1º gennaio 1870``, as far as it is known."""
    place = arguments.first(f"luogo{event}alt", f"luogo{event}")
    day = _FIRST_DAY.sub("1º", arguments.first(f"giornomese{event}"))
    date = " ".join(part for part in (day, arguments.first(f"anno{event}")) if part and part not in _UNKNOWN)
    return ", ".join(part for part in (place, date) if part)


def _what(arguments: Arguments, is_dead: bool) -> str:
    """Writes ``è stata una poetessa e attrice italiana``."""
    first = arguments.first
    is_woman = first("sesso").upper() == "F"
    trades = [trade for key in ("attività", "attività2", "attività3") if (trade := first(key))]
    others = first("attivitàaltre")
    work = ", ".join(trades) if others or len(trades) < 2 else f"{', '.join(trades[:-1])} e {trades[-1]}"
    work = _attached(" ".join(part for part in (first("preattività"), work) if part), others)
    work = " ".join(part for part in (work, first("nazionalità")) if part)
    if citizen := first("nazionalitànaturalizzato"):
        work += f" naturalizzat{'a' if is_woman else 'o'} {citizen}"
    if not work:
        return ""
    verb = f"è stat{'a' if is_woman else 'o'}" if is_dead else "è"
    return _attached(f"{verb} {_article(work, is_woman)}{work}", first("postnazionalità"))


def _article(word: str, is_woman: bool) -> str:
    bare = _LINK.sub("", word)
    if is_woman:
        return "un'" if _VOWEL.match(bare) else "una "
    return "uno " if _UNO.match(bare) else "un "


def _attached(text: str, rest: str) -> str:
    """Joins two texts by a space, but before a mark."""
    return text + rest if not rest or rest[0] in ",;:.)" else f"{text} {rest}"
