from pathlib import Path

import pytest

from vantage.core import atomic


def test_a_failed_write_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    atomic.write_json(path, {"a": 1})
    before = path.read_text()
    with pytest.raises(ValueError, match="JSON compliant"):
        atomic.write_json(path, {"a": float("inf")})
    assert path.read_text() == before
    assert [p.name for p in tmp_path.iterdir()] == ["value.json"]


def test_replacing_a_folder_leaves_nothing_of_the_former(tmp_path: Path) -> None:
    (tmp_path / "final").mkdir()
    (tmp_path / "final/old").write_text("old")
    (tmp_path / "ready").mkdir()
    (tmp_path / "ready/new").write_text("new")
    atomic.replace_folder(tmp_path / "ready", tmp_path / "final")
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*")) == ["final", "final/new"]
