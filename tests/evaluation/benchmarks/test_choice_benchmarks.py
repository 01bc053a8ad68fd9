"""VSI-Bench, MuirBench and CV-Bench: aggregation, twins, and the variants on replies that tell them apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from score_files import rows, scored, values, write

from vantage.core.errors import ContractError
from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.benchmarks.vsibench import CHOICE, NUMERIC, aggregate
from vantage.evaluation.scoring import score


def vsi(i: int, kind: str, truth: str) -> dict[str, Any]:
    options = ["A. left", "B. right", "C. back"] if kind in CHOICE else None
    return {
        "id": i, "dataset": "scannet", "scene_name": f"scene{i % 2}", "question_type": kind,
        "question": "?", "ground_truth": truth, "options": options,
    }  # fmt: skip


def test_vsibench_tells_harnesses_apart(tmp_path: Path) -> None:
    given = [
        vsi(0, "object_counting", "4"), vsi(1, "object_counting", "4"), vsi(2, "route_planning", "A"),
        vsi(3, "object_rel_direction_easy", "A"), vsi(4, "object_rel_direction_hard", "B"),
        vsi(5, "object_rel_direction_hard", "B"), vsi(6, "object_abs_distance", "2.0"),
    ]  # fmt: skip
    texts = ["There are 4 chairs", "4", "(A)", "A. left", "b", "", "1.9"]
    said = [{"id": i, "text": t} for i, t in enumerate(texts)]
    result = scored(tmp_path, "vsibench", said, given, name="test.jsonl")
    assert (result.unparsed, result.empty, result.missing) == (0, 1, 0)
    assert rows(result, "official.micro") == [0, 1, 0, 1, 1, 0, 1]
    assert rows(result, "lmms_eval.micro") == [1, 1, 0, 1, 1, 0, 1]
    assert rows(result, "strict.micro") == [1, 1, 1, 1, 1, 0, 1]
    official = values(result)["official"]
    assert official["object_counting"] == 0.5
    assert official["object_rel_direction"] == 0.75, "the mean of the levels that there are, 1 and 1/2"
    assert official["macro"] == pytest.approx((0.5 + 0.0 + 0.75 + 1.0) / 4)
    assert official["micro"] == pytest.approx(4 / 7)
    assert "room_size_estimation" not in official


def test_vsibench_macro_beside_a_loop() -> None:
    rng = np.random.default_rng(0)
    types = list(rng.choice(NUMERIC + CHOICE, 400))
    got = rng.random(400)
    means = {k: np.mean([v for t, v in zip(types, got, strict=True) if t == k]) for k in NUMERIC + CHOICE}
    levels = [means.pop(k) for k in list(means) if "direction" in k]
    found = aggregate(types, got)
    assert found["macro"].value == pytest.approx(np.mean([*means.values(), np.mean(levels)]))
    assert found["micro"].value == pytest.approx(got.mean())


def test_vsibench_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    for row, words in [
        (vsi(0, "colour", "4"), "object_counting"),
        (vsi(0, "object_counting", "four"), "number"),
    ]:
        with pytest.raises(ContractError, match=words):
            scored(tmp_path, "vsibench", [{"id": 0, "text": "4"}], [row], name="test.jsonl")


def muir(idx: str, task: str, letter: str, twin: str) -> dict[str, Any]:
    options = ["a chair", "two tables", "None of the choices provided"]
    return {
        "idx": idx,
        "task": task,
        "question": "?",
        "options": options,
        "answer": letter,
        "counterpart_idx": twin,
    }


def test_muirbench_twins_and_parsers(tmp_path: Path) -> None:
    given = [
        muir("0", "Counting", "A", "1"), muir("1", "Counting", "C", "0"),
        muir("2", "Ordering", "B", "3"), muir("3", "Ordering", "C", "2"), muir("4", "Ordering", "B", "-1"),
    ]  # fmt: skip
    texts = ["(A)", "C", "B. two tables", "(C)", "a"]
    said = [{"idx": str(i), "text": t} for i, t in enumerate(texts)]
    result = scored(tmp_path, "muirbench", said, given)
    found = values(result)
    assert rows(result, "official_no_guess.accuracy") == [1, 1, 0, 1, 0]
    assert rows(result, "official.accuracy") == pytest.approx([1, 1, 1 / 3, 1, 1 / 3])
    assert rows(result, "lmms_eval.accuracy") == [0, 1, 1, 0, 0]
    assert rows(result, "strict.accuracy") == [1, 1, 1, 1, 0]
    assert found["strict"]["paired_accuracy"] == 1
    assert found["official_no_guess"]["paired_accuracy"] == 0.5
    assert found["strict"]["accuracy.unanswerable"] == 1
    assert found["strict"]["accuracy.answerable"] == pytest.approx(2 / 3)
    assert found["strict"]["accuracy.Ordering"] == pytest.approx(2 / 3)
    assert result.variants["strict"]["paired_accuracy"].n == 2


def test_muirbench_from_a_folder_of_parquet(tmp_path: Path) -> None:
    given = [muir(str(i), "Counting", "A", "-1") for i in range(3)]
    for i, part in enumerate((given[:2], given[2:])):
        pictures = pa.array([[{"bytes": b"png", "path": "x"}]] * len(part))
        table = pa.Table.from_pylist(part).append_column("image_list", pictures)
        (tmp_path / "data").mkdir(exist_ok=True)
        pq.write_table(table, tmp_path / "data" / f"test-{i}.parquet")
    said = write(tmp_path / "said.jsonl", [{"idx": str(i), "text": "A"} for i in range(3)])
    assert values(score(BENCHMARKS.get("muirbench"), said, tmp_path / "data"))["strict"]["accuracy"] == 1


def test_cv_bench_aggregates_by_source(tmp_path: Path) -> None:
    def row(i: int, task: str, source: str, answer: str) -> dict[str, Any]:
        return {
            "idx": i, "task": task, "source": source, "question": "?", "prompt": "?",
            "choices": ["lamp", "table", "cabinet"], "answer": answer,
        }  # fmt: skip

    given = [
        row(0, "Count", "ADE20K", "(A)"), row(1, "Count", "COCO", "(A)"), row(2, "Count", "COCO", "(B)"),
        row(3, "Depth", "Omni3D", "(C)"), row(4, "Distance", "Omni3D", "(B)"),
    ]  # fmt: skip
    said = [{"idx": i, "text": t} for i, t in enumerate(["(A)", "A", "A", "Cabinet", "The table"])]
    result = scored(tmp_path, "cv_bench", said, given, name="given.jsonl")
    assert rows(result, "lmms_eval.accuracy") == [1, 1, 0, 1, 0]
    assert rows(result, "strict.accuracy") == [1, 1, 0, 1, 0]
    found = values(result)["lmms_eval"]
    assert (found["2d"], found["3d"]) == (0.75, 0.5)
    assert found["overall"] == pytest.approx(0.625)
    assert found["accuracy"] == pytest.approx(0.6)
    assert result.unparsed == 1
    only_3d = scored(tmp_path, "cv_bench", said[3:], given[3:], name="given.jsonl")
    assert "overall" not in values(only_3d)["strict"]
