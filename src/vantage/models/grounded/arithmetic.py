"""Arithmetic that a model wrote, read as a syntax tree of a few kinds of nodes and never run as code."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from vantage.core.errors import VantageError

_LONGEST = 400  # characters
_DEEPEST = 40  # nodes inside one another

# Times, middle dots, division, minus, en dash, root, squared, cubed, at most, at least.
_SPELLINGS: Final = {
    "^": "**", "\u00d7": "*", "\u00b7": "*", "\u22c5": "*", "\u00f7": "/", "\u2212": "-", "\u2013": "-",
    "\u221a": "sqrt", "\u00b2": "**2", "\u00b3": "**3", "\u2264": "<=", "\u2265": ">=",
}  # fmt: skip
_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_NAME = r"[A-Za-z_][A-Za-z_0-9]*(?:\.[a-z]+)?"
# Possessive: a model's text has no second way to be read, which backtracking would take hours to find out.
_EXPRESSION = re.compile(rf"(?>\s|{_NUMBER}(?![A-Za-z_0-9.])|{_NAME}|\*\*|//|<=|>=|[-+*/%(),<>])++")

FUNCTIONS: Final[dict[str, tuple[Callable[..., float], int, int]]] = {
    "sqrt": (math.sqrt, 1, 1), "atan2": (math.atan2, 2, 2), "abs": (abs, 1, 1), "floor": (math.floor, 1, 1),
    "round": (lambda value: math.floor(value + 0.5), 1, 1),
    "min": (min, 2, 16), "max": (max, 2, 16), "deg": (math.degrees, 1, 1), "rad": (math.radians, 1, 1),
    "degrees": (math.degrees, 1, 1), "radians": (math.radians, 1, 1),
}  # fmt: skip
"""What may be called, with the least and the most arguments."""
_BINARY: Final[dict[type[ast.AST], Callable[[float, float], float]]] = {
    ast.Add: lambda a, b: a + b, ast.Sub: lambda a, b: a - b, ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b, ast.FloorDiv: lambda a, b: a // b, ast.Mod: lambda a, b: a % b,
    ast.Pow: lambda a, b: math.pow(a, b),
}  # fmt: skip
_COMPARED: Final[dict[type[ast.AST], Callable[[float, float], bool]]] = {
    ast.Lt: lambda a, b: a < b, ast.Gt: lambda a, b: a > b, ast.LtE: lambda a, b: a <= b,
    ast.GtE: lambda a, b: a >= b,
}  # fmt: skip


class UnreadableError(VantageError):
    """Text that is no arithmetic of ours, or has no finite value."""


@dataclass(frozen=True)
class Values:
    """What names stand for, and numbers that are to be read as others.

    Attributes:
        names: by name, for instance `d` or `bbox_0.x`.
        literals: by the number as it is written, sign included: what an earlier step should have stated. The
            same number with the other sign is its negative.
    """

    names: Mapping[str, float] = field(default_factory=dict)
    literals: Mapping[str, float] = field(default_factory=dict)


def spelled(text: str) -> str:
    """The text with the signs of mathematics in their plain spelling."""
    for sign, plain in _SPELLINGS.items():
        text = text.replace(sign, plain)
    return text


def evaluate(text: str, values: Values | None = None) -> float:
    """The value of an expression of numbers, names, `+ - * / // % **`, brackets and `FUNCTIONS`.

    `UnreadableError` for anything else, an unknown name, a division by zero, and a value that is not finite.
    """
    tree = _parsed(text)
    return _finite(tree, text, values or Values())


def holds(text: str, values: Values | None = None) -> bool:
    """Whether a comparison of two expressions is true; `UnreadableError` as `evaluate`."""
    tree = _parsed(text)
    if not isinstance(tree, ast.Compare) or len(tree.ops) != 1 or type(tree.ops[0]) not in _COMPARED:
        raise UnreadableError("not a comparison of two values", found=text[:80])
    left, right = (_finite(side, text, values or Values()) for side in (tree.left, tree.comparators[0]))
    return _COMPARED[type(tree.ops[0])](left, right)


def numbers_in(text: str) -> tuple[str, ...]:
    """The numbers of an expression as they are written, with the sign that belongs to them."""
    tree = _parsed(text)
    plain = spelled(text).strip()
    minus = (n for n in ast.walk(tree) if isinstance(n, ast.UnaryOp) and isinstance(n.op, ast.USub))
    negated = {id(n.operand) for n in minus}
    return tuple(
        f"{'-' if id(node) in negated else ''}{_written(node, plain)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
    )


def _parsed(text: str) -> ast.expr:
    plain = spelled(text).strip()
    if not plain or len(plain) > _LONGEST or not _EXPRESSION.fullmatch(plain):
        raise UnreadableError("not arithmetic", found=text[:80])
    try:
        return ast.parse(plain, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UnreadableError("not arithmetic", found=text[:80]) from error


def _finite(tree: ast.expr, text: str, values: Values) -> float:
    try:
        value = float(_value(tree, spelled(text).strip(), values, 0))
    except (ArithmeticError, ValueError) as error:
        raise UnreadableError(f"no value: {error}", found=text[:80]) from error
    if not math.isfinite(value):
        raise UnreadableError("no finite value", found=text[:80])
    return value


def _value(node: ast.expr, text: str, values: Values, depth: int) -> float:
    if depth > _DEEPEST:
        raise UnreadableError("too many brackets", found=text[:80])
    match node:
        case ast.Constant(value=int() | float()):
            written = _written(node, text)
            return float(values.literals.get(written, float(written)))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            if (
                isinstance(operand, ast.Constant)
                and (said := f"-{_written(operand, text)}") in values.literals
            ):
                return values.literals[said]
            return -_value(operand, text, values, depth + 1)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand, text, values, depth + 1)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            a, b = (_value(side, text, values, depth + 1) for side in (left, right))
            return _BINARY[type(op)](a, b)
        case ast.Name() | ast.Attribute(value=ast.Name()):
            return _named(ast.unparse(node), values)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
            function, least, most = FUNCTIONS[name]
            if not least <= len(arguments) <= most:
                raise UnreadableError(f"{name} of {len(arguments)} values", found=text[:80])
            return float(function(*(_value(each, text, values, depth + 1) for each in arguments)))
    raise UnreadableError("not arithmetic", found=text[:80])


def _named(name: str, values: Values) -> float:
    if name not in values.names:
        raise UnreadableError(f"nothing is known of {name}", found=name)
    return values.names[name]


def _written(node: ast.Constant, text: str) -> str:
    """A number as it stands in the text, which is ASCII."""
    return text[node.col_offset : node.end_col_offset]
