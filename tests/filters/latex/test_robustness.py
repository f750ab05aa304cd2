"""Whatever the bytes: an answer, within bounded work, and no more text than is allowed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.latex import CleanPaper, LatexOptions, clean_paper
from filters.latex.assemble import Files
from filters.latex.commands import PRIMITIVES
from filters.latex.expand import Expander
from filters.latex.limits import Limits

TOKENS = [
    "{", "}", "[", "]", "#1", "#2", "##1", "#", "%", "%\n", "\n", "\n\n", " ", "a", "b", "=", "*", "$", "$$",
    "&", "~", "^", "_", "\\", "\\\\", "\\%", "\\{", "\\}", "\\a", "\\b", "\\c", "\\foo@bar", "\\newcommand",
    "\\renewcommand", "\\def", "\\gdef", "\\edef", "\\let", "\\long", "\\global", "\\DeclareMathOperator",
    "\\DeclarePairedDelimiter", "\\newenvironment{e}", "\\begin{e}", "\\end{e}", "\\NewDocumentCommand",
    "{s o m}", "\\begin", "\\end", "{equation}", "\\begin{verbatim}", "\\end{verbatim}", "\\verb|", "|",
    "\\begin{comment}", "\\end{comment}", "\\begin{document}", "\\end{document}", "\\input{main}",
    "\\input{b}", "\\input b ", "\\iffalse", "\\iftrue", "\\else", "\\fi", "\\newif\\ifx", "\\ifmmode",
    "\\ifx", "\\if", "\\ifnum1>0", "\\ensuremath", "\\xspace", "\\section{A}", "\\section",
    "\\begin{thebibliography}", "\\bibliography{x}", "\\appendix", "\\makeatletter", "\\makeatother", "\\frac",
    "\\mathbf", "\\begingroup", "\\endgroup", "\\csname", "\\endcsname", "\\IfBooleanTF", "\\usepackage{s}",
    "\\url{", "\\lstinline", "\\@ifnextchar", "\\@ifstar", "\\iftoggle", "\\newtoggle",
    "\\ifcase", "\\or", "\\ifdefined", "\\ifcsname", "\\csname", "\\endcsname", "\\expandafter", "\\@ifundefined{",
    "\\ifthenelse{", "\\equal{", "\\(", "\\not", "\\and", "\\newcommandx", "[2][1=z]", "\\newcommandtwoopt",
    "\\DeclarePairedDelimiterX", "\\DeclarePairedDelimiterXPP", "\\pdfstringdefDisableCommands{", "\\patchcmd",
    "\\AtBeginDocument{", "\\AddToHook{begindocument}", "\\write16{", "\\immediate", "\\openout", "\\closeout",
    "\\newcount\\n", "\\n=3", "\\ifnum\\n", "\\advance\\n", "\\chardef\\n=2", "\\newcounter{n}", "\\value{n}",
    "\\let\\c\\begin", "\\LetLtxMacro", "\\NewCommandCopy", "\\ifdefempty", "\\@ifpackageloaded{s}",
    "\\InputIfFileExists",
    "\\unless", "\\@gobble", "\\@dblarg", "\\@testopt", "\\includecomment{e}", "\\appto\\a", "\\ifboolexpr",
    "\\documentclass{article}", "\\subimport{x}{b}", "\\endinput", "\\bye", "\x02", "\x030\x03", "\x04",
    "\x05", "\xe9", "\ud7ff", "\x00", "\r", "\r\n",
]  # fmt: skip
SOUP = st.lists(st.sampled_from(TOKENS), max_size=80).map("".join)


@settings(max_examples=300, deadline=None)
@given(main=SOUP, other=SOUP, style=SOUP)
def test_token_soup_never_fails_and_its_growth_is_capped(main: str, other: str, style: str) -> None:
    files = {"main.tex": ("\\documentclass{a}" + main).encode(), "b.tex": other.encode(), "s.sty": style.encode()}
    limits = Limits(use=2000, slack=5000)
    result = clean_paper(files, LatexOptions(limits=limits))
    if isinstance(result, CleanPaper):
        read = sum(len(data) for data in files.values())
        repeated = read + 1_000_000
        assert len(result.text) < (limits.growth + 2) * (read + min(repeated, 100 * read)) + limits.slack + limits.use
        assert not set("\x02\x03\x04\x05\x06\x07") & set(result.text)
        assert result.text.endswith("\n")


@settings(max_examples=150, deadline=None)
@given(main=SOUP)
def test_the_same_source_gives_the_same_text(main: str) -> None:
    files = {"main.tex": ("\\documentclass{a}" + main).encode()}
    assert clean_paper(files) == clean_paper(files)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=300))
def test_any_bytes_give_an_answer(data: bytes) -> None:
    clean_paper({"a.tex": data, "b": data[::-1]})
    clean_paper({"a.tex": b"\\documentclass{a}\\begin{document}" + data})


@settings(max_examples=200, deadline=None)
@given(
    text=st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="\\%{}$#\u2028\u2029\ufeff"),
        max_size=200,
    )
)
def test_text_without_tex_is_kept(text: str) -> None:
    """What holds nothing that means something comes out as it went in, but for blanks at the ends of lines."""
    result = clean_paper({"a.tex": ("\\documentclass{a}\\begin{document}\n\\section{A}\n" + text).encode()})
    assert isinstance(result, CleanPaper)
    assert result.text.split() == ["\\section{A}", *text.split()]


@pytest.mark.parametrize(
    "unit",
    [
        "{", "}", "\\def\\a", "\\def\\a{", "\\newcommand{\\a}{", "\\newcommand{\\a}[", "\\iffalse ",
        "\\iftrue ", "\\if0 ", "\\begin{verbatim}", "\\begin{a}", "\\end{a}", "\\verb|", "\\url{",
        "\\ensuremath{", "\\ifmmode ", "\\section{References}", "\\begin{thebibliography}", "\\bibliography{",
        "\\references ", "\\input{x}", "\\ifcase0 ", "\\@ifundefined{a}{", "\\ifthenelse{", "\\AtBeginDocument{",
        "\\ifcsname a", "\\expandafter\\ifx\\csname a", "\\write1{", "\\newcommandx\\a[2][1=", "\\ifnum\\a",
        "\\let\\a=\\a", "\\makeatletter", "\\\\", "%",
    ],
)  # fmt: skip
def test_work_is_linear(unit: str) -> None:
    """Characters looked at stay within the limit, whatever is opened and never closed."""
    text = "\\documentclass{a}\\begin{document}\\section{A}" + unit * (60_000 // len(unit))
    limits = Limits(work=4, slack=10_000)
    files = Files({"a.tex": text.encode()}, "a.tex")
    expander = Expander(files, limits, PRIMITIVES)
    expander.run("a.tex")
    assert expander.reader.work <= limits.work * len(text) + limits.slack + len(text) + 1000
    assert isinstance(clean_paper({"a.tex": text.encode()}, LatexOptions(limits=limits)), CleanPaper)


@pytest.mark.parametrize(
    "text",
    [
        "\\def\\a{" + "\n" * 60_000 + "x}\\a",
        "\\section{References" + " " * 60_000 + "x",
        "{\\bf References}\n" * 4_000,
        "\\newenvironment{a}[" * 3_000,
        "\\usepackage[" * 5_000,
        "\\ifthenelse{" + "\\(" * 2_000 + "}{a}{b}",
        "\\ifthenelse{\\not " * 3_000,
        "a%\n" * 20_000,
        "{\\bf 1. " * 5_000,
        "\n{\\bf Introduction" + " " * 60_000 + "x",
        "\\def\\x{}" + "\\appto\\x{" + "a" * 100 + "}" * 3_000,
        "\n{\\bf 1" + " " * 60_000 + "!",
        "\n{\\bf 1." + "\\bf ~" * 10_000 + "!",
        "\n{\\bf 1. A" + "{. " * 20_000 + "!",
        "\n\\begin{center}" * 5_000,
        "\\bf" * 20_000 + "Introduction x",
        "{\\bf 1. " + "A" * 60_000,
        "\\def\\a{" + "{\\def\\b{}" * 5_000 + "\\a}\\a",
        "\\newcommand{\\a}[1]{#1}" + "\\a{" * 10_000 + "}" * 10_000,
    ],
)
def test_patterns_do_not_run_away(text: str) -> None:
    """Long runs of one thing, for which a careless pattern would take hours."""
    assert isinstance(clean_paper({"a.tex": b"\\documentclass{a}\\begin{document}x " + text.encode()}), CleanPaper)


def test_files_that_multiply_are_cut() -> None:
    files = {"a.tex": b"\\documentclass{a}\\begin{document}\\section{A}\\input{f0}"}
    files |= {f"f{i}.tex": b"\\input{f%d}\\input{f%d} text" % (i + 1, i + 1) for i in range(25)}
    files["f25.tex"] = b"x" * 1000
    result = clean_paper(files)
    assert isinstance(result, CleanPaper)
    assert len(result.text) < 2_100_000
    assert result.counters["input_repeated"] > 0
