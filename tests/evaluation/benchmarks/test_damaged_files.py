"""Damage that once ended in another error than ours, or in a score that was silently wrong."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from official_files import FILES, as_csv, corners
from score_files import scored, write

from vantage.core.errors import ContractError, ParameterError, VantageError
from vantage.evaluation.benchmarks.files import load
from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.scoring import score

Change = Callable[[Any], Any]


def set_at(*path: Any, to: Any) -> Change:
    """A tree with another value at a place."""

    def change(tree: Any) -> Any:
        tree = copy.deepcopy(tree)
        inner = tree
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = to
        return tree

    return change


def refused(folder: Path, name: str, said: Any, given: dict[str, Any], match: str) -> None:
    for path, value in given.items():
        write(folder / path, value)
    predictions = write(folder / ("said.jsonl" if isinstance(said, list) else "said.json"), said)
    with pytest.raises(ContractError, match=match):
        score(BENCHMARKS.get(name), predictions, folder / next(iter(given)))


HUGE, SUPERSCRIPT = 10**400, "\u00b2"


@pytest.mark.parametrize(
    ("name", "change", "match"),
    [
        ("scanrefer", set_at(0, "bbox", 0, 0, to=HUGE), "eight corners"),
        ("scanrefer", set_at(0, "bbox", 0, 0, to=1e300), "up to 1e\\+06"),
        ("scanrefer", set_at(0, "mask", 0, to=HUGE), "point indices"),
        ("scanrefer", set_at(0, "mask", to={"counts": [0, 10**13]}), "run lengths"),
        ("scanrefer", set_at(0, "mask", to={"counts": [1 << 23] * 5}), "at most 16777216 in all"),
        ("grounding3d", set_at(0, "box", 0, to=HUGE), "eight corners"),
        ("nr3d", set_at(0, "target_id", to=SUPERSCRIPT), "whole number"),
        ("nr3d", set_at(0, "target_id", to="--5"), "whole number"),
        ("sqa3d_localization", set_at(0, "sigma_m", to=HUGE), "above 0 in sigma_m"),
        ("sqa3d_localization", set_at(0, "sigma_m", to=[0.5]), "above 0 in sigma_m"),
        ("sqa3d_localization", set_at(0, "positions", 0, "x", to=HUGE), "x and y"),
        ("sqa3d_localization", set_at(0, "rotations", 0, "_z", to=1e200), "_x, _y, _z and _w"),
        ("scanqa", set_at(0, "text", to=float("nan")), "text in 'text'"),
        ("scanqa", set_at(0, "question_id", to="\ud800"), "half of a surrogate"),
        ("scanqa", set_at(0, "text", to="cut \ud83d"), "half of a surrogate"),
    ],
)  # fmt: skip
def test_predictions_are_refused(name: str, change: Change, match: str, tmp_path: Path) -> None:
    given = {"given.json" if k.endswith(".csv") else k: v for k, v in FILES[name].references.items()}
    refused(tmp_path, name, change(FILES[name].predictions), given, rf"said\.jsonl:1[\s\S]*{match}")


def test_an_upload_whose_rows_are_no_records_is_refused(tmp_path: Path) -> None:
    files = FILES["multi3drefer"]
    refused(
        tmp_path, "multi3drefer", {"scene0011_00": [5]}, dict(files.references), "record 1[\\s\\S]*an object"
    )


@pytest.mark.parametrize(
    ("name", "change", "match"),
    [
        ("muirbench", set_at(0, "options", to=[f"o{i}" for i in range(27)]), "1 to 26 options"),
        ("cv_bench", set_at(0, "choices", to=[f"o{i}" for i in range(27)]), "1 to 26 options"),
        ("vsibench", set_at(0, "ground_truth", to="nan"), "a number as ground truth"),
        ("vsibench", set_at(0, "ground_truth", to="1e999"), "a number as ground truth"),
        ("vsibench", set_at(0, "ground_truth", to="-4"), "a number as ground truth"),
        ("vsibench", set_at(1, "ground_truth", to="C"), "one of 2 options"),
        ("spatialrgpt_bench", set_at(0, "gt", to="9" * 400 + " m"), "one length"),
        ("spatialrgpt_bench", set_at(3, "conversations", 1, to={}), "value"),
        ("n3d_style", set_at(0, "answer", to="9" * 400 + " m"), "one number"),
        ("grounding3d", set_at(0, "intrinsics", to=[1.0, [2.0], 3.0, 4.0]), "fx, fy, cx, cy"),
        ("grounding3d", set_at(0, "intrinsics", to="K"), "fx, fy, cx, cy"),
        ("multi3drefer", set_at(0, "object_ids", to=[SUPERSCRIPT, 1]), "whole number"),
        ("scanrefer", set_at(0, "object_id", to=SUPERSCRIPT), "whole number"),
        ("scanrefer", set_at(0, "description", to={}), "text in 'description'"),
        ("scanqa", set_at(0, "answers", 0, to=float("nan")), "list of texts"),
        ("nr3d", set_at(0, "tokens", to="{[]: 1}"), "list of words"),
        ("nr3d", set_at(0, "tokens", to="(" * 15_000), "list of words"),
        ("nr3d", set_at(0, "tokens", to="[1, 2]"), "list of words"),
        ("nr3d", set_at(0, "stimulus_id", to=f"s-chair-{SUPERSCRIPT}-0-1"), "distractors"),
        ("nr3d", set_at(0, "stimulus_id", to="s-chair-" + "9" * 5000 + "-0-1"), "distractors"),
        ("nr3d", set_at(0, "mentions_target_class", to="maybe"), "true or false"),
    ],
)  # fmt: skip
def test_references_are_refused(name: str, change: Change, match: str, tmp_path: Path) -> None:
    given = {}
    for path, value in FILES[name].references.items():
        given["given.json" if path.endswith(".csv") else path] = change(value)
    refused(tmp_path, name, [], given, match)


def test_an_answer_that_is_not_there_is_no_word(tmp_path: Path) -> None:
    noted, asked = FILES["sqa3d"].references.items()
    given = {
        noted[0]: set_at("annotations", 0, "answers", 0, "answer", to=None)(noted[1]),
        asked[0]: asked[1],
    }
    refused(tmp_path, "sqa3d", [], given, "annotations_val[\\s\\S]*answer")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('[{"question_id": ' + "9" * 5000 + "}]", "4300"),
        ('{"scene0011_00": [], "scene0011_00": [{}]}', "'scene0011_00' comes twice"),
        ('[\n{"a": 1,\n "b": 2,\n}]', r"bad\.json:4"),
        ("", "not JSON"),
    ],
)
def test_json_that_is_refused(text: str, match: str, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(ContractError, match=match):
        load(tmp_path / "bad.json")
    (tmp_path / "bad.jsonl").write_text('{"a": 1}\n' + text.replace("\n", " ") + "\n")
    if text:
        with pytest.raises(ContractError, match=r"bad\.jsonl:2"):
            load(tmp_path / "bad.jsonl")


def test_whole_surrogate_pairs_are_read(tmp_path: Path) -> None:
    (tmp_path / "good.json").write_text('["\\ud83d\\ude00 \\uD83D\\uDE00"]')
    assert load(tmp_path / "good.json") == ["\U0001f600 \U0001f600"]


TABLE = as_csv(FILES["nr3d"].references["nr3d.csv"]).decode()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda t: t.replace("True,True", 'True,"True', 1), "not a table"),
        (lambda t: t.replace(",True,True", ",True", 1), r"nr3d\.csv:2[\s\S]*9 cells"),
        (lambda t: t.replace("True,True", "True,True,left", 1), r"nr3d\.csv:2[\s\S]*9 cells"),
        (lambda t: t.replace("instance_type", "utterance", 1), "a column comes twice"),
        (lambda t: t.replace("tokens", "words", 1), "tokens"),
        (lambda t: t.replace("the chair, left", "x" * 200_000, 1), "field larger"),
        (lambda _t: "", "nothing to score"),
    ],
)  # fmt: skip
def test_a_table_that_loses_cells_or_rows_is_refused(
    change: Callable[[str], str], match: str, tmp_path: Path
) -> None:
    said = write(tmp_path / "said.jsonl", [])
    (tmp_path / "nr3d.csv").write_text(change(TABLE))
    with pytest.raises(ContractError, match=match):
        score(BENCHMARKS.get("nr3d"), said, tmp_path / "nr3d.csv")


def test_damaged_parquet_is_refused(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "test.parquet"
    pq.write_table(pa.table({"idx": list(range(100)), "text": ["word"] * 100}), path)
    whole = path.read_bytes()
    for data in (
        b"",
        b"PAR1",
        whole[:-20],
        whole[:50] + b"\xff" * 30 + whole[80:],
        b"PAR1" + whole[4:40] * 3,
    ):
        path.write_bytes(data)
        with pytest.raises(ContractError, match=r"test\.parquet"):
            load(path)


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "loop.json").symlink_to(tmp_path / "loop.json")
    with pytest.raises(ParameterError, match=r"loop\.json"):
        load(tmp_path / "loop.json")


def test_a_region_of_many_digits_is_none(tmp_path: Path) -> None:
    given = FILES["spatialrgpt_bench"].references["SpatialRGPT-Bench_v1.jsonl"]
    result = scored(
        tmp_path, "spatialrgpt_bench", [{"question_id": "q2", "text": "region " + "9" * 5000}], given,
        name="given.jsonl",
    )  # fmt: skip
    assert result.unparsed == 1


def test_boxes_at_the_camera_have_no_image(tmp_path: Path) -> None:
    given = FILES["grounding3d"].references["grounding.jsonl"]
    said = [
        {"question_id": "q0", "bbox": corners(0.0, depth=5e-324)},
        {"question_id": "q1", "box": [0.1, 0.1, 1e-12, 1, 1, 1]},
    ]
    result = scored(tmp_path, "grounding3d", said, given, name="given.jsonl")
    for name in ("as_predicted", "depth_aligned"):
        found = [row[f"{name}.iou_2d"] for row in result.per_item()]
        assert found == [0, 0], "an image of infinite size is none"
        assert json.dumps(result.record(), allow_nan=False)


@pytest.mark.parametrize(
    ("value", "match"),
    [
        ({"scene0011_00": ["a chair"]}, r"scene\|object_id"),
        ({"scene0011_00|": ["a chair"]}, r"scene\|object_id"),
        ({"scene0011_00|0|chair": ["a"], "scene0011_00|0|seat": ["b"]}, "comes twice"),
    ],
)
def test_a_corpus_whose_keys_name_no_object_or_one_twice(value: Any, match: str, tmp_path: Path) -> None:
    boxed = {k: {"captions": texts, "bbox": corners(0.0)} for k, texts in value.items()}
    refused(tmp_path, "scan2cap", [], {"corpus.json": boxed}, match)


@pytest.mark.parametrize("scene", ["x" * 5000, "a\x00b", "..", "a/b", ""])
def test_scenes_that_no_folder_can_be_called(scene: str, tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    row = {"scene_id": scene, "object_id": "0", "object_name": "chair", "ann_id": "0"}
    with pytest.raises(VantageError, match="a scene is missing"):
        scored(tmp_path, "scanrefer", [], [row], scans=tmp_path / "scans")
