"""Names of one edition, and pages in each of the twenty languages."""

import pytest

from filters.wikitext import WikiSite, to_text
from filters.wikitext.languages import LANGUAGES
from filters.wikitext.section_titles import REFERENCE_TITLES
from tests.filters.wikitext.pages import english
from tests.tables import results

LANGUAGE_CODES = [
    "bg",
    "ca",
    "cs",
    "da",
    "de",
    "en",
    "es",
    "fr",
    "hr",
    "hu",
    "it",
    "nl",
    "pl",
    "pt",
    "ro",
    "ru",
    "sl",
    "sr",
    "sv",
    "uk",
]

# Per language: file name space, category, title of the references, a template that keeps "слово"/"word", its text.
PAGES = {
    "bg": ("Файл", "Категория", "Източници", "{{lang|de|дума}}", "дума"),
    "ca": ("Fitxer", "Categoria", "Referències", "{{segle|XX}}", "segle XX"),
    "cs": ("Soubor", "Kategorie", "Externí odkazy", "{{Datum narození|1900|1|5}}", "5. ledna 1900"),
    "da": ("Fil", "Kategori", "Eksterne henvisninger", "{{lang|de|ord}}", "ord"),
    "de": ("Datei", "Kategorie", "Einzelnachweise", '{{"|Wort}}', "„Wort“"),
    "en": ("File", "Category", "References", "{{lang|de|Wort}}", "Wort"),
    "es": ("Archivo", "Categoría", "Enlaces externos", "{{fecha|11|11|1866}}", "11 de noviembre de 1866"),
    "fr": ("Fichier", "Catégorie", "Notes et références", "{{s|XX}}", "XXe siècle"),
    "hr": ("Datoteka", "Kategorija", "Vanjske poveznice", "{{jez|de|riječ}}", "riječ"),
    "hu": ("Fájl", "Kategória", "Jegyzetek", "{{születési dátum|1900|1|5}}", "1900. január 5."),
    "it": ("Immagine", "Categoria", "Collegamenti esterni", "{{maiuscoletto|parola}}", "parola"),
    "nl": ("Bestand", "Categorie", "Externe links", "{{taal|de|woord}}", "woord"),
    "pl": ("Plik", "Kategoria", "Przypisy", "{{Fakt|słowo|data=2020-01}}", "słowo"),
    "pt": ("Ficheiro", "Categoria", "Ligações externas", "{{séc|XX}}", "século XX"),
    "ro": ("Fișier", "Categorie", "Legături externe", "{{lang|de|cuvânt}}", "cuvânt"),
    "ru": ("Файл", "Категория", "Примечания", "{{нп5|слово|другое слово|de|Wort}}", "другое слово"),
    "sl": ("Slika", "Kategorija", "Sklici", "{{jezik-de|beseda}}", "beseda"),
    "sr": ("Датотека", "Категорија", "Спољашње везе", "{{јез-нем|реч}}", "реч"),
    "sv": ("Fil", "Kategori", "Källor", "{{lang|de|ord}}", "ord"),
    "uk": ("Файл", "Категорія", "Примітки", "{{не перекладено|слово|інше слово|de|Wort}}", "інше слово"),
}

PAGE = """{{{{Infobox|a=b}}}}
[[{file}:A.jpg|thumb|caption [[b]]]]'''Title''' is {template}<ref>x</ref>.
[[{category}:Y]]

== {references} ==
* [http://example.org Site]
{{{{reflist}}}}

[[{category}:Z|z]]
[[zh:Title]]"""


@pytest.mark.parametrize("language", LANGUAGE_CODES)
def test_a_page_of_each_language(language):
    file, category, references, template, text = PAGES[language]
    page = PAGE.format(file=file, category=category, references=references, template=template)
    assert to_text(page, WikiSite.builtin(language)) == f"Title is {text}."


@pytest.mark.parametrize("language", LANGUAGE_CODES)
def test_tables_are_whole(language):
    names = LANGUAGES[language]
    assert len(names.months.split("|")) == 12
    assert len(names.separators) == 2
    for titles in (REFERENCE_TITLES[language], names.file, names.category, names.other):
        assert titles == titles.lower()
        assert all(title == title.strip() for title in titles.split("|"))


def test_no_other_language_is_in_the_tables():
    assert sorted(LANGUAGES) == sorted(REFERENCE_TITLES) == LANGUAGE_CODES


def test_names_of_siteinfo_are_added_to_the_built_in_ones():
    site = WikiSite.from_siteinfo("xx", {0: [""], 6: ["Wobraz", "Foto_x"], 14: ["Kategorija"], 10: ["Předłoha"]})
    builtin = WikiSite.builtin("xx")
    assert site.file_namespaces - builtin.file_namespaces == {"wobraz", "foto x"}
    assert site.category_namespaces - builtin.category_namespaces == set()  # Croatian has it, too
    assert {"file", "image"} <= builtin.file_namespaces
    assert "category" in builtin.category_namespaces
    assert {"předłoha", "wobraz", "media", "kategorija"} <= site.namespaces
    assert "" not in site.namespaces
    assert to_text("a[[Wobraz:b.jpg]][[Foto x:c.jpg]]", site) == "a"


@pytest.mark.parametrize("language", [*LANGUAGE_CODES, "xx"])
def test_english_names_and_image_words_count_in_every_language(language):
    site = WikiSite.builtin(language)
    options = ("thumb|left|200px", "right|frame", "upright=1.2|alt=b", "frameless|x50px", "border|center|link=c")
    pictures = "".join(f"[[{name}:A.jpg|{o}|d [[e]]]]" for o in options for name in ("File", "image", "FILE"))
    assert to_text(f"{pictures}[[Category:f]][[category: g|h]]word", site) == "word"


@pytest.mark.parametrize("language", LANGUAGE_CODES)
def test_a_page_that_is_read_as_another_language_than_its_own_still_loses_its_pictures_and_categories(language):
    for name in (*LANGUAGES[language].file.split("|"), *LANGUAGES[language].category.split("|")):
        if len(name) > 3:
            assert to_text(f"[[{name.title()}:A b|thumb|200px|c]]word", WikiSite.builtin("en")) == "word"


test_a_link_to_what_is_named_like_a_picture_is_a_files = results(
    english,
    {
        "[[Fitxategi:A b.jpg|thumb|200px|c]]d": "d",
        "[[Wobraz:A.SVG|c]]d": "d",
        "[[:Fitxategi:A.jpg|c]] [[commons:A.jpg|d]] [[Fitxategi:A.jpg]]": "c d Fitxategi:A.jpg",
        "[[A.jpg|c]] [[Star Trek: The jpg|d]]": "c d",
    },
)


def test_a_dump_that_names_another_language_still_has_the_built_in_names():
    site = WikiSite.from_siteinfo("sr", {6: ["File"], 14: ["Category"]})
    assert to_text("[[Датотека:x.jpg]][[Категорија:y]]реч", site) == "реч"


@pytest.mark.parametrize(
    ("language", "wikitext", "redirect"),
    [
        ("en", "#REDIRECT [[X]]", True),
        ("en", "\n#redirect: [[X]] {{R}}", True),
        ("de", "#WEITERLEITUNG [[X]]", True),
        ("hu", "#ÁTIRÁNYÍTÁS[[X]]", True),
        ("ru", "#перенаправление [[X]]", True),
        ("en", "#WEITERLEITUNG [[X]]", False),
        ("en", "# a list [[X]]", False),
        ("en", "text", False),
    ],
)
def test_redirects(language, wikitext, redirect):
    site = WikiSite.builtin(language)
    assert site.is_redirect(wikitext) is redirect
    assert (to_text(wikitext, site) == "") is redirect
