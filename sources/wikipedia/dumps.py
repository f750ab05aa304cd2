"""Wikimedia's dumps by language and date: at their publisher while it keeps them, else in the Internet Archive."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from filters.wikitext.languages import LANGUAGES
from pipeline.errors import InputError
from pipeline.storage.fetch import cached, fetch
from pipeline.storage.fetch_errors import FetchError
from pipeline.storage.filesystem import InputFile
from sources.wikipedia.addresses import ARCHIVE, DUMPS, LLAMA
from sources.wikipedia.head import database_of
from sources.wikipedia.plan import Say
from sources.wikipedia.recipe import unknown_language


def languages_of(text: str) -> list[str]:
    """Reads a list such as ``en,de``; ``llama20`` stands for the twenty languages of the paper.

    Raises:
        InputError: An entry is no language's code.
    """
    found: dict[str, None] = {}
    for code in (part.strip() for part in text.split(",")):
        if code == LLAMA:
            found.update(dict.fromkeys(LANGUAGES))
        elif fault := unknown_language(code):
            raise InputError(f"--lang: {fault}; give codes of Wikipedias, such as en,de,fr, or {LLAMA}")
        else:
            found[code] = None
    return list(found)


def fetch_dumps(
    languages: Sequence[str], date: str, cache: Path, say: Say, *, dumps: str = DUMPS, archive: str = ARCHIVE
) -> list[InputFile]:
    """Fetches the multistream dumps of languages into the cache.

    Args:
        languages: Codes of Wikipedias.
        date: The dumps' date, YYYYMMDD.
        cache: The cache folder.
        say: Told what is fetched.
        dumps: Address of the publisher's server.
        archive: Address of the archive's items.

    Returns:
        The dumps, by the address that had them; their indexes lie beside them there.

    Raises:
        InputError: The date is none, or neither place gives a dump.
    """
    if not re.fullmatch(r"20\d{6}", date):
        raise InputError(f"--date must be a dump's date, such as 20220701, it is {date!r}")
    return [_fetch_one(code, date, cache, say, (dumps, archive)) for code in languages]


def _fetch_one(language: str, date: str, cache: Path, say: Say, places: tuple[str, str]) -> InputFile:
    wiki = database_of(language)
    name = f"{wiki}-{date}-pages-articles-multistream.xml.bz2"
    publisher, archive = (place.rstrip("/") for place in places)
    urls = (f"{publisher}/{wiki}/{date}/{name}", f"{archive}/{wiki}-{date}/{name}")
    there = next((url for url in urls if cached(url, cache)), None)
    if there is not None:  # whichever place had it before: the address is part of what identifies an input
        return InputFile(there, -1)
    refusals: list[FetchError] = []
    for url in urls:
        say(f"fetching {url} into {cache}")
        try:
            fetch(url, cache)
        except FetchError as error:
            refusals.append(error)
            say(f"it cannot be had there: {error}")
            continue
        return InputFile(url, -1)
    if all(error.status is None for error in refusals):
        raise InputError(
            f"no server that has dumps answers. Mend the network, or fetch {name} and its index elsewhere and give "
            "the dump as --input"
        )
    raise InputError(
        f"there is no dump of {wiki} of {date} to be had. Dumps are of the 1st and the 20th of a month; "
        f"{publisher}/{wiki}/ lists those that the publisher still has. " + " ".join(map(str, refusals))
    )
