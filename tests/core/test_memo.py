from pathlib import Path

import pytest

from vantage.core.memo import Memo


def test_found_once_for_a_signature_and_again_for_another(tmp_path: Path) -> None:
    calls: list[str] = []

    def find() -> str:
        calls.append("x")
        return f"answer {len(calls)}"

    first = Memo(tmp_path / "deep" / "memo.json")
    assert [first.get("a", "1", find), first.get("a", "1", find)] == ["answer 1", "answer 1"]
    first.save()
    later = Memo(tmp_path / "deep" / "memo.json")
    assert later.get("a", "1", find) == "answer 1"
    assert later.get("a", "2", find) == "answer 2"
    assert Memo(tmp_path / "deep" / "memo.json").get("a", "2", find) == "answer 3", "not saved yet"


@pytest.mark.parametrize("damage", ["", "[]", '{"a": 3}', "{", '{"a": ["1"]}'])
def test_a_damaged_file_counts_as_empty(tmp_path: Path, damage: str) -> None:
    (tmp_path / "memo.json").write_text(damage)
    assert Memo(tmp_path / "memo.json").get("a", "1", lambda: "anew") == "anew"


def test_nothing_is_written_without_news(tmp_path: Path) -> None:
    memo = Memo(tmp_path / "memo.json")
    memo.save()
    assert not (tmp_path / "memo.json").exists()
    Memo().get("a", "1", lambda: "kept in memory")
