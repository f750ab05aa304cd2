"""arXiv's identifiers in the forms that file names have."""

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.arxiv.identifiers import identify, month_start


@pytest.mark.parametrize(
    ("path", "paper", "yymm", "version"),
    [
        ("2005/2005.99001.gz", "2005.99001", "2005", None),
        ("0704/0704.0001.pdf", "0704.0001", "0704", None),
        ("9901/hep-th9901001.gz", "hep-th/9901001", "9901", None),
        ("0002/cs0002999.gz", "cs/0002999", "0002", None),
        ("hep-th/9901001v3.tar.gz", "hep-th/9901001", "9901", 3),
        ("cond-mat_0101001.tar", "cond-mat/0101001", "0101", None),
        ("math.GT/0309136", "math/0309136", "0309", None),
        ("papers/2103.00002v12", "2103.00002", "2103", 12),
        ("arXiv:2103.00002v1.tgz", "2103.00002", "2103", 1),
        ("2104.00001", "2104.00001", "2104", None),
        ("dir/2104.00001/", "2104.00001", "2104", None),
    ],
)
def test_identifiers(path, paper, yymm, version):
    found = identify(path)
    assert (found.paper, found.yymm, found.version, found.is_arxiv) == (paper, yymm, version, True)
    assert found.url == f"https://arxiv.org/abs/{paper}"


@pytest.mark.parametrize("path", ["main.tex", "2013.12345", "2100.00001", "9913001", "x/y/paper.tar.gz", "2005.123456"])
def test_other_names_have_none(path):
    found = identify(path)
    assert (found.yymm, found.version, found.is_arxiv, found.url, found.created) == ("other", None, False, None, None)
    assert found.paper != identify(path, "elsewhere").paper


def test_months_are_of_two_centuries():
    assert month_start("9107") == datetime(1991, 7, 1, tzinfo=timezone.utc)
    assert month_start("0704") == datetime(2007, 4, 1, tzinfo=timezone.utc)
    assert identify("2005.99001").created == datetime(2020, 5, 1, tzinfo=timezone.utc)


@given(st.text(max_size=60))
def test_any_name_has_a_paper(name):
    assert identify(name).paper
