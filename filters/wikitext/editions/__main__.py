"""The tables of templates as a page: ``python -m filters.wikitext.editions > docs/wikipedia-templates.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from filters.wikitext.editions.load import read_table, table_names

_HEAD = """\
# Templates of Wikipedia that keep text

Written by `python -m filters.wikitext.editions > docs/wikipedia-templates.md` from `filters/wikitext/editions/*.yaml`;
the form of these files is told in `common.yaml`. An edition's own rows go before the common ones. `{1}` is the first
argument, `<...>` what is left out where an argument in it is blank, and `=name` a rule of `editions/named.py`.
"""


def page() -> str:
    """The whole page, in Markdown."""
    return "\n".join([_HEAD, *(line for name in table_names() for line in _section(name))])


def _section(name: str) -> Iterator[str]:
    table = read_table(name)
    yield f"## {name}"
    yield ""
    yield "| what is written | templates |"
    yield "| --- | --- |"
    for what, names in table.get("templates", {}).items():
        yield f"| {_code(what)} | {_codes(str(names))} |"
    for pattern, what in table.get("families", {}).items():
        yield f"| {_code(what)} | names like {_code(pattern)} |"
    if silent := table.get("silent"):
        yield f"| nothing | {_codes(silent)} |"
    yield ""


def _codes(names: str) -> str:
    return ", ".join(_code(name.strip()) for name in names.split(" | "))


def _code(text: object) -> str:
    shown = str(text).replace("|", "\\|")
    return f"`` {shown} ``" if "`" in shown else f"`{shown}`"


if __name__ == "__main__":
    sys.stdout.write(page())
