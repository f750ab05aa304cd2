"""Comments and verbatim text: literal sources in, literal texts out."""

import pytest

from filters.latex.tokens import (
    COMMENT_END,
    Masker,
    Verbatim,
    close_brace,
    close_bracket,
    declared_verbatim,
    join_comment_lines,
    restore,
)


def clean(text: str, sources: tuple[bytes, ...] = (), literate: bool = False) -> str:
    masker = Masker(declared_verbatim(sources, literate))
    return restore(masker.clean(text).replace(COMMENT_END, "<"), masker.store)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a % b\nc", "a <\nc"),
        ("a% b\nc", "a<\nc"),
        ("a\n% b\nc", "a\nc"),
        ("a\n  \t% b\n%c\n%\nd", "a\nd"),
        ("%a\nb", "b"),
        ("a\n%b", "a\n"),
        ("a %b", "a <"),
        (r"5\% of a", r"5\% of a"),
        ("a\\\\% b\nc", "a\\\\<\nc"),
        (r"a\\\% b", r"a\\\% b"),
        ("a\\\\\\\\%b\nc", "a\\\\\\\\<\nc"),
        ("a%\n\nb", "a<\n\nb"),
        ("%" * 100 + "\nb", "b"),
    ],
)
def test_a_comment_goes_to_the_end_of_its_line(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "\\begin{verbatim}\n% a\n\\end{verbatim}",
        "\\begin{verbatim*}%\\end{verbatim*}",
        '\\begin{lstlisting}[language=C]\nprintf("%d"); % \\end{x}\n\\end{lstlisting}',
        "\\begin{minted}{python}\na % b\n\\end{minted}",
        "\\begin{Verbatim}[commandchars=\\\\\\{\\}]\n%\n\\end{Verbatim}",
        "\\begin{alltt}50% {\\bf x}\\end{alltt}",
        r"\verb|50%| and \verb*+%+ \verb!\!",
        r"\lstinline|a % b|, \lstinline[language=C]{a % b}, \mintinline{c}|%d|",
        r"\url{http://a.b/c%20d} \href{http://a.b/%7Ec}{text} \path{a%b}",
    ],
)
def test_percent_signs_in_verbatim_text_and_addresses_stay(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("%\\begin{verbatim}\na % b\n", "a <\n"),
        ("\\\\verb|% b\n", "\\\\verb|<\n"),
        ("\\verb|a\n% b\nc|", "\\verb|a\nc|"),
        ("\\verbatiminput{a} % b\n", "\\verbatiminput{a} <\n"),
        ("\\url{a}%b\n", "\\url{a}<\n"),
        ("\\begin{verbatim} % b\n", "\\begin{verbatim} <\n"),
        ("\\href{http://a%b}{text} % c\n", "\\href{http://a%b}{text} <\n"),
    ],
)
def test_what_only_looks_verbatim(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


def test_comment_environments_go() -> None:
    assert clean("a\n\\begin{comment}\nb\n\\end{comment}\nc") == "a\nc"
    assert clean("a \\begin{comment}b\\end{comment} c") == "a  c"
    assert clean("\\begin{filecontents*}{a.bib}\n@b{c}\n\\end{filecontents*}\nd") == "d"
    assert clean("\\begin{note}b\\end{note}", (rb"\excludecomment{note}",)) == ""
    own = rb"\newenvironment{comment}{\begin{quote}}{\end{quote}}"
    assert clean("\\begin{comment}b\\end{comment}", (own,)) == "\\begin{comment}b\\end{comment}"


@pytest.mark.parametrize(
    ("declaration", "text"),
    [
        (rb"\lstnewenvironment{code}{\lstset{}}{}", "\\begin{code}a % b\\end{code}"),
        (rb"\DefineVerbatimEnvironment{code}{Verbatim}{}", "\\begin{code}a % b\\end{code}"),
        (rb"\newenvironment{code}{\small\verbatim}{\endverbatim}", "\\begin{code}a % b\\end{code}"),
        (rb"\newminted{python}{}", "\\begin{pythoncode}a % b\\end{pythoncode}"),
        (rb"\MakeShortVerb{\|}", "a |b % c| d"),
    ],
)
def test_declared_verbatim_text_stays(declaration: bytes, text: str) -> None:
    assert clean(text, (declaration,)) == text
    assert clean(text) != text


def test_code_of_literate_sources_stays() -> None:
    assert clean("\\begin{code}\na % b\n\\end{code}", literate=True) == "\\begin{code}\na % b\n\\end{code}"


def test_groups_end_at_their_own_brace() -> None:
    assert close_brace(r"{a{b}\}c}d", 0, 99) == 9
    assert close_brace("{ab}", 0, 99) == 4
    assert close_brace("{a{b}", 0, 99) == -1
    assert close_brace("{a}", 0, 2) == -1
    assert close_bracket("[a{]}b]c", 0, 99) == 7
    assert close_bracket("[a}]", 0, 99) == -1
    assert close_bracket("[a]", 0, 99) == 3


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("wo%\nrds %\n  and \\emph{wo}%\n   rds.", "words \n  and \\emph{wo}rds."),
        ("wo% a\n% b\n  rds", "words"),
        ("one%\n\ntwo", "one\n\ntwo"),
        # where TeX reads no blank, and where none shows, lines stay lines
        ("\\noindent%\nx \\begin{a}[b]%\nx\\\\%\ny", "\\noindent\nx \\begin{a}[b]\nx\\\\\ny"),
        ("y%\n\\item z%\n\\end{a}", "y\n\\item z\n\\end{a}"),
        ("\\alpha%\nbeta", "\\alpha\nbeta"),
        ("$$x%\n$$%\nand a%\n& b", "$$x\n$$\nand a\n& b"),
    ],
)
def test_lines_that_a_comment_joins(text: str, joined: str) -> None:
    assert join_comment_lines(Masker(Verbatim()).clean(text)) == joined
