"""The hash of a stage's code follows what the code does, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from vantage.pipeline import code


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A little package in the place of the project's own."""
    root = tmp_path / "vantage"
    files = {
        "__init__.py": "",
        "core/__init__.py": "",
        "core/tool.py": "def tool(x):\n    return x + 1\n",
        "core/unused.py": "x = 1\n",
        "scans/__init__.py": "",
        "scans/stage.py": "def body():\n    from vantage.core import tool\n    return tool.tool(1)\n",
        "scans/table.py": 'NAMES = {"a": "vantage.scans.far:Far"}\n',
        "scans/far.py": "from .near import thing\n",
        "scans/near.py": "thing = 1\n",
        "scans/labels.tsv": "1\tchair\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.setattr(code, "_ROOT", root)
    code._module.cache_clear()
    yield root
    code._module.cache_clear()


def hash_now(*modules: str) -> str:
    code._module.cache_clear()
    return code.code_hash(modules or ["vantage.scans.stage"])


def test_lazy_relative_and_named_imports_are_followed(tree: Path) -> None:
    assert "vantage.core.tool" in code.closure(["vantage.scans.stage"])
    assert "vantage.core.unused" not in code.closure(["vantage.scans.stage"])
    assert code.closure(["vantage.scans.table"]) == (
        "vantage",
        "vantage.scans",
        "vantage.scans.far",
        "vantage.scans.near",
        "vantage.scans.table",
    )
    assert code.packages(code.closure(["vantage.scans.stage"])) == ("core", "scans")


def test_what_the_code_does_changes_the_hash(tree: Path) -> None:
    before = hash_now()
    (tree / "core/tool.py").write_text("def tool(x):\n    return x + 2\n")
    changed = hash_now()
    assert changed != before
    (tree / "scans/labels.tsv").write_text("1\ttable\n")
    assert hash_now() != changed


@pytest.mark.parametrize(
    "text",
    [
        "def tool(x):\n    return x + 1\n\n# a comment\n",
        '"""A docstring."""\ndef tool(x):\n    """Another."""\n    return x + 1\n',
        "def tool(x):\n    return (x +\n            1)\n",
    ],
)
def test_comments_docstrings_and_layout_do_not(tree: Path, text: str) -> None:
    before = hash_now()
    (tree / "core/tool.py").write_text(text)
    assert hash_now() == before


def test_modules_that_are_not_imported_do_not(tree: Path) -> None:
    before = hash_now()
    (tree / "core/unused.py").write_text("x = 2\n")
    assert hash_now() == before


def test_the_text_of_a_value_counts(tree: Path) -> None:
    (tree / "core/tool.py").write_text('def tool(x):\n    return "a"\n')
    before = hash_now()
    (tree / "core/tool.py").write_text('def tool(x):\n    return "b"\n')
    assert hash_now() != before
