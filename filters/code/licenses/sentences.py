"""What stands in a licence file beside licence texts, sentence by sentence: harmless, or terms of its own.

Most of it is harmless: titles, copyright lines, the name of the project. But "non-commercial use only" behind the MIT
licence, the Commons Clause before Apache's, or "the server is under the AGPL" are no titles. So whatever speaks of
licences, conditions or exceptions must be one of a few forms that say nothing more than the text itself does.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

# Words of terms. What has none of them is no term.
_TERMS = re.compile(
    r"""licen[cs]|restrict|except|exclu[ds]|commercial|permission|permit|prohibit|forbid|allow|\bmust\b|\bshall\b|\bmay\b
    |\bnot\b|\bcannot\b|\bonly\b|\bunless\b|\bprovided\b|\bterms\b|\bconditions?\b|\bclauses?\b|\bpatents?\b|proprietary
    |confidential|public\s+domain|\bagree|subject\s+to|copyleft|\bgpl|\b[al]gpl|governed|covered|\busage\b|\buse\b
    |creative\s+commons|\bcc[- ]by|\bcc0|\bofl\b|\bmpl\b|mozilla\s+public|\bsspl\b|\bbusl?\b|elastic|polyform|eula
    |n['’]t\b|kommerzi|lizenz|licenz|licenci|лиценз|коммерч|许可|授权|商业|商用|ライセンス|라이선스
    |\bwarrant|\bliab|\brequire|\bconsent|military|nuclear|ethic|\bharm|\bevil\b|\brights\b|royalt|\bfees?\b|\bsell|\bfree\b
    |redistribut|sublicen|\bapplies\b|\bapply\b|\bbut\b|apart\s+from|\bha(?:s|ve)\s+to\b|\bneeds?\b|purchas|\bpay(?:s|ment|ing)?\b|\bbuy
    |(?<!no\s)attribution|\bcredit|\bobli|enterprise|\bacademic|\beducational|\bpersonal\s+use|\bresearch\s+(?:use|purpose)|evaluation
    |trademark|derivative|machine[- ]learning|\btrain(?:ing)?\b|written\s+(?:consent|approval)
    |\b(?:nicht|kein\w*|darf|dürfen|nur|ausgenommen|verboten|untersagt|außer|erlaub\w*|frei)\b
    |\b(?:interdi\w+|autoris\w+|sauf|uniquement|seulement|propriété|prohib\w+|salvo|excepto|solamente|únicamente|permitid\w+
    |vietat\w+|consentit\w+|esclus\w+|soltanto|proibid\w+|exceto|somente|apenas)\b
    |запрещ|кроме|только|нельзя|разреш|不得|禁止|仅限|除外|不可|のみ|除く""",
    re.I | re.X,
)
# What restricts, or speaks of a part, or of another licence, wherever it stands.
_HARD = re.compile(
    r"""restrict|except|exclu[ds]|commercial|prohibit|forbid|\bmust\b|\bshall\b|\bnot\b|\bcannot\b|\bonly\b|\bunless\b
    |\bother\b|otherwise|different|addition|\bhowever\b|\bbut\b|\bpatents?\b|proprietary|confidential|\bagree|governed
    |separate|require|consent|\b(?:portions?|parts?|some|files?|folders?|director(?:y|ies)|server|client|frontend|backend
    |core|docs?|documentation|examples?|tests?|data(?:sets?)?|models?|weights|plugins?|fonts?|images?|logos?|icons?
    |trademarks?|names?|third|bundled?|until|after|before)\b""",
    re.I | re.X,
)
_NAME = r"""(?:(?:the\s+)?(?:open[- ]source\s+)?["'“]?
    (?P<{0}>MIT|Expat|X11|(?:new|modified|revised|simplified|[23][- ]clause|two[- ]clause|three[- ]clause)?\s*BSD
    (?:[- ][23](?:[- ]clause)?)?|Apache(?:\s+Software)?(?:[- ]2(?:\.0)?)?)
    (?:[- ]style)?["'”]?(?:\s+(?:software\s+)?licen[cs]es?)?(?:,?\s*\(?(?:version\s*|v\.?\s*)?2(?:\.0)?\)?)?
    (?:\s*\([\w. -]{{0,40}}\))?)"""
_VERB = r"(?:licensed|released|distributed|redistributed|available|published|provided|open[- ]?sourced?)"
_FILE = r"""["'`]?(?:\.?/)?(?:[\w.-]+/)*(?:(?:UN)?LICEN[CS]ES?|COPYING|[\w-]+[-_.]LICEN[CS]E)(?:[-_.]\w+)*["'`]?"""
_FILES = rf"(?:the\s+)?(?:files?\s+)?{_FILE}(?:\s*(?:,|and|or|,\s*and|,\s*or|/)\s*{_FILE}){{0,3}}(?:\s+files?)?"
# "Tide is released under the terms of the MIT license, see below": what it names is checked against the texts.
_REFERENCE = re.compile(
    rf"""(?:(?:this|the|all|our|its|["'\w.-]+)\s+(?:["'\w./()-]+\s+){{0,5}}?(?:is|are|was|has\s+been)\s+)?
    (?:hereby\s+|now\s+|made\s+|free\s+software\s+|open[- ]source\s+(?:software\s+)?)*{_VERB}\s+(?:to\s+you\s+)?
    (?:under|with|by)\s+(?:the\s+)?(?:terms\s+(?:and\s+conditions\s+)?of\s+)?(?:the\s+|an?\s+)?(?:permissive\s+)?
    {_NAME.format("one")}(?:\s*(?:and|or|/|and/or)\s*{_NAME.format("two")})?
    (?:[,;:]?\s*(?:which\s+is\s+)?(?:as\s+)?(?:reproduced|included|see|found|stated|follows|given|below|available|and\s+is)?
    \s*(?:here|below|in\s+full|in\s+{_FILES}|{_FILES}|https?://\S+|\s)*(?:for\s+(?:more\s+)?(?:details|information))?)?""",
    re.I | re.X,
)
_LABEL = re.compile(rf"(?:SPDX-)?licen[cs]e(?:-identifier)?\s*[:=-]\s*{_NAME.format('one')}", re.I | re.X)
# "either of the licenses found in LICENSE.APACHE or LICENSE.BSD": the files that it names are read for themselves.
_POINTER = re.compile(
    rf"""(?:(?:this|the|all|contributions?|["'\w.-]+)\s+(?:["'\w./-]+\s+){{0,4}}?(?:is|are)\s+)?(?:made\s+)?(?:available\s+|{_VERB}\s+)?
    under\s+(?:the\s+)?(?:terms\s+of\s+)?(?:either|any|both|each|one)?\s*(?:of\s+)?(?:the|these|those)?\s*licen[cs]es?
    (?:\s+(?:found|given|stated|included)?\s*in\s+{_FILES})?
    |(?:please\s+)?(?:see|read|refer\s+to)\s+{_FILES}
     (?:\s+for\s+(?:more\s+|full\s+|the\s+)*(?:licen[cs]e|details|information|terms|text)+[\w ]{{0,20}})?
    |contributions?\s+to\s+this\s+software\s+(?:is|are)\s+made\s+under\s+the\s+terms\s+of\s+both\s+(?:of\s+)?these\s+licen[cs]es
    |(?:the\s+)?(?:full\s+)?(?:text\s+of\s+the\s+)?licen[cs]e(?:\s+text)?\s+(?:is|can\s+be)\s+(?:found\s+)?(?:in|reproduced)\s+(?:below|{_FILES})""",
    re.I | re.X,
)
# What stands in a licence's own text, where a copy of it is laid out in another way.
_OWN = re.compile(
    r"(?:appendix\W*)?how\s+to\s+apply\s+(?:the\s+apache\s+license\s+to\s+your\s+work|these\s+terms\s+to\s+your\s+new\s+\w+)"
    r"|(?:(?:please\s+)?(?:see|read)(?:\s+also)?:?\s+)?https?://(?:www\.)?(?:opensource\.org|apache\.org|spdx\.org)/licenses?/[\w.-]*"
    r"(?:\s+for\s+(?:(?:more|further|full|the|licen[cs]e)\s+){0,3}(?:details|information|terms|text))?"
    r"|to\s+apply\s+the\s+apache\s+license\s+to\s+your\s+work,\s+attach\s+the\s+following.{1,300}"
    r"|\(?don't\s+include\s+the\s+brackets!?\)?.{0,10}|.{0,20}the\s+text\s+should\s+be\s+enclosed\s+in.{1,150}"
    r"|we\s+also\s+recommend\s+that\s+a\s+file\s+or\s+class\s+name.{1,250}"
    r"|end\s+of\s+terms\s+and\s+conditions",
    re.I,
)
# Behind the first text: what another text is of. All of them hold, so it says nothing that they do not.
_INTRODUCES = re.compile(
    r".{1,200}(?:,|\b(?:is|are))\s+(?:also\s+)?(?:licensed|distributed|released)\s+"
    r"(?:as(?:\s+follows)?|under\s+the\s+following\s+(?:licen[cs]es?|terms))"
)
_NARROWED = re.compile(
    r"\bonly\b|non-?commercial|except|unless|academic\s+use|\b[al]?gpl|proprietary|confidential|restrict", re.I
)
_NARROWS = re.compile(r"except|unless|\bnot\b|\bonly\b|commercial|restrict", re.I)
_COPYRIGHT = re.compile(
    r"""(?:portions\s+)?(?:copyright|\(c\)|©|&copy;)\b.*|(?:19|20)\d\d\b.{0,200}|all\s+rights?\s+reserved
    |.{0,80}\ball\s+rights\s+reserved""",
    re.I | re.X | re.S,
)
_RESERVED = re.compile(r"all\s+rights?\s+reserved|copyright|©|\(c\)", re.I)
_TITLE_WORDS = frozenset(
    [
        "the",
        "mit",
        "expat",
        "x11",
        "bsd",
        "apache",
        "license",
        "licence",
        "licenses",
        "licences",
        "licensing",
        "software",
        "clause",
        "2",
        "3",
        "0",
        "two",
        "three",
        "new",
        "revised",
        "modified",
        "simplified",
        "or",
        "and",
        "version",
        "v2",
        "open",
        "source",
        "osi",
        "approved",
        "text",
        "full",
        "copyright",
        "notice",
        "notices",
        "information",
        "terms",
        "conditions",
        "of",
        "end",
        "for",
        "this",
        "project",
        "as",
        "follows",
        "begin",
        "template",
        "see",
        "below",
        "c",
    ]
)
MAX_TITLE_WORDS, MAX_NAME_WORDS = 9, 3
_OTHER_NAME = re.compile(
    r"""gnu|gpl|general\s+public|mozilla|\bmpl\b|eclipse|creative|\bcc\b|\bcc0|cddl|\bsspl|elastic|business|commons|server\s+side
    |polyform|proprietary|commercial|artistic|unlicense|public|\bisc\b|zlib|boost|python|psf|ncsa|wtfpl|eula|end\s+user
    |microsoft|oracle|intel|nvidia|facebook|llama|community|enterprise|academic|research|eupl|cecill|json|openssl|\bphp\b
    |fair|source\s+available|functional|sustainable|ethical|hippocratic|prosperity|parity|anti|non-""",
    re.I | re.X,
)
_LINK = re.compile(r"!?\[([^\]\n]{0,200})\]\([^)\n]{0,500}\)")
_TAG = re.compile(r"<(?:https?://[^>\s]+|/?[a-zA-Z!][^>]{0,300})>")
_MARKS = re.compile(r"^[\s*#>=|/;%_~\"'`.:+-]+|[\s*#=|/_~\"'`:+-]+$")
_PARAGRAPH = re.compile(
    r"\n\s*\n|\n(?=\s*(?:[-*=#_]{2,}|[-*#]\s|(?:copyright|\(c\)|©)))|(?:^|\n)\s*[-=_*~#]{3,}\s*(?=\n|$)", re.I
)
_SENTENCE = re.compile(r"(?<=[.;!?])\s+(?=[A-Z\"'(`<])")


@dataclass
class Rest:
    """What the text beside the licences says.

    Attributes:
        terms: The first sentence that may hold terms of its own; None where there is none.
        named: The licences that it names, as SPDX identifiers; ``BSD`` where it does not say which.
        points: Whether it points to other licence files.
    """

    terms: str | None = None
    named: set[str] = field(default_factory=set)
    points: bool = False


def read_rest(texts: list[str]) -> Rest:
    """Reads what stands beside the licence texts.

    Args:
        texts: The pieces before, between and behind them.
    """
    rest = Rest()
    for number, text in enumerate(texts):
        between = 0 < number < len(texts) - 1
        for sentence in _sentences(text):
            if _POINTER.fullmatch(sentence) and not _HARD.search(_without_files(sentence)):
                rest.points = True
                continue
            if not _TERMS.search(sentence) or _OWN.fullmatch(sentence):
                continue
            if between and _INTRODUCES.fullmatch(sentence) and not _NARROWS.search(sentence):
                continue
            if not _is_harmless(sentence, rest):
                rest.terms = sentence[:500]
                return rest
    return rest


def narrowed(text: str) -> str | None:
    """The first copyright line inside a licence text that restricts it: matchers take any for a part of the text."""
    lines = (line.strip() for line in text.split("\n"))
    return next((line[:500] for line in lines if _COPYRIGHT.match(line) and _NARROWED.search(line)), None)


def _sentences(text: str) -> Iterator[str]:
    text = html.unescape(_TAG.sub(" ", _LINK.sub(r"\1", text)))
    for paragraph in _PARAGRAPH.split(text):
        lines = paragraph.strip().split("\n")
        titled = len(lines) > 1 and _is_title(_bare(lines[0]))
        for part in [lines[0], "\n".join(lines[1:])] if titled else [paragraph]:
            for sentence in _SENTENCE.split(part):
                if bare := _bare(" ".join(sentence.split())):
                    yield bare


def _bare(text: str) -> str:
    return _MARKS.sub("", _MARKS.sub("", text.replace("*", "").replace("`", ""))).strip().rstrip(".")


def _is_harmless(sentence: str, rest: Rest) -> bool:
    if _is_title(sentence):
        rest.named |= {name for found in _TITLE_NAME.finditer(sentence) if (name := _spdx(found[0]))}
        return True
    if _COPYRIGHT.fullmatch(sentence):
        return not _TERMS.search(_RESERVED.sub(" ", sentence))
    if found := _LABEL.fullmatch(sentence):
        rest.named.add(_spdx(found["one"]))
        return True
    if (found := _REFERENCE.fullmatch(sentence)) and not _HARD.search(_without_files(sentence)):
        rest.named |= {_spdx(found[key]) for key in ("one", "two") if found[key]}
        return True
    return False


_TITLE_NAME = re.compile(_NAME.format("one"), re.I | re.X)
_FILE_NAME = re.compile(rf"{_FILE}|\bfiles?\b", re.I)


def _without_files(sentence: str) -> str:
    return _FILE_NAME.sub(" ", sentence)


def _is_title(line: str) -> bool:
    """Whether a line is the name of an allowed licence, alone or with the project's."""
    words = re.findall(r"[\w.]+", line.lower().replace(".", " "))
    others = [word for word in words if word not in _TITLE_WORDS]
    if len(words) > MAX_TITLE_WORDS or len(others) > MAX_NAME_WORDS or _OTHER_NAME.search(line):
        return False
    return not _HARD.search(line) and not (_TERMS.search(" ".join(others)))


def _spdx(name: str) -> str:
    """The identifier of a licence that a sentence names."""
    lower = name.lower()
    if "apache" in lower:
        return "Apache-2.0"
    if "bsd" not in lower:
        return "MIT" if re.search(r"mit|expat|x11", lower) else ""
    if re.search(r"3|three|new|modified|revised", lower):
        return "BSD-3-Clause"
    return "BSD-2-Clause" if re.search(r"2|two|simplified", lower) else "BSD"
