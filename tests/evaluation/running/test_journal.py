"""The file of predictions: whole lines, whatever killed the writer; one run only; score reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vantage.core.errors import ContractError, ResourceError
from vantage.evaluation.benchmarks.files import load, predicted
from vantage.evaluation.running.journal import header_line, opened, read_rows, write_ordered

HEADER = {"benchmark": "scanqa", "model": {"weights": "abc"}, "settings": {"stop": ["\n"], "views": 8}}
ROWS = [
    {"question_id": f"q{k}", "text": text} for k, text in enumerate(["chair", "zwei\u2028Stühle", "a\nb", ""])
]


def written(path: Path, rows: list[dict[str, Any]]) -> bytes:
    with opened(path, HEADER) as journal:
        for row in rows:
            journal.add([row])
    return path.read_bytes()


def test_what_is_added_is_read_back_and_the_last_line_of_an_item_counts(tmp_path: Path) -> None:
    path = tmp_path / "new" / "said.jsonl"
    written(path, ROWS)
    assert list(read_rows(path, HEADER).values()) == ROWS
    written(path, [{"question_id": "q1", "text": "again"}])
    assert read_rows(path, HEADER)["q1"]["text"] == "again"
    assert len(read_rows(path, HEADER)) == len(ROWS)


def test_a_file_cut_anywhere_keeps_its_whole_lines_and_goes_on(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.jsonl", ROWS)
    path = tmp_path / "torn.jsonl"
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        kept = max(0, whole[:cut].count(b"\n") - 1)
        assert list(read_rows(path, HEADER).values()) == ROWS[:kept]
        assert written(path, ROWS[kept:]) == whole


def test_a_file_of_another_run_is_refused_with_the_first_difference(tmp_path: Path) -> None:
    path = tmp_path / "said.jsonl"
    before = written(path, ROWS)
    others: list[tuple[dict[str, Any], str, str]] = [
        ({**HEADER, "model": {"weights": "abd"}}, "model.weights", "abd"),
        ({**HEADER, "settings": {"stop": [], "views": 8}}, "settings.stop", "[]"),
        ({**HEADER, "more": 1}, "more", "1"),
        ({k: v for k, v in HEADER.items() if k != "model"}, "model.weights", "nothing"),
    ]
    for other, where, expected in others:
        with pytest.raises(ContractError) as caught, opened(path, other):
            pass
        assert str(caught.value.where).endswith(where) and expected in str(caught.value.expected)
        assert path.read_bytes() == before
    path.write_text('{"question_id": "q0", "text": "chair"}\n')
    with pytest.raises(ContractError, match="another run"):
        read_rows(path, HEADER)


def test_a_line_damaged_in_the_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "said.jsonl"
    lines = written(path, ROWS).split(b"\n")
    for damage in (b'{"question_id": "q', b"[1]", b'{"text": "x"}'):
        path.write_bytes(b"\n".join([*lines[:2], damage, *lines[3:]]))
        with pytest.raises(ContractError) as caught:
            read_rows(path, HEADER)
        assert str(caught.value.where).endswith(":3")


def test_one_process_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "said.jsonl"
    with opened(path, HEADER) as journal:
        journal.add(ROWS[:1])
        with pytest.raises(ResourceError, match="another process"), opened(path, HEADER):
            pass
    assert written(path, ROWS[1:]).count(b"\n") == 1 + len(ROWS)


def test_nowhere_to_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ResourceError, match="cannot be written"),
        opened(tmp_path / "file" / "x.jsonl", HEADER),
    ):
        pass


def test_score_reads_the_rows_without_header_and_without_items_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "said.jsonl"
    rows = [*ROWS, {"question_id": "q9", "set_aside": "a picture is missing"}]
    write_ordered(path, HEADER, rows)
    assert path.read_text() == header_line(HEADER) + "".join(
        json.dumps(r, ensure_ascii=False) + "\n" for r in rows
    )
    found = predicted(path, load(path), "scanqa")
    assert [row.fields for row in found] == ROWS
    with pytest.raises(ContractError, match="another benchmark"):
        predicted(path, load(path), "sqa3d")
