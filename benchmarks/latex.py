"""Speed of the LaTeX cleaner on one core: papers and megabytes of TeX per second of CPU time.

    python -m benchmarks.latex                        # a paper written here, many times over
    python -m benchmarks.latex --input PAPERS/        # a folder of papers, each a folder of its files or one file
    python -m benchmarks.latex --input arXiv_src_*.tar

Megabytes count the TeX that was read for the papers: main files and what they input. The floor to hold is 2.7 MB/s,
what the best open cleaner does, which expands no macro with arguments.
"""

import argparse
import gzip
import io
import os
import tarfile
import time
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from filters.latex import CleanPaper, clean_paper

Paper = Mapping[str, bytes]
MAX_MEMBER = 200_000_000  # bytes of one unpacked submission

_PREAMBLE = r"""\documentclass{article}
\usepackage[utf8]{inputenc}
\newcommand{\R}{\mathbb{R}}
\newcommand{\norm}[2][2]{\left\|#2\right\|_{#1}}
\newcommand{\inner}[2]{\langle #1, #2 \rangle}
\def\be{\begin{equation}}\def\ee{\end{equation}}
\newcommand{\eg}{e.g.\xspace}
\DeclareMathOperator{\tr}{tr}
\newenvironment{claim}[1]{\par\textbf{Claim #1.}}{\par}
\title{A paper} \author{An author}
\begin{document}
\maketitle
\begin{abstract}We look at spaces.\end{abstract}
"""
_SECTION = r"""\section{Spaces} % where we begin
\label{sec:spaces}
Let $x \in \R^n$ and let $A$ be a matrix over a field, with 5\% of its entries \eg on a diagonal, as in~\cite{one}.
% a comment on its own
The trace $\tr A = \sum_{i=1}^{n} \inner{e_i}{A e_i}$ does not depend on the basis, nor does the spectrum of $A$;
what does is the sum of the absolute values of the entries. We shall use this without further mention. See \url{http://a.b/c%20d}.
\be
  \norm{A x} \le \norm[1]{A} \, \norm[\infty]{x} + \frac{\alpha + \beta}{\gamma_{ij}} \int_0^1 f(t) \, dt
\ee
\begin{claim}{1}
The map $x \mapsto \inner{x}{\cdot}$ is linear, \emph{bounded}, and of norm $\norm{x}$.
\end{claim}
\begin{itemize}
\item The first item says that nothing is lost, and refers to \ref{sec:spaces} and to Figure~\ref{fig:one}.
\item The second item says that the first is right.
\end{itemize}
"""
_END = "\\bibliography{refs}\n\\end{document}\n"


@dataclass
class Tally:
    """What a run adds up."""

    papers: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    started_at: Counter[str] = field(default_factory=Counter)
    tex_bytes: int = 0
    text_chars: int = 0
    expanded: int = 0
    left: int = 0
    cpu: float = 0.0
    slowest: tuple[float, str] = (0.0, "")


def own_papers() -> Iterator[tuple[str, Paper]]:
    """Papers written here, of 3 to 300 kB."""
    for number in range(60):
        text = _PREAMBLE + _SECTION * (3 + number * 4) + _END
        yield f"own-{number}", {"main.tex": text.encode()}


def papers_in(paths: Iterable[Path]) -> Iterator[tuple[str, Paper]]:
    """Papers in folders and in arXiv's bulk tars."""
    for path in paths:
        if path.is_dir():
            for entry in sorted(path.iterdir()):
                yield entry.name, _folder(entry) if entry.is_dir() else {entry.name: entry.read_bytes()}
        else:
            yield from _bulk(path)


def _folder(path: Path) -> Paper:
    files = (file for file in sorted(path.rglob("*")) if file.is_file() and not file.is_symlink())
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in files}


def _bulk(path: Path) -> Iterator[tuple[str, Paper]]:
    with tarfile.open(path) as outer:
        for member in outer:
            stream = outer.extractfile(member) if member.isfile() and member.name.endswith(".gz") else None
            if stream is not None:
                yield member.name, unpack(stream.read())


def unpack(data: bytes) -> Paper:
    """The files of a packed submission: a gzipped tar, or one gzipped file."""
    try:
        with gzip.open(io.BytesIO(data)) as stream:
            data = stream.read(MAX_MEMBER)
    except (OSError, EOFError, zlib.error):
        pass  # some are not packed, whatever their names say
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as inner:
            streams = {member.name: inner.extractfile(member) for member in inner if member.isfile()}
            return {name: stream.read(MAX_MEMBER) for name, stream in streams.items() if stream is not None}
    except tarfile.TarError:
        return {"source": data}


def measure(papers: Iterable[tuple[str, Paper]], repeat: int) -> Tally:
    """Clean every paper ``repeat`` times; only the cleaning is timed."""
    tally = Tally()
    for name, files in papers:
        start = time.process_time()
        for _ in range(repeat):
            result = clean_paper(files)
        cpu = (time.process_time() - start) / repeat
        tally.cpu += cpu
        tally.papers += 1
        tally.slowest = max(tally.slowest, (cpu, name))
        if not isinstance(result, CleanPaper):
            tally.rejected[result.reason] += 1
            continue
        sizes = {os.path.normpath(path): len(data) for path, data in files.items()}
        tally.tex_bytes += sum(sizes.get(os.path.normpath(path), 0) for path in result.included)
        tally.text_chars += len(result.text)
        tally.expanded += result.macros_expanded
        tally.left += result.macros_left
        tally.started_at[result.started_at] += 1
    return tally


def report(tally: Tally) -> str:
    """The tally in lines."""
    kept = tally.papers - tally.rejected.total()
    uses = tally.expanded + tally.left
    return "\n".join(
        (
            f"papers           {tally.papers}, kept {kept} ({kept / max(1, tally.papers):.1%})",
            f"rejected         {dict(tally.rejected)}",
            f"started at       {dict(tally.started_at)}",
            f"TeX read         {tally.tex_bytes / 1e6:.2f} MB, text written {tally.text_chars / 1e6:.2f} M characters",
            f"CPU time         {tally.cpu:.2f} s, slowest {tally.slowest[1]} {tally.slowest[0]:.3f} s",
            f"speed per core   {tally.tex_bytes / 1e6 / tally.cpu:.2f} MB/s, {tally.papers / tally.cpu:.1f} papers/s",
            f"macro uses       {tally.expanded} expanded, {tally.left} left ({tally.left / max(1, uses):.2%})",
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--input", nargs="*", type=Path, default=[], help="folders of papers, or arXiv bulk tars")
    parser.add_argument("--repeat", type=int, default=3, help="times each paper is cleaned (3)")
    arguments = parser.parse_args()
    papers = papers_in(arguments.input) if arguments.input else own_papers()
    print(report(measure(papers, arguments.repeat)))


if __name__ == "__main__":
    main()
