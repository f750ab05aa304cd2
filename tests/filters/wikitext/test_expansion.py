"""Templates that are expanded from their own definitions."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.wikitext import Definitions, TemplateUses, WikiSite, to_text
from filters.wikitext.expansion import template_names
from filters.wikitext.expansion.definitions import included
from filters.wikitext.expansion.expressions import BadExpression, evaluate, write
from filters.wikitext.expansion.tree import DEEPEST, Argument, Call, Parameter, TooDeep, parse
from tests.tables import results, results_of

DEFINITIONS = {
    "it": {
        "blocco": '<span class="nowrap">{{{1}}}</span><noinclude>{{man}} text</noinclude><!-- c -->',
        "doppio": "{{#expr: 2 * {{{1}}} round 1}}",
        "potenza": "{{{1}}} × 10<sup>{{{2|6}}}</sup>",
        "altro nome": "#RINVIA [[Template:Blocco]]",
        "tabella": '{| class="x"\n| {{{1}}}\n|}',
        "in Lua": "{{#invoke:x|y}}",
        "scelta": "{{#if:{{{b|}}}|[[{{{1}}}|{{{b}}}]]|{{blocco|{{{1}}}}}}}",
        "gira": "{{gira|{{{1}}}}}",
        "bomba": "{{bomba2|{{{1}}}}}{{bomba2|{{{1}}}}}",
        "bomba2": "{{bomba|{{{1}}}}}{{bomba|{{{1}}}}}",
        "cento": "{{dieci}}" * 10,
        "dieci": "{{uno}}" * 10,
        "uno": "{{sei}}" * 6,
        "sei": "{{nome|6}}" * 6,
        "avviso": '<sup class="noprint">[senza fonte]</sup>',
        "caso": "{{#switch: {{{1}}} |a|b=AB|c=x=y|#default=zz}}",
        "ordinato": '<span style="display:none">0001</span>{{{1}}}',
        "ignoto": "{{boh|1}} x",
        "abitanti": "{{formatnum:{{{1}}}}} abitanti",
        "forse": "{{#if:{{{1|}}}|ok {{{1}}}|{{#invoke:q|z}}}}",
        "con regola": "{{Exp|{{{1}}}|6}}",
        "parziale": "no <onlyinclude>sì</onlyinclude> no",
        "profondo": "{{{a|" * 35 + "{{#if:x|{{profondo}}}}" + "}}}" * 35,
        "lungo": "x" * 15_000,
        "righe": "a\nb",
        "nome": "{{{nome|{{{1|?}}}}}}",
    },
    "de": {"meter": "{{formatnum:{{{1}}}}}&nbsp;m", "wenn": "{{#ifexpr:{{{1}}} > 5|viel|wenig}}"},
    "ru": {"метры": "{{{1}}}&nbsp;м{{#ifeq:{{{2}}}|да|., да}}"},
}


def expanded(language: str, call: str, uses: TemplateUses | None = None) -> str:
    page = f"Prima parola {call} dopo."
    definitions = Definitions(DEFINITIONS[language])
    text = to_text(page, WikiSite.builtin(language), definitions=definitions, uses=uses)
    return text.removeprefix("Prima parola").removesuffix("dopo.").strip()


test_what_is_expanded = results_of(
    expanded,
    {
        "it": {
            "{{blocco|300 m}}": "300 m",
            "{{Blocco| [[a|b]] {{Exp|5|6}} }}": "b 5×10⁶",
            "{{doppio|4.26}}": "8.5",
            "{{potenza|3|7}} {{potenza|3}} {{potenza|3|x}}": "3 × 10⁷ 3 × 10⁶ 3 × 10x",
            "{{Altro_nome|q}}": "q",
            "{{scelta|A}} {{scelta|A|b=C}}": "A C",
            "{{caso|a}} {{caso|b}} {{caso|c}} {{caso|q}}": "AB AB x=y zz",
            "{{ordinato|5}}": "5",
            "{{abitanti|12345}}": "12 345 abitanti",
            "{{forse|w}}": "ok w",
            "{{con regola|1,9}}": "1,9×10⁶",
            "{{parziale}}": "sì",
            "{{nome|a}} {{nome|nome=b}} {{nome}}": "a b ?",
            "{{nowrap|{{blocco|x{{!}}y}}}}": "x|y",
        },
        "de": {"{{Meter|12345.5}} {{wenn|7}} {{wenn|3}}": "12.345,5 m viel wenig"},
        "ru": {"{{метры|5|да}} {{Метры|6|}}": "5 м., да 6 м"},
    },
)


@pytest.mark.parametrize(
    "name", ["in Lua", "ignoto", "gira|1", "bomba|1", "cento", "profondo", "lungo", "forse", "righe"]
)
def test_what_cannot_be_expanded_leaves_no_text_and_counts_as_unknown(name):
    uses = TemplateUses()
    assert expanded("it", "{{" + name + "}}", uses) == ""
    assert list(uses.without_rule) == [name.partition("|")[0]]


@pytest.mark.parametrize("name", ["tabella|x", "avviso"])
def test_boxes_and_notices_are_known_to_be_no_text(name):
    uses = TemplateUses()
    assert expanded("it", "{{" + name + "}}", uses) == ""
    assert not uses.without_rule


def test_only_uses_inside_prose_are_expanded():
    definitions = Definitions(DEFINITIONS["it"])
    assert to_text("{{blocco|Una nota sola}}\n\nTesto.", WikiSite.builtin("it"), definitions=definitions) == "Testo."


def test_a_page_of_many_bombs_costs_no_more_than_its_steps():
    definitions = Definitions(DEFINITIONS["it"])
    page = "due parole {{cento}} {{blocco|x}}. " * 500
    text = to_text(page, WikiSite.builtin("it"), definitions=definitions)
    assert text.startswith("due parole x. due parole x.")
    assert text.endswith("due parole. due parole.")


def test_the_tree():
    assert parse("a{{b|c=d|{{{1|e}}}|[[f|g=h]]}}") == (
        "a",
        Call(
            ("b",),
            (
                Argument(("c",), ("d",)),
                Argument(None, (Parameter(("1",), ("e",)),)),
                Argument(None, ("[[", "f", "|", "g=h", "]]")),
            ),
        ),
    )
    assert parse("{{a [[b}} c") == (Call(("a ", "[[", "b"), ()), " c")
    assert "".join(map(str, parse("{{a|b [[c|d"))) == "{{a|b [[c|d"
    with pytest.raises(TooDeep):
        parse("{{a|" * (DEEPEST + 1))


@given(st.text("{}[]|=ab", max_size=80))
def test_any_braces_make_a_tree(text):
    try:
        assert isinstance(parse(text), tuple)
    except TooDeep:
        assert text.count("{{") + text.count("[[") >= DEEPEST / 2


test_expressions = results(
    lambda text: write(evaluate(text)),
    {
        "1 + 2 * 3": "7",
        "(1 + 2) * 3": "9",
        "2 ^ 10": "1024",
        "7 mod 4": "3",
        "1/3 round 2": "0.33",
        "2.5 round 0": "3",
        "-5 < 3 and 1": "1",
        "not 0": "1",
        "1 = 1.0": "1",
        "1e3": "1000",
        "−4 + 1": "-3",
        "5 <> 5 or 3 >= 3": "1",
        "trunc 2.7 + floor -1.5 + ceil 1.2 + abs -1": "3",
    },
)


NO_EXPRESSIONS = ["", "a", "1 +", "1 / 0", "(1", "1 2", "9^9^9^9", "1" * 600, "(" * 50 + "1", "5 mod 0"]


@pytest.mark.parametrize("text", NO_EXPRESSIONS)
def test_what_is_no_expression(text):
    with pytest.raises(BadExpression):
        evaluate(text)


@given(st.text("0123456789+-*/^()<>=. modrund", max_size=60))
def test_any_expression_ends(text):
    with contextlib.suppress(BadExpression):
        assert write(evaluate(text))


def test_names_that_a_definition_calls():
    assert list(template_names("{{A b|{{c}}}} {{#if:x|{{D_e}}}} {{{1}}}<noinclude>{{f}}</noinclude>")) == [
        "a b",
        "c",
        "d e",
    ]
    assert list(template_names("#REDIRECT [[Template:Other one]]")) == ["other one"]
    assert included("<includeonly>a</includeonly>b<noinclude>c") == "ab"
