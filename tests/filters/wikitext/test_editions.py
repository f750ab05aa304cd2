"""The tables of templates: what each edition's own names write, and that the files can be trusted."""

from collections import Counter
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from filters.wikitext import Options, WikiSite, to_text
from filters.wikitext.editions import template_table
from filters.wikitext.editions.__main__ import page
from filters.wikitext.editions.edition import Edition
from filters.wikitext.editions.load import BadTable, _rule, _split, read_table
from filters.wikitext.editions.named import NAMED, silent
from filters.wikitext.languages import LANGUAGES
from filters.wikitext.template_table import exact_name
from tests.tables import refusals

TABLES = sorted(path.name for path in files("filters.wikitext.editions").iterdir() if path.name.endswith(".yaml"))

# What each edition's own templates write: numbers, dates, money, names, signs, and what is silent there.
WRITTEN = {
    "bg": [("{{число|12345}} {{км2}}, {{FRA}}, {{факт}}{{в превод|de|Wort}}", "12 345 км², Франция, Wort")],
    "ca": [
        ("{{romanes|19}} {{segle|XX}}, {{unitats|5|km}} {{convertir|3,5|m}}", "XIX segle XX, 5 km 3,5 m"),
        ("* {{ESP}} [[Palma]]\n* {{ESP}} 12", "- Palma\n- Espanya 12"),
        ("Neix a {{ESP}} el 1950. {{COK}} illes Cook, {{FRA}} [[Selecció|França]].",
         "Neix a Espanya el 1950. illes Cook, França."),
    ],
    "cs": [("{{cizojazyčně|de|Wien}} {{CZE}} {{zlomek|1|2}}{{doplňte zdroj}}, {{e|6}}", "Wien Česko 1/2, ×10⁶")],
    "da": [("{{tal|12345}} {{FRA}}{{kilde mangler}} {{flag|Norge}} [[Oslo]]", "12.345 Frankrig Oslo")],
    "de": [
        ("({{enS|London}}, {{csS|Praha}}), {{DEU}}, {{FRA|#}} [[Paris]]", "(London, Praha), Deutschland, Paris"),
        ("{{Höhe|1041|DE-NN}}, {{§|5|bgb|juris}} BGB, {{B|Mt|5|3}}, {{FormatZahl|12345}}",
         "1.041 m, § 5 BGB, Mt 5,3, 12.345"),
        ('{{"|Wort}} {{"-en|Word}} {{Bruch|1|2}}{{0}}', "„Wort“ „Word“ 1/2"),
        ("CO{{su|b=2}}, {{su|p=14|b=6}}C, {{IAST|śrī}}, {{Art.|1|gg|juris}} GG, {{chem|H|2|O}}, m{{hoch|2}}",
         "CO2, ¹⁴6C, śrī, Art. 1 GG, H2O, m²"),
        ("Die Stadt hat {{EWZ|DE-BE}} Einwohner. Sie liegt hier.", "Sie liegt hier."),
    ],
    "en": [
        ("{{S|a}} {{ESP}} {{IRL}} {{esp|6}} {{e|-6}} {{flag|GER}} {{FRG}}",
         "a Spain Ireland ×10⁶ ×10⁻⁶ Germany West Germany"),
        ("{{USS|Nimitz|CVN-68}}, {{HMS|Hood|51|6}}, {{ship|HMS|Hood|51|2}}, {{SS|Ohio}}",
         "USS Nimitz (CVN-68), HMS Hood, Hood, SS Ohio"),
        ("{{sclass|Iowa|battleship}} {{sclass|Iowa|battleship|2}} {{ship|a|b|c|5}} {{ship|a|b|c|1}}",
         "Iowa-class battleship Iowa b (c) c"),
        ("{{US$|13|million}} {{INRConvert|10|c}} {{currency|5&nbsp;billion|GBP}} {{currency|7|XYZ}}",
         "US$13 million ₹10 crore £5 billion XYZ 7"),
        ("{{rquote|left|A saying.|B}}\n{{div col|3}}\n* c\n{{div col end}}", "A saying.\n\n- c"),
        ("{{columns-list|3|\n* a\n* b}}{{div col||20em|small=yes}}", "- a\n- b"),
        ("{{height|ft=5|in=11}} {{duration|m=3|s=5}} {{RA|12|30|49.4}} {{ordinal|21}} {{ordinal|112}} {{roman|9}}",
         "5 ft 11 in 3:05 12h 30m 49.4s 21st 112th IX"),
        ("{{GS|U-47|1938|2}} {{GS|U-47}} {{slink|A|B}} {{1/2}} {{lang-zh|s=你|p=ni}} {{sqrt|2}}{{cite weird|x}}",
         "U-47 German submarine U-47 A § B 1/2 你, ni √2"),
        ("{{airport codes|LAX|KLAX|LAX}} {{NYSE|IBM}} {{Cite quran|2|255}} {{IAST|ā}}",
         "(IATA: LAX, ICAO: KLAX, FAA LID: LAX) NYSE: IBM Quran 2:255 ā"),
        ("It is {{...}} {{ellipsis}}.", "It is … …."),
    ],
    "es": [
        ("{{siglo|XX||s}}, {{siglo|V|a|s}}, {{unidad|12345|km}}, {{convertir|3,5|km|mi}}",
         "siglo XX, siglo V a. C., 12 345 km, 3,5 km"),
        ("* {{FRA}} [[Lyon]] (1990)\n* {{FRA}} 20\n* {{bandera2|Chile}}\n* {{bandera|Chile}} [[Arica]]",
         "- Lyon (1990)\n- Francia 20\n- Chile\n- Arica"),
        ("Ganó {{ESP}} con ''goles'' a {{ITA}}, {{FRA}}. {{ESP}} '''[[b|Ana]]''', {{ITA}} «Roma», {{ESP}} [[a|gol]].",
         "Ganó España con goles a Italia, Francia. Ana, «Roma», España gol."),
        ("Pesa 5×10{{esp|6}} kg. Mide 10{{esp|-3}} m y m{{esp|2}}. Otra 5{{esp|3}} kg. Fin.",
         "Pesa 5×10⁶ kg. Mide 10⁻³ m y m². Fin."),
    ],
    "fr": [
        ("{{XXe siècle}}, {{1er}} mai, {{84e|Congrès}}, {{Ier siècle}}, {{2e}}",
         "XXe siècle, 1er mai, 84e Congrès, Ier siècle, 2e"),
        ("NH{{ind|3}} {{les}}{{id}}{{fchim|C|O|2}} 3{{x10|6}} {{exp|-2}} {{unité|12345,6 m}}",
         "NH3 CO2 3×10⁶ ⁻² 12 345,6 m"),
        ("{{s2|XVI|e|XVII|e}}, {{sp|I|er|au|III|e|s}}, {{-s|IV|e}}, {{s-|IV|e|av. J.-C.}}",
         "XVIe et XVIIe siècles, Ier au IIIe siècle, IVe siècle av. J.-C., IVe siècle av. J.-C."),
        ("{{-s-|V|e}}, {{-s2|V|e|IV|e}}, {{-sp|V|e|au|IV|e|s}}, {{s mini-|XIX|e}}, {{vol.|5}}, {{refsou|mot}}",
         "Ve siècle av. J.-C., Ve et IVe siècles av. J.-C., Ve au IVe siècle av. J.-C., XIXe, vol. 5, mot"),
        ("{{n°|5}} {{M.|Petit}} {{heure|8}} {{heure|8|30}} {{euro|1234}} {{Espagne}}",
         "no 5 M. Petit 8 h 8 h 30 1 234 € Espagne"),
        ("{{colonnes|taille=24|\n* a\n* {{Jumelage|Paris|France}}\n}}", "- a\n- Paris (France)"),
        ("mots{{etc.}}, a, {{etc.}} {{incise|b}} {{abréviation|OTAN|organisation}}", "mots, etc., a, etc. – b – OTAN"),
    ],
    "hr": [("{{Z+X|ITA}} {{ZID|HRV}} {{jez-de|riječ}} {{Z|ITA}}[[Rim]]", "Italija Hrvatska riječ Rim")],
    "hu": [("{{szám|12345}} {{ESP}} {{forr}}{{nemtörhető|a b}}", "12 345 Spanyolország a b")],
    "it": [
        ("{{M|1.5|k|m}}, {{M|12||kg}}, {{M|300|m}}, {{M|5|e=6|ul=km}}, {{M|7|u=kg/m3}}",
         "1,5 km, 12 kg, 300 m, 5 × 10⁶ km, 7 kg/m³"),
        ("{{M|12.345}} e {{M|12345}}, {{Exp|2,5|-3}}, 5{{Exp|6}}, {{TA|5 km}}",
         "12.345 e 12 345, 2,5×10⁻³, 5×10⁶, 5 km"),
        ("{{S|pesci}}{{E|b|c}}{{P|d}}{{F|e|f}}Testo {{Cita|Rossi}}qui.", "Testo qui."),
        ("{{Calcio Juventus}}, {{Naz|CA|ITA}}, {{bandiera|Cile}} [[Arica]], {{bandiera|Cile|nome}}",
         "Juventus, Italia, Arica, Cile"),
        ("== A ==\n{{...}}\n== B ==\n{{m s.l.m.}} {{LaTeX}}", "B\n\nm s.l.m. LaTeX"),
        ("{{Converti|3,5|km|mi}} {{convert|5|a|7|km}} {{convert|22|e6acre}}", "3,5 km 5 a 7 km 22 milioni di acres"),
    ],
    "nl": [("{{exp|6}} {{breuk|1|2}} {{NLD}} {{bron?}}{{citaat|woord}}", "10⁶ 1/2 Nederland\nwoord")],
    "pl": [("{{liczba|12345}}{{r|a}}{{u|b}} {{państwo|FRA}} {{Fakt|c}} {{w języku|de|Wort}}", "12 345 Francja c Wort")],
    "pt": [("{{BRA}}, {{BRAb}} [[Rio]], {{fmtn|12345}}, {{R$|50|mil}}, {{séc|XX}}",
            "Brasil, Rio, 12 345, R$50 mil, século XX")],
    "ro": [("{{conversie|22|–|25|C|F}}, {{conversie|3|și|4|km}}, {{ESP}}{{fapt}}", "22–25 °C, 3 și 4 km, Spania")],
    "ru": [
        ("{{число|12345,5}} {{США}} {{RUS}} {{нп5|А|Б|en|A}} {{нет АИ|2020}}", "12 345,5 США Россия Б"),
        ("3{{e|6}} {{нет АИ 2|слово|2020}} {{дробь|1|2}}", "3×10⁶ слово 1/2"),
    ],
    "sl": [("{{jezik-de|beseda}} {{ESP}}{{navedi vir}} {{km2}}", "beseda Španija km²")],
    "sr": [("{{јез-нем|реч}} {{ЗИД|ITA}} {{ESP}}{{чињеница}}", "реч Италија Шпанија")],
    "sv": [("{{SWE}} {{flaggland|FRA}} {{tal|12345}} {{10^|6}} {{flagga|Norge}} [[Oslo]]",
            "Sverige Frankrike 12 345 10⁶ Oslo")],
    "uk": [("{{число|12345}} {{США}} {{UKR}} {{нп|А|Б|en|A}} {{джерело?}}{{e|6}}", "12 345 США Україна Б ×10⁶")],
    "nds": [("{{lang|de|Wort}} {{nowrap|a b}} {{S|x}}{{ESP}}{{e|6}} {{convert|3,5|km}}", "Wort a b 3,5 km")],
}  # fmt: skip


@pytest.mark.parametrize("language", WRITTEN)
def test_what_the_templates_of_each_edition_write(language):
    site = WikiSite.builtin(language)
    for wikitext, text in WRITTEN[language]:
        assert to_text(wikitext, site) == text


def test_every_language_of_the_paper_has_its_file():
    assert sorted([*(f"{language}.yaml" for language in LANGUAGES), "common.yaml"]) == TABLES
    assert set(WRITTEN) - {"nds"} == set(LANGUAGES)


@pytest.mark.parametrize("table", TABLES)
def test_no_row_and_no_name_stands_twice_in_a_file(table):
    node = yaml.compose((files("filters.wikitext.editions") / table).read_text(encoding="utf-8"))
    sections = {key.value: value for key, value in node.value}
    rows = sections["templates"].value
    names = [exact_name(name) for _, listed in rows for name in _split(listed.value)]
    names += [exact_name(name) for name in _split(sections["silent"].value)]
    for listed in (names, [key.value for key, _ in rows]):
        assert [name for name, count in Counter(listed).items() if count > 1] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_languages_countries_and_labels_are_there(language):
    table = template_table(language)
    assert table.find("ESP") is not None
    assert table.find("flagcountry") is not silent
    labelled = to_text("{{lang-de|Wien}}", WikiSite.builtin(language), options=Options(language_labels=True))
    assert labelled.endswith("Wien")
    assert len(labelled) > len("Wien: ")


def test_labels_and_attributions_are_a_choice():
    en, wikitext = WikiSite.builtin("en"), "({{lang-de|Wien}}, {{langx|fr|Vienne}})\n{{quote|Text|Author|Book}}\nend"
    assert to_text(wikitext, en) == "(Wien, Vienne)\n\nText\n\nend"
    shown = to_text(wikitext, en, options=Options(language_labels=True, quote_attributions=True))
    assert shown == "(German: Wien, French: Vienne)\n\nText\n— Author, Book\n\nend"
    german = to_text("{{deS|Wien}} {{enS|Vienna}}", WikiSite.builtin("de"), options=Options(language_labels=True))
    assert german == "deutsch Wien englisch Vienna"


@pytest.mark.parametrize("name", ["Nowrap", "nowrap", "NOWRAP", "no_wrap", " no  wrap ", "nowrap\x01"])
def test_long_names_are_found_in_any_case(name):
    assert template_table("en").find(name) is template_table("en").find("nowrap")


def test_capitals_count_in_short_names():
    table = template_table("en")
    assert table.find("ESP") is not table.find("esp")
    assert table.find("csS") is None
    assert table.find("TAs") is None


test_a_bad_row_is_an_error_that_names_it = refusals(
    lambda what: _rule("common", what, Edition("en")),
    BadTable,
    {
        "=nothing": "common.yaml: there is no such rule as '=nothing'",
        "=joined a b c d": "there is no such rule as '=joined a b c d'",
        "{1:nothing}": "has no such filter: 'nothing'; there are number, power, country, lower",
        "=joined 'a": "there is no such rule as",
    },
)


def test_the_names_of_rules_are_all_in_use():
    used = set()
    for table in TABLES:
        content = yaml.safe_load((files("filters.wikitext.editions") / table).read_text(encoding="utf-8"))
        rows = [*map(str, content.get("templates", {})), *content.get("families", {}).values()]
        used |= {what[1:].split()[0] for what in rows if what.startswith("=")}
    assert set(NAMED) - used == {"country_code"}  # the families of {{ESP}} and {{Espagne}}


def test_the_page_of_the_docs_is_that_of_the_files():
    assert (Path(__file__).parents[3] / "docs" / "wikipedia-templates.md").read_text(encoding="utf-8") == page()


def test_a_key_that_there_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr("filters.wikitext.editions.load.files", lambda package: tmp_path)
    (tmp_path / "xx.yaml").write_text("tempaltes: {}")
    with pytest.raises(BadTable, match=r"xx\.yaml has keys that there are not: tempaltes"):
        read_table("xx")
