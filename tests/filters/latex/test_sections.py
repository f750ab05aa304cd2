"""Where a text begins and what of its end goes."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters.latex.sections import HEADING_LINE, cut_end, cut_references, find_start, heading_lines
from tests.tables import results_of


def rest_from(started_at: str, text: str) -> str:
    """The text from where it starts, which must be what is said."""
    start, name = find_start(text, latex=True)
    assert name == started_at
    return text[start:]


test_find_start = results_of(
    rest_from,
    {
        "section": {
            r"\maketitle x \section{A} b": r"\section{A} b",
            r"x \section*{A} b": r"\section*{A} b",
            r"x \chapter[B]{A} b": r"\chapter[B]{A} b",
            r"x \part {A} b": r"\part {A} b",
            r"x \sectionmark{A} \subsection{B}": r"\subsection{B}",
        },
        "abstract": {
            r"\maketitle\begin{abstract}a\end{abstract} b": r"\begin{abstract}a\end{abstract} b",
            r"\begin{abstract}a\end{abstract}\maketitle b": r"\begin{abstract}a\end{abstract}\maketitle b",
        },
        "maketitle": {
            "t\\maketitle\nb": "b",
        },
        "document": {
            "only text": "only text",
            r"\section Spaces.": r"\section Spaces.",
            "t\n\\item Introduction\nb": "t\n\\item Introduction\nb",
            "t\n{\\bf Introduction} of\nb": "t\n{\\bf Introduction} of\nb",
        },
        "heading": {
            "t\n\\noindent{\\bf 1. Introduction}\nb": "\\noindent{\\bf 1. Introduction}\nb",
            "t\n\\centerline{\\bf I. INTRODUCTION}\nb": "\\centerline{\\bf I. INTRODUCTION}\nb",
        },
    },
)


@pytest.mark.parametrize(
    "command", [r"\section Introduction.", r"\newsec{Introduction}", r"\beginsection 1. Start", r"\head One\endhead"]
)
def test_plain_tex_has_sections_of_its_own(command: str) -> None:
    assert find_start(f"title {command} text", latex=False) == (6, "section")


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("a\n\\begin{thebibliography}{9}\\bibitem{x} y\\end{thebibliography}\nb", "a\n\nb"),
        ("a \\bibliographystyle{plain}\\bibliography{refs} b", "a  b"),
        ("a \\nocite{*}\n\\printbibliography[title={Refs}]\nb", "a \n\nb"),
        ("a\\begin{references}\\reference x\\end{references}b", "ab"),
        ("a\\begin{bibdiv}\\begin{biblist}\\bib{x}{book}{}\\end{biblist}\\end{bibdiv}b", "ab"),
        ("a\\Refs\\ref\\no1\\endRefs b", "a b"),
        ("a\\begin{thebibliography}{9}\\bibitem{x} y", "a"),
        ("a \\listrefs\n\\listfigs", "a \n\\listfigs"),
        # the heading goes with what it heads
        ("a\n\\section*{References}\n\\small\n\\bibliography{x}\n\\section{B}", "a\n\n\\section{B}"),
        ("a\\section*{References}\\begin{thebibliography}{9}x\\end{thebibliography}", "a"),
        ("a\\section*{\\bf References}\n[1] A 1999.\n[2] B 2001.\n[3] C 2004.\n\\section{Next}d", "a\\section{Next}d"),
        ("a\\section{References}\n\\bibitem{x} y", "a"),
        ("a\n\\centerline{\\bf References}\n1. A 1999.\n2. B 2001.\n3. C 2004.\n", "a"),
        ("a\n\\noindent {\\large\\bf REFERENCES}\\\\\n\\bibitem{x} y\n", "a"),
        ("a\n{\\bf References} to the past\nb", "a\n{\\bf References} to the past\nb"),
        ("a\n{\\bf References}\nare made", "a\n{\\bf References}\nare made"),
        ("a\\section{Reference frames}b", "a\\section{Reference frames}b"),
        ("a\\section{References}of pointers are counted", "a\\section{References}of pointers are counted"),
        # set by hand: entries by their marks, in what follows up to the next part
        ("a\\section*{References}\n[1] A. Bar, Phys.\n\n[2] B. Foo, Phys.\n\n\\section{Next}d", "a\\section{Next}d"),
        ("a\n{\\bf References}\n\n\\item{[1]} One, J. Phys.\n", "a"),
        (
            "a\n{\\bf 7. REFERENCES:}\n\\medskip\n\\noindent [1] One\n\\noindent [2] Two\n\n\\appendix b",
            "a\n\\appendix b",
        ),
        ("a\n\\begin{center}\n{\\large\\bf R\\'ef\\'erences}\n\\end{center}\n[BK] One\n\n[AB] Two", "a"),
        ("a\n\\vskip 1cm\\centerline{Literature cited}\n1. A. B. One\n\n2. C. D. Two\n", "a"),
        (
            "a\\section*{Literatur}\n"
            "\\begin{enumerate}\n\\item A. One, 1999\n\\item B. Two, 2001\n\\end{enumerate}\n\nEnd.",
            "a\n\nEnd.",
        ),
        (
            "a\nReferences\n\n[1] One\n\n[2] Two\n\n\\centerline{\\bf Figure captions}\nb",
            "a\n\\centerline{\\bf Figure captions}\nb",
        ),
        ("a\\section{Bibliografia}\n[1] One\n\\begin{figure}b\\end{figure}", "a\\begin{figure}b\\end{figure}"),
        ("a\\section{References}\n[1] One\n\n[2] Two\n\nThe editor thanks all.", "a\n\nThe editor thanks all."),
        *(
            (text, text)
            for text in (
                "a\\section{References}\nWe follow\n[1] in counting references to objects.",
                "a\\section{References}\nA long way to tell what it is that follows here.\n\n[1] is one.",
                "a\n{\\bf References}\n\n\\begin{itemize}\n\\item weak ones\n\\item strong ones\n\\end{itemize}",
                "a\\section{References}\n1. They are counted.\n\n2. They are freed.",
                "a\\section{Literature}\nIt began in 1905, went on in 1911, and was done in 1915.",
                "a\\section{References}\nSee \\ref{x}.\n\\ref{y} is another.",
            )
        ),
        # layout that made room for it
        ("a\n\n\\printglossaries\n\\glsaddall\n\\printindex\n\\bibliography{x}\n", "a"),
        ("a\n\n\\newpage\n\\vspace{1cm}\n\\bibliography{x}\n", "a"),
        ("a\n\\clearpage\\phantomsection\n\\addcontentsline{toc}{section}{References}\n\\bibliography{x}\n", "a"),
    ],
)
def test_cut_references(text: str, cut: str) -> None:
    assert cut_references(text, "keep")[0] == cut


def test_what_is_set_by_hand_is_counted() -> None:
    text = "a\\bibliography{x}\n\\section{B}\n{\\bf References}\n[1] One\n\n[2] Two\n"
    assert cut_references(text, "keep") == ("a\n\\section{B}", {"references": 2, "references_by_hand": 1})


BIBLIOGRAPHY = "\\begin{thebibliography}{9}x\\end{thebibliography}"


@pytest.mark.parametrize(
    ("text", "options", "rest", "counts"),
    [
        (f"a{BIBLIOGRAPHY}b\\appendix c", ("keep", "keep"), "ab\\appendix c", (1, 0, 1)),
        (f"a{BIBLIOGRAPHY}b\\appendix c", ("keep", "drop"), "ab", (0, 1, 1)),
        (f"a{BIBLIOGRAPHY}b\\appendix c", ("drop", "keep"), "a", (1, 0, 1)),
        ("a\\bibliography{x}b\\appendix c", ("keep", "drop"), "ab", (0, 1, 1)),
        ("a\\appendix b\\bibliography{x}c", ("drop", "drop"), "a", (0, 1, 0)),
        ("a\\begin{appendices}b\\end{appendices}c", ("keep", "drop"), "ac", (0, 1, 0)),
        ("a\\appendixname b", ("keep", "drop"), "a\\appendixname b", (0, 0, 0)),
    ],
)
def test_what_follows_bibliography_and_appendix_are_options(text, options, rest, counts) -> None:
    result, found = cut_end(text, *options)
    assert result == rest
    assert (found["appendices_kept"], found["appendices_dropped"], found["references"]) == counts


test_the_first_heading_of_either_kind_begins_the_text = results_of(
    rest_from,
    {
        "heading": {
            # the first heading of either kind
            "\\centerline{\\bf Introduction}\n\\section{B}": "\\centerline{\\bf Introduction}\n\\section{B}",
            "t\n{\\large\\bf 1. The Model}\n\\subsection{B}": "{\\large\\bf 1. The Model}\n\\subsection{B}",
            "t\n\\noindent\\textbf{\\S 0. Notation and terms}\n\\section{B}": (
                "\\noindent\\textbf{\\S 0. Notation and terms}\n\\section{B}"
            ),
            "t\n\\centerline{\\bf I. Preliminaries}\nb": "\\centerline{\\bf I. Preliminaries}\nb",
            "t\n\\begin{center}\n{\\bf I. INTRODUCTION}\n\\end{center}\nb": (
                "\\begin{center}\n{\\bf I. INTRODUCTION}\n\\end{center}\nb"
            ),
            "\\begin{flushleft}\\textbf{Introduction}\\end{flushleft}\n\\section{B}": (
                "\\begin{flushleft}\\textbf{Introduction}\\end{flushleft}\n\\section{B}"
            ),
            "\\maketitle\n\\textit{Introduction.}---We\n\\section{B}": "\\textit{Introduction.}---We\n\\section{B}",
            "\\maketitle\n{\\it Introduction}: We\n\\section{B}": "{\\it Introduction}: We\n\\section{B}",
        },
        "section": {
            "\\section{A}\n{\\bf Introduction}\n": "\\section{A}\n{\\bf Introduction}\n",
            # neither in an abstract, nor a place of work, nor the second of something
            "\\begin{abstract}\n\\textbf{Introduction}\na\n\\end{abstract}\n\\section{A}": "\\section{A}",
            "\\abstract{a\n\\textbf{Introduction:} b}\n\\section{A}": "\\section{A}",
            "{\\bf 1. Department of Physics}\n\\section{A}": "\\section{A}",
            "{\\it 1. The model}\n\\section{A}": "\\section{A}",
            "{\\bf 2. The model}\n\\section{A}": "\\section{A}",
        },
    },
)


PARTS = st.sampled_from(
    (
        *(
            "\\begin",
            "{center}",
            "\\end",
            "{",
            "}",
            "\n",
            "\n\n",
            " ",
            "\\bf",
            "1.",
            "V",
            "a",
            ":",
            "References",
            "NOTES",
        ),
        *(
            "and",
            "List",
            "of",
            "R\\'",
            "{e}",
            "e",
            "f",
            "\\'erences",
            "\u017f",
            "Works",
            "Cited",
            "Список",
            "литературы",
        ),
    )
)


@given(st.lists(PARTS, max_size=25).map("".join))
@example("\\begin\n{center}\n\n\n{\\bf R\\'\nef\\'\nerences}\n\\end{center}")
@example("cited\nliterature notes\nand\nreferences")
@example("\\begin{center}\nReferences\n\\end{center}")
def test_heading_lines_are_those_that_the_expression_finds_in_all_the_text(text):
    assert heading_lines(text) == [match.span() for match in HEADING_LINE.finditer(text)]
