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


def test_names_add_up():
    total = NameUses(1, 2, 3)
    total.add(NameUses(4, 5, 6))
    assert total == NameUses(5, 7, 9)
