"""Templates of chat models: YAML in ``recipes/chat/templates``, checked when they are read.

A template says what stands around the turns of a conversation. Everything between two special ids (bos, eos) is one
text to the tokenizer, so each such text begins as any text does: with the space that a model may put first.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.errors import RecipeError
from tokenizer.chat.frames import BOS, EOS, FrameError, Part, Piece, Place, parse_frame, pieces, places
from tokenizer.errors import TokenizerError

TEMPLATES = Path(__file__).parents[2] / "recipes" / "chat" / "templates"
MOST_BYTES = 1 << 20  # of a template's file

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# The places that a key's frame may have, and those that it must have once.
_PLACES = {
    "first": (("user",), (BOS, EOS)),
    "first_with_system": (("system", "user"), (BOS, EOS)),
    "first_with_input": (("user", "input"), (BOS, EOS)),
    "later": (("user",), (BOS, EOS)),
    "answer": (("answer",), ()),
    "end": ((), (EOS,)),
}


class TemplateError(TokenizerError):
    """A template cannot be used: what is wrong, and what to do."""


@dataclass(frozen=True)
class Template:
    """What stands around the turns of a conversation.

    Frames are texts with places: ``{bos}`` and ``{eos}`` are ids, ``{user}``, ``{system}``, ``{input}`` and
    ``{answer}`` what the conversation holds; braces are written twice.

    Attributes:
        name: Its name, in manifests and messages.
        first: The first turn of the user, up to where the answer begins.
        answer: An answer. All of this frame has loss.
        end: What ends an answer: ``{eos}``, a text, or a text and ``{eos}``. It has loss, and generation stops there.
        later: Every later turn of the user; where None, a conversation has one turn, and a longer one is refused.
        first_with_system: The first turn of the user where there is a system text; where None, such a conversation is
            refused.
        first_with_input: The first turn of the user where it holds ``input_mark``: what stands before the mark is the
            ``{user}``, what stands behind it the ``{input}``.
        input_mark: That mark.
        strip: Whether white space at the ends of the user's turns and of answers goes. Where a system text stands
            before it in the same turn, that at the left end of the user's text stays, as in Llama 2's code.
        tags: Texts that no message may hold, as they would look like the template's own.
    """

    name: str
    first: str
    answer: str
    end: str
    later: str | None = None
    first_with_system: str | None = None
    first_with_input: str | None = None
    input_mark: str | None = None
    strip: bool = False
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise TemplateError(f"name must be of letters, digits, point, line and underline, it is {self.name!r}")
        for key in _PLACES:
            if getattr(self, key) is not None:
                _check_frame(key, getattr(self, key))
        if not self.end:
            raise TemplateError(
                'it has no end mark: without one a model never learns to stop. Give end, such as "{eos}" or "<|end|>"'
            )
        if bool(self.input_mark) != bool(self.first_with_input):
            raise TemplateError("first_with_input and input_mark go together: give both, or neither")
        if not all(self.tags):
            raise TemplateError("tags holds an empty text, which every message holds")

    @cached_property
    def frames(self) -> dict[str, tuple[Part, ...]]:
        """The parsed frames, by key."""
        return {key: parse_frame(value) for key in _PLACES if (value := getattr(self, key)) is not None}

    @cached_property
    def pieces(self) -> dict[str, tuple[str | Piece, ...]]:
        """The frames as the names of special ids and the texts between them, by key."""
        return {key: pieces(frame) for key, frame in self.frames.items()}

    @cached_property
    def special(self) -> frozenset[str]:
        """Which of ``bos`` and ``eos`` the tokenizer must have."""
        return frozenset(name for frame in self.frames.values() for name in places(frame) if name in (BOS, EOS))

    @cached_property
    def stop_text(self) -> str:
        """The text that ends an answer; "" where an id alone does."""
        return "".join(part for part in self.frames["end"] if isinstance(part, str))

    @property
    def begins_with_bos(self) -> bool:
        """Whether every conversation begins with the bos id."""
        return all(self.frames[key][0] == Place(BOS) for key in self.frames if key.startswith("first"))

    @property
    def ends_with_eos(self) -> bool:
        """Whether the eos id ends an answer, and so every conversation."""
        return Place(EOS) in self.frames["end"]

    @cached_property
    def text(self) -> str:
        """The template as YAML, by which two are the same where this is: what lies beside shards and in run folders."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        return "".join(f"{key}: {_yaml(v)}\n" for key, v in values.items() if v != defaults[key])

    @cached_property
    def sha256(self) -> str:
        """The checksum of its text, in hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def _check_frame(key: str, frame: str) -> None:
    needed, allowed = _PLACES[key]
    try:
        found = places(parse_frame(frame))
    except FrameError as error:
        raise TemplateError(f"{key}: {error}") from error
    for name in found:
        if name not in needed + allowed:
            known = ", ".join(f"{{{place}}}" for place in needed + allowed)
            raise TemplateError(f"{key}: there is no placeholder {{{name}}} here; it may hold {known}")
    for name in needed:
        if found.count(name) != 1:
            raise TemplateError(f"{key}: {{{name}}} must stand in it once, it does {found.count(name)} times")
    if key == "end" and EOS in found and (found.count(EOS) > 1 or not frame.endswith("{eos}")):
        raise TemplateError("end: {eos} must stand last, and once")


def _yaml(value: str | bool | tuple[str, ...]) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(_yaml, value))}]"
    return "".join(_escaped(character) for character in json.dumps(value, ensure_ascii=False))


def _escaped(character: str) -> str:
    """A character as it stands in a quoted text of YAML."""
    if character.isprintable():
        return character
    return f"\\u{ord(character):04x}" if ord(character) < 1 << 16 else f"\\U{ord(character):08x}"


def template_names() -> list[str]:
    """The names of the templates that are built in."""
    return sorted(file.stem for file in TEMPLATES.glob("*.yaml"))


def load_template(name_or_path: str | Path) -> Template:
    """Reads a template.

    Args:
        name_or_path: A name in ``recipes/chat/templates``, or the path of a YAML file.

    Raises:
        TemplateError: There is no such template, or it cannot be used: names the key, and what to do.
    """
    path = Path(name_or_path)
    if path.suffix not in {".yaml", ".yml"}:
        if str(name_or_path) not in template_names():
            names = ", ".join(template_names())
            raise TemplateError(f"there is no template {str(name_or_path)!r}; built in are {names}, or give a .yaml")
        path = TEMPLATES / f"{name_or_path}.yaml"
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        text = content.decode()
    except (OSError, ValueError) as error:  # no UTF-8, or a path with a NUL
        raise TemplateError(f"cannot read the template {path}: {error}") from error
    if len(content) > MOST_BYTES:
        raise TemplateError(f"the template {path} has more than {MOST_BYTES:,} bytes: is it one?")
    return parse_template(text, f"the template {name_or_path}")


def parse_template(text: str, what: str = "the template") -> Template:
    """A template out of its YAML.

    Args:
        text: The YAML.
        what: What it is, for messages.

    Raises:
        TemplateError: It cannot be used: names the key, and what to do.
    """
    from pipeline.settings import parse_yaml  # noqa: PLC0415 - PyYAML, where one is read

    try:
        settings = parse_yaml(text, what)
    except RecipeError as error:
        raise TemplateError(str(error)) from error
    if not isinstance(settings, dict):
        raise TemplateError(f"{what} must be a mapping of keys, it is a {type(settings).__name__}")
    try:
        return Template(**_checked(settings))
    except TemplateError as error:
        raise TemplateError(f"{what}: {error}") from error


def _checked(settings: dict[Any, Any]) -> dict[str, Any]:
    """The keys of a template, each of its type."""
    known = [field.name for field in dataclasses.fields(Template)]
    for key in settings:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, 1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise TemplateError(f"there is no key {key}.{hint} Known: {', '.join(known)}.")
    for key in ("name", "first", "answer"):
        if key not in settings:
            raise TemplateError(f"the key {key} is missing")
    return {key: _typed(key, value) for key, value in {"end": "", **settings}.items()}


def _typed(key: str, value: Any) -> Any:
    if key == "tags":
        if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
            raise TemplateError(f"tags must be a list of texts, it is {value!r}")
        return tuple(value)
    if key == "strip":
        if not isinstance(value, bool):
            raise TemplateError(f"strip must be true or false, it is {value!r}")
        return value
    optional = key in ("later", "first_with_system", "first_with_input", "input_mark")
    if not isinstance(value, str) and not (optional and value is None) and not (key == "end" and value is None):
        raise TemplateError(f"{key} must be a text, it is {value!r}; put it in quotes")
    return "" if key == "end" and value is None else value
