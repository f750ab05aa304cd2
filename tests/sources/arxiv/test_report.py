"""What a run says of the papers."""

from sources.arxiv.report import notes, yield_table, yields


def manifest(read: dict[str, int], length: dict[str, int], latex: dict[str, int]) -> dict:
    def step(name: str, counters: dict[str, int]) -> dict:
        nothing = {"documents": 0, "characters": 0}
        return {"step": name, "entered": nothing, "left": nothing, "dropped": {}, "failed": {}, "counters": counters}

    return {"ledger": {"steps": [step("read", read), step("latex", latex), step("length", length)], "kept": {}}}


FEW = manifest(
    {"members_2005": 4, "members_9912": 2, "members_other": 1, "text_bytes": 9},
    {"kept_2005": 3, "kept_9912": 1},
    {
        "macros_expanded": 99,
        "macros_left": 1,
        "papers_with_macros_left": 1,
        "conditionals_left": 2,
        "unread_definitions": 0,
        "second_documents": 1,
        "starts_at_section": 3,
        "starts_at_abstract": 1,
    },
)


def test_yields_come_in_the_order_of_time():
    assert list(yields(FEW).items()) == [("9912", (2, 1)), ("2005", (4, 3)), ("other", (1, 0))]
    assert yield_table(FEW) == (
        b"month\tmembers\tkept\tshare\n9912\t2\t1\t0.5000\n2005\t4\t3\t0.7500\nother\t1\t0\t0.0000\n"
    )


def test_notes_of_few_months():
    assert notes(FEW) == [
        "Yield: 4 papers of 7 members, 57.1% (9912 50%, 2005 75%, other 0%)",
        "Authors' macros: 99 uses expanded, 1 left in the text (1.00%); papers with some left: 1",
        "Besides, conditionals in the text that only TeX decides: 2; other documents in submissions "
        "(latex.second_documents takes them): 1",
        "Texts start at the first section in 3, the abstract in 1",
    ]


def test_many_months_are_shown_as_years():
    months = [f"{year:02d}{month:02d}" for year in (99, 0) for month in range(1, 13)]
    many = manifest({f"members_{m}": 2 for m in months}, {f"kept_{m}": 1 for m in months if m[:2] == "99"}, {})
    assert notes(many) == ["Yield: 12 papers of 48 members, 25.0% (1999 50%, 2000 0%)"]


def test_a_run_without_papers_says_nothing():
    assert notes(manifest({}, {}, {})) == []
