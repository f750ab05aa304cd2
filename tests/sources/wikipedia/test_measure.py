"""The command that says which templates matter."""

import bz2

import pytest

from pipeline.storage.listing import match
from sources.wikipedia.measure import measure, report
from sources.wikipedia.templates import main
from tests.sources.wikipedia.dumps import page, write_multistream, xml

PAGES = [
    page(1, "It is {{Far|5 km|see=12}} from there and {{far|6}} from here; {{nowrap|so it}} goes on."),
    page(2, "Some other words {{near|a}} stand here.<ref>{{far|7}}</ref>"),
    page(3, "Words of a talk {{far|8}} page.", namespace=1),
    page(4, "#REDIRECT [[A]] and some {{far|9}} words", extra='<redirect title="A" />'),
    page(5).replace("</title>", ""),
]
TABLE = """## en

template uses inside prose without a rule: 3 of 4 (75.00%); 8 characters and 3 numbers went with them

| template | uses | characters | numbers |
| --- | ---: | ---: | ---: |
| `Far` | 2 | 7 | 3 |
| `Near` | 1 | 1 | 0 |

"""


def test_the_table(tmp_path, capsys):
    write_multistream(tmp_path, *PAGES)
    main([str(tmp_path)])
    assert capsys.readouterr().out == TABLE
    main([str(tmp_path / "*multistream.xml.bz2"), "--pages", "1", "--most", "0"])
    assert "2 of 3 (66.67%)" in capsys.readouterr().out


def test_languages_have_tables_of_their_own(tmp_path):
    (tmp_path / "dewiki.xml.bz2").write_bytes(bz2.compress(xml(PAGES[0])))
    (tmp_path / "enwiki.xml").write_bytes(xml(*PAGES))
    found = measure(match([str(tmp_path)]))
    assert sorted(found) == ["de", "en"]
    assert report(found["en"].uses, "en", most=1).endswith("| `Far` | 2 | 7 | 3 |\n| 1 others | 1 | | |\n")
    assert report(measure(match([str(tmp_path)]), "sv", 0)["sv"].uses, "sv") == "## sv\n\nno template inside prose\n\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["articles.xml"], "nor its header tells the language: give --lang"),
        (["articles.xml", "--lang", "English"], "--lang: no Wikipedia has the code 'English' (near ones: en)"),
        (["nowhere.xml"], "nowhere.xml"),
    ],
)
def test_what_cannot_be_measured(tmp_path, monkeypatch, capsys, arguments, message):
    (tmp_path / "articles.xml").write_bytes(xml(page(1)).replace(b"enwiki", b"wiki"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 1
    assert message in capsys.readouterr().err
