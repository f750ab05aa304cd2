"""Conditionals that the source decides are carried out; the others stay."""

from filters.latex.assemble import Files
from filters.latex.commands import PRIMITIVES
from filters.latex.expand import Expander
from filters.latex.limits import Limits
from filters.latex.tokens import KERNEL
from tests.tables import results


def run(tex: str) -> str:
    return (
        Expander(Files({"main.tex": tex.encode()}, "main.tex"), Limits(), PRIMITIVES)
        .run("main.tex")
        .replace(KERNEL, "")
    )


test_conditionals = results(
    run,
    {
        r"a\iffalse b\fi c, a \iffalse b\fi c": "a c, a c",
        r"a\iffalse b\else c\fi d": "ac d",
        r"a\iftrue b\else c\fi d": "ab d",
        r"a\iffalse b\ifnum x\else y\fi\iftrue\fi c\fi d": "a d",
        r"a\iftrue b\iffalse c\else d\fi e\else f\fi g": "abd e g",
        r"a $x \iff y$ \iffalse $x\iff y$\fi b": r"a $x \iff y$ b",
        "a\n\\iffalse\nb\n\\fi\nc": "a\nc",
        r"\newcommand{\hide}[1]{\iffalse#1\fi}a\hide{b}c": "ac",
        r"\def\ig{\iffalse}\ig a\fi b": "b",
        r"a\iffalse b": r"a\iffalse b",
        # switches
        r"\newif\iflong\iflong a\else b\fi\longtrue\iflong a\else b\fi": "ba",
        r"\newif\iflong\longtrue\def\l#1#2{\iflong#1\else#2\fi}\l{a}{b}": "a",
        r"\let\ifdraft\iffalse\ifdraft a\fi b": "b",
        r"\let\ifdraft\iftrue\ifdraft a\fi b": "a b",
        r"\newtoggle{t}\iftoggle{t}{a}{b}\toggletrue{t}\iftoggle{t}{a}{b}\iftoggle{u}{a}{b}": r"ba\iftoggle{u}{a}{b}",
        r"\newboolean{d}\setboolean{d}{true}\ifthenelse{\boolean{d}}{a}{b}": "a",
        r"\ifthenelse{\equal{a}{a}}{b}{c}\ifthenelse{\equal{a}{b}}{b}{c}": "bc",
        r"\ifthenelse{\lengthtest{1pt<2pt}}{b}{c}\ifthenelse{\lengthtest{1in=72.27pt}}{b}{c}": "bb",
        r"\ifthenelse{\lengthtest{\x<2pt}}{b}{c}": r"\ifthenelse{\lengthtest{\x<2pt}}{b}{c}",
        r"\ifdim 1pt<2pt a\else b\fi\ifdim-.5 cm>1mm a\else b\fi\ifdim1em<2pt a\fi": r"ab\ifdim1em<2pt a\fi",
        # comparisons
        r"\newcommand{\f}[1]{\ifx#1\empty none\else(#1)\fi}\f{a}\f\empty": "(a)none",
        r"\newcommand{\f}[1]{\ifx&#1&none\else(#1)\fi}\f{a}\f{}": "(a)none",
        r"\def\a{x}\def\b{x}\def\c{y}\ifx\a\b1\fi\ifx\a\c2\else3\fi": "13",
        "\\if0\nb\\fi c\\if11d\\fi": "cd",
        r"\newcommand{\n}[1]{\ifnum#1>1 many\else one\fi}\n{1}, \n{3}": "one, many",
        r"\def\n{3}\ifnum\n=3 a\else b\fi": "a",
        r"\newcommand{\f}[1]{\ifblank{#1}{none}{(#1)}}\f{a}\f{ }\ifstrequal{a}{a}{b}{c}\notblank{}{a}{b}": "(a)nonebb",
        r"\def\a{}\ifx\a\undefined b\fi\ifx\undefined\new c\fi\ifx\documentclass\undefined d\else e\fi": "ce",
        # numbers that are known
        r"\def\n{2}\ifcase\n zero\or one\or two\else many\fi.": "two.",
        r"\ifcase 0 zero\or one\fi\ifcase 5 zero\or one\else many\fi\ifcase 5 zero\or one\fi.": "zeromany.",
        r"\ifcase 1 a\or b\ifnum1=1 c\else d\fi\or e\fi": "bc",
        r"\ifodd 3 a\else b\fi\ifnum`a=97 c\fi": "ac",
        r"\newcount\n \n=3 \ifnum\n=3 a\else b\fi": r"\newcount\n \n=3 a",
        r"\newcount\n\advance\n by 1 \ifnum\n=0 a\fi": r"\newcount\n\advance\n by 1 \ifnum\n=0 a\fi",
        r"\newcounter{n}\setcounter{n}{2}\ifnum\value{n}=2 a\fi": r"\newcounter{n}\setcounter{n}{2}a",
        r"\chardef\n=7 \ifnum\n>6 a\fi\ifnum\value{tocdepth}=3 b\fi": r"\chardef\n=7 ab",
        r"\newcommand{\f}[1]{\ifcase#1 a\or b\fi}\f{1}\f{\x}": r"b\f{\x}",
        # whether a name is defined
        r"\newcommand{\x}{}\ifdefined\x a\else b\fi\ifdefined\y a\else b\fi": "ab",
        r"\ifdefined\mu a\fi\ifdefined\pdfoutput b\fi\ifdefined\XeTeXversion c\fi\ifdefined\usepackage d\fi": "abd",
        r"\usepackage{cleveref}\ifdefined\cref a\fi\ifdefined\qty b\fi\ifdefined\ref c\fi": r"ac",
        r"\unless\ifdefined\x a\else b\fi\unless\ifnum1=1 c\fi\unless\ifdim\x=0pt d\fi": r"a\unless\ifdim\x=0pt d\fi",
        r"\def\xy{}\ifcsname xy\endcsname a\fi\ifcsname no\endcsname b\fi": "a",
        r"\makeatletter\@ifundefined{x}{a}{b}\@ifundefined{cite}{a}{b}": "ab",
        r"\newtheorem{t}{T}\makeatletter\@ifundefined{t}{a}{b}": r"\newtheorem{t}{T}b",
        r"\def\x{}\ifdef\x{a}{b}\ifundef{\y}{a}{b}\ifcsdef{x}{a}{b}": "aaa",
        r"\def\x{}\ifdefempty\x{a}{b}\ifdefstring{\x}{c}{a}{b}\ifdefvoid\y{a}{b}": "aba",
        r"\let\x\relax\ifx\x\relax a\fi\def\y{}\ifx\y\relax b\fi\x": "a",
        r"{\def\x{}}\ifdefined\x a\else b\fi": "{}b",
        r"\RequirePackage{p}\makeatletter\@ifpackageloaded{p}{a}{b}\IfPackageLoadedTF{q}{a}{b}": "ab",
        # ifthen's and other packages' tests of what is known
        r"\def\m{x}\ifthenelse{\equal{\m}{x}}{a}{b}\ifthenelse{\equal{\m}{y}\OR\NOT\equal{\m}{y}}{c}{d}": "ac",
        r"\ifthenelse{\(1<2 \and \isodd{3}\)}{a}{b}\ifthenelse{\isundefined{\q}}{a}{b}": "aa",
        r"\ifthenelse{\equal{\alpha}{}}{a}{b}\ifthenelse{\equal{\jobname}{main}}{a}{b}": "ba",
        r"\ifthenelse{\value{page}>1 \and 2<1}{a}{b}": r"\ifthenelse{\value{page}>1 \and 2<1}{a}{b}",
        r"\ifnumless{1}{2}{a}{b}\ifnumcomp{1}{=}{2}{a}{b}\IfStrEq{x}{y}{a}{b}\IfBlankTF{ }{a}{b}": "abba",
        r"\ifthenelse{\equal{\unknown}{x}}{a}{b}": r"\ifthenelse{\equal{\unknown}{x}}{a}{b}",
        # \if expands macros
        r"\def\m{x}\if\m x a\else b\fi\if x\m a\fi": "aa",
        r"\newcommand{\f}[1]{\if!#1!none\else(#1)\fi}\f{}\f{ab}\f{\alpha}": r"none(ab)(\alpha)",
        r"\newcommand{\f}[1]{\if\relax\detokenize{#1}\relax none\else(#1)\fi}\f{}\f{ab}\f{\x}": r"none(ab)(\x)",
        # what only TeX knows
        r"\if\string a\number1 a\else b\fi": r"\if\string a\number1 a\else b\fi",
        r"\ifnum\value{page}>1 a\else b\fi": r"\ifnum\value{page}>1 a\else b\fi",
        r"\ifdim\parindent=0pt a\fi": r"\ifdim\parindent=0pt a\fi",
        r"\ifx\foo\bar a\else b\fi": r"\ifx\foo\bar a\else b\fi",
        r"\ifpdf a\else b\fi\ifxetex a\else b\fi": "ab",
        # look-ahead
        r"\makeatletter\def\s{\@ifstar{<s>}{<n>}}\s*x\s x": "<s>x<n> x",
        r"\makeatletter\def\s{\@ifnextchar[{\t}{\t[d]}}\def\t[#1]{<#1>}\s[a]\s": "<a><d>",
    },
)


def test_a_file_that_both_branches_ask_for_is_read_once() -> None:
    files = {"main.tex": rb"\ifdim\x=0pt \input{../a}\else\input{a}\fi\input{a}", "a.tex": b"text"}
    expander = Expander(Files(files, "main.tex"), Limits(), PRIMITIVES)
    assert expander.run("main.tex") == r"\ifdim\x=0pt text\else\fi text"
    assert expander.counters["input_repeated"] == 1
    files["main.tex"] = rb"\ifthenelse{\value{page}>1}{\input{a} b}{\input{../a} c}\input{a}"
    expander = Expander(Files(files, "main.tex"), Limits(), PRIMITIVES)
    assert expander.run("main.tex") == r"\ifthenelse{\value{page}>1}{text b}{ c}text"


def test_names_of_latex_are_undefined_in_plain_tex() -> None:
    tex = rb"\ifx\documentclass\undefined a\fi\ifdefined\usepackage b\fi\ifdefined\alpha c\fi"
    for latex, text in ((True, "bc"), (False, "ac")):
        assert Expander(Files({"m.tex": tex}, "m.tex"), Limits(), PRIMITIVES, latex).run("m.tex") == text
