"""Samples that are made again."""

from collections.abc import Callable
from pathlib import Path

import pytest


def made_again(
    main: Callable[[list[str]], object], samples: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> set[Path]:
    """The names of the files that a maker writes, each the same to the byte as the sample's, and named on a line."""
    main(["--output", str(folder)])
    made = {path.relative_to(folder) for path in folder.rglob("[!.]*") if path.is_file()}
    assert len(made) == capsys.readouterr().out.count("\n")
    for path in made:
        assert (samples / path).read_bytes() == (folder / path).read_bytes()
    return made
