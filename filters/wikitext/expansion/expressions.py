"""The arithmetic of ``{{#expr:}}`` and ``{{#ifexpr:}}`` (Extension:ParserFunctions, ``ExprParser``)."""

from __future__ import annotations

import math
import re

_TOKEN = re.compile(r"\s*(?:([0-9]*\.?[0-9]+(?:e[+-]?[0-9]+)?)|(<=|>=|<>|!=|[-+*/^()<>=−]|[a-z]+))\s*", re.IGNORECASE)
_LONGEST = 500  # characters
_DEEPEST = 30  # brackets
_LARGEST = 1e30
# Stronger binding first, as in ExprParser: not here are the sine and its like.
_LEVELS = (("or",), ("and",), ("=", "<", ">", "<=", ">=", "<>", "!="), ("round",), ("+", "-"), ("*", "/", "div", "mod"))


class BadExpression(ValueError):
    """What is no expression, or has no value."""


def evaluate(text: str) -> float:
    """Returns the value of an expression; truth is 1 and falsehood 0.

    Raises:
        BadExpression: it is none, is too long, or divides by nothing.
    """
    if len(text) > _LONGEST:
        raise BadExpression("too long")
    tokens: list[str] = []
    position = 0
    text = text.strip().replace("−", "-")
    while position < len(text):
        match = _TOKEN.match(text, position)
        if not match:
            raise BadExpression(f"not an expression: {text[:40]!r}")
        tokens.append((match[1] or match[2]).lower())
        position = match.end()
    parser = _Parser(tokens)
    value = parser.level(0, 0)
    if parser.position < len(tokens):
        raise BadExpression(f"not an expression: {text[:40]!r}")
    return value


def write(value: float) -> str:
    """Writes a value as MediaWiki does: whole numbers without a point, others with up to 14 digits."""
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.14g}"


class _Parser:
    """Tokens, and how far they are read."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.position = 0

    def peek(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def level(self, level: int, depth: int) -> float:
        """Reads operators of one level, and what binds more strongly."""
        if level == len(_LEVELS):
            return self.power(depth)
        value = self.level(level + 1, depth)
        while self.peek() in _LEVELS[level]:
            operator = self.tokens[self.position]
            self.position += 1
            value = _apply(operator, value, self.level(level + 1, depth))
        return value

    def power(self, depth: int) -> float:
        value = self.unary(depth)
        while self.peek() == "^":
            self.position += 1
            value = _apply("^", value, self.unary(depth))
        return value

    def unary(self, depth: int) -> float:
        if depth > _DEEPEST:
            raise BadExpression("too deep")
        token = self.peek()
        self.position += 1
        if token in ("-", "+", "not", "trunc", "floor", "ceil", "abs"):
            return _apply_one(token, self.unary(depth + 1))
        if token == "(":
            value = self.level(0, depth + 1)
            if self.peek() != ")":
                raise BadExpression("a bracket is not closed")
            self.position += 1
            return value
        try:
            return float(token)
        except ValueError as error:
            raise BadExpression(f"no number: {token[:40]!r}") from error


def _apply_one(operator: str, value: float) -> float:
    results = {
        "-": -value, "+": value, "not": float(value == 0), "abs": abs(value), "trunc": float(math.trunc(value)),
        "floor": float(math.floor(value)), "ceil": float(math.ceil(value)),
    }  # fmt: skip
    return results[operator]


def _apply(operator: str, left: float, right: float) -> float:
    try:
        value = _operation(operator, left, right)
    except (ArithmeticError, ValueError) as error:
        raise BadExpression(str(error)) from error
    if not isinstance(value, (int, float)) or abs(value) > _LARGEST or math.isnan(value):
        raise BadExpression("too large")
    return float(value)


def _operation(operator: str, left: float, right: float) -> float:
    comparisons = {
        "or": bool(left or right), "and": bool(left and right), "=": left == right, "<": left < right,
        ">": left > right, "<=": left <= right, ">=": left >= right, "<>": left != right, "!=": left != right,
    }  # fmt: skip
    if operator in comparisons:
        return float(comparisons[operator])
    if operator == "round":
        scale = 10.0 ** max(-15, min(15, int(right)))
        return math.copysign(math.floor(abs(left) * scale + 0.5), left) / scale
    if operator == "mod":
        return math.fmod(int(left), int(right))
    if operator == "^":
        return math.pow(left, right)
    return (
        {"+": left + right, "-": left - right, "*": left * right}.get(operator, 0.0)
        if operator in "+-*"
        else (left / right)
    )
