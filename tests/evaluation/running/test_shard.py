"""Parts of a run: together everything, nothing twice, a scan in one part alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage.core.errors import ParameterError
from vantage.evaluation.benchmarks.interface import Item
from vantage.evaluation.running.shard import Shard, files_of


@given(st.lists(st.sampled_from(["", "a", "b", "c", "d"]), max_size=30), st.integers(1, 5))
def test_parts_divide_the_items_by_scene(scenes: list[str], of: int) -> None:
    items = [Item(f"q{k}", scene, "", None) for k, scene in enumerate(scenes)]
    shares = [Shard(k, of).share(items) for k in range(1, of + 1)]
    assert sorted(item.id for share in shares for item in share) == sorted(item.id for item in items)
    for scene in {"a", "b", "c", "d"}:
        assert sum(any(item.scene == scene for item in share) for share in shares) <= 1
    for share in shares:
        assert share == [item for item in items if item in share], "in the file's order"
    groups = [len({item.scene or item.id for item in share}) for share in shares]
    assert max(groups) - min(groups) <= 1


def test_files_of_parts_lie_beside_the_run_and_are_found_in_order(tmp_path: Path) -> None:
    out = tmp_path / "said.jsonl"
    assert Shard.parse("1/1").file(out) == out
    names = [Shard.parse(text).file(out) for text in ("10/12", "2/12", "1/2")]
    for path in [*names, out, tmp_path / "said.jsonl.bak", tmp_path / "other.jsonl.1-of-2"]:
        path.write_text("")
    assert files_of(out) == [out, names[2], names[1], names[0]]


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/2/3", "-1/2", "1/0"])
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="part of a run"):
        Shard.parse(text)
