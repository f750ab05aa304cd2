"""Where the peers of a comparison are installed: an environment each, in pinned versions."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

# What each environment gets. The name of one that ends with "+" sees this environment's packages, too: torch is large.
ENVIRONMENTS = {
    "cc_net": [
        "numpy<2", "pandas", "requests", "sentencepiece", "submitit", "psutil", "sacremoses", "typing_extensions",
        "beautifulsoup4", "func-argparse", "fasttext-wheel==0.9.2", "ufal-kenlm", "setuptools<81",
    ],
    "wikiextractor": ["wikiextractor==3.1.0"],
    "html": ["beautifulsoup4==4.15.0", "lxml", "tqdm", "fasttext-wheel==0.9.2", "numpy<2"],
    "torch+": [
        "litdata==0.2.76", "litgpt==0.5.13", "lightning", "pytorch-lightning", "torchmetrics", "lightning-utilities",
    ],
}  # fmt: skip
# Installed without what they ask for: cc_net for a compiler, the others for another torch.
WITHOUT_NEEDS = {"cc_net": ["cc_net==1.0.0"], "torch+": ENVIRONMENTS["torch+"]}
NEEDS = {"torch+": ["filelock", "boto3", "requests", "obstore", "tifffile", "jsonargparse"]}
CHECKOUTS = {
    "RedPajama-Data": "https://github.com/togethercomputer/RedPajama-Data, branch rp_v1",
    "stackexchange-dataset": "https://github.com/EleutherAI/stackexchange-dataset",
}


class MissingError(Exception):
    """A peer is not here, and cannot be had; says what to do."""


@dataclass(frozen=True)
class Peers:
    """The peers' environments and checkouts.

    Attributes:
        folder: Where the environments lie, and are made at need.
        checkouts: Where checkouts lie; None where there are none.
    """

    folder: Path
    checkouts: Path | None = None

    def python(self, name: str) -> str:
        """The interpreter of an environment, which is made where it is not there.

        Raises:
            MissingError: It cannot be installed.
        """
        place = self.folder.resolve() / name.rstrip("+")
        python, ready = place / "bin" / "python", place / "ready"
        if not ready.exists():
            print(f"installing {name.rstrip('+')} in {place} ...", flush=True)
            venv.create(place, with_pip=True, clear=True)
            plain = NEEDS.get(name, ENVIRONMENTS[name])
            for packages, flags in ((plain, []), (WITHOUT_NEEDS.get(name, []), ["--no-deps"])):
                command = [str(python), "-m", "pip", "install", "-q", *flags, *packages]
                done = subprocess.run(command, capture_output=True, text=True, check=False) if packages else None
                if done is not None and done.returncode:
                    raise MissingError(f"it could not be installed: {(done.stderr or done.stdout).strip()[-500:]}")
            if name.endswith("+"):
                (found,) = place.glob("lib/python*/site-packages")
                (found / "shared.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
            ready.touch()
        return str(python)

    def checkout(self, name: str) -> str:
        """The folder of a checkout.

        Raises:
            MissingError: It is not there.
        """
        found = self.checkouts / name if self.checkouts else None
        if found is None or not found.is_dir():
            raise MissingError(f"--checkouts must name a folder with {name}: a checkout of {CHECKOUTS[name]}")
        return str(found.resolve())


def this_python() -> str:
    """The interpreter of this project's environment."""
    return sys.executable
