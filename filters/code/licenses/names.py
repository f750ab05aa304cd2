"""Which files hold a licence, by their names."""

from __future__ import annotations

import re

MAX_LICENSE_BYTES = 128 << 10  # the GPL has 35 KB; what is larger lists the licences of many parts
# GitHub's licensee looks for these, too.
_LICENSE_FILE = re.compile(
    r"(?:un)?licen[cs]es?(?:[-_.].*)?|copying(?:[-_.].*)?|.*[-_.]licen[cs]e(?:\.(?:txt|md|rst|html))?", re.I
)
_OF_OTHERS = re.compile(r"3rd|third|part(?:y|ies)|bundled|vendor|depend|font|docs?\b|documentation|notice|header", re.I)
_NO_TEXT = re.compile(r".*\.(?:py|js|ts|c|h|go|rs|rb|java|json|ya?ml|toml|sh|spdx|sig|asc|png|svg|gz|zip|xz|bz2)", re.I)
# REUSE: what is declared for a file that cannot say it itself, in a file beside it.
_SIDECAR = re.compile(r"(?P<of>.+\.\w{1,10})\.license")
_FOLDERS = frozenset({"LICENSE", "LICENCE", "COPYING"})  # in lower case it may be a package of code
TEXTS_FOLDER = "LICENSES"  # REUSE's folder of licence texts
_WHICH = (
    r"(?:mit|expat|apache|bsd|[al]?gpl(?:v?\d)?|lesser|lib|mpl|isc|zlib|cc0?|by|nc|nd|sa|boost|bsl|clause|new|psf|python|wtfpl"
    r"|unlicense|ofl|v?\d)"
)
_DOCUMENT = re.compile(
    rf"(?:.*[-_.])?(?:(?:un)?licen[cs]es?|copying|copyright|notices?)(?:[-_.]{_WHICH})*"
    r"\.(?:md|markdown|mkd|html?|xhtml|rst|txt|tex|xml|adoc|pod)",
    re.I,
)
# In a folder: its licence, or with another word before it that of what has the word for a name (dragon4_LICENSE.txt).
_OF_FOLDER = re.compile(
    rf"(?:{_WHICH}[-_.])?(?:(?:un)?licen[cs]es?|copying)(?:[-_.]{_WHICH})*(?:\.(?:txt|md|rst|html))?", re.I
)
_OF_PREFIX = re.compile(r"(?P<of>[^-_.].*?)[-_.](?:licen[cs]es?|copying)(?:\.(?:txt|md|rst|html))?", re.I)


def is_license_file(name: str) -> bool:
    """Whether a file holds the licence of the folder that it is in, by its name."""
    if not _LICENSE_FILE.fullmatch(name) or _NO_TEXT.fullmatch(name) or _SIDECAR.fullmatch(name):
        return False
    return not _OF_OTHERS.search(name)


def is_license_of_folder(name: str) -> bool:
    """Whether a file below the root holds the licence of its folder: names are stricter there, since so many are."""
    return bool(_OF_FOLDER.fullmatch(name))


def licensed_prefix(name: str) -> str | None:
    """How the names of the files begin that a file in their folder holds the licence of, in lower case."""
    found = _OF_PREFIX.fullmatch(name)
    return found["of"].lower() if found and not is_license_of_folder(name) else None


def is_license_folder(name: str) -> bool:
    """Whether a folder holds the licence of the folder that it is in: ``LICENSE/MIT.txt``."""
    return name in _FOLDERS


def is_license_document(path: str) -> bool:
    """Whether a file is a licence or a notice and nothing else, by its path: ``LICENSE.md``, ``docs/COPYING.html``."""
    folder, _, name = path.rpartition("/")
    return bool(_DOCUMENT.fullmatch(name)) or folder.rpartition("/")[2] == TEXTS_FOLDER


def sidecar_of(path: str) -> str | None:
    """The file that a file of REUSE's kind declares the licence of: ``a.py`` for ``a.py.license``."""
    found = _SIDECAR.fullmatch(path)
    return found["of"] if found else None
