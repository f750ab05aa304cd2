"""Names that papers put together: alphabets of macros, loops, and what of it stays."""

import pytest

from filters.latex import CleanPaper, clean_paper


def cleaned(preamble: str, body: str) -> CleanPaper:
    tex = f"\\documentclass{{a}}{preamble}\\begin{{document}}\\section{{A}}{body}"
    paper = clean_paper({"a.tex": tex.encode()})
    assert isinstance(paper, CleanPaper)
    return paper


def text(preamble: str, body: str) -> str:
    return cleaned(preamble, body).text.removeprefix("\\section{A}").removesuffix("\n")


LOOP = r"""
\def\ddef#1{\expandafter\def\csname c#1\endcsname{\mathcal{#1}}}
\def\ddefloop#1{\ifx\ddefloop#1\else\ddef{#1}\expandafter\ddefloop\fi}
\ddefloop ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz\ddefloop
"""


@pytest.mark.parametrize(
    ("preamble", "body", "expected"),
    [
        (LOOP, r"$\cA+\cz$", r"$\mathcal{A}+\mathcal{z}$"),
        (
            r"\makeatletter\@for\next:={alpha,beta}\do{\expandafter\newcommand\csname b\next\endcsname"
            r"{\boldsymbol{\csname\next\endcsname}}}\makeatother",
            r"$\balpha\bbeta$",
            r"$\boldsymbol{\alpha}\boldsymbol{\beta}$",
        ),
        (
            r"\makeatletter\@tfor\next:=AB\do{\expandafter\edef\csname b\next\endcsname{\noexpand\mathbb{\next}}}",
            r"$\bA x\bB$",
            r"$\mathbb{A} x\mathbb{B}$",
        ),
        (r"\foreach \x in {A,...,C}{\expandafter\xdef\csname c\x\endcsname{[\x]}}", r"\cA\cC", "[A][C]"),
        (
            r"\newcommand{\vector}[1]{\expandafter\newcommand\csname v#1\endcsname{\mathbf{#1}}}"
            r"\forcsvlist{\vector}{a, b}",
            r"\va\vb",
            r"\mathbf{a}\mathbf{b}",
        ),
        (r"\makeatletter\@namedef{foo}#1{<#1>}\makeatother", r"\foo{x}", "<x>"),
        (r"\newcommand\size[1]{{\csname #1\endcsname #1}}", r"\size{tiny}", r"{\tiny tiny}"),
        (r"\def\a{1}\expandafter\let\expandafter\b\csname a\endcsname", r"\b", "1"),
        (r"\newcommand\q[1]{\expandafter\ifx\csname#1\endcsname\relax a\else b\fi}", r"\q{x}\q{q}\q{c@x}", "aba"),
        (r"\newcounter{x}", r"\expandafter\ifx\csname c@x\endcsname\relax a\else b\fi", "b"),
    ],
)
def test_names_are_made_and_used(preamble, body, expected):
    assert text(preamble, body) == expected
    assert cleaned(preamble, body).macros_left == 0


@pytest.mark.parametrize(
    ("preamble", "body"),
    [
        (r"\newcommand\y[1]{\csname y#1\endcsname}", r"\y{:1}"),  # no name that could be written
        (r"\def\x{\expandafter\x\csname a\endcsname}", r"\x"),
        (r"\def\y{\expandafter\y\fi}", r"\y"),
        ("", r"\foreach \x in {1,2}{\draw (0,\x) -- (1,\x);}"),
        ("", r"\expandafter\uppercase\expandafter{\romannumeral 3}"),
        (r"\def\p{\catcode`\@=11 }\def\q#1{\p[#1]}", r"\q{a}"),  # it calls a program: no part of that is shown
        (r"\def\q#1{\p[#1]}\def\p{\catcode`\@=11 }", r"\q{a}"),
    ],
)
def test_what_only_tex_knows_stays_as_it_is_written(preamble, body):
    assert text(preamble, body) == body


def test_an_environment_stays_whole_where_one_half_of_it_is_a_program():
    tex = r"\newenvironment{code}{\begin{center}}{\end{center}\catcode`\@=12 }"
    assert text(tex, r"\begin{code}x\end{code}") == r"\begin{code}x\end{code}"


def test_of_four_sizes_the_texts_is_taken():
    assert text(r"\def\v#1{\mathchoice{D#1}{T#1}{S#1}{s#1}}", r"$\v x$") == "$Tx$"


@pytest.mark.parametrize("unit", [r"\expandafter", r"\csname ", r"\csname\csname", r"\expandafter\csname a"])
def test_names_that_never_end_are_passed_in_linear_time(unit):
    assert unit.strip() in text("", unit * 3000)


@pytest.mark.parametrize(
    "body",
    [
        r"\expandafter\let\csname \bye\endcsname",
        r"\csname \bye\endcsname",
        r"\edef\a{\bye}\a",
        r"\ifcsname \bye\endcsname a\fi",
        r"\newcommand\a{\bye}\csname \a\endcsname b",
        r"\expandafter\newcommand\csname \bye\endcsname{x}",
    ],
)
def test_a_paper_may_end_within_a_name(body):
    assert text("", f"before {body}").startswith("before")
