"""The first sentence of the Italian articles about people, which stands in a template."""

import pytest

from filters.wikitext import WikiSite, to_text

IT = WikiSite.builtin("it")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ("Nome=Ada|Cognome=Neri|Sesso=F|LuogoNascita=Roma|AnnoNascita=1970|Attività=attrice|Nazionalità=italiana",
         "Ada Neri (Roma, 1970) è un'attrice italiana."),
        ("Nome=Ugo|Cognome=Alba|Sesso=M|LuogoNascita=Pisa|GiornoMeseNascita=1 maggio|AnnoNascita=1870|LuogoMorte=Bari"
         "|GiornoMeseMorte=2 giugno|AnnoMorte=1930|Attività=scrittore|Attività2=poeta|Attività3=[[critico]]"
         "|Nazionalità=italiano|PostNazionalità=, autore di libri",
         "Ugo Alba (Pisa, 1º maggio 1870 – Bari, 2 giugno 1930) è stato uno scrittore, poeta e critico italiano, autore"
         " di libri."),
        ("Titolo=Sir|Nome=Ian|Cognome=Hay|PostCognome=, detto Ray|PreData=nome d'arte|Sesso=M|AnnoMorte=1700"
         "|AnnoNascita=?|FineIncipit=fu re di un'isola",
         "Sir Ian Hay, detto Ray (nome d'arte; ... – 1700) fu re di un'isola."),
        ("Nome=Eva|Sesso=F|LuogoMorte=Milano|Attività=cantante|AttivitàAltre=, ballerina e altro|Nazionalità=svizzera"
         "|NazionalitàNaturalizzato=francese|Punto=no",
         "Eva (... – Milano) è stata una cantante, ballerina e altro svizzera naturalizzata francese"),
        ("Nome=Leo", "Leo."),
        ("Nome=Zeno|Sesso=M|Epoca=1500|Attività=zoologo", "Zeno (... – ...) è stato uno zoologo."),
        ("Cognome=|Nome=", ""),
    ],
)  # fmt: skip
def test_the_sentence(fields, text):
    wikitext = "{{Bio\n|" + fields.replace("|", "\n |") + "\n}}"
    assert to_text(wikitext, IT) == text
    assert to_text(wikitext + "\nAltro testo.", IT) == (f"{text}\nAltro testo." if text else "Altro testo.")
