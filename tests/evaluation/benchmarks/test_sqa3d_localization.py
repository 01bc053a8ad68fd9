"""SQA3D localisation: quaternions by name, the published thresholds, hypotheses and calibration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from score_files import rows, scored, values, write

from vantage.core.errors import ContractError
from vantage.evaluation.benchmarks.files import Record
from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.benchmarks.sqa3d_localization import prediction
from vantage.evaluation.scoring import score


def turn(yaw_deg: float) -> dict[str, float]:
    half = np.deg2rad(yaw_deg) / 2
    return {"_x": 0.0, "_y": 0.0, "_z": float(np.sin(half)), "_w": float(np.cos(half))}


def place(x: float, y: float) -> dict[str, float]:
    return {"x": x, "y": y, "z": 0.0}


def given(n: int) -> dict[str, Any]:
    return {
        "annotations": [
            {"scene_id": f"scene{i:04d}_00", "question_id": i, "situation": "I stand.",
             "position": place(0, 0), "rotation": turn(0)}
            for i in range(n)
        ]
    }  # fmt: skip


def test_thresholds_are_strict_and_three_guesses_are_taken_apart(tmp_path: Path) -> None:
    said = [
        {"question_id": 0, "positions": [place(0.5, 0)], "rotations": [turn(15.001)]},
        {"question_id": 1, "positions": [place(9, 9), place(0.3, 0.3)], "rotations": [turn(-14.9)]},
        {"question_id": 2, "positions": [place(0, 0)], "rotations": [turn(359)]},
    ]
    result = scored(tmp_path, "sqa3d_localization", said, given(4))
    assert rows(result, "best_of_3.position@0.5m") == [0, 1, 1, 0], "0.5 m is not below 0.5 m"
    assert rows(result, "best_of_3.rotation@15deg") == [0, 1, 1, 0]
    assert rows(result, "top1.position@0.5m") == [0, 0, 1, 0]
    assert rows(result, "best_of_3.joint@0.5m_15deg") == [0, 1, 1, 0]
    assert rows(result, "best_of_3.joint_same_rank@0.5m_15deg") == [0, 0, 1, 0], "second place, first turn"
    assert rows(result, "top1.joint@1m_30deg") == [1, 0, 1, 0]
    assert (result.missing, values(result)["top1"]["position@1m"]) == (1, 0.5)


@pytest.mark.parametrize("seed", range(20))
def test_headings_are_the_z_of_scipys_rotation_vector(seed: int) -> None:
    rng = np.random.default_rng(seed)
    q = rng.normal(size=4) * (1.0 if seed % 2 else 7.0)
    named = dict(zip(("_x", "_y", "_z", "_w"), q.tolist(), strict=True))
    shuffled = {name: named[name] for name in ("_w", "_z", "_x", "_y")}
    row = Record(
        "x:1", {"positions": [place(1, 2)], "rotations": [shuffled, {k: -v for k, v in named.items()}]}
    )
    expected = Rotation.from_quat(q).as_rotvec()[2]
    np.testing.assert_allclose(prediction(row).headings, [expected, expected], atol=1e-12)


def test_calibration_of_true_and_of_boastful_uncertainties(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n, found = 3000, {}
    for name, factor in (("true", 1.0), ("boastful", 0.3)):
        said = [
            {"question_id": i, "position": place(*rng.normal(0, 0.4, 2)), "rotation": turn(rng.normal(0, 20)),
             "sigma_m": 0.4 * factor, "sigma_rad": float(np.deg2rad(20)) * factor}
            for i in range(n)
        ]  # fmt: skip
        found[name] = values(scored(tmp_path, "sqa3d_localization", said, given(n), variant="calibration"))
    for kind in ("position", "rotation"):
        for level in (0.5, 0.68, 0.95):
            assert found["true"]["calibration"][f"{kind}_coverage@{level}"] == pytest.approx(level, abs=0.03)
        assert found["true"]["calibration"][f"{kind}_calibration_error"] < 0.02
        assert found["boastful"]["calibration"][f"{kind}_calibration_error"] > 0.2
    none = scored(tmp_path, "sqa3d_localization", [{"question_id": 0, "positions": []}], given(1))
    assert values(none)["calibration"] == {} and none.empty == 1


def test_on_the_real_situations(tmp_path: Path, shared_data: Path) -> None:
    path = shared_data / "sqa3d" / "v1_localization_annotations_test_scannetv2.json"
    noted = json.loads(path.read_text())["annotations"]
    truth = [
        {"situation_id": a["situation_id"], "positions": [a["position"]], "rotations": [a["rotation"]]}
        for a in noted
    ]
    found = score(BENCHMARKS.get("sqa3d_localization"), write(tmp_path / "said.jsonl", truth), path)
    assert len(found.items) == 1997
    assert set(values(found)["top1"].values()) == {1.0}
    assert found.items[0].content.text.startswith("I am wiping a table")


def test_what_is_refused(tmp_path: Path) -> None:
    for fields, words in (
        ({"positions": [place(0, 0)] * 4}, "at most 3"),
        ({"rotations": [[0, 0, 0, 1]]}, "_x, _y, _z and _w"),
        ({"rotations": [dict.fromkeys(("_x", "_y", "_z", "_w"), 0)]}, "other than 0"),
        ({"positions": [{"x": float("nan"), "y": 0}]}, "x and y"),
    ):
        with pytest.raises(ContractError, match=rf"said.jsonl:1[\s\S]*{words}"):
            scored(tmp_path, "sqa3d_localization", [{"question_id": 0, **fields}], given(1))
