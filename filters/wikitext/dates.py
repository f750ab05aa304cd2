"""Rules of date templates."""

from __future__ import annotations

from filters.wikitext.languages import LANGUAGES
from filters.wikitext.rules import Arguments


def month_name(month: str, language: str) -> str:
    """Returns the name of a month given by number; other text stays as it is."""
    names = LANGUAGES[language].months.split("|") if language in LANGUAGES else []
    if month.isdecimal() and len(names) == 12 and 1 <= int(month[:3]) <= 12:
        return names[int(month) - 1]
    return month


def write_date(year: str, month: str, day: str, language: str, day_first: bool) -> str:
    """Writes a date as the language does; missing parts are left out, a month given as a number gets its name."""
    day = day.lstrip("0") if day.isdecimal() else day
    name = month_name(month, language)
    if not name:
        return year
    if language == "en" and not day_first:
        return f"{name} {day}, {year}" if day else f"{name} {year}".strip()
    if language == "hu":
        return " ".join(part for part in (f"{year}." if year else "", name, f"{day}." if day else "") if part)
    if language == "fr" and day == "1":
        day = "1er"
    if language in ("es", "pt", "ca"):
        link = " de "
        return link.join(part for part in (day, name, year) if part)
    point = "." if language in ("de", "cs", "da", "hr", "sl", "sr") and day.isdecimal() else ""
    return " ".join(part for part in (day + point if day else "", name, year) if part)


def year_month_day(arguments: Arguments) -> str:
    """``{{birth date|1788|2|22|df=y}}``: year, month, day; what follows them (an age, an end) goes."""
    values = arguments.positional()[:3]
    year, month, day = [*values, "", "", ""][:3]
    if not year.isdecimal():  # a date in words: {{start-date|July 16, 1969}}
        return year
    return write_date(year, month, day, arguments.language, arguments.first("df").lower() in ("y", "yes"))


def day_month_year(arguments: Arguments) -> str:
    """``{{date|19|janvier|1920|en philosophie}}``, ``{{date|19 janvier 1920}}``: day, month, year; a subject goes."""
    day, month, year = [*(arguments.values.get(str(number), "").strip() for number in (1, 2, 3))]
    if not month and not year:
        words = day.split()
        if len(words) != 3 or not words[0].isdecimal():
            return day
        day, month, year = words
    return write_date(year, month, day, arguments.language, day_first=True)


def as_of(arguments: Arguments) -> str:
    """``{{as of|2019|6}}``: the words of the English edition, with ``lc``, ``since``, ``bare``, ``alt``, ``post``."""
    if alternative := arguments.first("alt"):
        return alternative + arguments.first("post")
    values = arguments.positional()[:3]
    year, month, day = [*values, "", "", ""][:3]
    day_first = arguments.first("df").lower() != "us"
    date = write_date(year, month, day, arguments.language, day_first) if year.isdecimal() else year
    if not date:
        return ""
    words = "since" if arguments.first("since") else "as of"
    words = words if arguments.first("lc") else words.capitalize()
    return (date if arguments.first("bare") else f"{words} {date}") + arguments.first("post")


def written_date(arguments: Arguments) -> str:
    """A date in whatever order: three numbers with the year first or last, or words as they are."""
    values = arguments.positional()[:3]
    if len(values) == 3 and all(value.isdecimal() for value in values):
        is_year_first = len(values[0]) > 2
        year, day = (values[0], values[2]) if is_year_first else (values[2], values[0])
        return write_date(year, values[1], day, arguments.language, day_first=True)
    return " ".join(values)


def old_style_date(arguments: Arguments) -> str:
    """``{{OldStyleDate|2 February|1905|20 January}}``: the date and, in brackets, the one of the old calendar."""
    date = " ".join(value for number in "12" if (value := arguments.first(number)))
    old = arguments.first("3")
    return f"{date} [O.S. {old}]" if old else date
