"""Templates that keep text in one edition only, or mean something else there than elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from filters.wikitext.dates import day_month_year, year_month_day
from filters.wikitext.rules import (
    Rule,
    block,
    century,
    fixed,
    format_number,
    joined,
    keep,
    keep_spaced,
    last,
    last_after_first,
    number_with_unit,
    with_details,
)

# Names of templates, separated by ``|``, and the rule of all of them.
Row = tuple[str, Rule]

_BULGARIAN: tuple[Row, ...] = (
    ("lang|език|в превод|превод", last_after_first),
    ("дата|роден|починал", day_month_year),
    ("цитат|блок цитат|quote", block("текст", "text", "1")),
    ("малко|голямо|без пренос|nowrap", keep("1")),
    ("км2|km2", fixed("km²")),
    ("пр.хр.|прхр", fixed("пр.н.е.")),
)
_CATALAN: tuple[Row, ...] = (
    ("lang|llengua|idioma|en llengua", last_after_first),
    ("data|datanaixement|data naixement|mort", day_month_year),
    ("citació|cita|bloc de cita", block("text", "1")),
    ("unitats|unitat|nombre", number_with_unit),
    ("sense salt|petit|versaleta|majúscules petites", keep("1")),
    ("segle", keep("1", before="segle ")),
    ("romanes|nombre romà|xifra romana", keep("1")),
    ("enllaç no actiu|enllaç pendent", keep("lt", "1")),
)
_CZECH: tuple[Row, ...] = (
    ("vjazyce|cizojazyčně|vjazyce2|lang|jazyk", last_after_first),
    ("datum narození|datum úmrtí|datum narození a věk|datum úmrtí a věk|datum vzniku|datum", year_month_day),
    ("citát|citace v textu", block("text", "1")),
    ("malé|nezalomit|nowrap|přeškrtnuto|kapitálky", keep("1")),
    ("km2", fixed("km²")),
    ("přenechat|link-interwiki|interwiki odkaz", keep("text", "1")),
)
_DANISH: tuple[Row, ...] = (
    ("lang|sprog", last_after_first),
    ("dato|fødselsdato|dødsdato|fødselsdato og alder|dødsdato og alder", year_month_day),
    ("citat|citatblok|quote", block("text", "tekst", "1")),
    ("ingen linjeskift|lille|nowrap", keep("1")),
    ("km2", fixed("km²")),
    ("ill|ikke-oversat|link interwiki", keep("lt", "1")),
)
_GERMAN: tuple[Row, ...] = (
    ("lang", last_after_first),
    ('"', keep("text", "1", before="„", after="“")),
    ("zitat|zitat-de|zitat-en|zitat-fr|zitat-la|zitat-es|zitat-it|zitat-ru", block("text", "1")),
    ("ens|des|frs|its|las|ess|grs|hes|ars|pols|rus|russs|türs|tschs|uks|jas|s", keep("1")),
    ("höhe|größe", lambda arguments: f"{format_number(text, 'de')} m" if (text := arguments.first("1")) else ""),
    ("0|absatz|anker", fixed("")),
    ("sic|richtig", fixed("")),
    ("zahl|formatnum|formnum|fmt", keep("1")),
    ("nobreak|nowrap|kapitälchen|small|unicode|bruch|sperrschrift|sperrsatz", keep("1")),
    ("mz|maß|einheit", number_with_unit),
    ("deu|usa|gbr|fra|ita|esp|pol|rus|aut|che", keep("ziel", "name", "1")),
)
_SPANISH: tuple[Row, ...] = (
    ("lang|idioma", last_after_first),
    ("fecha|nacimiento|fallecimiento|fecha de nacimiento|fecha de fallecimiento|fecha de inicio", day_month_year),
    ("cita|cita destacada|cquote|quote|cita textual", block("1", "texto", "text")),
    ("esd|nowrap|nobr|pequeña|versalita|versalitas|small", keep("1")),
    ("unidad|convertir|nrorden|número", number_with_unit),
    ("siglo", lambda arguments: _roman_century(arguments.first("1"), arguments.first("2"))),
    ("enlace no existente|interwiki|ill|traducido interlineal", keep("texto", "lt", "1")),
    ("ac|a. c.|a.c.", fixed("a. C.")),
    ("dc|d. c.|d.c.", fixed("d. C.")),
    ("bandera2|geodatos bandera|flagcountry", keep("1")),
)
_FRENCH: tuple[Row, ...] = (
    ("lang|langue|en langue|langue du titre", last_after_first),
    ("unité|nombre|nb|unite", number_with_unit),
    ("tmp", lambda arguments: " ".join(arguments.positional()[:2])),
    ("euro", lambda arguments: f"{format_number(arguments.first('1'), 'fr')} €"),
    ("date|date-|date de naissance|date de décès|date de naissance-|date de décès-", day_month_year),
    ("heure", lambda arguments: " h ".join(arguments.positional()[:2]) + (" h" if arguments.first("2") == "" else "")),
    ("s|s-|siècle", century),
    (
        "sp|sp-|-s|-s-",
        lambda arguments: (
            " ".join(f"{part}e" if len(part) < 6 and part.isupper() else part for part in arguments.positional()[:3])
            + " siècle"
        ),
    ),
    ("ier", fixed("Ier")),
    ("er", fixed("er")),
    ("ier siècle", fixed("Ier siècle")),
    ("premier|first", fixed("1er")),
    ("ème|e|exp", lambda arguments: arguments.first("1") or "e"),
    ("re|ère", fixed("re")),
    ("nde|nd", fixed("nd")),
    ("n°|no|numéro", lambda arguments: f"no {arguments.first('1')}".strip()),
    ("p.", keep("1", before="p. ")),
    ("m.|mr", fixed("M.")),
    ("mme", fixed("Mme")),
    ("dr", fixed("Dr")),
    ("mgr", fixed("Mgr")),
    ("st", fixed("St")),
    ("citation|cita|« »|guillemets|citation nécessaire", keep("1", before="« ", after=" »")),
    ("citation bloc|début citation|bloc citation|citation2|quote", block("1", "citation")),
    ("citation étrangère|citation bilingue", last),
    ("incise", keep("1", before="– ", after=" –")),
    (
        "référence nécessaire|refnec|passage non neutre|pertinence|à préciser|quand|qui|lequel|citation nécessaire",
        keep("1"),
    ),
    ("référence souhaitée|nobr|nobr romains|souverain|souverain2|souverain-|romain|rom|roi", keep("1")),
    ("rom-maj|romain maj|rom-min|graphie|caractère|petites capitales|pc|sc|phonétique|prononciation2", keep("1")),
    ("latin|grec ancien|grec|hébreu|arabe|cyrillique|russe|chinois|japonais|lang-la|latin de cuisine", last),
    ("lien|lien à créer|lien interlangue", keep("texte", "fr", "1", "trad")),
    ("jumelage", with_details),
    ("av jc|avjc|-jc|av. j.-c.", fixed("av. J.-C.")),
    ("ap jc|apjc|ap. j.-c.", fixed("apr. J.-C.")),
    ("'", fixed("&#39;")),
    (",|-,|virgule", fixed("")),
    ("·|-|•", fixed(" · ")),
    ("colonnes|début de colonnes|colonne", block("nombre-items", "1")),
    ("drapeau2|pays|drapeau+", keep("1")),
    ("formatnum|formater nombre", keep("1")),
)
_CROATIAN: tuple[Row, ...] = (
    ("lang|jezik|jez", last_after_first),
    ("datum|datum rođenja|datum smrti|nadnevak", day_month_year),
    ("citat|quote|citiranje", block("tekst", "text", "1")),
    ("nobr|nowrap|malo", keep("1")),
    ("km2", fixed("km²")),
    ("ill|crvena poveznica", keep("lt", "1")),
)
_HUNGARIAN: tuple[Row, ...] = (
    ("lang|nyelv|idegen nyelven|idegen", last_after_first),
    ("születési dátum|halálozási dátum|dátum|születési dátum és kor", year_month_day),
    ("idézet|idézet 2|idézet blokk|quote", block("szöveg", "text", "1")),
    ("nowrap|nemtörhető|kis|kiskapitális", keep("1")),
    ("szám|szn|szám+", number_with_unit),
    ("km2", fixed("km²")),
    ("wd|wikidata hivatkozás|nincs cikk", keep("1")),
)
_ITALIAN: tuple[Row, ...] = (
    ("lang", last_after_first),
    ("data|data nascita|data morte|data di nascita", day_month_year),
    ("citazione|quote|cita|citazione necessaria", block("1", "text")),
    ("maiuscoletto|sc|nowrap|nobr|tutto attaccato|piccolo|chiarire|senza fonte", keep("1")),
    ("m|unità|converti", number_with_unit),
    ("formatnum|numero", keep("1")),
    ("bandiera2|naz|stato", keep("1")),
    ("nihongo", with_details),
    ("ill|link non presente|collegamento interlinguistico", keep("testo", "lt", "1")),
    ("secolo", keep("1", after=" secolo")),
    ("a.c.|ac", fixed("a.C.")),
)
_DUTCH: tuple[Row, ...] = (
    ("lang|taal", last_after_first),
    ("datum|geboortedatum|sterfdatum|geboren|overleden", day_month_year),
    ("citaat|cquote|quote|citaat lang", block("1", "tekst", "citaat", "text")),
    ("nowrap|klein|vet|geenafbreking|nobr|kleinkapitaal", keep("1")),
    ("km2", fixed("km²")),
    ("vlagland|vlag2|flagcountry", keep("2", "1")),
    ("intern interwiki|ill", keep("lt", "1")),
)
_POLISH: tuple[Row, ...] = (
    ("lang|w języku|j", last_after_first),
    ("data|data urodzenia|data śmierci", day_month_year),
    ("cytat|cytat blok|quote|cytat2", block("1", "treść", "text")),
    ("fakt|kto|kiedy|gdzie|co|przypis-zdanie|zdanie bez źródła|nr strony|niejasne", keep("1")),
    ("nowrap|mała|małe|kapitaliki|nobr|bezłamania|m", keep("1")),
    ("państwo|flaga państwo|państwo2", keep("1")),
    ("link-interwiki|linkinterwiki|lnk", keep("tekst", "1")),
    ("km2|km²", fixed("km²")),
    ("wiek", keep("1", after=" wiek")),
)
_PORTUGUESE: tuple[Row, ...] = (
    ("lang|lang-br|língua|idioma", last_after_first),
    ("data|dni|nascimento|falecimento|morte|dtlink|dtext|dfimdata|datacompleta", day_month_year),
    ("citação|quote|cquote|citar texto|citação2|quote1", block("1", "texto", "text")),
    ("nowrap|nobr|pequeno|versalete|não quebrar|small|pronúncia", keep("1")),
    ("fmtn|formatar número|unidade|num", number_with_unit),
    ("séc|século", keep("1", before="século ")),
    ("ac|a.c.", fixed("a.C.")),
    ("dc|d.c.", fixed("d.C.")),
    ("ill|ligação interlínguas|link idioma", keep("lt", "1")),
    ("flagcountry|país|bandeira2", keep("1")),
    ("carece de fontes|carece fontes|quem|quando|onde", fixed("")),
)
_ROMANIAN: tuple[Row, ...] = (
    ("lang|limba|în limba", last_after_first),
    ("data nașterii|data decesului|dată|data|data nașterii și vârsta", year_month_day),
    ("citat|quote|citat bloc|citat2", block("1", "text", "citat")),
    ("nowrap|mic|faralegatura", keep("1")),
    ("km2|km²", fixed("km²")),
    ("ill|legătură roșie|ill-wd", keep("lt", "1")),
    ("îhr|îen", fixed("î.Hr.")),
)
_RUSSIAN: tuple[Row, ...] = (
    ("lang|язык|lang2", last_after_first),
    ("дата|дата рождения|дата смерти|дата рождения и возраст", day_month_year),
    ("старый стиль|сс|сс2|сс3|стиль", joined(" / ")),
    ("цитата|начало цитаты|врезка цитата|quote", block("текст", "цитата", "1")),
    ("не переведено|не переведено 2|не переведено 3|не переведено 5|нп1|нп2|нп3|нп4|нп5|iw|нпр", keep("2", "1")),
    ("s|nobr|nowrap|бп|без переноса|мелкий|мелкий текст|comment|подсказка|прописью|капитель", keep("1")),
    ("число|num|formatnum|val", keep("1")),
    ("флагификация|флаг страны|flagcountry|страна", keep("1")),
    ("рф2|сс4", keep("1")),
    ("гг", fixed("гг.")),
    ("км²|км2|км|s2", fixed("км²")),
    ("нет аи|нет аи 2|что|кто|когда|где|уточнить", fixed("")),
    ("аи2|что?|якорь2", keep("1")),
    ("до н. э.|до н.э.|донэ", fixed("до н. э.")),
    ("н. э.|н.э.", fixed("н. э.")),
    ("lang-ru2", keep("1")),
    ("год|век|год в истории", keep("1")),
    ("translation|перевод|tr|trans", keep("1")),
    ("китайский|кит", joined(", ")),
    ("iata|icao", keep("1")),
    ("ударение", keep("1")),
)
_SLOVENE: tuple[Row, ...] = (
    ("lang|jezik|jezik-sl|jeziki", last_after_first),
    ("datum|datum rojstva|datum smrti|datum rojstva in starost|datum smrti in starost", year_month_day),
    ("citat|navedek|quote", block("besedilo", "text", "1")),
    ("nowrap|brez preloma|majhno|nobr", keep("1")),
    ("km2", fixed("km²")),
    ("ill|medjezikovna povezava", keep("lt", "1")),
    ("opomba pod črto|mn", fixed("")),
)
_SERBIAN: tuple[Row, ...] = (
    ("lang|језик|jezik|јез|jez", last_after_first),
    ("датум|датум рођења|датум смрти|datum|datum rođenja|datum smrti", day_month_year),
    ("цитат|citat|quote|изрека|цитат2", block("текст", "text", "1")),
    ("nowrap|мало|nobr|mali", keep("1")),
    ("застава|застава2|zastava|flagcountry|зас|zas|зд", fixed("")),
    ("зид|zid|зас2", keep("1")),
    ("дв|dv", keep("1")),
    ("нпе|п.н.е.", fixed("п. н. е.")),
    ("км2|km2", fixed("km²")),
    ("ill|iw|не преведено", keep("lt", "2", "1")),
    ("...", fixed("")),  # a section to be written, not an ellipsis
)
_SWEDISH: tuple[Row, ...] = (
    ("lang|språk", last_after_first),
    ("datum|född datum|död datum|födelsedatum|dödsdatum", year_month_day),
    ("citat|citatblock|quote|bq", block("1", "text", "citat")),
    ("nowrap|nobr|liten|kapitäler|nowraplinks", keep("1")),
    ("km2|km²", fixed("km²")),
    ("flaggland|flagga|flaggnamn|land", keep("2", "1")),
    ("ill|intern länk|illm", keep("lt", "1")),
    ("nts|sorttal|formatnum|tal", keep("1")),
)
_UKRAINIAN: tuple[Row, ...] = (
    ("lang|мова", last_after_first),
    ("дата|дата народження|дата смерті|дн|дс", day_month_year),
    ("старий стиль|стс|сс", joined(" / ")),
    ("цитата|quote|початок цитати", block("текст", "text", "1")),
    ("не перекладено|нп|нп5|iw|не перекладено 5|мві|neperekl", keep("треба", "текст", "2", "1")),
    ("nobr|nowrap|бп|без переносу|small|s|comment|підказка|малий", keep_spaced),
    ("число|num|formatnum", keep("1")),
    ("прапорифікація|прапор країни|flagcountry|країна", keep("1")),
    ("до н. е.|до н.е.", fixed("до н. е.")),
    ("км²|км2|s2", fixed("км²")),
    ("джерело|хто|коли|де|що|уточнити", fixed("")),
    ("наголос", keep("1")),
)

# Templates whose name is what a reader sees: {{XXe siècle}}, {{1er janvier}}, {{84e|Congrès}}, {{etc.}}.
NAMES_AS_TEXT: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "fr": re.compile(
            r"(?:[ivxl]{1,7}|[0-9]{1,4})(?:er|re|e|ère|ème|nd|nde|d|de|s)(?: .{1,40})?"
            r"|-?[ivxl0-9]+e? (?:siècle|millénaire)(?: .{1,20})?|etc\.?|vs|cf\.?|p\. ex\."
        )
    }
)

EDITION_TEMPLATES: Mapping[str, tuple[Row, ...]] = MappingProxyType(
    {
        "bg": _BULGARIAN,
        "ca": _CATALAN,
        "cs": _CZECH,
        "da": _DANISH,
        "de": _GERMAN,
        "es": _SPANISH,
        "fr": _FRENCH,
        "hr": _CROATIAN,
        "hu": _HUNGARIAN,
        "it": _ITALIAN,
        "nl": _DUTCH,
        "pl": _POLISH,
        "pt": _PORTUGUESE,
        "ro": _ROMANIAN,
        "ru": _RUSSIAN,
        "sl": _SLOVENE,
        "sr": _SERBIAN,
        "sv": _SWEDISH,
        "uk": _UKRAINIAN,
    }
)


def _roman_century(numeral: str, era: str) -> str:
    """Writes a Spanish century: ``siglo V a. C.``."""
    return " ".join(part for part in ("siglo", numeral, era) if part) if numeral else ""
