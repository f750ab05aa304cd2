"""The shares of a mixture: which part of the tokenizer's sample each source makes up."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import RecipeError
from pipeline.settings import parse_yaml
from tokenizer.errors import TokenizerError

MIXTURES = Path(__file__).parents[1] / "recipes" / "mix"  # beside the packages, in a checkout and in site-packages


@dataclass(frozen=True)
class Place:
    """Where the documents of a source lie, as the mixer has it, too.

    Attributes:
        folder: Its folder in the corpus.
        subsets: The folders below it that are read; all where empty.
    """

    folder: str
    subsets: tuple[str, ...] = ()


def load_shares(name_or_path: str) -> dict[str, float]:
    """Reads the shares of a mixture recipe, in its order; they are made to sum up to 1.

    Args:
        name_or_path: A name in ``recipes/mix/`` (``llama1``) or the path of a YAML file, with
            ``sources: {commoncrawl: {share: 67.0}, ...}``. Other keys are the mixer's.

    Raises:
        TokenizerError: There is no such recipe, or a share is no number above 0; names the key and the value.
    """
    sources = _sources(name_or_path)
    return normalised({str(name): _share(name_or_path, name, value) for name, value in sources.items()})


def load_places(name_or_path: str) -> dict[str, Place]:
    """Reads where the sources of a mixture recipe lie: their keys ``folder`` and ``subsets``.

    Args:
        name_or_path: As for ``load_shares``.

    Raises:
        TokenizerError: There is no such recipe, or a key is no name or no list of names.
    """
    sources = _sources(name_or_path)
    return {str(name): _place(name_or_path, name, value) for name, value in sources.items()}


def _sources(name_or_path: str) -> dict[Any, Any]:
    recipe = _read(name_or_path)
    sources = recipe.get("sources")
    if not isinstance(sources, dict) or not sources:
        raise TokenizerError(f"the mixture {name_or_path} must have the key sources, with a share for each source")
    return sources


def normalised(shares: Mapping[str, float]) -> dict[str, float]:
    """Shares in the same proportions that sum up to 1."""
    total = math.fsum(shares.values())
    return {name: share / total for name, share in shares.items()}


def _share(recipe: str, name: Any, value: Any) -> float:
    share = value.get("share") if isinstance(value, dict) else None
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 < share < math.inf:
        raise TokenizerError(f"the mixture {recipe}: sources.{name}.share must be a number above 0, it is {share!r}")
    return float(share)


def _place(recipe: str, name: Any, value: Any) -> Place:
    keys = value if isinstance(value, dict) else {}
    folder, subsets = keys.get("folder") or str(name), keys.get("subsets") or []
    if not isinstance(folder, str):
        raise TokenizerError(f"the mixture {recipe}: sources.{name}.folder must be a name, it is {folder!r}")
    if any(part in ("", ".", "..") for part in folder.split("/")) or "\\" in folder:
        raise TokenizerError(
            f"the mixture {recipe}: sources.{name}.folder must name a folder in the corpus, such as mine/books, it is "
            f"{folder!r}"
        )
    if not isinstance(subsets, list) or not all(isinstance(subset, str) for subset in subsets):
        raise TokenizerError(f"the mixture {recipe}: sources.{name}.subsets must be a list of names, it is {subsets!r}")
    return Place(folder, tuple(subsets))


def _read(name_or_path: str) -> dict[str, Any]:
    path = Path(name_or_path)
    if path.suffix not in {".yaml", ".yml"}:
        path = MIXTURES / f"{name_or_path}.yaml"
        if not path.is_file():
            names = ", ".join(sorted(file.stem for file in MIXTURES.glob("*.yaml")))
            raise TokenizerError(f"there is no mixture {name_or_path!r}; built in are {names}, or give a .yaml file")
    try:
        recipe = parse_yaml(path.read_text(encoding="utf-8"), f"the mixture {name_or_path}")
    except (OSError, UnicodeDecodeError) as error:
        raise TokenizerError(f"cannot read the mixture {name_or_path}: {error}") from error
    except RecipeError as error:
        raise TokenizerError(str(error)) from error
    if not isinstance(recipe, dict):
        raise TokenizerError(f"the mixture {name_or_path} must be a mapping of keys")
    return recipe
