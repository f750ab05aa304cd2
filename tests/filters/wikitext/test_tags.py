"""Comments, references, extension tags and HTML."""

from hypothesis import given
from hypothesis import strategies as st

from filters.wikitext import to_text
from filters.wikitext.tags import strip_tags
from tests.filters.wikitext.pages import EN, english
from tests.tables import results

test_tags = results(
    english,
    {
        "a<!-- b -->c": "ac",
        "a <!-- b --> c": "a c",
        "a<!-- never closed": "a",
        "one<ref>x</ref> two<ref name=a>y {{cite web|url=http://e.org}}</ref>.": "one two.",
        "one<ref name=a /> two<ref name='b'/>, three <ref>x</ref>.": "one two, three.",
        "one<REF\nname=a>x\n\ny</Ref\n> two": "one two",
        "one<ref>never closed two": "onenever closed two",
        "one</ref> two": "one two",
        'one<ref name="x"\ntwo': 'one name="x"\ntwo',
        "a<gallery>\nFile:x.jpg|y\n</gallery>b<timeline>z</timeline>c": "abc",
        "a<score>\\relative c</score>b<imagemap>File:x</imagemap>": "ab",
        "a<references>\n<ref name=x>y</ref>\n</references>b": "ab",
        "a<table><tr><td>b<table><td>c</td></table></td></tr></table>d": "a\nd",
        "a<table>never closed": "a\nnever closed",
        "<b>a</b> <span style='x'>b</span> <small>c</small> <div class=x>d</div>": "a b c\nd",
        "a<br>b<br/>c<br />d</br>e": "a\nb\nc\nd\ne",
        "* a<br>b\n* c": "- a b\n- c",
        "<p>a</p><p>b</p>": "a\n\nb",
        "<ul><li>a</li><li>b</li></ul>": "- a\n- b",
        "<h2>a</h2>b": "a\n\nb",
        "if a <b and c> d, #include <stdio.h>": "if a  d, #include <stdio.h>".replace("  ", " "),
        "10<sup>6</sup> m<sup>-2</sup> 1<sup>st</sup> H<sub>2</sub>O": "10⁶ m⁻² 1st H2O",
    },
)


test_code_and_formulas_stay_to_the_letter = results(
    english,
    {
        "<math>\\frac{{a}}{b} f''</math>": "\\frac{{a}}{b} f''",
        "<nowiki>[[a]] ''b'' {{c}} &lt;</nowiki>": "[[a]] ''b'' {{c}} <",
        "''a''<nowiki/>'s": "a's",
        "<syntaxhighlight lang=py>\nif a:\n    b = '''c'''  # &amp;\n</syntaxhighlight>": (
            "if a:\n    b = '''c'''  # &amp;"
        ),
        "<pre>\n  a  b\n\n\n  [[c]]\n</pre>": "  a  b\n\n\n  [[c]]",
        "<code>a[[b]]</code> <tt>c</tt>": "ab c",
        "<math>never closed [[x]]": "never closed x",
        "<chem>H2O</chem> {{nowrap|<math>x|y</math>}}": "H2O x|y",
    },
)


def test_marks_in_the_input_are_not_taken_for_ours():
    assert to_text("a\x01b\x020\x03c\x04d\x05 <nowiki>e</nowiki>", EN) == "ab0cd e"


test_entities_are_decoded_once = results(
    english,
    {
        "a&nbsp;b &eacute; &#8211; &#x41; &lt;ref&gt;": "a b é – A <ref>",
        "&amp;lt; &amp;amp;": "&lt; &amp;",
        "AT&T ?a=1&copy=2&lang=de &notaname;": "AT&T ?a=1&copy=2&lang=de &notaname;",
        "soft\u00adhyphen zero\u200bwidth thin\u2009space &shy;x&thinsp;y": "softhyphen zerowidth thin space x y",
        "&#42; no list\n&#61;&#61; no title &#61;&#61;": "* no list\n== no title ==",
    },
)


REFERENCES = st.sampled_from(
    ["<ref", "<ref>", "<ref />", "<ref/ >", '<ref name="a">', '<ref name="a"/>', "</ref>", "</ref >", "</REF>",
     "<!--", "-->", "<br>", ">", "/>", " ", "/", "a", "<", "\n"]
)  # fmt: skip


@given(st.lists(REFERENCES, max_size=30).map("".join))
def test_references_in_one_go_are_as_those_step_by_step(wikitext):
    def longer(text: str) -> str:  # a tag of the same kind, for which there is no short way
        return text.replace("ref", "references").replace("REF", "REFERENCES")

    assert strip_tags(longer(wikitext), []) == longer(strip_tags(wikitext, []))
