"""The hash of a stage's code: the normalised source of every module that its body imports, lazily or not.

Comments, docstrings and layout do not count. Followed are import statements anywhere in a file and texts of
the form `"vantage.package.module:attribute"`, by which tables of names refer to modules. The runner
(`vantage.pipeline`) is not part of it: it decides when a body runs, never what the body writes.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import vantage
from vantage.core.hashing import digest_file, digest_json

PACKAGE = "vantage"
_ROOT = Path(vantage.__file__).parent
_REFERENCE = re.compile(r"^(vantage(?:\.\w+)+):\w+$")


@dataclass(frozen=True)
class _Module:
    source: str
    imports: frozenset[str]


def code_hash(modules: Iterable[str]) -> str:
    """Digest of the normalised source, and of the data files, of the import closure of some modules."""
    names = closure(modules)
    sources = {name: parsed.source for name in names if (parsed := _module(name)) is not None}
    return digest_json({"sources": sources, "data": _data_files(packages(names))})


def closure(modules: Iterable[str]) -> tuple[str, ...]:
    """Every module of the project that some modules import, directly or not, themselves included; sorted."""
    seen: set[str] = set()
    waiting = [part for module in modules for part in _with_parents(module)]
    while waiting:
        name = waiting.pop()
        if name in seen or (parsed := _module(name)) is None:
            continue
        seen.add(name)
        waiting += [part for other in parsed.imports for part in _with_parents(other)]
    return tuple(sorted(seen))


def packages(modules: Iterable[str]) -> tuple[str, ...]:
    """The top-level packages (`scans`, `core`) that some modules belong to; sorted."""
    return tuple(sorted({name.split(".")[1] for name in modules if "." in name}))


def _with_parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _path(name: str) -> Path | None:
    base = _ROOT.joinpath(*name.split(".")[1:])
    candidates = (base / "__init__.py", base.with_suffix(".py"))
    return next((path for path in candidates if path.is_file()), None)


@cache
def _module(name: str) -> _Module | None:
    path = _path(name)
    if path is None:
        return None
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    imports: set[str] = set()
    for node in ast.walk(tree):
        imports.update(_imports(node, package))
        _drop_docstring(node)
    return _Module(ast.unparse(tree), frozenset(imports))


def _imports(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name.split(".")[0] == PACKAGE)
    elif isinstance(node, ast.ImportFrom):
        base = _absolute(node, package)
        if base.split(".")[0] == PACKAGE:
            yield base
            # A name may be a module of its own; where it is not, no file is found for it.
            yield from (f"{base}.{alias.name}" for alias in node.names)
    elif (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and (found := _REFERENCE.match(node.value))
    ):
        yield found.group(1)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    parts = parts[: len(parts) - node.level + 1]
    return ".".join([*parts, node.module] if node.module else parts)


def _drop_docstring(node: ast.AST) -> None:
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return
    # Texts standing alone document attributes; like docstrings they do nothing.
    node.body = [line for line in node.body if not _is_text(line)]


def _is_text(line: ast.stmt) -> bool:
    return (
        isinstance(line, ast.Expr)
        and isinstance(line.value, ast.Constant)
        and isinstance(line.value.value, str)
    )


def _data_files(names: Iterable[str]) -> dict[str, str]:
    folders = [_ROOT / name for name in names if (_ROOT / name).is_dir()]
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    return {
        path.relative_to(_ROOT).as_posix(): digest_file(path)
        for path in files
        if path.suffix not in {".py", ".pyc", ".pyi"} and "__pycache__" not in path.parts
    }
