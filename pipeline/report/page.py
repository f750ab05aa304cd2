"""The page: one HTML file that holds its plots, its style and its two scripts, and may load nothing else.

Every value is made harmless and goes through the template's escaping; figures go in as JSON in which no tag can begin
or end. The policy allows the two scripts by their hashes and nothing else, so that even what an escape had missed could
not run.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import chain
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from pipeline.report import palette
from pipeline.report.charts import Chart
from pipeline.report.content import Section
from pipeline.report.harmless import harmless
from pipeline.report.overview import Overview

TEMPLATES = "templates"
_ENDS_A_SCRIPT = re.compile(r"</script|<!--|\r", re.I)
# What JSON may write otherwise: with these a tag could begin, or a line end, where no script expects it.
_IN_JSON = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


@dataclass(frozen=True)
class Plot:
    """A plot with the id of its place on the page."""

    id: str
    chart: Chart


def render(title: str, overview: Overview, sections: Sequence[Section]) -> str:
    """Makes the page.

    Args:
        title: Its title.
        overview: Its first part.
        sections: The parts of the sources.
    """
    first = numbered("overview", overview.charts)
    mixtures = [numbered(f"mixture-{i}", m.charts) for i, m in enumerate(overview.mixtures, 1)]
    parts = [numbered(f"source-{i}", s.charts) for i, s in enumerate(sections, 1)]
    every = [*first, *chain.from_iterable(mixtures), *chain.from_iterable(parts)]
    plots = {"overview": first, "mixtures": mixtures, "sections": parts}
    return fill("report.html", every, title=title, overview=overview, sections=sections, plots=plots)


def fill(template: str, every: Sequence[Plot], **values: Any) -> str:
    """A page of this room's templates, with all that makes it safe and whole.

    Args:
        template: Its name.
        every: All plots that stand on it.
        **values: What the template names.
    """
    library, script = inline(get_plotlyjs()), inline(_resource("report.js"))
    return (
        _environment()
        .get_template(template)
        .render(
            **values,
            figures=json_in_html({"figures": {p.id: p.chart.figure for p in every}, "dark": palette.DARK}),
            dark=palette.DARK,
            library=library,
            script=script,
            style=Markup(_resource("report.css")),
            policy=policy([library, script]),
        )
    )


def numbered(prefix: str, charts: Sequence[Chart]) -> list[Plot]:
    """Plots with the ids of their places."""
    return [Plot(f"plot-{prefix}-{number}", chart) for number, chart in enumerate(charts, 1)]


def policy(scripts: Sequence[str]) -> str:
    """The Content-Security-Policy: these scripts run, styles are the page's own, nothing is loaded or sent."""
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{value}'" for value in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def inline(script: str) -> Markup:
    """A script of ours as it stands in the page.

    Raises:
        ValueError: It holds what would end it there, or what a browser would change, and so its hash.
    """
    found = _ENDS_A_SCRIPT.search(script)
    if found:
        raise ValueError(f"the script holds {found[0]!r}, which HTML reads otherwise")
    return Markup(script)


def json_in_html(value: Mapping[str, Any]) -> Markup:
    """A value as JSON that may stand in a script element, whatever its strings hold."""
    return Markup(json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_IN_JSON))


def _resource(name: str) -> str:
    return resources.files(__package__).joinpath(TEMPLATES, name).read_text(encoding="utf-8")


def _shown(value: object) -> object:
    """A value on its way into the page: text is made harmless; then the template escapes it."""
    return harmless(value) if type(value) is str else value


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader(__package__, TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
