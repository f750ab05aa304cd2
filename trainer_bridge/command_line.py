"""What the command lines of the trainer share."""

import argparse
from pathlib import Path


def local_path(text: str) -> Path:
    """A path that must be on the local disk, for command lines."""
    if "://" in text:
        raise argparse.ArgumentTypeError(f"{text} is no local path; copy it to or from the store with its own tool")
    return Path(text)
