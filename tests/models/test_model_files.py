"""A base is known by its bytes, and they are read once."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

import vantage.models.model_files as module
from vantage.core.memo import Memo
from vantage.evaluation.config import EvaluateConfig
from vantage.models.config import BaseConfig
from vantage.models.model_files import base_identity
from vantage.training.config import FinetuneConfig


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "base"
    (made / "llm").mkdir(parents=True)
    for name in (
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "chat_template.jinja",
        "llm/config.json",
    ):
        (made / name).write_bytes(name.encode())
    (made / "README.md").write_text("a model")
    return made


def identity(folder: Path | str, memo: Memo | None = None) -> str:
    return base_identity(FinetuneConfig(base=BaseConfig(str(folder))), "arm", memo or Memo())


def test_any_byte_of_what_is_read_makes_another_base(folder: Path, tmp_path: Path) -> None:
    memo, before = Memo(), identity(folder)
    assert identity(folder, memo) == before == identity(shutil.copytree(folder, tmp_path / "elsewhere"))
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".md":
            data = path.read_bytes()
            path.write_bytes(data[:-1] + b"?")
            assert identity(folder, memo) == identity(folder) != before, path
            path.write_bytes(data)
            assert identity(folder, memo) == before
    (folder / "README.md").write_text("another word")
    assert identity(folder) == before
    (folder / "added.json").write_text("{}")
    assert identity(folder) != before


def test_files_are_read_once_until_one_changes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    monkeypatch.setattr(module, "digest_file", lambda path: read.append(path) or "digest")
    memo = Memo()
    for _ in range(3):
        identity(folder, memo)
    assert len(read) == 5
    os.utime(folder / "config.json", ns=(1, 1))
    identity(folder, memo)
    assert len(read) == 10


def test_other_bases_by_name_and_every_stage_alike() -> None:
    assert identity("owner/model") == "owner/model@main"
    pinned = FinetuneConfig(base=BaseConfig("owner/model", "abc"))
    assert base_identity(pinned, "arm", Memo()) == "owner/model@abc"
    assert identity("shipped").startswith("sha256:")
    assert base_identity(EvaluateConfig(), "arm", Memo()) == identity("shipped")


def test_nothing_heavy_is_imported_for_it() -> None:
    import subprocess

    script = (
        "import sys, vantage.models.model_files; print('torch' in sys.modules, 'transformers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
