"""Real papers, cleaned and looked at: what a reader would object to is not there. Skipped where the papers are not."""

import re
from pathlib import Path

import pytest

from filters.latex import CleanPaper, Reject, clean_paper
from filters.latex.tokens import COMMENT_END, Masker, Verbatim, declared_verbatim

PAPERS = Path(__file__).parents[3].parent / "shared" / "real" / "arxiv" / "src"
pytestmark = pytest.mark.skipif(not PAPERS.is_dir(), reason="no real papers beside the checkout")

# main file, where the text starts; all others start at a section of their only candidate
MAIN = {
    "cweb_manual": "cwebman.tex",
    "dropimpact": "ms.tex",
    "existence_of_lu": "main.tex",
    "iog_systemf_agda": "system-f-in-agda.lagda",
    "iog_unraveling": "unraveling-recursion.tex",
    "iog_plutus_core_spec": "plutus-core-specification.tex",
}
START = {"dropimpact": "abstract", "iog_isorecursive": "maketitle"}
# Its own \verbatim turns category codes: uses stay, as do its catcodes.
PROGRAM = "cweb_manual"
SETS = sorted(path.name for path in PAPERS.iterdir() if path.name != "html_page") if PAPERS.is_dir() else []

_DEFINITIONS = re.compile(
    r"(?<!\\)\\(?:(?:re)?newcommand|providecommand|[gex]?def|let|DeclareMathOperator|(?:re)?newenvironment|newif|makeatletter"
    r"|input|include|subfile|iffalse|ensuremath|xspace|ifmmode)(?![A-Za-z@])"
)
_REFERENCES = re.compile(r"\\(?:bibitem|bibliography|printbibliography|nocite|begin\{thebibliography\})(?![A-Za-z])")


def files_of(name: str) -> dict[str, bytes]:
    folder = PAPERS / name
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def cleaned(name: str) -> tuple[CleanPaper, str, Verbatim]:
    """A paper, its text without verbatim pieces, and what it declares verbatim."""
    files = files_of(name)
    paper = clean_paper(files)
    assert isinstance(paper, CleanPaper)
    verbatim = declared_verbatim(files.values(), any(path.endswith(".lagda") for path in files))
    return paper, Masker(verbatim).clean(paper.text), verbatim


def depth(text: str) -> int:
    braces = re.findall(r"\\.|[{}]", text, re.DOTALL)
    return braces.count("{") - braces.count("}")


@pytest.mark.parametrize("name", SETS)
def test_real_papers_read_well(name: str) -> None:
    paper, text, _ = cleaned(name)
    assert paper.main_file == MAIN.get(name, paper.main_file)
    assert paper.started_at == START.get(name, "section")
    assert COMMENT_END not in text, "a comment is left"
    assert not _REFERENCES.search(text)
    assert len(paper.text) > 10_000
    assert not re.search(r"\n\n\n|[ \t]\n", text)
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", paper.text)
    if name != PROGRAM:
        assert paper.macros_left == 0
        assert not _DEFINITIONS.search(text)
        assert depth(text) == 0


@pytest.mark.parametrize("name", SETS)
def test_cleaning_a_clean_paper_changes_nothing_but_its_start(name: str) -> None:
    """A text that is done is left alone: what was expanded is not expanded again, nor are its braces touched."""
    if name in START or name == PROGRAM:
        pytest.skip("its start is not a section of LaTeX's")
    files = files_of(name)
    paper = clean_paper(files)
    assert isinstance(paper, CleanPaper)
    preamble = "\\documentclass{article}\n"
    if name == "iog_unraveling":  # its code environment is verbatim by declaration
        preamble += "\\newenvironment{code}{\\verbatim}{\\endverbatim}\n"
    path = "again.lagda" if name == "iog_systemf_agda" else "again.tex"
    again = clean_paper({path: (preamble + "\\begin{document}\n" + paper.text).encode()})
    assert isinstance(again, CleanPaper)
    assert again.text == paper.text


def test_how_much_is_expanded() -> None:
    papers = [clean_paper(files_of(name)) for name in SETS]
    kept = [paper for paper in papers if isinstance(paper, CleanPaper)]
    assert len(kept) == len(SETS) == 27
    assert sum(paper.macros_expanded for paper in kept) > 10_000
    assert sum(paper.macros_left for paper in kept if paper.main_file != MAIN[PROGRAM]) == 0


def test_an_html_page_is_rejected() -> None:
    assert clean_paper(files_of("html_page")) == Reject("html")
