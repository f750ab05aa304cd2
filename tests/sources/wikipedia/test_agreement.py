import re

import pytest

from pipeline.errors import InputError
from pipeline.storage.filesystem import InputFile
from pipeline.verify.accounts import verify
from sources.wikipedia.agreement import check_agreement
from sources.wikipedia.head import dump_head
from tests.sources.wikipedia.dumps import END, header, page, run


def check(*dumps: tuple[str, str], said: str | None = None) -> list[str]:
    """The warnings for files with these names and databases."""
    heads = {f"in/{name}": dump_head(InputFile(f"in/{name}", 1), header(db).encode(), said) for name, db in dumps}
    return check_agreement(heads, said)


class TestWitnesses:
    def test_nothing_is_said_where_all_agree_or_know_nothing(self):
        dumps = [
            ("dewiki-20220701-x.xml", "dewiki"),
            ("frwiki.xml", ""),
            ("articles.xml", "be_x_oldwiki"),
            ("a.xml", ""),
        ]
        assert check(*dumps) == []
        assert check(("dewiki.xml", "dewiki"), ("a.xml", ""), said="de") == []

    def test_the_name_goes_before_the_header(self):
        assert check(("frwiki.xml", "enwiki"), ("dewiki.xml", "dewiki")) == [
            "frwiki.xml: read as fr, as the name says; but the header says enwiki"
        ]

    def test_the_user_goes_before_both(self):
        assert check(("frwiki.xml", "enwiki"), said="en") == [
            "frwiki.xml: read as en, as --lang (or the recipe) says; but the name says fr"
        ]
        assert check(("frwiki.xml", "enwiki"), said="fr") == [
            "frwiki.xml: read as fr, as --lang (or the recipe) says; but the header says enwiki"
        ]
        assert check(("frwiki.xml", "enwiki"), said="de") == [
            "frwiki.xml: read as de, as --lang (or the recipe) says; but the name says fr and the header says enwiki"
        ]
        assert check(("x.xml", "dewiki"), said="nds") == [
            "x.xml: read as nds, as --lang (or the recipe) says; but the header says dewiki"
        ]

    def test_what_is_no_wikipedia(self):
        assert check(("enwiktionary-20220701.xml", "enwiktionary"), said="en") == [
            "enwiktionary-20220701.xml: read as en, as --lang (or the recipe) says; but the header says enwiktionary"
        ]

    def test_one_sentence_for_all_files_of_one_contradiction(self):
        dumps = [(f"frwiki-{part}.xml", "enwiki") for part in "abcde"]
        assert check(*dumps) == [
            "frwiki-a.xml, frwiki-b.xml, frwiki-c.xml and 2 more: read as fr, as the name says; "
            "but the header says enwiki"
        ]

    def test_a_language_that_name_and_header_deny_is_refused(self):
        with pytest.raises(
            InputError, match=r"the name and the header of in/dewiki-1\.xml say de, --lang .* says en; le"
        ):
            check(("enwiki.xml", "enwiki"), ("dewiki-1.xml", "dewiki"), said="en")


class TestSamePages:
    def refused(self, *names: str) -> str:
        with pytest.raises(InputError) as caught:
            check(*((name, "") for name in names))
        return str(caught.value)

    def test_two_dates_of_one_wiki(self):
        assert self.refused("enwiki-20220701-a.xml", "dewiki-20220720-a.xml", "enwiki-20220720-a.xml") == (
            "in/enwiki-20220701-a.xml and in/enwiki-20220720-a.xml are of two dates, and so would give most articles "
            "of en twice; give the dumps of one date"
        )

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("-pages-articles.xml.bz2", "-pages-articles-multistream.xml.bz2"),
            ("-pages-articles.xml", "-pages-articles.xml.bz2"),
            ("-pages-articles.xml.gz", "-pages-meta-current.xml.bz2"),
            ("-pages-articles.xml.bz2", "-pages-articles-multistream7.xml-p100p200.bz2"),
            ("-pages-articles1.xml-p1p100.bz2", "-pages-articles-multistream1.xml-p1p100.bz2"),
            ("-pages-articles1.xml-p1p500.bz2", "-pages-articles2.xml-p400p600.bz2"),
        ],
    )
    def test_two_files_of_the_same_pages(self, one, other):
        for names in ((one, other), (other, one)):
            message = self.refused(*(f"enwiki-20220701{name}" for name in names))
            assert re.fullmatch(r"\S+ and \S+ hold the same pages, by their names; give one of them", message)
        assert check((f"enwiki-20220701{one}", ""), (f"dewiki-20220701{other}", "")) == []

    def test_parts_that_follow_one_another(self):
        parts = ["1.xml-p1p100.bz2", "2.xml-p101p500.bz2", "2.xml-p501p900.bz2", "3.xml-p901p1000.bz2"]
        assert check(*((f"enwiki-20220701-pages-articles{part}", "enwiki") for part in parts)) == []

    def test_parts_without_a_range_are_not_judged(self):
        parts = ["1.xml.bz2", "2.xml.bz2"]
        assert check(*((f"enwiki-20220701-pages-articles{part}", "enwiki") for part in parts)) == []


class TestIds:
    """Two wikis that are read as one, so that page 1 of both has the same id."""

    @pytest.fixture
    def dumps(self, tmp_path):
        for name, text in (("dewiki", "Ein Satz."), ("frwiki", "Une phrase.")):
            pages = page(1, text) + page(2, "The same in both.") + page(3 if name == "dewiki" else 4, f"{text} !")
            (tmp_path / f"{name}.xml").write_text(header() + pages + END)
        return tmp_path

    def test_the_second_page_with_an_id_is_dropped(self, dumps, tmp_path):
        said = []
        found = run(tmp_path / "out", dumps, language="en", said=said)
        assert len(said) == 2
        assert found.reasons() == {"dedup: duplicate": 1, "dedup: duplicate_id": 1}
        assert {(d["id"], d["text"]) for d in found.documents()} == {
            ("enwiki-1-10", "Ein Satz."),
            ("enwiki-2-20", "The same in both."),
            ("enwiki-3-30", "Ein Satz. !"),
            ("enwiki-4-40", "Une phrase. !"),
        }
        assert verify(str(found.root)) == (4, [])

    def test_without_dedup_they_are_left_to_be_told_by_verify(self, dumps, tmp_path):
        said = []
        found = run(tmp_path / "out", dumps, language="en", dedup={"enabled": False}, said=said)
        assert said[2:] == [
            "dedup is off, and there is more than one dump of en: a page that two of them hold is written twice"
        ]
        (fault,) = verify(str(found.root))[1]
        assert fault.startswith("2 documents have the id of another one, in en/dewiki.parquet, en/frwiki.parquet")
