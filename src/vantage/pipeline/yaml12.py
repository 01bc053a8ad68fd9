"""YAML as DVC reads it (1e-3 is a number, a key twice is an error), with the line of every key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from vantage.core.errors import ParameterError

Key = tuple[str, ...]


class _Loader(yaml.SafeLoader):
    """A safe loader that knows floats without a dot, as YAML 1.2 does."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\d+(?:\.\d*)?|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


@dataclass(frozen=True)
class Document:
    """A parsed YAML file: its value and the line on which each key stands."""

    path: Path
    value: Any
    lines: dict[Key, int]

    def where(self, key: Key) -> str:
        """`file:line: key` of the nearest part of `key` that the file has."""
        known = key
        while known and known not in self.lines:
            known = known[:-1]
        line = f":{self.lines[known]}" if known else ""
        return f"{self.path}{line}: {'.'.join(key)}" if key else str(self.path)


def parse(path: Path) -> Document:
    """Read a YAML file of mappings.

    Raises:
        ParameterError: it is missing, is not YAML, or has a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ParameterError(
            "the file is missing", where=path, hint="`vantage params --defaults` prints one"
        ) from error
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        lines: dict[Key, int] = {}
        if node is not None:
            _note_lines(path, node, (), lines)
        value = loader.construct_document(node) if node is not None else {}
    except yaml.YAMLError as error:
        raise ParameterError("the file is not YAML", where=path, found=error) from error
    finally:
        loader.dispose()
    return Document(path, value, lines)


def parse_value(text: str) -> Any:
    """One value as it would stand after a colon in a file."""
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise ParameterError("not a YAML value", found=text) from error


def _note_lines(path: Path, node: yaml.Node, key: Key, lines: dict[Key, int]) -> None:
    if not isinstance(node, yaml.MappingNode):
        return
    for name, child in node.value:
        inner = (*key, str(name.value))
        line = name.start_mark.line + 1
        if inner in lines:
            raise ParameterError(
                "a key stands twice",
                where=f"{path}:{line}: {'.'.join(inner)}",
                found=f"also on line {lines[inner]}",
            )
        lines[inner] = line
        _note_lines(path, child, inner, lines)
