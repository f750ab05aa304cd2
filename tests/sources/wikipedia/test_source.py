import bz2
import gzip
import hashlib
import json
from datetime import datetime, timezone

import pytest

from pipeline.corpus.document import Document
from pipeline.engine.dedup import Units
from pipeline.errors import InputError
from pipeline.report.content import _facts
from pipeline.report.corpus import find
from pipeline.verify.accounts import verify
from sources.wikipedia.definitions import read_definitions
from sources.wikipedia.source import PageDedup
from sources.wikipedia.steps import uses_in_words
from sources.wikipedia.templates import main
from tests.sources.wikipedia.dumps import END, header, multistream, page, run, write_multistream, xml

GROUPS = [page(1, "One."), page(2, "Two.") + page(3, "Three."), page(4, "Four.") + page(5, "Five.")]
TINY = 1 / (1 << 20)


def texts(found) -> dict[int, str]:
    return {d["meta"]["page_id"]: d["text"] for d in found.documents()}


def write(path, data: bytes):
    path.write_bytes(data)
    return path


class TestDocuments:
    def test_every_column(self, tmp_path):
        text = "'''Ä & B''' is [[C]].<ref>[http://d.example/ D]</ref><ref>http://e.example/</ref>"
        path = write(tmp_path / "dewiki-20220701-x.xml", xml(page(12, text, title="Ä & B/C?")))
        (document,) = run(tmp_path / "out", path).documents()
        assert document == {
            "id": "dewiki-12-120",
            "text": "Ä & B is C.",
            "source": "wikipedia",
            "url": "https://de.wikipedia.org/wiki/%C3%84_%26_B/C%3F",
            "language": "de",
            "created": datetime(2022, 6, 1, 12, tzinfo=timezone.utc),
            "license": "CC BY-SA 3.0, GFDL",
            "origin": {"file": str(path), "offset": path.read_bytes().index(b"<page>")},
            "meta": {
                "page_id": 12,
                "revision_id": 120,
                "title": "Ä & B/C?",
                "wikitext_characters": len(text),
                "references": ["http://d.example/", "http://e.example/"],
            },
        }

    def test_the_names_of_namespaces_come_from_the_header(self, tmp_path):
        data = xml(page(1, "Seen. [[Beeld:A.jpg|thumb|Unseen]]")).replace(b'"6">File', b'"6">Beeld')
        found = run(tmp_path / "out", write(tmp_path / "xxwiki.xml", data))
        assert texts(found) == {1: "Seen."}

    def test_what_is_no_article(self, tmp_path):
        pages = [
            page(1, "#REDIRECT [[A]]", extra='<redirect title="A" />'),
            page(2, "Talk.", namespace=1),
            page(3, "{}").replace("wikitext", "json"),
            page(4, "{{infobox}}"),
            page(5, "Short."),
            page(6, "A text that is long enough."),
            page(7, "A '''text''' that is long enough.[[Category:B]]"),
        ]
        found = run(tmp_path / "out", write(tmp_path / "enwiki.xml", xml(*pages)), min_characters=10)
        assert found.reasons() == {
            "read: redirect": 1,
            "read: not_an_article": 1,
            "read: not_wikitext": 1,
            "text: empty": 1,
            "length: too_short": 1,
            "dedup: duplicate": 1,
        }
        assert texts(found) == {6: "A text that is long enough."}
        messages = sorted(r["text"] for r in found.rejects() if r["step"] == "read")
        assert messages == [
            "page 1, 'Title 1': redirects to 'A'",
            "page 2, 'Title 2': namespace 1",
            "page 3, 'Title 3': content model 'json'",
        ]

    def test_the_text_of_an_empty_page_can_be_looked_at(self, tmp_path):
        found = run(tmp_path / "out", write(tmp_path / "enwiki.xml", xml(page(4, "{{infobox}}"))))
        assert [(r["reason"], r["text"]) for r in found.rejects()] == [("empty", "{{infobox}}")]

    def test_repeated_texts_may_stay(self, tmp_path):
        path = write(tmp_path / "enwiki.xml", xml(page(1, "Same."), page(2, "Same.")))
        assert run(tmp_path / "out", path, dedup={"enabled": False}).kept() == {"en": 2}

    def test_dedup_by_language_keeps_the_same_text_in_two(self, tmp_path):
        for language in ("en", "de"):
            write(tmp_path / f"{language}wiki.xml", xml(page(1, "Same."), page(2, "Same.")))
        assert run(tmp_path / "a", tmp_path / "*.xml").kept() == {"de": 1}
        assert run(tmp_path / "b", tmp_path / "*.xml", dedup={"scope": "language"}).kept() == {"de": 1, "en": 1}


class TestOldDumps:
    """Dumps of schemas before 0.10."""

    def test_without_ns_and_dbname(self, tmp_path):
        head = '<mediawiki xml:lang="it"><siteinfo><base>https://it.wikipedia.org/wiki/X</base><namespaces>'
        head += '<namespace key="6">File</namespace><namespace key="14">Categoria</namespace></namespaces></siteinfo>'
        titles = ["Roma", "Categoria:Roma", "Utente:A", "Immagine:B.jpg", "Dune: parte"]
        pages = [page(n, f"Testo {n}.", title) for n, title in enumerate(titles, 1)]
        pages.append(page(9, "#RINVIA [[Roma]]", "Urbe"))
        data = (head + "".join(pages).replace("<ns>0</ns>", "") + END).encode()
        found = run(tmp_path / "out", write(tmp_path / "articles.xml", data))
        assert texts(found) == {1: "Testo 1.", 5: "Testo 5."}
        assert found.kept() == {"it": 2}
        messages = sorted(r["text"] for r in found.rejects())
        assert messages == [
            "page 2, 'Categoria:Roma': namespace 14",
            "page 3, 'Utente:A': namespace 'Utente'",
            "page 4, 'Immagine:B.jpg': namespace 6",
            "page 9, 'Urbe': its text begins with '#RINVIA [[Roma]]'",
        ]


@pytest.mark.parametrize("pack", [bytes, bz2.compress, gzip.compress])
def test_every_reject_has_an_id_of_its_own(tmp_path, pack):
    bomb = "<!DOCTYPE mediawiki>"
    pages = "".join([page(1, "Talk.", namespace=1), page(2).replace("</title>", ""), page(3, "Talk.", namespace=1)])
    found = run(tmp_path / "out", write(tmp_path / "enwiki-x.xml", pack((bomb + header() + pages + END).encode())))
    ids = [reject["id"] for reject in found.rejects()]
    assert len(ids) == len(set(ids)) == 4
    if pack is not bytes:
        assert ids == ["enwiki-x.xml@0", "enwiki-x.xml@0.1", "enwiki-x.xml@0.2", "enwiki-x.xml@0.3"]


class TestTemplates:
    def test_uses_inside_prose_are_counted_with_what_is_lost(self, tmp_path):
        text = "The tower there is {{convert|5|m}} high and {{unheard of|12 tons|34}} heavy.{{citation needed}}"
        found = run(tmp_path / "out", write(tmp_path / "enwiki.xml", xml(page(1, text), page(2, "Two."))))
        assert texts(found)[1] == "The tower there is 5 m high and heavy."
        assert found.steps["text"]["counters"] == {
            "prose_templates": 3,
            "prose_templates_en": 3,
            "prose_templates_without_rule": 1,
            "prose_templates_without_rule_en": 1,
            "prose_template_characters_lost": 9,
            "prose_template_numbers_lost": 2,
        }
        assert uses_in_words(found.steps["text"]["counters"]).startswith(
            "template uses inside prose without a rule: 1 of 3 (33.33%); 9 characters and 2 numbers went with them"
        )
        assert uses_in_words({}) == ""
        (corpus,) = find([str(found.root)]).sources
        assert dict(_facts(corpus))["template uses inside prose without a rule"] == "1 of 3 (33.3%)"

    def test_labels_and_attributions_are_keys(self, tmp_path):
        text = "In {{lang-de|Wien}} and {{PAGENAME}}.\n{{quote|Words.|Author}}"
        path = write(tmp_path / "enwiki.xml", xml(page(1, text, title="Vienna")))
        assert texts(run(tmp_path / "a", path)) == {1: "In Wien and Vienna.\n\nWords."}
        keys = {"language_labels": True, "quote_attributions": True}
        shown = run(tmp_path / "b", path, templates=keys)
        assert texts(shown) == {1: "In German: Wien and Vienna.\n\nWords.\n— Author"}

    def test_definitions_of_the_dump(self, tmp_path):
        text = "The tower there is {{tall|12.5|m}} high, {{lua}} and {{boxed|x}} so on."
        templates = [
            page(2, "{{{1}}} {{unit of|{{{2}}}}}", "Template:Tall", 10),
            page(3, "{{lc:{{{1}}}}}<noinclude>x</noinclude>", "Template:Unit of", 10),
            page(4, "{{#invoke:a|b}}", "Template:Lua", 10),
            page(5, "<div>{{{1}}}</div>", "Template:Boxed", 10),
            page(6, "never used", "Template:Other", 10),
        ]
        path = write_multistream(tmp_path, page(1, text), "".join(templates))
        folder = tmp_path / "definitions"
        main([str(path), "--definitions", str(folder)])
        lines = gzip.decompress((folder / "en.jsonl.gz").read_bytes()).splitlines()
        names = [json.loads(line)["name"] for line in lines]
        assert names == ["boxed", "lua", "tall", "unit of"]
        without = run(tmp_path / "a", path)
        assert texts(without) == {1: "The tower there is high, and so on."}
        expanded = run(tmp_path / "b", path, templates={"definitions": str(folder)}, shard_megabytes=TINY)
        assert texts(expanded) == {1: "The tower there is 12.5 m high, and so on."}
        assert expanded.steps["text"]["counters"]["prose_templates_without_rule"] == 1  # the one in Lua
        sha256 = hashlib.sha256((folder / "en.jsonl.gz").read_bytes()).hexdigest()
        assert expanded.manifest["configuration"]["definitions"] == {"en": sha256}

    @pytest.mark.parametrize(
        "data", [None, b"not gzip", gzip.compress(b"{}\n", mtime=0), gzip.compress(b"[1]\n", mtime=0)]
    )
    def test_definitions_that_cannot_be_read(self, tmp_path, data):
        if data is not None:
            write(tmp_path / "en.jsonl.gz", data)
        with pytest.raises(InputError, match=r"en\.jsonl\.gz is no file of definitions .* make it again with python"):
            read_definitions(str(tmp_path), "en")

    def test_definitions_that_are_not_there_stop_the_run_at_once(self, tmp_path):
        path = write(tmp_path / "enwiki.xml", xml(page(1)))
        with pytest.raises(InputError, match=r"templates.definitions: .*en\.jsonl\.gz cannot be read; make it with"):
            run(tmp_path / "out", path, templates={"definitions": str(tmp_path)})


class TestForms:
    """One dump in every form gives the same documents, whatever the shards."""

    @pytest.fixture
    def expected(self, tmp_path):
        return {1: "One.", 2: "Two.", 3: "Three.", 4: "Four.", 5: "Five."}

    @pytest.mark.parametrize("pack", [bytes, bz2.compress, gzip.compress])
    def test_plain_bz2_gz(self, tmp_path, expected, pack):
        found = run(tmp_path / "out", write(tmp_path / "enwiki-x.xml", pack(xml(*GROUPS))))
        assert texts(found) == expected
        assert found.shards() == ["enwiki-x"]

    @pytest.mark.parametrize(("size", "shards"), [(TINY, 3), (1, 1)])
    def test_multistream_with_index(self, tmp_path, expected, size, shards):
        path = write_multistream(tmp_path, *GROUPS)
        found = run(tmp_path / "out", path, shard_megabytes=size)
        assert texts(found) == expected
        assert len(found.shards()) == shards + (shards > 1)  # the header is a shard where every stream is
        offsets = multistream(*GROUPS)[1]
        assert [d["origin"]["offset"] for d in sorted(found.documents(), key=lambda d: d["id"])] == [
            offsets[0], offsets[1], offsets[1], offsets[2], offsets[2]
        ]  # fmt: skip
        assert verify(str(found.root)) == (5, [])

    def test_two_workers_write_the_same_bytes(self, tmp_path):
        path = write_multistream(tmp_path, *GROUPS)
        one = run(tmp_path / "one", path, shard_megabytes=TINY)
        two = run(tmp_path / "two", path, shard_megabytes=TINY, workers=2)
        kept = [sorted(p.relative_to(r.root) for p in r.root.rglob("*.parquet")) for r in (one, two)]
        assert kept[0] == kept[1]
        assert len(kept[0]) == 3
        assert all((one.root / name).read_bytes() == (two.root / name).read_bytes() for name in kept[0])

    def test_stats_name_the_places_of_parts(self, tmp_path):
        path = write_multistream(tmp_path, *GROUPS)
        found = run(tmp_path / "out", path, shard_megabytes=TINY)
        data, inputs = path.read_bytes(), found.manifest["inputs"]
        assert [(entry["start"], entry["end"]) for entry in inputs] == [
            (a, b) for a, b in zip([0, *multistream(*GROUPS)[1]], [*multistream(*GROUPS)[1], None], strict=True)
        ]
        for entry in inputs:
            part = data[entry["start"] : entry["end"]]
            assert (entry["bytes"], entry["sha256"]) == (len(part), hashlib.sha256(part).hexdigest())


class TestBadInput:
    def reasons(self, tmp_path, data: bytes, name: str = "enwiki-20220701.xml", **settings):
        found = run(tmp_path / "out", write(tmp_path / name, data), **settings)
        assert verify(str(found.root))[1] == []
        return found.reasons(), texts(found)

    def test_a_truncated_bz2(self, tmp_path):
        data = multistream(*GROUPS)[0]
        at = multistream(*GROUPS)[1][2] + 40
        assert self.reasons(tmp_path, data[:at]) == (
            {"read: truncated_bz2!": 1}, {1: "One.", 2: "Two.", 3: "Three."}
        )  # fmt: skip

    def test_a_truncated_gz(self, tmp_path):
        data = gzip.compress(xml(*GROUPS))
        reasons, kept = self.reasons(tmp_path, data[: len(data) * 3 // 4])
        assert reasons == {"read: truncated_gzip!": 1}
        assert set(kept) < {1, 2, 3, 4, 5}

    @pytest.mark.parametrize("size", [TINY, 1])
    def test_a_damaged_stream_in_the_middle(self, tmp_path, size):
        path = write_multistream(tmp_path, *GROUPS)
        data, at = bytearray(path.read_bytes()), multistream(*GROUPS)[1][1]
        data[at + 60 : at + 64] = b"\xff\xff\xff\xff"
        path.write_bytes(bytes(data))
        found = run(tmp_path / "out", path, shard_megabytes=size)
        assert found.reasons() == {"read: corrupt_bz2!": 1}
        assert texts(found) == {1: "One.", 4: "Four.", 5: "Five."}
        (reject,) = found.rejects()
        assert reject["text"] == (
            f"the bzip2 stream at byte {at} is damaged, and its pages are lost; fetch the file again"
        )

    def test_an_xml_cut_in_the_middle(self, tmp_path):
        data = xml(page(1, "One."), page(2, "Two."))
        assert self.reasons(tmp_path, data[: data.index(b"Two.")]) == ({"read: truncated_xml!": 1}, {1: "One."})

    def test_a_malformed_page(self, tmp_path):
        data = xml(page(1, "One."), page(2).replace("<ns>0</ns>", "<ns>0"), page(3, "Three."))
        assert self.reasons(tmp_path, data) == ({"read: malformed_page!": 1}, {1: "One.", 3: "Three."})

    def test_numbers_that_no_page_has(self, tmp_path):
        data = xml(page(10**30), page(-1), page(3, "Three."))
        assert self.reasons(tmp_path, data) == ({"read: malformed_page!": 2}, {3: "Three."})

    def test_an_entity_bomb_costs_nothing(self, tmp_path):
        entities = "".join(f'<!ENTITY lol{n} "{f"&lol{n - 1};" * 10}">' for n in range(1, 10))
        bomb = f'<?xml version="1.0"?>\n<!DOCTYPE mediawiki [<!ENTITY lol0 "lol">{entities}]>\n'
        data = bomb + header() + page(1, "One.") + page(2, "BOMB").replace("BOMB", "&lol9;") + END
        assert self.reasons(tmp_path, data.encode()) == (
            {"read: document_type!": 1, "read: malformed_page!": 1}, {1: "One."}
        )  # fmt: skip

    def test_a_page_of_a_hundred_megabytes(self, tmp_path):
        data = xml(page(1, "One."), page(2, "HUGE"), page(3, "Three.")).replace(b"HUGE", b"x" * 100_000_000)
        assert self.reasons(tmp_path, data) == ({"read: too_large!": 1}, {1: "One.", 3: "Three."})

    def test_a_page_over_the_limits_of_the_cleaner(self, tmp_path):
        data = xml(page(1, "One."), page(2, "x" * 2000), page(3, "Three."))
        assert self.reasons(tmp_path, data, limits={"max_characters": 1000}) == (
            {"text: too_long": 1}, {1: "One.", 3: "Three."}
        )  # fmt: skip

    def test_a_page_that_asks_for_too_much_work(self, tmp_path):
        growing = "{" * 900 + "|".join("a" * 300) + "}" * 900
        data = xml(page(1, "One."), page(2, growing), page(3, "Three."))
        assert self.reasons(tmp_path, data, limits={"max_work_per_character": 1}) == (
            {"text: too_complex": 1}, {1: "One.", 3: "Three."}
        )  # fmt: skip

    @pytest.mark.parametrize("hurtful", ["{{a|" * 100_000, "{|\n|" * 100_000, "[[a|" * 100_000, "<ref>" * 100_000])
    def test_nested_markup_costs_only_its_page(self, tmp_path, hurtful):
        data = xml(page(1, "One."), page(2, hurtful), page(3, "Three."))
        _, kept = self.reasons(tmp_path, data)
        assert (kept[1], kept[3]) == ("One.", "Three.")

    def test_the_header_of_another_wiki(self, tmp_path):
        reasons, kept = self.reasons(tmp_path, xml(page(1, "Eins. [[Datei:A.jpg|mini|B]]")), "dewiki.xml")
        assert (reasons, kept) == ({}, {1: "Eins."})

    def test_no_language(self, tmp_path):
        data = xml(page(1), page(2)).replace(b"enwiki", b"wiki")
        assert self.reasons(tmp_path, data, "articles.xml") == ({"read: unknown_language!": 1}, {})

    def test_the_language_may_be_given(self, tmp_path):
        data = xml(page(1, "One.")).replace(b"enwiki", b"wiki")
        found = run(tmp_path / "out", write(tmp_path / "articles.xml", data), language="nds")
        assert found.kept() == {"nds": 1}

    @pytest.mark.parametrize("data", [b"", b"not a dump", b"\x89PNG\r\n\x1a\n" + bytes(300), b"7z\xbc\xaf\x27\x1c"])
    def test_no_dump(self, tmp_path, data):
        assert self.reasons(tmp_path, data) == ({"read: not_a_dump!": 1}, {})

    def test_bytes_that_only_begin_as_bz2(self, tmp_path):
        assert self.reasons(tmp_path, b"BZh9garbage") == ({"read: corrupt_bz2!": 1}, {})

    def test_a_bad_file_takes_no_other_with_it(self, tmp_path):
        write(tmp_path / "enwiki-a.xml", b"")
        write(tmp_path / "enwiki-b.xml", xml(page(1, "One.")))
        (tmp_path / "enwiki-c.xml").symlink_to(tmp_path / "nowhere")
        found = run(tmp_path / "out", tmp_path / "*.xml")
        assert found.reasons() == {"read: not_a_dump!": 1, "read: unreadable_file!": 1}
        assert texts(found) == {1: "One."}


def test_a_page_is_one_unit():
    documents = [Document(str(n), text, "wikipedia", "f", 0) for n, text in enumerate(["a", "b", "a", "\ud800"])]
    dedup = PageDedup()
    units = [dedup.hashes(document) for document in documents]
    assert all(
        isinstance(unit, Units) and len(unit.hashes) == dedup.count(d) for unit, d in zip(units, documents, strict=True)
    )
    values = [int(unit.hashes[0]) for unit in units]
    assert values[0] == values[2]
    assert len(set(values)) == 3
