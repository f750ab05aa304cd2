"""Conversations in a line."""


def conversation(*texts, system=None, untrained=()):
    """Messages of user and assistant by turns; the answers numbered in ``untrained`` have no loss."""
    messages = [] if system is None else [{"role": "system", "content": system, "train": True}]
    for number, text in enumerate(texts):
        role = ("user", "assistant")[number % 2]
        messages.append({"role": role, "content": text, "train": number // 2 not in untrained})
    return messages
