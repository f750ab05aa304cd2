"""What formats make of records, in short."""

from collections.abc import Iterable
from typing import Any

from sources.instructions.formats.items import Conversation, Fault, Format, Item, Pair


def read(format_: Format, records: Iterable[Any], path: str = "folder/file.json") -> list[Item]:
    """The items of records, whose offsets are their places."""
    return [item for _, item in format_.read(iter(list(enumerate(records))), path)]


def brief(item: Item) -> Any:
    """A fault's reason; of a conversation the turns, each as its role's first letter and what is said, with a mark
    behind what is learned; of a pair the prompt's turns, the answers and the margin."""
    if isinstance(item, Fault):
        return item.reason
    if isinstance(item, Pair):
        return [_turns(item.prompt), item.chosen, item.rejected, item.margin]
    assert isinstance(item, Conversation)
    return _turns(item.turns)


def _turns(turns: Iterable[Any]) -> str:
    return " / ".join(f"{turn.role[0]}:{turn.content}{'!' if turn.train else ''}" for turn in turns)
