"""Damaged files of predictions, as a run that goes on finds them: sound rows, or an error with the line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from damaged import as_json, as_lines, changed_bytes, changed_trees, examples
from vantage.core.errors import ContractError
from vantage.evaluation.benchmarks.files import SET_ASIDE
from vantage.evaluation.running.journal import HEADER, VERSION, line_of, opened, read_rows, write_ordered

TOLD = {"benchmark": "scanqa", "model": {"weights": "abc"}, "settings": {"stop": ["\n"], "views": 8}}
ROWS = [
    {"question_id": "q0", "text": "a chair", "finish": "end", "tokens": 3, "prompt": "ab", "input": ""},
    {"question_id": "q1", SET_ASIDE: "no view shows it", "prompt": "ab", "input": ""},
    {"question_id": "q2", "text": "zwei St\u00fchle", "bbox": [1, 2, 3], "prompt": "ab", "input": ""},
]
WHOLE = as_lines([{HEADER: VERSION, **TOLD}, *ROWS])


def call(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    try:
        rows = read_rows(path, TOLD)
    except ContractError as error:
        assert str(error.where).startswith(str(path)) and (error.expected or error.found)
        with pytest.raises(ContractError), opened(path, TOLD):
            pass
        assert path.read_bytes() == data or b"\n" not in data, "what is refused stays as it is"
        return
    lines = data[: data.rfind(b"\n") + 1].split(b"\n")[1:-1]
    assert len(rows) <= len(lines) and (len(rows) > 0) == (len(lines) > 0)
    for name, row in rows.items():
        assert row["question_id"] == name and ("text" in row) != (SET_ASIDE in row)
    write_ordered(path, TOLD, rows.values())
    assert read_rows(path, TOLD) == rows


def test_the_seed_is_read(tmp_path: Path) -> None:
    (tmp_path / "said.jsonl").write_bytes(WHOLE)
    assert list(read_rows(tmp_path / "said.jsonl", TOLD).values()) == ROWS


@examples(300)
@given(changed_bytes(WHOLE))
def test_bytes_changed(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    call(tmp_path_factory.getbasetemp() / "said.jsonl", data)


@examples(300)
@given(data=st.data())
def test_values_changed(tmp_path: Path, data: st.DataObject) -> None:
    header, rows = {HEADER: VERSION, **TOLD}, list(ROWS)
    if data.draw(st.booleans()):
        header = data.draw(changed_trees(header))
    else:
        rows = data.draw(changed_trees(rows))
    call(tmp_path / "said.jsonl", as_json(header) + b"\n" + as_lines(rows))


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe", b"[" * 5000, b'{"question_id": "q", "text": NaN}', b'{"question_id": "q", "text": 5}',
        b'{"question_id": "q"}', b'{"question_id": 1, "text": ""}', b'{"question_id": "q", "text": "\\ud8"}',
        b'{"question_id": "q", "text": "a", "x": 1e999}', b'{"question_id": "q", "text": "a", "text": "b"}',
    ],
)  # fmt: skip
def test_lines_that_were_taken_or_broke_the_reader(line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "said.jsonl"
    path.write_bytes(WHOLE + line + b"\n" + line_of(ROWS[0]).encode())
    with pytest.raises(ContractError, match=r"said\.jsonl"):
        read_rows(path, TOLD)


def test_an_empty_first_line_is_told_with_what_was_expected(tmp_path: Path) -> None:
    call(tmp_path / "said.jsonl", b"\n" + WHOLE)
