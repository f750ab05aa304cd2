import json
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest

from pipeline.report import palette
from pipeline.report.charts import Series, bars, columns, histogram, horizontal, label, number
from pipeline.report.distributions import ELSEWHERE, HERE, KEPT, Bars, Histogram
from pipeline.report.fields import Field

FIELD = Field("meta.p", "Perplexity", "perplexity", "log", names=("head", "tail"), step="perplexity")


def drawn(**more) -> Histogram:
    counts = {KEPT: np.array([3.0, 0]), HERE: np.array([0, 2.0]), ELSEWHERE: np.zeros(2)}
    return Histogram(FIELD, np.array([10.0, 100.0, 1000.0]), counts, (100.0,), False, 5, **more)


def test_a_histogram_has_its_counts_cutoffs_and_table():
    chart = histogram(drawn())
    first, second = chart.figure["data"]
    assert (first["name"], first["y"], first["x"], first["width"]) == ("kept", [3.0, 0.0], [55.0, 550.0], [90.0, 900.0])
    assert (second["name"], second["y"]) == ("dropped by perplexity", [0.0, 2.0])
    layout = chart.figure["layout"]
    assert layout["xaxis"]["type"] == "log"
    assert layout["xaxis"]["ticktext"] == ["10", "20", "50", "100", "200", "500", "1\u202fk"]
    assert [shape["x0"] for shape in layout["shapes"]] == [100.0]
    assert [(note["text"], round(note["x"], 3)) for note in layout["annotations"]] == [
        ("100", 2.0),
        ("head", 1.5),
        ("tail", 2.5),
    ]
    assert chart.table.head == ["perplexity", "kept", "dropped by perplexity"]
    assert chart.table.rows == [["10 – 100", "3", "0"], ["100 – 1,000", "0", "2"]]
    assert chart.legend == [("kept", palette.KEPT), ("dropped by perplexity", palette.DROPPED)]
    assert chart.summary == "Histogram of 5 values. Cut at 100."


def test_what_an_axis_lacks_is_said():
    assert histogram(drawn(unseen=4.0)).note == "Not on this axis: 0, in 4 of the documents."


def test_bars_stand_in_their_order_with_their_values():
    counts = {KEPT: np.array([5.0, 1.0]), HERE: np.zeros(2), ELSEWHERE: np.array([0.0, 7.0])}
    chart = bars(Bars(Field("language", "Language"), ["en", "de"], counts, 13))
    layout = chart.figure["layout"]
    assert layout["yaxis"]["ticktext"] == ["en", "de"]
    assert layout["yaxis"]["range"] == [2.5, -0.5]
    assert chart.table.rows == [["en", "5", "0"], ["de", "1", "7"]]
    assert chart.table.head == ["", "kept", "dropped"]


@pytest.mark.parametrize(("months", "kind"), [(3, "category"), (40, "date")])
def test_few_months_stand_beside_each_other(months, kind):
    names = [f"{2000 + n // 12}-{1 + n % 12:02d}" for n in range(months)]
    chart = columns("Yield", names, [Series("kept", [1] * months, palette.KEPT)], "records", "")
    assert chart.figure["layout"]["xaxis"]["type"] == kind
    assert chart.figure["data"][0]["x"] == names


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<b>bold</b> & <a href='https://evil.example'>x</a>", "&lt;b&gt;bold&lt;/b&gt; &amp; &lt;a href='https://…"),
        ("two\nlines\u202e", "two lines[U+202E]"),
        ("x" * 40, "x" * 31 + "…"),
    ],
)
def test_no_label_is_markup_for_plotly(text, shown):
    assert label(text) == shown


def test_names_from_data_are_labels_everywhere():
    chart = horizontal("T", ["<i>a</i>"], [Series("<u>s</u>", [1.0], palette.KEPT)], "documents", "", labelled=True)
    assert "<i>" not in json.dumps(chart.figure)
    assert "<u>" not in json.dumps(chart.figure)
    assert chart.table.rows == [["<i>a</i>", "1"]]  # the page escapes it


def test_figures_are_plain_json_that_plotly_takes():
    for chart in (histogram(drawn()), horizontal("T", ["a"], [Series("s", np.array([1.5]), "#2b6cb0")], "u", "")):
        again = json.loads(json.dumps(chart.figure))
        assert again == chart.figure
        go.Figure(again)


@pytest.mark.parametrize(
    ("value", "shown"), [(3.0, "3"), (1234567, "1,234,567"), (1234.5, "1,234"), (0.123456, "0.123"), (0, "0")]
)
def test_numbers(value, shown):
    assert number(value) == shown


def test_every_colour_has_a_dark_counterpart():
    plain = {c for name, c in vars(palette).items() if name.isupper() and isinstance(c, str)}
    assert plain | set(palette.SERIES) <= set(palette.DARK)


def test_names_of_ranges_stand_above_the_values_of_cutoffs_where_they_have_room():
    notes = histogram(drawn()).figure["layout"]["annotations"]
    assert [(note["text"], note["yshift"]) for note in notes] == [("100", 0), ("head", 13), ("tail", 13)]
    narrow = histogram(replace(drawn(), cutoffs=(11.0,))).figure["layout"]["annotations"]
    assert [note["text"] for note in narrow] == ["11", "tail"]


def test_counts_have_no_halves():
    assert histogram(drawn()).figure["layout"]["yaxis"]["dtick"] == 1
    more = replace(drawn(), counts={KEPT: np.array([50.0, 0]), HERE: np.zeros(2), ELSEWHERE: np.zeros(2)})
    assert "dtick" not in histogram(more).figure["layout"]["yaxis"]
