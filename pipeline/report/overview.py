"""The first part of the page: all sources beside each other and beside the paper, and the mixture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.report import palette
from pipeline.report.charts import Chart, Series, Table, horizontal
from pipeline.report.content import Section
from pipeline.report.corpus import Corpora, SourceCorpus
from pipeline.report.mixture import Share, facts_of, shares_of
from pipeline.report.paper import PAPER, title_of
from pipeline.report.units import bytes_, share, short


@dataclass(frozen=True)
class Overview:
    """What stands before the sources.

    Attributes:
        tiles: The largest figures, each with its name.
        table: The sources beside the paper.
        charts: Plots of all sources together.
        mixtures: For each folder of token shards, its path, its table and its plots.
    """

    tiles: Sequence[tuple[str, str]]
    table: Table
    charts: Sequence[Chart]
    mixtures: Sequence[Mixed] = field(default_factory=tuple)


@dataclass(frozen=True)
class Mixed:
    """A mixture on the page."""

    root: str
    facts: Sequence[tuple[str, str]]
    table: Table
    charts: Sequence[Chart]


def build_overview(corpora: Corpora, sections: Mapping[str, Section]) -> Overview:
    """Puts the sources beside each other."""
    mixtures = [(mixture, shares_of(mixture.manifest)) for mixture in corpora.mixtures]
    tokens = {s.source: s for _, shares in reversed(mixtures) for s in shares if s.unique}
    documents = sum(corpus.kept.documents for corpus in corpora.sources)
    characters = sum(corpus.kept.characters for corpus in corpora.sources)
    tiles = [
        ("sources", f"{len(corpora.sources)}"),
        ("records read", short(sum(corpus.read.documents for corpus in corpora.sources))),
        ("documents kept", short(documents)),
        ("characters kept", short(characters)),
        *([("unique tokens", short(sum(s.unique or 0 for s in tokens.values())))] if tokens else []),
    ]
    charts = [_by_source(corpora.sources, sections)] if len(corpora.sources) > 1 else []
    mixed = [
        Mixed(m.root, facts_of(m.manifest, shares), _mix_table(shares), _mix_charts(shares)) for m, shares in mixtures
    ]
    return Overview(tiles, _table(corpora.sources, sections, tokens), charts, mixed)


def _table(sources: Sequence[SourceCorpus], sections: Mapping[str, Section], tokens: Mapping[str, Share]) -> Table:
    head = ["source", "read", "kept", "share", "characters", "bytes (UTF-8)", "tokens", "bytes/token"]
    rows = []
    for corpus in sources:
        kept, read = corpus.kept, corpus.read
        ratio = sections[corpus.layout.root].bytes_per_character
        size = kept.characters * ratio if ratio is not None else None
        counted = tokens.get(corpus.name)
        per_token = counted.bytes_per_token if counted else None
        rows.append(
            [
                sections[corpus.layout.root].title,
                f"{read.documents:,}",
                f"{kept.documents:,}",
                share(kept.documents / read.documents if read.documents else 0),
                short(kept.characters),
                bytes_(size) if size is not None else "–",
                short(counted.unique) if counted and counted.unique else "–",
                f"{per_token:.2f}" if per_token else "–",
                *_paper_cells(corpus.name),
            ]
        )
    return Table([*head, "paper: bytes", "paper: tokens", "paper: bytes/token"], rows)


def _paper_cells(source: str) -> list[str]:
    paper = PAPER.get(source)
    return [bytes_(paper.disk), short(paper.tokens), f"{paper.bytes_per_token:.2f}"] if paper else ["–", "–", "–"]


def _by_source(sources: Sequence[SourceCorpus], sections: Mapping[str, Section]) -> Chart:
    whole = sum(corpus.kept.characters for corpus in sources) or 1
    size = sum(PAPER[name].disk for name in {c.name for c in sources} if name in PAPER) or 1
    names = [sections[corpus.layout.root].title for corpus in sources]
    series = [
        Series("of the characters here", [100 * c.kept.characters / whole for c in sources], palette.KEPT),
        Series(
            "of the paper's bytes, these sources alone",
            [100 * PAPER[c.name].disk / size if c.name in PAPER else 0.0 for c in sources],
            palette.ELSEWHERE,
        ),
    ]
    summary = "Bars of each source's share of the text, here and in the paper."
    return horizontal("How the text is divided", names, series, "per cent", summary, grouped=True)


def _mix_table(shares: Sequence[Share]) -> Table:
    rows = []
    for s in shares:
        paper = PAPER.get(s.source)
        rows.append(
            [
                title_of(s.source),
                _percent(s.asked),
                _percent(s.reached),
                _percent(paper.share if paper else None),
                short(s.unique) if s.unique is not None else "–",
                short(s.drawn) if s.drawn is not None else "–",
                f"{s.epochs:.2f}" if s.epochs is not None else "–",
                f"{paper.epochs:.2f}" if paper else "–",
            ]
        )
    head = ["source", "asked", "reached", "paper", "unique tokens", "tokens drawn", "epochs", "paper: epochs"]
    return Table(head, rows)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.3f} %"


def _mix_charts(shares: Sequence[Share]) -> list[Chart]:
    names = [title_of(s.source) for s in shares]
    papers = [PAPER.get(s.source) for s in shares]
    mixed = [
        Series("asked", [100 * (s.asked or 0) for s in shares], palette.ELSEWHERE),
        Series("reached", [100 * (s.reached or 0) for s in shares], palette.KEPT),
        Series("paper", [100 * p.share if p else 0.0 for p in papers], palette.SERIES[4]),
    ]
    epochs = [
        Series("here", [s.epochs or 0 for s in shares], palette.KEPT),
        Series("paper", [p.epochs if p else 0.0 for p in papers], palette.SERIES[4]),
    ]
    return [
        horizontal("Shares of the mixture", names, mixed, "per cent of the tokens", "Bars of shares.", grouped=True),
        horizontal("Epochs", names, epochs, "times that a source is seen", "Bars of epochs.", grouped=True),
    ]
