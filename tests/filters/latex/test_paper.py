"""Whole papers: files in, text and report out."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.latex import CleanPaper, LatexOptions, Reject, clean_paper
from filters.latex.paper import tidy

DOCUMENT = "\\documentclass{article}\n%s\n\\begin{document}\n%s\n\\end{document}\n"


def paper(files: dict[str, str] | str, options: LatexOptions | None = None) -> CleanPaper:
    files = {"main.tex": files} if isinstance(files, str) else files
    result = clean_paper({name: text.encode() for name, text in files.items()}, options)
    assert isinstance(result, CleanPaper)
    return result


def body(text: str, preamble: str = "") -> str:
    return paper(DOCUMENT % (preamble, text)).text


def test_a_small_paper() -> None:
    tex = r"""%auto comment
\documentclass{article}
\usepackage[utf8]{inputenc}
\newcommand{\R}{\mathbb{R}}   % reals
\def\be{\begin{equation}} \def\ee{\end{equation}}
\newcommand{\norm}[2][2]{\left\|#2\right\|_{#1}}
\title{On $\R$} \author{A. U. Thor}
\begin{document}
\maketitle
\begin{abstract}
Short.
\end{abstract}
\section{Introduction} % first
We look at $\R^n$ with 50\% care. % TODO: more
%% a comment on its own
\be
  \norm{x} \le \norm[1]{x}
\ee
\verb|50% \R| stays.
\begin{comment}
Not this.
\end{comment}
\bibliographystyle{plain}
\bibliography{refs}
\appendix
\section{Proofs}
\end{document}
Nor this.
"""
    result = paper(tex)
    assert result.text == (
        "\\section{Introduction}\n"
        "We look at $\\mathbb{R}^n$ with 50\\% care.\n"
        "\\begin{equation}\n"
        "  \\left\\|x\\right\\|_{2} \\le \\left\\|x\\right\\|_{1}\n"
        "\\end{equation}\n"
        "\\verb|50% \\R| stays.\n"
        "\n"
        "\\appendix\n"
        "\\section{Proofs}\n"
    )
    assert (result.main_file, result.main_rule, result.started_at) == ("main.tex", "documentclass", "section")
    assert (result.macros_defined, result.macros_left, result.encoding) == (4, 0, "utf-8")
    assert result.macros_expanded == 6  # the title's use is expanded too, before it is dropped
    assert result.counters["references"] == 2


@pytest.mark.parametrize(
    ("text", "started_at", "start"),
    [
        ("\\maketitle\n\\begin{abstract}a\\end{abstract} b", "abstract", "\\begin{abstract}a"),
        ("x\\maketitle b", "maketitle", "b"),
        ("just text", "document", "just text"),
        (
            "% \\section{No}\n\\verb|\\section{No}| \\newcommand{\\s}{\\section{No}} x \\section{Yes}",
            "section",
            "\\section{Yes}",
        ),
    ],
)
def test_where_it_starts(text: str, started_at: str, start: str) -> None:
    result = paper(DOCUMENT % ("", text))
    assert result.started_at == started_at
    assert result.text.startswith(start)


def test_abbreviated_sections_and_bibliographies_are_seen() -> None:
    preamble = (
        r"\newcommand{\sect}[1]{\section{#1}}\def\bref{\begin{thebibliography}{9}}\def\eref{\end{thebibliography}}"
    )
    assert body(r"a \sect{One} b \bref \bibitem{x} y \eref c", preamble) == "\\section{One} b  c\n"


def test_files_are_assembled() -> None:
    result = paper(
        {
            "main.tex": DOCUMENT
            % ("\\input{macros}", "\\input{intro}\n\\include{sec/two}\n\\input sec/three.tex\nend"),
            "macros.tex": "\\newcommand{\\x}{X}\n",
            "intro.tex": "\\section{Intro} \\x\n\\input{intro}\n",
            "sec/two.tex": "two \\x % c\n\\input{deep}\n",
            "sec/deep.tex": "deep",
            "sec/three.tex": "three",
            "unused.tex": "never",
        }
    )
    assert result.text == "\\section{Intro} X\ntwo X\ndeep\nthree\nend\n"
    assert result.included == ("main.tex", "macros.tex", "intro.tex", "sec/two.tex", "sec/deep.tex", "sec/three.tex")
    assert result.counters["input_cycles"] == 1


def test_imports_subfiles_and_standalones() -> None:
    inner = "\\documentclass[main]{subfiles}\n\\newcommand{\\no}{}\n\\begin{document}\nin sub\n\\end{document}\n"
    result = paper(
        {
            "main.tex": DOCUMENT % ("", "\\section{A}\n\\subfile{sub/a}\n\\import{sub/}{b}\n\\subimport{sub/}{b}\n"),
            "sub/a.tex": inner,
            "sub/b.tex": "in b, \\subimport{more}{c}\n",
            "sub/more/c.tex": "in c\n",
        }
    )
    assert result.text == "\\section{A}\nin sub\nin b, in c\nin b, in c\n"


def test_files_that_may_not_be_there() -> None:
    result = paper(
        {
            "main.tex": DOCUMENT
            % (
                "",
                "\\section{A}\n\\input{gone}\n\\InputIfFileExists{b}{yes}{no}\n\\IfFileExists{c}{yes}{no}\\input{Fig.TEX}",
            ),
            "b.tex": "b ",
            "fig.tex": "f",
        }
    )
    assert result.text == "\\section{A}\nyesb\nnof\n"
    assert result.counters["missing_inputs"] == 1


def test_an_input_bbl_is_a_bibliography() -> None:
    bbl = "\\begin{thebibliography}{1}\\bibitem{a} B\\end{thebibliography}\n"
    result = paper({"main.tex": DOCUMENT % ("", "\\section{A} b\n\\input{main.bbl}"), "main.bbl": bbl})
    assert result.text == "\\section{A} b\n"


@pytest.mark.parametrize(
    ("style", "packages", "uses", "text", "left"),
    [
        (
            "\\ProvidesPackage{mine}\n\\newcommand{\\R}{\\mathbb{R}}\n\\def\\v#1{\\mathbf{#1}}\n"
            "\\let\\eps\\varepsilon\n\\newcommand{\\inner}{\\@internal}\n\\def\\@internal{x}\n"
            "\\def\\layout{\\vskip 1cm}\n\\def\\section#1{no}\n",
            "amsmath,mine",
            "$\\R, \\v{x}, \\eps$ \\inner \\layout",
            "$\\mathbb{R}, \\mathbf{x}, \\varepsilon$ \\inner \\layout",
            2,
        ),
        (
            "\\newcommandx{\\f}[2][1=z]{<#1#2>}\\DeclarePairedDelimiter\\set\\{\\}\n"
            "\\NewDocumentCommand{\\g}{o m}{(#2)}\\DeclarePairedDelimiterX\\ip[2]{\\langle}{\\rangle}{#1,#2}"
            "\\newcommandx{\\q}[1][1=a]{\\vskip #1}\\DeclareMathOperator*\\am{arg}\\if x\\newcommand{\\no}{\\fi}",
            "mine",
            "\\f{x}\\set{y}\\g[a]{b}\\ip{c}{d}\\am\\q",
            "<zx>\\{y\\}(b)\\langle c,d\\rangle\\operatorname*{arg}\\q",
            1,
        ),
    ],
    ids=["macros", "every way to define"],
)
def test_macros_of_the_papers_own_style_file(style: str, packages: str, uses: str, text: str, left: int) -> None:
    tex = DOCUMENT % (f"\\usepackage{{{packages}}}", f"\\section{{A}} {uses}")
    result = paper({"main.tex": tex, "mine.sty": style})
    assert (result.text, result.macros_left) == (f"\\section{{A}} {text}\n", left)


def test_macros_of_style_files_that_a_style_file_loads() -> None:
    files = {
        "main.tex": DOCUMENT % ("\\usepackage{tex/mine}", "\\section{A} $\\R \\Q \\Z$"),
        "tex/mine.sty": "\\RequirePackage[x]{tex/other, amsmath}\\input{sets}\n\\newcommand{\\R}{\\mathbb{R}}\n",
        "tex/other.sty": "\\RequirePackage{tex/mine}\\newcommand{\\Q}{\\mathbb{Q}}\n",
        "tex/sets.tex": "\\newcommand{\\Z}{\\mathbb{Z}}",
    }
    assert paper(files).text == "\\section{A} $\\mathbb{R} \\mathbb{Q} \\mathbb{Z}$\n"


@pytest.mark.parametrize(
    ("files", "main"),
    [
        (("paper_v1.tex", "paper_v2.tex"), "paper_v2.tex"),
        (("paper.tex", "paper-rev2.tex", "paper-rev10.tex"), "paper-rev10.tex"),
        (("ms.tex", "ms_final.tex"), "ms_final.tex"),
        (("paper_20191231.tex", "paper_20200102.tex"), "paper_20200102.tex"),
        (("v2/a.tex", "main.tex"), "main.tex"),
    ],
)
def test_a_later_version_comes_before_an_earlier_one(files: tuple[str, ...], main: str) -> None:
    length = {name: "x" * (100 - 10 * number) for number, name in enumerate(files)}
    result = paper({name: DOCUMENT % ("", f"\\section{{A}} {length[name]}") for name in files})
    assert result.main_file == main
    assert result.counters["second_documents"] == ("v2/a.tex" in files)


def test_an_ams_tex_paper_is_no_latex() -> None:
    top = "\\input amstex\n\\documentstyle{amsppt}\n\\topmatter\\title T\\endtitle\\endtopmatter\n"
    tex = f"{top}\\head One\\endhead text\n\\bye"
    result = paper(tex)
    assert (result.text, result.started_at) == ("\\head One\\endhead text\n", "section")


def test_a_plain_papers_own_heading_command_is_its_structure() -> None:
    tex = "\\def\\heading#1{\\bigskip{\\bf #1}}Title\n\n\\heading{One} text\n\\bye"
    assert paper(tex).text == "\\heading{One} text\n"


def test_plain_tex() -> None:
    tex = (
        "\\magnification=1200\n\\def\\R{{\\bf R}}\n\\centerline{Title}\n"
        "\\beginsection 1. Start\n\nIn $\\R$.\n\\bye\nnever"
    )
    result = paper({"paper": tex})
    assert result.text == "\\beginsection 1. Start\n\nIn ${\\bf R}$.\n"
    assert result.main_rule == "plain"


def test_what_only_tex_decides_is_counted() -> None:
    tex = (
        r"\section{A}\ifdim\x<1pt a\fi\ifboolexpr{bool{long}}{a}{b}\ifthenelse{\value{page}>1}{a}{b}\ifdim 1pt<2pt c\fi"
    )
    assert paper(DOCUMENT % ("", tex)).counters["conditionals_left"] == 3


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("\\ifx\\documentclass\\undefined\\def\\q{P}\\else\\def\\q{L}\\fi", "P"),
        ("\\ifx \\undefined\\documentstyle\\def\\q{P}\\else\\def\\q{L}\\fi", "P"),
        ("\\ifdefined\\documentclass{\\bf x}\\gdef\\q{L}\\else\\def\\q{P}\\fi", "P"),
        ("\\ifx\\undefined\\documentclass{\\rm}\\def\\q{P}\\else\\def\\q{L}\\fi", "P"),
        ("\\expandafter\\ifx\\csname documentclass\\endcsname\\relax\\def\\q{P}\\else\\def\\q{L}\\fi", "P"),
        ("\\let\\class\\documentclass\\ifdefined\\usepackage\\def\\q{L}\\else\\def\\q{P}\\fi", "P"),
        ("\\def\\documentclass#1{}\\ifdefined\\usepackage\\def\\q{L}\\else\\def\\q{P}\\fi", "P"),
        ("\\ifx\\x\\undefined\\documentclass[a]\n{article}\\fi\\ifdefined\\usepackage\\def\\q{L}\\fi", "L"),
        ("\\documentclass%\n{article}\\ifdefined\\usepackage\\def\\q{L}\\else\\def\\q{P}\\fi", "L"),
    ],
)
def test_a_plain_paper_may_ask_for_latex(question: str, answer: str) -> None:
    result = paper({"a.tex": f"{question}\n\\beginsection 1. Start\n\nIt is \\q.\n\\bye", "b.dat.tex": "x"})
    assert f"It is {answer}." in result.text
    assert result.main_file == "a.tex"
    assert result.main_rule == ("plain" if answer == "P" else "documentclass")


@pytest.mark.parametrize(
    ("files", "main", "rule"),
    [
        ({"a.tex": "\\documentclass{a}\\begin{document}x", "b.tex": "\\section{x}"}, "a.tex", "documentclass"),
        ({"a.tex": "%\\documentclass{a}\nx\\y", "b.ltx": "\\documentstyle[12pt]{b}"}, "b.ltx", "documentclass"),
        (
            {
                "ms.tex": "\\documentclass{a}\\begin{document}x",
                "supplement.tex": "\\documentclass{a}\\begin{document}" + "y" * 99,
            },
            "ms.tex",
            "documentclass, best of several",
        ),
        (
            {
                "a.tex": "\\documentclass{a}\\begin{document}x",
                "template.tex": "\\documentclass{a}\\begin{document}" + "y" * 99,
            },
            "a.tex",
            "documentclass, best of several",
        ),
        (
            {
                "x.tex": "\\documentclass{a}\\begin{document}x",
                "y.tex": "\\documentclass{a}\\begin{document}zz",
                "x.bbl": "b",
            },
            "x.tex",
            "documentclass, best of several",
        ),
        ({"pre.tex": "\\documentclass{a}", "z.tex": "\\input{pre}\\begin{document}x"}, "z.tex", "documentclass"),
        (
            {
                "a.tex": "\\documentclass{a}\\begin{document}a",
                "b.tex": "\\documentclass{a}\\begin{document}b",
                "00README.XXX": "b.tex toplevelfile\n",
            },
            "b.tex",
            "readme",
        ),
        (
            {
                "a.tex": "\\documentclass{a}\\begin{document}a",
                "b.tex": "\\documentclass{a}\\begin{document}b",
                "00README.json": '{"sources": [{"filename": "b.tex", "usage": "toplevel"}]}',
            },
            "b.tex",
            "readme",
        ),
        ({"a.tex": "\\input{b}\\bye", "b.tex": "\\section{x}" * 99}, "a.tex", "plain"),
        ({"main.lagda": "\\documentclass{a}\\begin{document}x"}, "main.lagda", "documentclass"),
    ],
)
def test_main_file(files: dict[str, str], main: str, rule: str) -> None:
    result = paper(files)
    assert (result.main_file, result.main_rule) == (main, rule)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "empty"),
        ({"a.tex": b" \n"}, "empty"),
        ({"a.tex": bytes(range(256)) * 20}, "binary"),
        ({"a": b"%auto-ignore\nThis paper has been withdrawn.\n"}, "withdrawn"),
        ({"a.html": b"<!DOCTYPE html><html></html>"}, "html"),
        ({"a": b"<html><body>\\alpha</body></html>"}, "html"),
        ({"a.pdf": b"%PDF-1.4 ..."}, "pdf"),
        ({"a.ps": b"%!PS-Adobe-2.0\n..."}, "postscript"),
        ({"a.txt": b"just words"}, "no_tex"),
        ({"a.tex": b"\\documentclass{a}\\begin{document}\\end{document}"}, "no_text"),
    ],
)
def test_rejects(files: dict[str, bytes], reason: str) -> None:
    assert clean_paper(files) == Reject(reason)


def test_encodings_are_those_of_the_preamble() -> None:
    tex = (DOCUMENT % ("\\usepackage[applemac]{inputenc}", "\\section{A} Poincaré\n\\input{b}")).encode("mac_roman")
    result = clean_paper({"main.tex": tex, "b.tex": "Erdős".encode()})
    assert isinstance(result, CleanPaper)
    assert (result.text, result.encoding) == ("\\section{A} Poincaré\nErdős\n", "mac_roman")


def test_what_follows_bibliography_and_appendix_are_options() -> None:
    tex = DOCUMENT % ("", "\\section{A} a\n\\bibliography{x}\nb\n\\appendix\n\\section{B} c")
    result = paper(tex)
    assert result.text == "\\section{A} a\n\nb\n\\appendix\n\\section{B} c\n"
    assert (result.counters["appendices_kept"], result.counters["appendices_dropped"]) == (1, 0)
    result = paper(tex, LatexOptions(appendix="drop"))
    assert result.text == "\\section{A} a\n\nb\n"
    assert (result.counters["appendices_kept"], result.counters["appendices_dropped"]) == (0, 1)
    assert paper(tex, LatexOptions(after_bibliography="drop")).text == "\\section{A} a\n"
    for key in ("after_bibliography", "appendix"):
        with pytest.raises(ValueError, match=rf"{key}: 'maybe' is not one of keep, drop"):
            LatexOptions(**{key: "maybe"})
    with pytest.raises(ValueError, match=r"second_documents: 'drop' is not one of leave, take"):
        LatexOptions(second_documents="drop")


def test_a_second_document_is_counted_and_taken_by_a_key() -> None:
    files = {
        "ms.tex": DOCUMENT % ("", "\\section{A} a"),
        "supplement.tex": DOCUMENT % ("\\newcommand{\\x}{y}", "\\maketitle\\section{S} \\x\\bibliography{b}"),
        "ms_v1.tex": DOCUMENT % ("", "\\section{Old}"),  # an earlier version, a letter and a picture are no documents
        "cover-letter.tex": DOCUMENT % ("", "\\section{Dear}"),
        "picture.tex": "\\documentclass{standalone}\\begin{document}\\tikz",
    }
    left, taken = paper(files), paper(files, LatexOptions(second_documents="take"))
    assert (left.text, left.counters["second_documents"]) == ("\\section{Old}\n", 1)
    del files["ms_v1.tex"]
    left, taken = paper(files), paper(files, LatexOptions(second_documents="take"))
    assert (left.text, left.main_file, left.counters["second_documents"]) == ("\\section{A} a\n", "ms.tex", 1)
    assert taken.text == "\\section{A} a\n\n\\section{S} y\n"
    assert (taken.counters["second_documents_taken"], taken.macros_expanded) == (1, 1)
    assert taken.included == ("ms.tex", "supplement.tex")
    readme = files | {"00README.XXX": "supplement.tex toplevelfile\nms.tex toplevelfile\n"}
    assert paper(readme, LatexOptions(second_documents="take")).text.startswith("\\section{S} y\n\n\\section{A}")


@pytest.mark.parametrize(
    ("preamble", "body", "left"),
    [
        # read, but endless; without its arguments; a program; the environment of one
        ("\\def\\a{\\a}\\newcommand{\\b}[1]{#1}", "\\a {\\b} \\verb|\\a|", 2),
        ("\\def\\a{\\catcode`\\%=12}", "\\a\\a", 2),
        ("\\newenvironment{e}{\\catcode`\\%=12 }{}", "\\begin{e}x\\end{e}", 1),
        # not read: a parameter text out of order, a package's own definer, one of a style file that is no abbreviation
        ("\\def\\a#2#1{x}", "\\a{b}{c}", 1),
        ("\\newfancycommand*{\\a}[1]{x}\\DeclareSomething\\bb{x}", "\\a{b}\\bb", 2),
        ("\\usepackage{s}", "\\layout", 1),
        # defined in the argument of a command that is not known
        ("\\ifsomething{\\newcommand{\\a}{x}}{}", "\\a", 1),
        # commands with the meaning that they have in LaTeX, and registers, are none
        ("\\let\\e\\emph\\renewcommand{\\emph}[1]{\\e{#1}}", "\\emph{x}", 0),
        ("{\\def\\mu{x}}\\newlength{\\a}\\newcounter{b}", "\\mu\\a\\theb", 0),
    ],
)
def test_macros_left_counts_what_is_left(preamble: str, body: str, left: int) -> None:
    tex = DOCUMENT % (preamble, f"\\section{{A}} {body}")
    assert paper({"main.tex": tex, "s.sty": "\\def\\layout{\\vskip 1cm}"}).macros_left == left


def test_paths_lead_nowhere_outside() -> None:
    result = paper(
        {"main.tex": DOCUMENT % ("", "\\section{A}\n\\input{../../etc/passwd}\n\\input{/b}\n"), "../b.tex": "b"}
    )
    assert result.text == "\\section{A}\nb\n"


@given(st.text("a \t\n", max_size=30))
def test_a_tidy_text_has_no_trailing_blanks_and_one_empty_line_at_most(text: str) -> None:
    lines = "\n".join(line.rstrip(" \t") for line in text.split("\n"))
    plainly = re.sub(r"\n{3,}", "\n\n", lines).strip("\n")
    assert tidy(text) == (f"{plainly}\n" if plainly else "")
