"""The stated table: templates that stand inside sentences and keep text, for all editions and for each.

A template that is in no table leaves no text: infoboxes, navigation boxes, citations, notices. Names are
lower-case, separated by ``|``; ``1`` is the first positional argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from filters.wikitext.convert import convert
from filters.wikitext.coordinates import coordinates, german_coordinates
from filters.wikitext.dates import as_of, day_month_year, old_style_date, year_month_day
from filters.wikitext.edition_templates import EDITION_TEMPLATES, NAMES_AS_TEXT, Row
from filters.wikitext.rules import (
    Rule,
    block,
    english_ipa,
    fixed,
    fraction,
    ipa,
    item_list,
    joined,
    keep,
    keep_spaced,
    last_after_first,
    measured_value,
    named_values,
    number_with_unit,
    population_density,
    with_details,
)
from filters.wikitext.tags import superscript
from filters.wikitext.templates import TemplateTable

# Written as references, so that they are not taken for markup by the passes that follow.
APOSTROPHE = "&#39;"
QUOTATION_MARK = "&#34;"

_SPACING: tuple[Row, ...] = (
    ("!", fixed("|")),
    ("=", fixed("=")),
    ("'|apostrophe|as '", fixed(APOSTROPHE)),
    ("'s|`s|'-s", fixed(APOSTROPHE + "s")),
    ("' \"|' '", fixed(APOSTROPHE + QUOTATION_MARK)),
    ("\" '", fixed(QUOTATION_MARK + APOSTROPHE)),
    ("·|•|bullet|dot|bold dot|middot|spaced middot|,,", fixed(" · ")),
    ("mdash|em dash|emdash|mdashb|—", fixed("—")),
    ("ndash|en dash|endash|nbndash|–", fixed("–")),
    ("snd|snds|spnd|sndash|spaced ndash|spaced en dash|dash|spaced en dash space", fixed(" – ")),
    ("smd|smds|spaced mdash|spaced em dash", fixed(" — ")),
    ("nbsp|space|spaces|thinsp|thin space|hair space|hsp|nnbsp|break|br|zwsp|zwj|nbs|figure space|wbr", fixed(" ")),
    ("nowrap begin|nowrap end|wrap|shy", fixed("")),
    ("minus", fixed("−")),
    ("times|x", fixed("×")),
    ("dagger|†", fixed("†")),
    ("ellipsis|...|…", fixed("…")),
    ("sic", lambda arguments: f"{arguments.first('1')} [sic]".strip()),
)
_TEXT: tuple[Row, ...] = (
    ("nowrap|nobr|nobreak|nowr|j|no wrap|nowraplinks|avoid wrap|unbr", keep_spaced),
    ("small|smaller|petit|klein|liten|piccolo|малък|мали|big|larger|large|center|centre|centered|centrer", keep("1")),
    (
        "noitalic|nobold|normal|noitalics|bold|b|i|italic|em|strong|u|underline|strike|s|strikethrough|midsize",
        keep("1"),
    ),
    ("smallcaps|sc|scaps|small caps|sc2|small-caps|petitcaps|allcaps|aut|versaletes", keep("1")),
    (
        "resize|font|font color|fontcolor|color|colour|font colour|fgcolor|text color|bg|background color",
        last_after_first,
    ),
    (
        "abbr|abbrv|abbreviation|tooltip|hover title|title|h:title|abbrlink|explain|define|glossary link|dfn|abr",
        keep("1"),
    ),
    ("lang|langue|lang-x|rtl-lang|language text|lang2|wikt-lang|unicode|script", last_after_first),
    ("langx|lang-xx", last_after_first),
    ("transl|transliteration|translit|translation|xlit", last_after_first),
    ("native name|native phrase|native name list", keep("2")),
    ("lang-multi|hebrew|arabic|script/hebrew|script/arabic|nastaliq|nq|polytonic|greek", keep("1")),
    ("nihongo|nihongo2|nihongo3|nihongo4|nihongo krt|nihongo foot|nihongo-s|japanese", with_details),
    ("zh|chinese|zh-c|linktext-zh", named_values("c", "t", "s", "p", "w", "l")),
    ("korean|ko-hhrm|infobox korean name", named_values("hangul", "hanja", "rr", "mr", "lk", "1")),
    ("linktext|lt", joined("")),
    ("interlanguage link|ill|interlanguage link multi|illm|link-interwiki|red link", keep("lt", "1")),
    ("vanchor|visible anchor|anchord|text", keep("1", "text")),
    ("flag|flagu|flagcountry|flaglink|flag+link|flag country|country", keep("name", "1")),
    ("keypress|key press|kbd|key|button", joined("+")),
    ("code|tt|mono|codett|samp|var|mvar|math|tmath|abs|bigmath|monospace|pre2|nowiki|char|unichar/name", keep("1")),
    ("angbr|angle bracket|grapheme|angbr ipa", keep("1", before="⟨", after="⟩")),
    ("vr|vl", keep("1")),
    ("née|nee|born as", keep("1", before="née ")),
    ("circa|c.|ca.|ca", keep("1", before="c. ")),
    ("floruit|fl.|fl", keep("1", before="fl. ")),
    ("reign|r.", lambda arguments: f"r. {'–'.join(arguments.positional()[:2])}"),
    (
        "gutenberg|not a typo|typo|as written|proper name|sic?|notatypo|chem name|chemname|chem2|ce|hebr|okina text",
        keep("1"),
    ),
    ("okina|hamza|ayin", fixed("ʻ")),
    ("inline quote|quote inline|“”|quote without source|q", keep("1", before="“", after="”")),
    ("isbn|isbnt", keep("1", before="ISBN ")),
    ("issn", keep("1", before="ISSN ")),
    ("oclc", keep("1", before="OCLC ")),
    ("us patent|uspat|us patent application", keep("1", before="U.S. Patent ")),
    ("bibleverse|bibleref|bibleref2|bibleverse-lb|bible|sourcetext", joined(" ")),
    ("citation needed span|cn span|cnspan|clarify span|dubious span|specify span|disputed span", keep("text", "1")),
    ("mv|ms|rms|rmas|css|hmcs|hmas|sms|mt", lambda arguments: f"{arguments.name} {arguments.first('1')}".strip()),
)
_NUMBERS: tuple[Row, ...] = (
    (
        "convert|cvt|conv|convertir|converti|konvertuj|umrechnen|конвертирай|претвори|pretvori|convertit|konverter",
        convert,
    ),
    ("coord|coor|coords|coor d|coor dm|coor dms", coordinates),
    ("coordinate", german_coordinates),
    ("frac|fraction|sfrac|sfraction|frac2|fract|breuk|bruch|wortbruch|дробь|дріб", fraction),
    ("val|value", measured_value),
    ("gaps|digits|num|number", joined("")),
    ("dash year|dashyear|year range", joined("–")),
    ("nts|ntsh|formatnum|number table sorting", keep("1")),
    ("chem|chemf", joined("")),
    (
        "sup|superscript|smallsup",
        lambda arguments: superscript(text) if (text := arguments.first("1")).isdecimal() else text,
    ),
    ("sub|subscript", keep("1")),
    ("e|esp|exp", lambda arguments: "×10" + superscript(arguments.first("1"))),
    ("us$|usd", keep("1", before="US$")),
    ("gbp|£", keep("1", before="£")),
    ("euro|eur|€", keep("1", before="€")),
    ("inr|indian rupee", keep("1", before="₹")),
    ("a$|aud", keep("1", before="A$")),
    ("c$|cad", keep("1", before="C$")),
    ("¥|jpy|cny", keep("1", before="¥")),
    ("currency|currency-$|format price|formatprice|gbp format", keep("1")),
    ("simplenuclide|simplenuclide2|nuclide|nuclide2|isotope", lambda arguments: "-".join(arguments.positional()[:2])),
    ("pop density|population density", population_density),
    ("eqm|equilibrium|unicode equilibrium", fixed("⇌")),
    ("co2", fixed("CO2")),
    ("h2o", fixed("H2O")),
    ("railgauge|track gauge|rail gauge", keep("1")),
    (
        "dentalformula|dental formula",
        lambda arguments: " / ".join(teeth for row in ("upper", "lower") if (teeth := arguments.first(row))),
    ),
)
_DATES: tuple[Row, ...] = (
    ("birth date|birth date and age|birth-date|birth-date and age|bda|dob|death date|death-date", year_month_day),
    (
        "death date and age|death-date and age|start date|start date and age|start-date|end date|end-date",
        year_month_day,
    ),
    ("film date|dts|date table sorting|release date|launch date|birth year and age|death year and age", year_month_day),
    ("date|datum", day_month_year),
    ("as of|asof", as_of),
    ("oldstyledate|old style date|oldstyledatedy|osd", old_style_date),
)
_BLOCKS: tuple[Row, ...] = (
    (
        "quote|blockquote|quotation|cquote|bquote|quote2|rquote|long quote|block quote|imagequote",
        block("text", "quote", "1"),
    ),
    ("poemquote|poem quote|poem|verse translation|poetry|cytat d|poème", block("text", "1")),
    ("hlist|flatlist|flat list|hlist-comma|horizontal list|comma separated entries|cslist", joined(", ")),
    ("ubl|unbulleted list|ublist|vunblist|bulleted list|blist|unordered list|ordered list|bullet list", item_list),
    (
        "plainlist|plain list|flowlist|columns-list|columns list|div col|endplainlist",
        block("content", "list", "3", "2", "1"),
    ),
    ("columns|multicol", block("col1", "1")),
    ("hidden|collapse|collapsed", block("2", "content", "1")),
)
# What stands before the hyphen of a family of templates: lang-de, IPA-fr, IPAc-en.
_PREFIXES: Mapping[str, Rule] = MappingProxyType(
    {
        "lang": keep("1"),
        "langx": keep("1"),
        "ipa": keep("1", before="[", after="]"),
        "ipac": english_ipa,
        "nihongo": with_details,
    }
)
# Written like a family, but no text.
_NO_TEXT = "lang-icon|langue-icon|ipa-link|ipa-audio|ipa audio link"
_PRONUNCIATION: tuple[Row, ...] = (
    ("ipa|ipalink|ipa link|ipa-all|ipablink|ipaslink|msapi|afi|api|мфа|ipa2|ipa3|phon|ipax", ipa),
    ("ipac-en", english_ipa),
    ("respell|pronunciation respelling", joined("-")),
    ("uss", keep("1", before="USS ")),
    ("hms", keep("1", before="HMS ")),
    ("ss", keep("1", before="SS ")),
    ("ship|sclass|sclass-|sclass2-", keep("2")),
    ("music", lambda arguments: _ACCIDENTALS.get(arguments.first("1"), arguments.first("1"))),
    ("unité|unidad|units|unit", number_with_unit),
)
_ACCIDENTALS: Mapping[str, str] = MappingProxyType(
    {"flat": "♭", "b": "♭", "sharp": "♯", "#": "♯", "natural": "♮", "doublesharp": "𝄪", "doubleflat": "𝄫"}
)


@cache
def template_table(language: str) -> TemplateTable:
    """Returns the templates that keep text in one edition: the common ones, and its own, which go first."""
    rules: dict[str, Rule] = {}
    for rows in (_SPACING, _TEXT, _NUMBERS, _DATES, _BLOCKS, _PRONUNCIATION, EDITION_TEMPLATES.get(language, ())):
        for names, rule in rows:
            rules.update(dict.fromkeys(names.split("|"), rule))
    rules.update(dict.fromkeys(_NO_TEXT.split("|"), fixed("")))
    prefixes = {**_PREFIXES, **dict.fromkeys(_EDITION_PREFIXES.get(language, "").split("|"), keep("1"))}
    names_as_text = NAMES_AS_TEXT.get(language)
    return TemplateTable(language, MappingProxyType(rules), MappingProxyType(prefixes), names_as_text)


# Families of language templates under a local word: {{јез-нем|Berlin}}, {{jezik-de|Berlin}}.
_EDITION_PREFIXES: Mapping[str, str] = MappingProxyType(
    {"sr": "јез|jez|јез", "hr": "jez|jezik", "sl": "jez|jezik|lang", "bg": "lang|език", "uk": "lang|мова", "ru": "lang"}
)
