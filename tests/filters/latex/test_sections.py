"""Where a text begins and what of its end goes."""

import pytest

from filters.latex.sections import cut_references, find_start


@pytest.mark.parametrize(
    ("text", "rest", "started_at"),
    [
        (r"\maketitle x \section{A} b", r"\section{A} b", "section"),
        (r"x \section*{A} b", r"\section*{A} b", "section"),
        (r"x \chapter[B]{A} b", r"\chapter[B]{A} b", "section"),
        (r"x \part {A} b", r"\part {A} b", "section"),
        (r"x \sectionmark{A} \subsection{B}", r"\subsection{B}", "section"),
        (r"\maketitle\begin{abstract}a\end{abstract} b", r"\begin{abstract}a\end{abstract} b", "abstract"),
        (r"\begin{abstract}a\end{abstract}\maketitle b", r"\begin{abstract}a\end{abstract}\maketitle b", "abstract"),
        ("t\\maketitle\nb", "b", "maketitle"),
        ("only text", "only text", "document"),
        (r"\section Spaces.", r"\section Spaces.", "document"),
        ("t\n\\noindent{\\bf 1. Introduction}\nb", "\\noindent{\\bf 1. Introduction}\nb", "heading"),
        ("t\n\\centerline{\\bf I. INTRODUCTION}\nb", "\\centerline{\\bf I. INTRODUCTION}\nb", "heading"),
        ("t\n\\item Introduction\nb", "t\n\\item Introduction\nb", "document"),
        ("t\n{\\bf Introduction} of\nb", "t\n{\\bf Introduction} of\nb", "document"),
    ],
)
def test_find_start(text: str, rest: str, started_at: str) -> None:
    start, name = find_start(text, latex=True)
    assert (text[start:], name) == (rest, started_at)


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
        # layout that made room for it
        ("a\n\n\\printglossaries\n\\glsaddall\n\\printindex\n\\bibliography{x}\n", "a"),
        ("a\n\n\\newpage\n\\vspace{1cm}\n\\bibliography{x}\n", "a"),
        # appendix
        ("a\\bibliography{x}b\\appendix c", "ab"),
        ("a\\begin{appendices}b\\end{appendices}\\bibliography{x}c", "a"),
        ("a\\appendixname b", "a\\appendixname b"),
    ],
)
def test_cut_references(text: str, cut: str) -> None:
    assert cut_references(text, "drop_appendix")[0] == cut


def test_what_follows_the_bibliography_is_an_option() -> None:
    text = "a\\begin{thebibliography}{9}x\\end{thebibliography}b\\appendix c"
    assert cut_references(text, "drop_appendix") == ("ab", 1)
    assert cut_references(text, "keep") == ("ab\\appendix c", 1)
    assert cut_references(text, "drop") == ("a", 1)
