"""Tests that are tables: what a function makes of each of its arguments, and which it refuses with what message."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest


def results(function: Callable[[Any], Any], table: Mapping[Any, Any]) -> Callable[..., None]:
    """A test with a case for each row of a table: an argument, and what the function returns for it."""

    @pytest.mark.parametrize(("argument", "result"), table.items())
    def test(argument: Any, result: Any) -> None:
        assert function(argument) == result

    return test


def results_of(function: Callable[[Any, Any], Any], tables: Mapping[Any, Mapping[Any, Any]]) -> Callable[..., None]:
    """The same for a function of two arguments: a table for each first argument."""
    rows = [(first, second, result) for first, table in tables.items() for second, result in table.items()]

    @pytest.mark.parametrize(("first", "second", "result"), rows)
    def test(first: Any, second: Any, result: Any) -> None:
        assert function(first, second) == result

    return test


def refusals(function: Callable[[Any], Any], error: type[Exception], table: Mapping[Any, str]) -> Callable[..., None]:
    """A test with a case for each row of a table: an argument, and what the error says that it raises."""

    @pytest.mark.parametrize(("argument", "message"), table.items())
    def test(argument: Any, message: str) -> None:
        with pytest.raises(error, match=re.escape(message)):
            function(argument)

    return test
