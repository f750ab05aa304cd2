"""Conditionals that the source decides are carried out; the others stay."""

import pytest

from filters.latex.assemble import Files
from filters.latex.expand import Expander, Limits


def run(tex: str) -> str:
    return Expander(Files({"main.tex": tex.encode()}, "main.tex"), Limits()).run("main.tex")


@pytest.mark.parametrize(
    ("tex", "text"),
    [
        (r"a\iffalse b\fi c, a \iffalse b\fi c", "a c, a c"),
        (r"a\iffalse b\else c\fi d", "ac d"),
        (r"a\iftrue b\else c\fi d", "ab d"),
        (r"a\iffalse b\ifnum x\else y\fi\iftrue\fi c\fi d", "a d"),
        (r"a\iftrue b\iffalse c\else d\fi e\else f\fi g", "abd e g"),
        (r"a $x \iff y$ \iffalse $x\iff y$\fi b", r"a $x \iff y$ b"),
        ("a\n\\iffalse\nb\n\\fi\nc", "a\nc"),
        (r"\newcommand{\hide}[1]{\iffalse#1\fi}a\hide{b}c", "ac"),
        (r"\def\ig{\iffalse}\ig a\fi b", "b"),
        (r"a\iffalse b", r"a\iffalse b"),
        # switches
        (r"\newif\iflong\iflong a\else b\fi\longtrue\iflong a\else b\fi", "ba"),
        (r"\newif\iflong\longtrue\def\l#1#2{\iflong#1\else#2\fi}\l{a}{b}", "a"),
        (r"\let\ifdraft\iffalse\ifdraft a\fi b", "b"),
        (r"\let\ifdraft\iftrue\ifdraft a\fi b", "a b"),
        (r"\newtoggle{t}\iftoggle{t}{a}{b}\toggletrue{t}\iftoggle{t}{a}{b}\iftoggle{u}{a}{b}", r"ba\iftoggle{u}{a}{b}"),
        (r"\newboolean{d}\setboolean{d}{true}\ifthenelse{\boolean{d}}{a}{b}", "a"),
        (r"\ifthenelse{\equal{a}{a}}{b}{c}\ifthenelse{\equal{a}{b}}{b}{c}", "bc"),
        (r"\ifthenelse{\lengthtest{1pt<2pt}}{b}{c}", r"\ifthenelse{\lengthtest{1pt<2pt}}{b}{c}"),
        # comparisons
        (r"\newcommand{\f}[1]{\ifx#1\empty none\else(#1)\fi}\f{a}\f\empty", "(a)none"),
        (r"\newcommand{\f}[1]{\ifx&#1&none\else(#1)\fi}\f{a}\f{}", "(a)none"),
        (r"\def\a{x}\def\b{x}\def\c{y}\ifx\a\b1\fi\ifx\a\c2\else3\fi", "13"),
        ("\\if0\nb\\fi c\\if11d\\fi", "cd"),
        (r"\newcommand{\n}[1]{\ifnum#1>1 many\else one\fi}\n{1}, \n{3}", "one, many"),
        (r"\def\n{3}\ifnum\n=3 a\else b\fi", "a"),
        (
            r"\newcommand{\f}[1]{\ifblank{#1}{none}{(#1)}}\f{a}\f{ }\ifstrequal{a}{a}{b}{c}\notblank{}{a}{b}",
            "(a)nonebb",
        ),
        (r"\def\a{}\ifx\a\undefined b\fi\ifx\undefined\new c\fi\ifx\documentclass\undefined d\else e\fi", "ce"),
        # what only TeX knows
        (r"\ifnum\value{page}>1 a\else b\fi", r"\ifnum\value{page}>1 a\else b\fi"),
        (r"\ifdim\parindent=0pt a\fi", r"\ifdim\parindent=0pt a\fi"),
        (r"\ifx\foo\bar a\else b\fi", r"\ifx\foo\bar a\else b\fi"),
        (r"\ifpdf a\else b\fi\ifxetex a\else b\fi", "ab"),
        # look-ahead
        (r"\makeatletter\def\s{\@ifstar{<s>}{<n>}}\s*x\s x", "<s>x<n> x"),
        (r"\makeatletter\def\s{\@ifnextchar[{\t}{\t[d]}}\def\t[#1]{<#1>}\s[a]\s", "<a><d>"),
    ],
)
def test_conditionals(tex: str, text: str) -> None:
    assert run(tex) == text
