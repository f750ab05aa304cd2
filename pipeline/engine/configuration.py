"""The configuration of an output: all that decides it is the same in every run that writes there."""

from __future__ import annotations

from typing import Any

from pipeline.corpus.manifest import CONFIGURATION
from pipeline.corpus.shard import Layout, as_json, write_json
from pipeline.engine.state import read_if_there
from pipeline.errors import OutputError
from pipeline.recipe import difference
from pipeline.storage.filesystem import create_bytes, is_remote, join


def check_configuration(layout: Layout, configuration: dict[str, Any], *, made: bool) -> bool:
    """Refuses an output that was made by another configuration.

    Args:
        layout: The output.
        configuration: All that decides it.
        made: Whether anything is finished there.

    Returns:
        Whether the configuration is new there: nothing is finished, and what lies there is of another one.

    Raises:
        OutputError: What is finished there was made by another configuration; or, on an object store, where nothing
            locks, a run of another one may be at work.
    """
    before = read_if_there(join(layout.root, CONFIGURATION))
    if before == configuration:
        return False
    changes = "\n  ".join(difference(before or {}, configuration))
    if before is not None and not made and is_remote(layout.root):
        raise OutputError(
            f"{layout.root} was begun with another configuration, and a run of it may be at work: object stores have "
            f"no locks. What differs (there -> here):\n  {changes}\nChoose another --output, or make sure that no run "
            f"writes there, and remove {join(layout.root, CONFIGURATION)}: then this command begins anew."
        )
    if made:
        raise OutputError(
            f"{layout.root} was made by another configuration. What differs (there -> here):\n  {changes}\n"
            "Choose another --output, or remove that folder to make it anew."
        )
    return True


def claim_configuration(layout: Layout, configuration: dict[str, Any], *, begun: bool) -> None:
    """Writes the configuration of an output that parts make together, where there is none.

    Args:
        layout: The output.
        configuration: All that decides it.
        begun: Whether there were records of scopes before it was looked for: what is there is of some configuration.

    Raises:
        OutputError: There is another one, of which parts may be at work.
    """
    path = join(layout.root, CONFIGURATION)
    if not begun:
        create_bytes(path, as_json(configuration))
    before = read_if_there(path)
    if before == configuration:
        return
    changes = "\n  ".join(difference(before or {}, configuration))
    raise OutputError(
        f"{layout.root} was begun with another configuration. What differs (there -> here):\n  {changes}\n"
        "Give all parts the same recipe and models, or choose another --output. Where no shard is finished yet, and no "
        "part is at work, the same command with --finish in place of --part forgets what was begun."
    )


def same_configuration(layout: Layout, configuration: dict[str, Any]) -> dict[str, Any]:
    """The configuration of an output where it differs in what is told of its models alone, else the one given.

    A model is its checksum: where it lies, and what is known of its training, changes no byte of what is made.

    Args:
        layout: The output.
        configuration: All that decides it; ``models`` has the checksums by address, ``training`` how they came to be.
    """
    before = read_if_there(join(layout.root, CONFIGURATION))
    return before if before is not None and _by_sums(before) == _by_sums(configuration) else configuration


def _by_sums(configuration: dict[str, Any]) -> Any:
    sums = configuration.get("models")
    if not isinstance(sums, dict):
        return configuration

    def named(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: named(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [named(inner) for inner in value]
        return {"sha256": sums[value]} if isinstance(value, str) and value in sums else value

    rest = {key: value for key, value in configuration.items() if key not in {"models", "training"}}
    return {**named(rest), "models": sorted(map(str, sums.values()))}


def write_configuration(layout: Layout, configuration: dict[str, Any]) -> None:
    """Writes the configuration of an output in which nothing is finished.

    Raises:
        OutputError: Another run, of another configuration, began there at the same time.
    """
    path = join(layout.root, CONFIGURATION)
    if not is_remote(path):  # a lock keeps others out
        write_json(path, configuration)
    elif not create_bytes(path, as_json(configuration)):
        check_configuration(layout, configuration, made=False)
