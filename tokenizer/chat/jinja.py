"""A template as Hugging Face's ``chat_template``, for ``apply_chat_template`` of an exported tokenizer.

It gives the text that is encoded here, with the names of bos and eos in it; so a message that holds one of these, or
another text that their tokenizer takes for an id, is refused there, as one with a tag of the template is. What their
tokenizer makes of the text are the ids of ``tokenizer.chat.encode`` wherever no unit reaches over the border of a
prompt and its answer.
"""

from __future__ import annotations

from collections.abc import Sequence

from tokenizer.chat.frames import Place
from tokenizer.chat.template import Template


def chat_template(template: Template, special: Sequence[str]) -> str:
    """The Jinja text of a template.

    Args:
        template: The template.
        special: What their tokenizer takes for ids: the names of bos and eos, of the unknown piece, ...
    """
    later = _frame(template, "later", user=_content(template))
    with_system = _frame(template, "first_with_system", user=_content(template, "rstrip"), system="system")
    first = _frame(template, "first", user=_content(template))
    if template.input_mark:
        mark = _literal(template.input_mark)
        parts = {name: f"{_parts(template, mark)}[{place}]" for place, name in enumerate(("user", "input"))}
        parts["user"] += ".strip()" * template.strip
        with_input = _frame(template, "first_with_input", **parts)
        first = f"{{% if {mark} in message['content'] %}}{with_input}{{% else %}}{first}{{% endif %}}"
    answer = _frame(template, "answer", answer=_content(template)) + _frame(template, "end")
    return "".join(
        (
            "{% if messages[0]['role'] == 'system' %}",
            "{% set system = messages[0]['content'] %}{% set turns = messages[1:] %}",
            "{% else %}{% set turns = messages %}{% endif %}",
            "{% if not turns %}" + _raise("there must be a turn of the user") + "{% endif %}",
            _refused([*special, *template.tags]),
            "{% for message in turns %}",
            "{% if message['role'] != ('user' if loop.index0 % 2 == 0 else 'assistant') %}",
            _raise("user and assistant must take turns"),
            "{% endif %}{% if message['role'] == 'assistant' %}",
            answer,
            "{% elif not loop.first %}",
            later,
            "{% elif system is defined %}",
            with_system,
            "{% else %}",
            first,
            "{% endif %}{% endfor %}",
        )
    )


def _refused(tags: Sequence[str]) -> str:
    """Refuses messages that are empty, or hold a tag, or what their tokenizer takes for an id."""
    listed = ", ".join(_literal(tag) for tag in tags)
    return (
        "{% for message in messages %}"
        "{% if message['role'] != 'system' and not message['content'].strip() %}"
        + _raise("a message is empty")
        + f"{{% endif %}}{{% for tag in [{listed}] %}}"
        "{% if tag in message['content'] %}"
        + _raise("a message holds a tag of the template, or of the tokenizer")
        + "{% endif %}{% endfor %}{% endfor %}"
    )


def _content(template: Template, strip: str = "strip") -> str:
    return "message['content']" + f".{strip}()" * template.strip


def _parts(template: Template, mark: str) -> str:
    return f"message['content'].split({mark}, 1)"


def _frame(template: Template, key: str, **values: str) -> str:
    """What prints a frame; refuses what the template has no frame for."""
    if key not in template.frames:
        return _raise(f"the template {template.name} has no {key}")
    names = {"bos": "bos_token", "eos": "eos_token", **values}
    parts = (names[part.name] if isinstance(part, Place) else _literal(part) for part in template.frames[key])
    return f"{{{{ {' ~ '.join(parts)} }}}}"


def _raise(message: str) -> str:
    return f"{{{{ raise_exception({_literal(message)}) }}}}"


def _literal(text: str) -> str:
    """A text as Jinja reads it in single quotes."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return "'" + "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in escaped) + "'"
