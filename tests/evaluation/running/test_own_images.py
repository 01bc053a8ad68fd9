"""Pictures of the items' own: by name below a folder, inside parquet files, with regions marked."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pictured import picture
from PIL import Image

from vantage.core.errors import ParameterError
from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.running.ask import Ask, SetAside
from vantage.evaluation.running.own_images import OwnImages


def asks(name: str, references: Path, images: Path | None = None) -> list[Ask | SetAside]:
    rule = BENCHMARKS.get(name)
    items = rule.references(references, None)
    prompts = {item.id: rule.prompt(item.content) for item in items}
    builder = OwnImages(rule, references, images)
    return [ask for item in items for ask in builder.asks([item], prompts)]


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def cv_rows(n: int) -> list[dict[str, Any]]:
    return [
        {
            "idx": k, "task": "Depth", "source": "Omni3D", "question": "Which?", "choices": ["a", "b"],
            "answer": "(A)", "prompt": f"Which of {k}?", "image": {"bytes": picture(k), "path": f"{k}.png"},
        }
        for k in range(n)
    ]  # fmt: skip


def test_pictures_inside_parquet_files_of_several_row_groups(tmp_path: Path) -> None:
    rows = cv_rows(7)
    pq.write_table(pa.Table.from_pylist(rows[:4]), tmp_path / "test-0.parquet", row_group_size=2)
    pq.write_table(pa.Table.from_pylist(rows[4:]), tmp_path / "test-1.parquet", row_group_size=2)
    found = asks("cv_bench", tmp_path)
    assert [one.id for one in found] == [str(k) for k in range(7)]
    for k in (5, 0, 3, 6, 1, 2, 4):  # in any order, each its own
        ask = found[k]
        assert isinstance(ask, Ask)
        (view,) = ask.views
        image = view.image()
        np.testing.assert_array_equal(np.asarray(image), pixels(rows[k]["image"]["bytes"]))
        assert ask.sizes == (image.size,)
        assert ask.prompt == f"Which of {k}?"
    assert len({one.input for one in found if isinstance(one, Ask)}) == 7


def test_a_list_of_pictures_inside_a_row(tmp_path: Path) -> None:
    row = {
        "idx": "m", "task": "Counting", "question": "<image><image> which?", "options": ["a", "b"],
        "answer": "B", "counterpart_idx": "-1",
        "image_list": [{"bytes": picture(k), "path": None} for k in (1, 2)],
    }  # fmt: skip
    path = tmp_path / "test.parquet"
    pq.write_table(pa.Table.from_pylist([row, {**row, "idx": "none", "image_list": []}]), path)
    found, lacking = asks("muirbench", path)
    assert isinstance(found, Ask)
    for view, image in zip(found.views, row["image_list"], strict=True):  # type: ignore[call-overload]
        np.testing.assert_array_equal(np.asarray(view.image()), pixels(image["bytes"]))
    assert isinstance(lacking, SetAside) and "row 2" in lacking.reason


def test_regions_are_outlined_and_numbered_on_the_picture(tmp_path: Path) -> None:
    grey = Image.new("RGB", (60, 40), (90, 90, 90))
    grey.save(tmp_path / "a.png")
    row = {
        "id": "r1", "image_info": {"file_path": "a.png"}, "text_q": "Is Region [0] left of Region [1]?",
        "conversations": [{"value": "?"}, {"value": "Yes."}], "bbox": [[5, 6, 25, 30], [30, 10, 55, 35]],
        "qa_info": {"type": "qualitative", "category": "left"},
    }  # fmt: skip
    path = tmp_path / "bench.jsonl"
    path.write_text(json.dumps(row) + "\n" + json.dumps({**row, "id": "r2", "bbox": [[1, 2, 3]]}) + "\n")
    found, wrong = asks("spatialrgpt_bench", path, tmp_path)
    assert isinstance(found, Ask)
    shown = np.asarray(found.views[0].image()).astype(int)
    red = (shown[..., 0] > 200) & (shown[..., 1] < 60)
    for left, top, right, bottom in row["bbox"]:  # type: ignore[misc]
        assert red[top, left : right + 1].all() and red[bottom, left : right + 1].all()
        assert red[top : bottom + 1, left].all() and red[top : bottom + 1, right].all()
    untouched = ~red
    untouched[6:31, 5:26] = untouched[10:36, 30:56] = False
    assert (shown[untouched] == 90).all(), "nothing else is changed"
    assert isinstance(wrong, SetAside) and "bbox" in wrong.reason
    unmarked = tmp_path / "unmarked.jsonl"
    unmarked.write_text(json.dumps({k: v for k, v in row.items() if k != "bbox"}))
    (plain,) = asks("spatialrgpt_bench", unmarked, tmp_path)
    assert isinstance(plain, Ask) and plain.input != found.input


def test_a_folder_is_needed_where_the_pictures_are_files(tmp_path: Path) -> None:
    path = tmp_path / "bench.jsonl"
    path.write_text(json.dumps({k: v for k, v in cv_rows(1)[0].items() if k != "image"}))
    with pytest.raises(ParameterError, match="nothing to show"):
        asks("cv_bench", path)
    with pytest.raises(ParameterError, match="no such folder"):
        asks("cv_bench", path, tmp_path / "none")
    (lacking,) = asks("cv_bench", path, tmp_path)
    assert isinstance(lacking, SetAside) and "image_list or images or image" in lacking.reason
