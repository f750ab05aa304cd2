"""Templates: the stated table keeps text, the rest goes, braces match as in MediaWiki."""

from hypothesis import given
from hypothesis import strategies as st

from filters.wikitext import Work, to_text
from filters.wikitext.editions import template_table
from filters.wikitext.languages import LANGUAGES
from filters.wikitext.template_table import exact_name
from filters.wikitext.templates import expand_templates, parse_arguments
from filters.wikitext.usage import TemplateUses
from tests.filters.wikitext.pages import EN, english, text_in
from tests.tables import results

test_inline_templates_keep_their_text = results(
    english,
    {
        "{{Infobox person\n| name = X {{lang|de|y}}\n}}\n'''X''' is": "X is",
        "a{{lang|de|b}}c {{Lang|de|script|d}} {{lang-de|e}} {{LANG-grc-gre|f}}": "abc d e f",
        "{{nowrap|a b}} {{Small|[[c|d]]}} {{nobr|{{lang|fr|e}}}}": "a b d e",
        "{{convert|5|to|10|km|mi}}, {{convert|6|ft|2|in|m}}, {{cvt|892|km2}}, {{convert|30|C|F}}": (
            "5 to 10 km, 6 ft 2 in, 892 km², 30 °C"
        ),
        "a {{convert|1200|mi|km|adj=on}} road": "a 1,200-mi road",
        "{{as of|2019|6|lc=y}} {{As of|2020}} {{as of|2021|alt=by 2021}}": "as of June 2019 As of 2020 by 2021",
        "({{as of|2017|alt=by 2017|post=),}} {{as of|2018|lc=y|post=;}} a": "(by 2017), as of 2018; a",
        "formula of: {{DentalFormula|upper=0.0.2-3.3|lower=0.0.2.3}} These": "formula of: 0.0.2-3.3 / 0.0.2.3 These",
        "{{birth date|1788|2|22|df=y}} {{start date|1990|1|2}} {{dts|1777|12}}": (
            "22 February 1788 January 2, 1990 December 1777"
        ),
        "{{IPAc-en|ˈ|b|ɜːr|l|ɪ|n|lang}} {{IPA-de|bɛɐ̯ˈliːn|lang|x.ogg}} {{IPA|/a/}} {{IPA|de|a|lang|f}}": (
            "/ˈbɜːrlɪn/ [bɛɐ̯ˈliːn] /a/ a"
        ),
        "{{nihongo|'''R'''|らんま|Ranma}} {{zh|c=民航|p=x}} {{transl|ar|DIN|y}}": "R (らんま, Ranma) 民航, x y",
        "a{{snd}}b{{ndash}}c{{mdash}}d{{'}}s{{nbsp}}e{{·}}f": "a – b–c—d's e · f",
        "''a''{{'s}} ''b{{'}}''": "a's b'",
        "{{frac|1|2}} {{frac|3|1|2}} {{sfrac|4}} {{val|1.5|0.1|e=-6|u=km}} {{chem|H|2|O}}": (
            "1/2 3 1/2 1/4 1.5 ± 0.1 × 10⁻⁶ km H2O"
        ),
        "{{hlist|a|b}} {{ubl|c|d}}": "a, b\n- c\n- d",
        "{{plainlist|\n* a\n* b\n}}": "- a\n- b",
        "{{quote|text=a\nb|author=c}}": "a\nb",
        "{{ill|A|de|B|lt=C}} {{flag|Germany}}{{flagicon|GER}}": "C Germany",
        "{{abbr|MVP|most valuable}} {{sic}} {{sic|teh}} {{circa|1800}}": "MVP [sic] teh [sic] c. 1800",
        "{{pop density|1000|10|km2}} {{pop density|x|0|km2}}.": "100/km².",
    },
)


test_parser_functions = results(
    english,
    {
        "{{#if:x|a|b}} {{#if: |a|b}} {{#ifeq:a| a |c|d}}": "a b c",
        "{{#switch:b|a=1|b|c=2|#default=9}} {{#switch:z|a=1|#default=9}} {{#switch:z|a=1|last}}": "2 9 last",
        "{{lc:ABC}} {{uc:d}} {{ucfirst:ef}} {{lcfirst:GH}} {{formatnum:1234567.89}}": "abc D Ef gH 1,234,567.89",
        "a {{#expr:1+1}}{{#invoke:x|y}}{{CURRENTYEAR}}{{PAGENAME}}{{DEFAULTSORT:z}} b": "a b",
        "{{#tag:ref|a|name=b}}{{#iferror:x|y|z}}": "z",
        "{{{name|default}}} {{{name}}}.": "default.",
    },
)


test_braces = results(
    english,
    {
        "{{foo|{{bar|{{lang|de|a}}}}}}b": "b",
        "a {{foo b": "a b",
        "a {{foo": "a",
        "a {{foo\nb": "a\nb",
        "a {{ foo, b": "a b",
        "{{Infobox settlement\nb": "b",
        "{{quote and then a whole paragraph that goes on and on for more than a name's length.\nb": (
            "and then a whole paragraph that goes on and on for more than a name's length.\nb"
        ),
        "A fact.{{cite web|url=http://x|title=The y\nb {{lang|de|c}} d": "A fact.\nb c d",
        "A fact.{{cite web|url=http://x} And more. {{lang|de|c}} d": "A fact. And more. c d",
        "a {{lang|fr|mot and {{lang|fr|mot}}": "a mot and mot",
        "a {{nowrap|b {c} d": "a b {c} d",
        "{{" * 50 + "a|b\nc": "c",
        "{{Infobox\n| a = b\ntext\n\n{{lang|de|c}}": "text\n\nc",
        "a }} b": "a  b".replace("  ", " "),
        "{{nowrap|{x}}} y": "{x} y",
        "{{{{{a|foo}}}|c}} d": "d",
        "{{lang|de|a|b=c}} {{nowrap|1=x=y}} {{nowrap|[[a|b=c]]}}": "a x=y b=c",
        "{{nowrap|[[a|b]]|c}}": "b",
        "{{ lang\n| de\n| a }}": "a",
        "{{Foo_bar}}{{non_existing template}}x": "x",
        "{{unknown-family|a}}{{lang-icon|de}}x": "x",
    },
)


test_french_templates = results(
    lambda wikitext: text_in("fr", wikitext),
    {
        "{{langue|de|texte=Straßen}} {{lang|de|Weg}}": "Straßen Weg",
        "{{unité|814|km|2}}, {{unité|4203 hab./km 2}}, {{unité|5 m 3}}, {{unité|3|m|s|-1}}": (
            "814 km², 4 203 hab./km², 5 m³, 3 m s⁻¹"
        ),
        "au {{s-|XXI}}, au {{s|I|e|av. J.-C.}}": "au XXIe siècle, au Ier siècle av. J.-C.",
        "le {{date-|1 janvier 2019}}, le {{date|29 9 2019}}, le {{date|2|mai|1900|en art}}, {{date|en été}}": (
            "le 1er janvier 2019, le 29 septembre 2019, le 2 mai 1900, en été"
        ),
    },
)


test_coordinates = results(
    english,
    {
        "at {{Coord|30|12|N|74|7|W|type:event|name=x}} and": "at 30°12′N 74°7′W and",
        "{{coord|57|18|22.5|N|4|27|32.7|W|display=inline,title}}": "57°18′22.5″N 4°27′32.7″W",
        "{{coord|44.1|N|87.7|W|region:US}} {{coord|-57.2|+3.4}} {{coord|57.2|-3.4|dim:9}}": (
            "44.1°N 87.7°W 57.2°S 3.4°E 57.2°N 3.4°W"
        ),
        "a {{coord|1|2|N|3|4|E|display=title}} {{coord|1|N}} {{coord||}} {{coord|x|y}} {{coord|1|2|3|4|5|6}}": "a",
        "({{Coordinate|text=DMS|NS=52/30/10.4/N|EW=13/24/15.1/E|type=x}})": "(52°30′10.4″N 13°24′15.1″E)",
        "{{Coordinate|article=DMS|NS=5/3/1/N|EW=1/2/1/E}}{{Coordinate|text=ICON0|NS=5|EW=1}}b": "b",
    },
)


test_pipes_comments_and_pictures_inside_arguments = results(
    english,
    {
        "{{quote|text=We met [[A|b]] [[File:c.jpg|thumb|d [[e|f]] g]] and left.}}": "We met b and left.",
        "{{nowrap|{{{1|a{{!}}b}}}}} {{nowrap|[[c{{!}}d]]}} {{#if:x|[[e{{!}}f]]|g}}": "a|b d f",
        "{{#if:<!-- c -->|full|empty}} {{#if:x|<!-- y -->z}} {{#ifeq:<!-- -->|{{unknown}}|a|b}}": "empty z a",
        "{{nowrap<!-- c -->|a}} {{quote|<!-- c -->text=b}}": "a\nb",
        "{{nowrap|[[a|b]] ([[c|d [[e|f]] g]])}} {{nowrap|[[h|i}} j": "b (d f g) h j",
        "{{hidden|T|\n{{{!}} class=x\n{{!}} cell\n{{!}}}\n}}\nafter": "after",
        "{{nowrap|1=[https://x.example/?a=1 label]}}": "label",
    },
)


def test_the_title_of_the_page():
    assert to_text("{{PAGENAME}} is {{FULLPAGENAME}}", EN, title="A B") == "A B is A B"


def test_arguments():
    arguments = parse_arguments("name| a |b= c |[[d|e]]|2=f", "en")
    assert arguments.name == "name"
    assert dict(arguments.values) == {"1": " a ", "b": "c", "2": "f"}
    assert arguments.parts == ("name", " a ", "b= c ", "[[d|e]]", "2=f")


def test_templates_nested_too_deep_leave_no_text():
    deep = "{{nowrap|" * 3 + "a" + "}}" * 3
    table = template_table("en")
    assert expand_templates(deep, table, Work(1000), max_nesting=3) == "a"
    assert "a" not in expand_templates(deep, table, Work(1000), max_nesting=2)


def test_every_name_in_the_tables_can_be_reached():
    for language in LANGUAGES:
        table = template_table(language)
        for name in table.exact:
            assert table.find(name) is not None
            assert name == exact_name(name)


BRACES = [
    "{{",
    "}}",
    "{{{",
    "}}}",
    "{",
    "}",
    "|",
    "a",
    " ",
    "\n",
    "1",
    "×10",
    "nowrap|",
    "lang|de|",
    "cite web",
    "=",
    "[[",
]


@given(st.lists(st.sampled_from(BRACES), max_size=40).map("".join))
def test_templates_that_leave_no_text_go_as_they_do_brace_by_brace(wikitext):
    table = template_table("en")
    step_by_step = expand_templates(wikitext, table, Work(len(wikitext)), 40, uses=TemplateUses())
    assert expand_templates(wikitext, table, Work(len(wikitext)), 40) == step_by_step
    around = f"{{{{cite web|{{{{{{1}}}}}}{wikitext}}}}}"  # in what leaves no text, and is no simple template
    noted = expand_templates(around, table, Work(len(around)), 40, uses=TemplateUses())
    assert expand_templates(around, table, Work(len(around)), 40) == noted
