"""Settings as people write them: YAML in which a value is what it looks like, and flags that are taken literally.

PyYAML reads YAML 1.1, in which ``on`` and ``no`` are booleans, ``1:30`` is ninety, ``0300`` is 192, ``6e1`` is a text,
``2019-02-30`` is an error, and of a key that stands twice the first is forgotten. Here the scalars are those of YAML
1.2's core schema (https://yaml.org/spec/1.2.2/#103-core-schema): ``true``, ``false``, ``null``, decimal numbers, and
all else is text.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from pipeline.errors import RecipeError

_INTEGER = re.compile(r"[-+]?[0-9][0-9_]*|0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT = re.compile(
    r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_BOOLEAN = re.compile(r"true|True|TRUE|false|False|FALSE")
_NULL = re.compile(r"~|null|Null|NULL|")
_COLLECTION = ("[", "{", '"', "'")


class _Loader(yaml.SafeLoader):
    """The core schema's scalars; of two equal keys nobody can tell which was meant: an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping; an error where a key stands twice."""
        keys = [(key.tag, key.value) for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for number, key in enumerate(keys):
            if key in keys[:number] and key[1] != "<<":
                raise yaml.constructor.ConstructorError(None, None, f"the key {key[1]} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """An integer: leading zeros change nothing."""
        text = node.value.replace("_", "")
        return int(text, 0) if text[:2] in ("0x", "0o") else int(text)


def _whole(pattern: re.Pattern[str]) -> re.Pattern[str]:
    return re.compile(rf"(?:{pattern.pattern})\Z")


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern in (
    ("bool", _BOOLEAN),
    ("int", _INTEGER),
    ("float", _FLOAT),
    ("null", _NULL),
    ("merge", re.compile("<<")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _whole(_pattern), None)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


def parse_yaml(text: str, what: str) -> Any:
    """The value of a YAML text.

    Args:
        text: The text.
        what: What it is, for messages.

    Raises:
        RecipeError: It is no YAML, or has a key twice.
    """
    try:
        return yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise RecipeError(f"{what} is not valid YAML: {error}") from error


def parse_flag(text: str, what: str) -> Any:
    """The value of a flag such as ``--set key=value``: a list or mapping in brackets, a quoted text, or one scalar.

    A scalar is taken literally: ``data #2`` and ``a: b`` are texts, as they would not be in a YAML file.

    Args:
        text: The text behind the ``=``.
        what: The flag, for messages.

    Raises:
        RecipeError: What is in brackets or quotes is not closed.
    """
    text = text.strip()
    if text.startswith(_COLLECTION):
        return parse_yaml(text, what)
    loader: Any = _Loader("")  # whose methods have no types
    try:
        tag = loader.resolve(yaml.ScalarNode, text, (True, False))
        return loader.construct_object(yaml.ScalarNode(tag, text))
    finally:
        loader.dispose()
