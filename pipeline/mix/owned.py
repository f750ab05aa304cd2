"""The files of a mixture by name: those of a shard folder, and token files; see pipeline.storage.ownership."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence

from pipeline.corpus.manifest import CONFIGURATION
from pipeline.corpus.shard import MANIFEST, STATS, WORK
from pipeline.mix.chat import TEMPLATE
from pipeline.mix.folder import DATASET, HELDOUT, KEPT_OUT, PLAN, TOKENIZER, ShardSet
from pipeline.mix.names import DOCUMENTS, STATE
from pipeline.storage.filesystem import exists, file_sizes, join, read_bytes
from pipeline.storage.ownership import check_apart, check_folder

COMMAND = "pipeline.mix"
_CONFIGURED = {"format", "recipe", "tokens", "tokenizer_sha256", "sources"}  # keys of a mixture's configuration
_SHARD = re.compile(rf"({HELDOUT}/)?(data-\d{{5,}}-of-\d{{5,}}\.arrow|{STATS}/data-\d{{5,}}-of-\d{{5,}}\.json)")
_DRAW = re.compile(rf"({HELDOUT}/)?{WORK}/draws/\d{{5,}}\.npy")
_TOKENS = re.compile(r"[0-9a-f]{16}(-bos)?(-eos)?/.+\.(tokens|json)")


def check_output(output: str, corpus: str, token_root: str) -> None:
    """Refuses an output that a mixture may not write to, before anything is done.

    Raises:
        UserError: It is somebody else's, or lies where the corpus or its token files do.
    """
    check_apart(output, [corpus], "--corpus")
    check_apart(output, [token_root], "--token-files")
    check_folder(output, COMMAND, written_earlier)


def folder_names(sets: Sequence[ShardSet], *, has_template: bool = False) -> list[str]:
    """The names of all files below the output folder that the sets of a mixture have."""
    names = [CONFIGURATION, PLAN]
    for shards in sets:
        below = f"{HELDOUT}/" if shards.kind == "heldout" else ""
        names += [below + TEMPLATE] * has_template
        names += [below + name for name in _set_names(shards)]
        names += [below + KEPT_OUT] * bool(below)
    return names


def _set_names(shards: ShardSet) -> Iterator[str]:
    yield from (DOCUMENTS, TOKENIZER, STATE, DATASET, MANIFEST)
    for number, name in enumerate(shards.names()):
        yield from (f"{name}.arrow", f"{STATS}/{name}.json", f"{WORK}/draws/{number:05d}.npy")


def written_earlier(root: str) -> Iterable[str] | None:
    """The names in a shard folder of a version without records; None where the folder is none."""
    path = join(root, CONFIGURATION)
    if not exists(path):
        return None
    try:
        configuration = json.loads(read_bytes(path))
    except ValueError:
        return None
    if not isinstance(configuration, dict) or not configuration.keys() >= _CONFIGURED:
        return None
    common = {DOCUMENTS, TOKENIZER, STATE, DATASET, MANIFEST}
    known = {CONFIGURATION, PLAN, *common, *(f"{HELDOUT}/{name}" for name in common)}
    return [name for name in file_sizes(root, "") if name in known or _SHARD.fullmatch(name) or _DRAW.fullmatch(name)]


def tokens_written_earlier(root: str) -> Iterable[str] | None:
    """The token files in a folder of a version without records; None where there are none."""
    return [name for name in file_sizes(root, "") if _TOKENS.fullmatch(name)] or None
