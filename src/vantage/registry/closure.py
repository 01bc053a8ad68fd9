"""Which modules a module needs, read from the sources: the project's own, and those of other packages."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import packages_distributions, version
from pathlib import Path

import vantage

_ROOT = Path(vantage.__file__).parent
_IMPORT = re.compile(r"^(\s*(?:from|import) )vantage(?=[.\s])", re.MULTILINE)
_TARGET = re.compile(r"vantage(\.\w+)+")


def own_modules(start: str) -> dict[str, Path]:
    """The project's modules that `start` imports, directly or not, lazily or not, with their files."""
    found: dict[str, Path] = {}
    waiting = [start]
    while waiting:
        name = waiting.pop()
        path = _file(name)
        if path is None or name in found:
            continue
        found[name] = path
        waiting += [imported for imported in _imports(path) if imported.split(".")[0] == "vantage"]
        waiting.append(name.rpartition(".")[0])
    return dict(sorted(found.items()))


def copy_modules(modules: Mapping[str, Path], into: Path, package: str = "vantage") -> Path:
    """Modules as a package folder of their own in `into`, perhaps under another name; returns that folder.

    Under another name a copy stands beside the project, and beside copies of other versions, in one process.
    """
    for name, path in modules.items():
        parts = (package, *name.split(".")[1:])
        place = into.joinpath(*parts, "__init__") if path.name == "__init__.py" else into.joinpath(*parts)
        place.parent.mkdir(parents=True, exist_ok=True)
        text = _IMPORT.sub(rf"\g<1>{package}", path.read_text(encoding="utf-8"))
        place.with_suffix(".py").write_text(text, encoding="utf-8")
    return into / package


def requirements(files: list[Path]) -> list[str]:
    """Pinned distributions that some files import, without a local part such as `+cpu`; sorted."""
    tops = {name.split(".")[0] for path in files for name in _imports(path)}
    tops -= {"vantage", "mlflow", *sys.stdlib_module_names}
    owners = packages_distributions()
    names = {owners[top][0] for top in tops if top in owners}
    return sorted(f"{name.lower()}=={version(name).partition('+')[0]}" for name in names)


def _file(name: str) -> Path | None:
    base = _ROOT.joinpath(*name.split(".")[1:])
    candidates = (base / "__init__.py", base.with_suffix(".py"))
    return next((path for path in candidates if name and path.is_file()), None)


def _imports(path: Path) -> Iterator[str]:
    """Names of modules that a file may import; `from a import b` gives `a` and `a.b`.

    Tables of `core.names` import what their `"module:attribute"` texts name.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    yield from _named_in_tables(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _named_in_tables(tree: ast.Module) -> Iterator[str]:
    """Modules of texts such as `"vantage.models.families.qwen:QWEN3_VL"`, also after a prefix with a name."""
    prefixes = {
        node.targets[0].id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }
    for node in ast.walk(tree):
        text, before = node, ""
        if isinstance(node, ast.BinOp) and isinstance(node.left, ast.Name):
            text, before = node.right, prefixes.get(node.left.id, "")
        if isinstance(text, ast.Constant) and isinstance(text.value, str):
            module, found, _ = f"{before}{text.value}".partition(":")
            if found and _TARGET.fullmatch(module):
                yield module
