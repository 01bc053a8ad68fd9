"""The text of `params.yaml`: every key with its value, and above it what it means."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from vantage.core.sections import shared_fields
from vantage.pipeline.params import Params, plain, validate
from vantage.pipeline.stages import STAGES, Table

_WIDTH = 110
_HEAD = """\
# The parameters of every stage. `vantage params --defaults` prints the demo's; profiles/ holds others, which
# `vantage params --profile NAME --write` lays over this file. A stage runs again when its own section, one
# that it shares, the seed or the contracts change.
"""
_ATTRIBUTE = re.compile(r"^(?P<names>\w+(?:, \w+)*): (?P<text>.*)$")


def render_defaults(table: Table = STAGES) -> str:
    """The whole file with every default."""
    return render(validate({}, table=table))


def render(params: Params) -> str:
    """The whole file: every key, defaults too."""
    parts = {"contracts": params.contracts, **params.shared, **params.sections}
    sections = ["".join(_section(name, config)) for name, config in parts.items()]
    seed = f"# Every random choice follows from it.\nseed: {params.seed}\n"
    return "\n".join([_HEAD.rstrip(), "", seed, *sections])


def field_docs(kind: type[Any]) -> dict[str, str]:
    """What each field of a configuration class means.

    Taken from the class docstring's `Attributes:`, from the text below a field, or from a comment above it or
    at its end, whichever is there first.
    """
    docs = _comments(kind) | _texts(kind) | _attributes(kind)
    return {field.name: docs.get(field.name, "") for field in dataclasses.fields(kind)}


def _section(name: str, config: Any) -> Iterator[str]:
    yield f"{name}:\n"
    yield from _fields(config, "  ")


def _fields(config: Any, indent: str, commented: bool = True) -> Iterator[str]:
    docs, values, shown = field_docs(type(config)), plain(config), ""
    elsewhere = shared_fields(type(config))
    for field in dataclasses.fields(config):
        if field.name in elsewhere:
            continue
        doc = docs[field.name]
        if commented and doc != shown:  # Fields may share a text.
            yield from _comment(doc, indent)
        shown = doc
        yield from _entry(field.name, getattr(config, field.name), values[field.name], indent, commented)


def _entry(name: str, value: Any, as_plain: Any, indent: str, commented: bool) -> Iterator[str]:
    inner = f"{indent}  "
    if dataclasses.is_dataclass(value):
        yield f"{indent}{name}:\n"
        yield from _fields(value, inner, commented)
    elif isinstance(value, Mapping) and value:
        yield f"{indent}{name}:\n"
        for number, (key, item) in enumerate(value.items()):
            # The first entry explains the keys of all.
            yield from _entry(str(key), item, as_plain[key], inner, commented and number == 0)
    else:
        yield f"{indent}{name}: {_scalar(as_plain)}\n"


def _scalar(value: Any) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...")


def _comment(text: str, indent: str) -> Iterator[str]:
    sentence = " ".join(text.split())
    for line in textwrap.wrap(sentence[:1].upper() + sentence[1:], _WIDTH - len(indent) - 2):
        yield f"{indent}# {line}\n"


def _attributes(kind: type[Any]) -> dict[str, str]:
    _, _, block = (inspect.getdoc(kind) or "").partition("Attributes:\n")
    docs: dict[str, str] = {}
    names: list[str] = []
    for line in textwrap.dedent(block).splitlines():
        if found := _ATTRIBUTE.match(line):
            names = found["names"].split(", ")
            docs |= dict.fromkeys(names, found["text"])
        elif line.startswith(" "):
            docs |= {name: f"{docs[name]} {line.strip()}" for name in names}
    return docs


def _texts(kind: type[Any]) -> dict[str, str]:
    body = _class(kind).body
    docs = {}
    for line, below in itertools.pairwise(body):
        if (name := _field(line)) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            docs[name] = str(below.value.value)
    return docs


def _comments(kind: type[Any]) -> dict[str, str]:
    lines = textwrap.dedent(inspect.getsource(kind)).splitlines()
    docs = {}
    for node in _class(kind).body:
        if not (name := _field(node)):
            continue
        above: list[str] = []
        row = node.lineno - 2
        while row >= 0 and lines[row].strip().startswith("#"):
            above.insert(0, lines[row].strip(" #"))
            row -= 1
        _, _, end = lines[(node.end_lineno or node.lineno) - 1].partition("  # ")
        docs[name] = " ".join(above) or end
    return docs


def _class(kind: type[Any]) -> ast.ClassDef:
    node = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(node, ast.ClassDef)
    return node


def _field(node: ast.stmt) -> str:
    return node.target.id if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) else ""
