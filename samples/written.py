"""Writing of a sample's files: over those of the sample itself, or into a folder of one's own."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.errors import OutputError
from pipeline.storage.ownership import Owned, claim_folder


def output_folder(module: str, own: Path, arguments: Sequence[str] | None) -> Path:
    """The folder that a maker's command line names.

    Args:
        module: The maker, such as ``samples.make_books``.
        own: The sample's own folder, the default.
        arguments: The command line; that of the process where None.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description="Builds the sample from what is written.")
    parser.add_argument("--output", type=Path, default=own, help="folder (default: the sample's own)")
    return Path(parser.parse_args(arguments).output)


def own_folder(module: str, own: Path, output: Path) -> Owned | None:
    """Claims a folder that is not the sample's own, where files of others may lie; ends the command where they do."""
    if output.resolve() == own.resolve():
        output.mkdir(parents=True, exist_ok=True)
        return None
    try:
        return claim_folder(str(output), module)
    except OutputError as error:
        sys.exit(f"error: {error}")


def write_files(module: str, own: Path, output: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Writes files below a folder, and prints their names and sizes."""
    content = dict(files)
    claimed = own_folder(module, own, output)
    if claimed is not None:
        claimed.expect(content)
    for name, data in content.items():
        target = output / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        sys.stdout.write(f"{target} ({len(data)} bytes)\n")
