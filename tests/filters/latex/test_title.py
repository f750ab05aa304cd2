"""Titles of papers."""

import pytest

from filters.latex import CleanPaper, clean_paper


@pytest.mark.parametrize(
    ("tex", "title"),
    [
        (r"\title{A Paper}", "A Paper"),
        (r"\title[Short]{A\\ \large Paper\thanks{Of {many} words.}}", "A Paper"),
        ("\\title{\n  A % no comment\n  Paper~I}", "A Paper I"),
        (r"\newcommand{\me}{Mine}\title{On \me{} and $x^2$}", "On Mine and $x^2$"),
        (r"\title{{\bf A Paper}}", "A Paper"),
        (r"% \title{Not this}", None),
        (r"\newcommand{\settitle}[1]{\title{#1}}", None),
        (r"\title{A Paper", None),
        ("", None),
    ],
)
def test_title(tex, title):
    paper = clean_paper({"a.tex": f"\\documentclass{{a}}\n{tex}\n\\begin{{document}}\\section{{A}} b".encode()})
    assert not isinstance(paper, CleanPaper) or paper.title == title


def test_a_title_in_another_file_is_found():
    files = {"a.tex": b"\\documentclass{a}\\begin{document}\\input{t}\\section{A} b", "t.tex": b"\\title{Elsewhere}"}
    paper = clean_paper(files)
    assert isinstance(paper, CleanPaper)
    assert paper.title == "Elsewhere"
