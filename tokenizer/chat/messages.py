"""Conversations as they come from a corpus: turns of user and assistant, checked before they are encoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from tokenizer.errors import TokenizerError

SYSTEM, USER, ASSISTANT = "system", "user", "assistant"
ROLES = (SYSTEM, USER, ASSISTANT)
TAKING_TURNS = (USER, ASSISTANT)
Message = Mapping[str, Any]
Tags = Literal["refuse", "escape"]


class ConversationError(TokenizerError):
    """A conversation cannot be encoded.

    Attributes:
        reason: Why, in a word that is counted.
    """

    def __init__(self, reason: str, message: str) -> None:
        """Makes one of the word and a sentence."""
        super().__init__(message)
        self.reason = reason


class Turn(NamedTuple):
    """A turn of the user, and the answer to it.

    Attributes:
        user: What the user says.
        answer: The answer; None where it is yet to come.
        train: Whether the answer has loss.
    """

    user: str
    answer: str | None
    train: bool = True


class Conversation(NamedTuple):
    """A checked conversation.

    Attributes:
        system: The system text, which may be empty; None where there is none.
        turns: One or more; only of the last one may the answer be yet to come.
    """

    system: str | None
    turns: tuple[Turn, ...]


def check_messages(messages: Sequence[Message] | None, *, prompt: bool = False) -> Conversation:
    """The turns of a conversation.

    Args:
        messages: Each has ``role`` (``system``, first only; ``user`` and ``assistant``, in turns) and ``content``, and
            may have ``train``, false for an answer without loss.
        prompt: Whether it must end with the user's turn; else it must end with an answer.

    Raises:
        ConversationError: ``reason`` is ``no_messages``, ``no_message`` (one that is none), ``unknown_role``,
            ``no_content``, ``empty_turn`` (but a system text may be empty), ``roles_out_of_turn``, or ``no_answer``
            (``ends_with_answer`` where a prompt is wanted).
    """
    if not messages:
        raise ConversationError("no_messages", "it has no messages")
    for number, message in enumerate(messages):
        _check_message(number, message)
    first = messages[0]
    system = first["content"] if first["role"] == SYSTEM else None
    turns = messages[1:] if system is not None else messages
    if not turns:
        raise ConversationError("no_messages", "it has a system text alone")
    for number, message in enumerate(turns):
        if message["role"] != TAKING_TURNS[number % 2]:
            raise ConversationError(
                "roles_out_of_turn",
                f"message {number + (system is not None)} must be the {TAKING_TURNS[number % 2]}'s, it is the "
                f"{message['role']}'s",
            )
    if len(turns) % 2 != prompt:
        if prompt:
            raise ConversationError("ends_with_answer", "it must end with a turn of the user")
        raise ConversationError("no_answer", "it must end with an answer")
    found = [
        Turn(user["content"], answer["content"], answer.get("train") is not False)
        for user, answer in zip(turns[::2], turns[1::2], strict=False)
    ]
    return Conversation(system, (*found, Turn(turns[-1]["content"], None)) if prompt else tuple(found))


def _check_message(number: int, message: Any) -> None:
    if not isinstance(message, Mapping):
        raise ConversationError("no_message", f"message {number} is no mapping of role and content")
    role, content = message.get("role"), message.get("content")
    if role is None and content is None:  # so a null is read from a table
        raise ConversationError("no_message", f"message {number} is null")
    if role not in ROLES:
        known = ", ".join(ROLES)
        raise ConversationError("unknown_role", f"message {number} has the role {str(role)[:40]!r}; known are {known}")
    if not isinstance(content, str):
        raise ConversationError("no_content", f"message {number} has no text as its content")
    if (not content or content.isspace()) and role != SYSTEM:
        raise ConversationError("empty_turn", f"message {number}, the {role}'s, is empty")


def without_tags(text: str, tags: Sequence[str], how: Tags) -> str:
    """A text of a message in which no tag of the template stands.

    Args:
        text: The text.
        tags: The tags.
        how: ``refuse``, or ``escape``, which puts a space behind the first character of each.

    Raises:
        ConversationError: ``special_tag``: one stands in it.
    """
    for tag in tags:
        if tag in text:
            break
    else:
        return text
    found = [tag for tag in tags if tag in text]
    if how == "escape":
        for tag in found:
            text = text.replace(tag, f"{tag[0]} {tag[1:]}")
        found = [tag for tag in tags if tag in text]
    if found:
        raise ConversationError("special_tag", f"a message holds {found[0]!r}, which is the template's own")
    return text
