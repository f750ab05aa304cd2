"""Uses of templates inside prose, and what goes with those without a rule."""

from filters.wikitext import TemplateUses, WikiSite, to_text
from filters.wikitext.usage import NameUses

IT = WikiSite.builtin("it")

PAGE = """{{Infobox|nome=Una città molto bella {{sconosciuto|1}}}}
La torre antica è alta {{altezza|12,5 m|anno = 1990}} e larga {{M|5|m}}.
{{avviso|Una nota lunga in testa}}
* {{ITA}} 12
* una voce lunga {{altezza|7}} qui
{| class="x"
| cella di tabella {{altezza|8}} qui
|}
Il testo continua<ref>in una nota {{altezza|9}} qui</ref> {{nowrap|fino a {{altezza|10}} qui}}."""


def test_what_is_counted():
    uses = TemplateUses()
    to_text(PAGE, IT, uses=uses)
    assert uses.without_rule == {"altezza": NameUses(3, len("12,5 m1990710") + 1, 4)}
    assert uses.with_rule == {"M": 1, "nowrap": 1}


SHORT = """* Height: {{far|12}} m
* {{far|13}} words of {{near|[[a]]}}
Ma {{far|5000}} mieszkańców.
=== {{near|X}} House ===
身長は{{far|9}}。
"""
NO_PROSE = """* {{far|1}}
* {{nowrap|{{far|2}}}} {{lang|de|{{far|3}}}} 12
{{far|4}} [[Category:Some|A]] [[File:a.jpg|thumb|{{far|5}}]] {{far|6}} https://a.org/words
{{far
|a=7
}} words
{| class="x"
|
In a cell of its own: {{far|8}} m
* {{far|9}} m
{|
| row {{far|10}} m
|}
text {{far|11}} m
|}
<gallery>
A.jpg|words {{far|12}} m
</gallery>
{{infobox town
 | height = about {{far|13}} m
}}
 | an orphan row, WIDE {{far|14}} m
""".replace("WIDE", "wide " * 100)


def test_list_items_and_short_sentences_are_prose_and_tables_are_not():
    site = WikiSite.builtin("en")
    uses, none = TemplateUses(), TemplateUses()
    to_text(SHORT, site, uses=uses)
    to_text(NO_PROSE, site, uses=none)
    assert uses.without_rule == {"far": NameUses(4, 9, 4), "near": NameUses(2, 6, 0)}
    assert not none.without_rule


def test_names_add_up():
    total = NameUses(1, 2, 3)
    total.add(NameUses(4, 5, 6))
    assert total == NameUses(5, 7, 9)
