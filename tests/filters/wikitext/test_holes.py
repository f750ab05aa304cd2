"""What the page alone cannot tell takes its brackets with it, or its sentence."""

from filters.wikitext.holes import drop_holes, drop_item
from tests.filters.wikitext.pages import english
from tests.tables import results

test_a_line = results(
    drop_holes,
    {
        "It cost $5 ($\x07 in \x07 dollars). Next.": "It cost $5 (\x01). Next.".replace("(\x01)", "\x01"),
        "Worth $\x07 today. It stayed.": "It stayed.",
        "One. Two \x07 here! Three.": "One. Three.",
        "a \x07 b": "a \x01 b",  # no sentence
        "(a (b \x07) c) d.": "(a \x01 c) d.",
        "(open \x07. Next one.": "Next one.",
        ") \x07 (.": "",
        "一。二\x07三。四。": "一。四。",
        "Mr. A has \x07 of it.": "",
    },
)


def test_a_list_item_goes_as_a_whole():
    assert drop_item("a (b \x07) c") == "a \x01 c"
    assert drop_item("a \x07 c") == ""


test_pages = results(
    english,
    {
        "A ticket was $5 (${{Inflation|US|5|1929}} in {{CURRENTYEAR}} dollars).": "A ticket was $5.",
        "She ({{age|1950|1|1}} years old) sings. He is {{age|1950|1|1}}.": "She sings.",
        "* about {{Inflation|US|5|1929}} a\n* b": "- b",
        "It had {{formatnum:{{Inflation|US|5|1929}}}} points ({{NUMBEROFARTICLES}}). So.": "So.",
        "a {{CURRENTYEAR}} b": "a b",
        "It has {{#property:P1082}} people. It grows (by {{#expr:{{EWZ}}/2}} a year).": "It grows.",
        "It is $ {{unknown thing}} or ${{unknown thing}}.": "It is or.",
    },
)


def test_many_holes_take_linear_time():
    line = "(\x07" * 20_000 + ")" * 20_000
    assert len(drop_holes(line)) <= len(line)
    assert drop_holes("a \x07. " * 20_000) == ""
