"""Numbers: none is made wrong, whatever the language and however it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.wikitext import WikiSite, to_text
from filters.wikitext.numbers import format_number, is_number, local_number, power, raised
from tests.filters.wikitext.pages import EN, english, text_in
from tests.tables import results, results_of

IT = WikiSite.builtin("it")


@pytest.mark.parametrize(
    ("number", "english", "german"),
    [
        ("5", "5", "5"),
        ("1234567.89", "1,234,567.89", "1.234.567,89"),
        ("21.088", "21.088", "21.088"),  # thousands to a German, decimals to a machine
        ("0.125", "0.125", "0,125"),
        ("1,234.5", "1,234.5", "1,234.5"),
        ("3,5", "3,5", "3,5"),
        ("12345,6", "12345,6", "12.345,6"),
        ("-1234", "-1,234", "-1.234"),
        ("−1234", "−1,234", "−1.234"),
        ("3+1/2", "3 1/2", "3 1/2"),
        ("1//2", "1/2", "1/2"),
        ("007", "007", "007"),
        ("about 5", "about 5", "about 5"),
        ("", "", ""),
    ],
)
def test_a_number_that_an_author_wrote(number, english, german):
    assert (local_number(number, "en"), local_number(number, "de")) == (english, german)


@given(st.text("0123456789.,+-/ e", max_size=50), st.sampled_from(["en", "it", "de", "xx"]))
def test_digits_stay_in_their_order(number, language):
    digits = [character for character in local_number(number, language) if character.isdecimal()]
    assert digits == [character for character in number if character.isdecimal()]


@given(st.integers(-(10**30), 10**30))
def test_a_machines_number_is_grouped(number):
    assert format_number(str(number), "en") == f"{number:,}"


def test_powers():
    assert [power(text) for text in ("6", "-6", "1,9", "", " 2 ")] == ["⁶", "⁻⁶", "^(1,9)", "", "²"]
    assert [raised(text) for text in ("2", "th", "1,5", "-3.5", "1/2")] == ["²", "th", "^1,5", "^-3.5", "^1/2"]
    assert to_text("10<sup>6</sup> 10<sup>-3.5</sup> x<sup>th</sup>", EN) == "10⁶ 10^-3.5 xth"


def test_what_is_a_number():
    assert all(map(is_number, ["5", "1,234.5", "3+1/2", "~5", "1 000", "2e6"]))
    assert not any(map(is_number, ["", "km", "5 km", "to"]))


test_measures = results(
    english,
    {
        "{{convert|22|e6acre|km2}}, {{convert|3|e3carat}}, {{convert|1|e9m3}}": (
            "22 million acres, 3 thousand carats, 1 billion m³"
        ),
        "{{convert|1.4|Moilbbl/d|m3/d}}, {{convert|50|koilbbl}}, {{convert|85|Tcuft}}, {{convert|11|MUSgal}}": (
            "1.4 million barrels per day, 50 thousand barrels, 85 trillion cu ft, 11 million US gal"
        ),
        "{{convert|1|acre}} {{convert|25|acre|adj=on}} {{convert|3|LT}} {{convert|1|LT}}": (
            "1 acre 25-acre 3 long tons 1 long ton"
        ),
        "{{convert|9000|sqft|adj=on}} {{convert|204|m|ft|adj=mid|-high}} {{convert|3|nautical|mi|adj=pre}}": (
            "9,000-sq-ft 204-m-high 3 nautical mi"
        ),
        "{{convert|60|and(-)|80|kg}} {{convert|2|x|3|x|4|m}} {{convert|5|±|1|C}} {{convert|4|by|5|ft}}": (
            "60 and 80 kg 2 × 3 × 4 m 5 ± 1 °C 4 by 5 ft"
        ),
        "{{convert|5|ft|6+1/2|in|cm}} {{convert|7|st|5|lb}} {{convert|1,234.5|km}} {{convert|-5|C}}": (
            "5 ft 6 1/2 in 7 st 5 lb 1,234.5 km -5 °C"
        ),
        "{{convert|6|m3/s}} {{convert|7|kg/m3}} {{convert|90|PD/sqmi}} {{convert|5}} {{convert}}{{convert|a|b}}": (
            "6 m³/s 7 kg/m³ 90/sq mi 5 a b"
        ),
        "{{val|5|3|e=5|ul=m}} {{val|e=6}} {{val|1,234.5|u=m/s2}} {{val|1.2|(3)|p=~}}": (
            "5 ± 3 × 10⁵ m 10⁶ 1,234.5 m/s² ~1.2(3)"
        ),
    },
)


def test_a_scale_without_a_word_is_a_power():
    assert to_text("{{convert|22|e6m3}} {{convert|5|e12km}}", WikiSite.builtin("nds")) == "22×10⁶ m³ 5×10¹² km"
    assert to_text("{{convert|22|e6m3}}", IT) == "22 milioni di m³"


test_a_template_that_is_a_part_of_a_number = results_of(text_in, {
"en": {

"It is 5×10{{nosuch|6}} kg and 2 x 10{{nosuch|1=-7}} m.": "It is 5×10⁶ kg and 2 x 10⁻⁷ m.",

"It has 5{{nosuch|3|m}} of rope (some 3 × {{nosuch|4}}). It is -{{nosuch|5}} now. So be.": "So be.",

"It is tall ({{nosuch|3}}.5 m). It grew by {{nosuch|2}}×10 km. So be it.": "It is tall. So be it.",

"* Mass: 5{{nosuch|24}} kg\n* Big\n\nMass: 5{{nosuch|24}} kg": "- Big",

"An A-{{nosuch|6}} plane of 1950{{nosuch|a note}}, {{nosuch|5}} m.": "An A- plane of 1950, m.",

"It was built in 1990.{{nosuch|1}} So be it, in 1991,{{nosuch|2}} too.": (
    "It was built in 1990. So be it, in 1991, too."
),

"a {{sic|hide=y|recieve}} {{sic|wind|sheild|hide=yes}} {{sic|teh}} {{sic}}": "a recieve windsheild teh [sic] [sic]",
},
"de": {

"Es wiegt {{ZahlExp|24|5,97|post=kg}}, also {{ZahlExp|-3}}.": "Es wiegt 5,97 × 10²⁴ kg, also 10⁻³.",
},
"it": {

"{{M|5,5|±|0,1|u=kg}} {{M|5|±|1|k|g}} {{M|3|x|4|x|5|cm}} {{M|5|a}} {{M|1|-|2|ul=km/s}}": (
    "5,5 ± 0,1 kg 5 ± 1 kg 3 × 4 × 5 cm 5 a 1–2 km/s"
),
},
})  # fmt: skip
