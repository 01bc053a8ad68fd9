"""ScanRefer, Multi3DRefer, Nr3D and 3D grounding: boxes from records and scans, borders, groups, masks."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_scene import write_scene
from scipy.spatial.transform import Rotation
from score_files import rows, scored, values, write

from vantage.core.errors import ContractError, ParameterError
from vantage.evaluation.benchmarks.boxes import every_iou, float32_iou, published_iou
from vantage.evaluation.benchmarks.grounding3d import aligned, rectangle
from vantage.evaluation.benchmarks.multi3drefer import f1
from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.benchmarks.scanrefer import class_name
from vantage.evaluation.scoring import score


def box(low: float, width: float = 1.0) -> np.ndarray:
    return np.array([[low, 0.0, 0.0], [low + width, 1.0, 1.0]])


def corners(extent: np.ndarray) -> list[list[float]]:
    return [[float(extent[s[k], k]) for k in range(3)] for s in np.ndindex(2, 2, 2)]


SCENE = "scene0011_00"
OBJECTS = {0: ("chair", box(0)), 1: ("chair", box(3)), 2: ("table", box(6)), 5: ("lamp", box(9))}


def refer(object_id: int, ann: int, **fields: Any) -> dict[str, Any]:
    return {
        "scene_id": SCENE, "object_id": str(object_id), "object_name": OBJECTS[object_id][0],
        "ann_id": str(ann), "description": "?", **fields,
    }  # fmt: skip


def upload(object_id: int, ann: int, extent: np.ndarray) -> dict[str, Any]:
    row = refer(object_id, ann, bbox=corners(extent), unique_multiple=0, others=0)
    return {k: row[k] for k in ("scene_id", "object_id", "ann_id", "bbox", "unique_multiple", "others")}


def test_scanrefer_from_records_and_from_scans_alike(tmp_path: Path) -> None:
    write_scene(tmp_path / "scans", SCENE, OBJECTS)
    asked = [(0, 0), (0, 1), (1, 0), (2, 0), (5, 0)]
    said = [upload(0, 0, box(0)), upload(0, 1, box(0.5)), upload(2, 0, box(6.8)), upload(5, 0, box(9))]
    plain = scored(tmp_path, "scanrefer", said, [refer(*a) for a in asked], scans=tmp_path / "scans")
    boxed = [refer(*a, bbox=corners(OBJECTS[a[0]][1])) for a in asked]
    told = scored(tmp_path, "scanrefer", said, boxed)
    for result in (plain, told):
        assert rows(result, "official.acc@0.25") == [1, 1, 0, 0, 1], "IoU 1, 1/3, none, 1/9, 1"
        assert rows(result, "official.acc@0.5") == [1, 0, 0, 0, 1]
        found = values(result)["official"]
        assert found["acc@0.25.multiple"] == pytest.approx(2 / 3), "two chairs"
        assert found["acc@0.25.unique"] == 0.5
        assert found["acc@0.25.in_others"] == 1, "a lamp is no class of its own"
        assert found["acc@0.25.unique.not_in_others"] == 0
        assert result.missing == 1
    with pytest.raises(ParameterError, match="--scans"):
        scored(tmp_path, "scanrefer", said, [refer(*a) for a in asked])
    with pytest.raises(ContractError, match="an object of scene0011_00"):
        scored(tmp_path, "scanrefer", [], [{**refer(0, 0), "object_id": "7"}], scans=tmp_path / "scans")


def test_borders_depend_on_the_arithmetic(tmp_path: Path) -> None:
    quarter = np.array([[0.0, 0, 0], [0.25, 1, 1]])
    a, b = box(0)[None], quarter[None]
    assert published_iou(a, b)[0] < 0.25, "a true quarter misses by the 1e-8"
    assert every_iou(a, b)[0, 0] == 0.25
    tiny = (box(0) * 1e-4)[None]
    assert published_iou(tiny, tiny)[0] == pytest.approx(1e-4, rel=1e-3)
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 1, (50, 2, 1, 3))
    pairs = np.concatenate([low, low + rng.uniform(0.5, 1, low.shape)], axis=2)
    np.testing.assert_allclose(
        float32_iou(pairs[:, 0], pairs[:, 1]), published_iou(pairs[:, 0], pairs[:, 1]), atol=1e-6
    )
    np.testing.assert_allclose(
        np.diag(every_iou(pairs[:, 0], pairs[:, 1])), published_iou(pairs[:, 0], pairs[:, 1]), atol=1e-6
    )


@pytest.mark.parametrize(
    ("name", "kind"),
    [("chair", "chair"), ("trash_can", "otherfurniture"), ("lamp", "otherfurniture"), ("table", "table")],
)
def test_scanrefers_classes(name: str, kind: str) -> None:
    assert class_name(name) == kind


def test_scanrefer_masks_are_a_variant_of_their_own(tmp_path: Path) -> None:
    write_scene(tmp_path / "scans", SCENE, OBJECTS)
    said = [
        {**upload(0, 0, box(50)), "mask": list(range(4))},
        {**upload(2, 0, box(50)), "mask": {"counts": [16, 8]}},
    ]
    references = [refer(0, 0), refer(2, 0)]
    result = scored(tmp_path, "scanrefer", said, references, scans=tmp_path / "scans")
    assert rows(result, "mask.miou") == [0.5, 1.0], "vertices 0 to 7 are the chair's, 16 to 23 the table's"
    assert values(result)["official"]["acc@0.25"] == 0
    with pytest.raises(ContractError, match=r"said.jsonl:1[\s\S]*every point once"):
        scored(tmp_path, "scanrefer", [{**said[0], "mask": [1, 1]}], references, scans=tmp_path / "scans")


def brute_f1(truth: np.ndarray, said: np.ndarray, threshold: float) -> float:
    """F1 by trying every pairing for the highest total."""
    if not len(truth) or not len(said):
        return float(len(truth) == len(said))
    n = max(len(truth), len(said))
    iou = np.zeros((n, n))
    iou[: len(truth), : len(said)] = every_iou(truth, said)
    best = max(permutations(range(n)), key=lambda p: sum(iou[i, p[i]] for i in range(n)))
    right = sum(iou[i, best[i]] >= threshold for i in range(n))
    return 2 * right / (len(truth) + len(said))


@pytest.mark.parametrize("seed", range(40))
def test_f1_beside_every_pairing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 0.8, (2, 4, 1, 3))
    both = np.concatenate([low, low + rng.uniform(0.4, 1, low.shape)], axis=2)
    truth, said = both[0, : rng.integers(0, 5)], both[1, : rng.integers(0, 5)]
    for k in (0.25, 0.5):
        assert f1(truth, said, k, every_iou(truth, said)) == pytest.approx(brute_f1(truth, said, k))


def multi(ann: int, ids: list[int], case: str) -> dict[str, Any]:
    bounds = [OBJECTS[k][1].tolist() for k in ids]
    return {
        "scene_id": SCENE, "object_ids": ids, "object_name": "chair", "ann_id": ann, "eval_type": case,
        "description": "?", "aabb_bound": bounds,
    }  # fmt: skip


def test_multi3drefer_by_case(tmp_path: Path) -> None:
    given = [multi(0, [0, 1], "mt"), multi(1, [], "zt_w_d"), multi(2, [], "zt_wo_d"),
             multi(3, [2], "st_wo_d"),
             multi(4, [2], "st_wo_d")]  # fmt: skip
    said = [
        {
            "scene_id": SCENE,
            "ann_id": 0,
            "aabb_bound": [box(3).tolist(), box(0.4).tolist(), box(20).tolist()],
        },
        {"scene_id": SCENE, "ann_id": 1, "aabb_bound": []},
        {"scene_id": SCENE, "ann_id": 2, "aabb_bound": [box(0).tolist()]},
        {"scene_id": SCENE, "ann_id": 3, "aabb_bound": [box(6).tolist()]},
    ]
    result = scored(tmp_path, "multi3drefer", said, given)
    assert rows(result, "official.f1@0.25") == pytest.approx([0.8, 1, 0, 1, 0])
    assert rows(result, "official.f1@0.5") == pytest.approx([0.4, 1, 0, 1, 0])
    assert values(result)["official"]["f1@0.5.st_wo_d"] == 0.5, "a missing prediction counts in its case"
    by_scene = scored(tmp_path, "multi3drefer", {SCENE: said}, given)
    assert values(by_scene) == values(result)
    write(
        tmp_path / "upload" / f"{SCENE}.json", [{k: v for k, v in r.items() if k != "scene_id"} for r in said]
    )
    by_file = score(BENCHMARKS.get("multi3drefer"), tmp_path / "upload", tmp_path / "given.json")
    assert values(by_file) == values(result), "the published form: a file for each scene"
    bare = [{k: v for k, v in row.items() if k != "aabb_bound"} for row in given]
    write_scene(tmp_path / "scans", SCENE, OBJECTS)
    from_scans = scored(tmp_path, "multi3drefer", said, bare, scans=tmp_path / "scans")
    assert rows(from_scans, "official.f1@0.5") == pytest.approx([0.4, 1, 0, 1, 0])
    masked = [{**said[0], "mask": list(range(16))}, {**said[1], "mask": []}]
    miou = rows(scored(tmp_path, "multi3drefer", masked, bare, scans=tmp_path / "scans"), "mask.miou")
    assert miou == [1, 1, 0, 0, 0]


def csv_file(path: Path) -> Path:
    header = "assignmentid,stimulus_id,utterance,tokens,target_id,instance_type,scan_id"
    header += ",mentions_target_class,correct_guess"
    lines = [
        f"1,{SCENE}-chair-2-0-1,\"the chair, left\",\"['the', 'left', 'chair']\",0,chair,{SCENE},True,True",
        f"2,{SCENE}-chair-3-1-0-2,the leftmost,\"['Left', 'backpack']\",1,chair,{SCENE},False,True",
        f"3,{SCENE}-table-2-2-5,it,\"['it']\",2,table,{SCENE},True,True",
    ]
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def test_nr3d_from_its_csv(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "nr3d.csv")
    said = [
        {"question_id": "1", "target_id": 0},
        {"question_id": "2", "target_id": 0, "box": [3.5, 0.5, 0.5, 1, 1, 1]},
    ]
    predictions = write(tmp_path / "said.jsonl", said)
    result = score(BENCHMARKS.get("nr3d"), predictions, path)
    assert rows(result, "official.accuracy") == [1, 0, 0]
    found = values(result)["official"]
    assert (found["accuracy.easy"], found["accuracy.hard"]) == (0.5, 0.0)
    assert found["accuracy.view_dependent"] == 1, "only exact lower-case words count"
    assert found["accuracy.mentions_class"] == 0.5
    assert values(result)["iou"] == {}
    write_scene(tmp_path / "scans", SCENE, OBJECTS)
    boxed = score(BENCHMARKS.get("nr3d"), predictions, path, scans=tmp_path / "scans")
    assert rows(boxed, "iou.acc@0.9") == [0, 1, 0]
    path.write_text(path.read_text().replace("chair-3-1-0-2", "chair-3-1-0"))
    with pytest.raises(ContractError, match=r"nr3d.csv:3[\s\S]*2 distractors"):
        score(BENCHMARKS.get("nr3d"), predictions, path)


def test_nr3d_with_several_rows_of_one_assignment_goes_by_rows(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "nr3d.csv")
    path.write_text(path.read_text().replace("\n2,", "\n1,"))
    items = BENCHMARKS.get("nr3d").references(path, None)
    assert [(item.id, item.content.target) for item in items] == [("0", 0), ("1", 1), ("2", 2)]
    said = write(tmp_path / "said.jsonl", [{"question_id": "1", "target_id": 1}])
    assert rows(score(BENCHMARKS.get("nr3d"), said, path), "official.accuracy") == [0, 1, 0]


K = [500.0, 480.0, 320.0, 240.0]


def test_grounding_in_image_and_space(tmp_path: Path) -> None:
    truth = [0.1, -0.2, 3.0, 1.0, 0.8, 0.6]
    given = [
        {"question_id": i, "description": "?", "box": truth, "intrinsics": K, "image": f"{i}"}
        for i in range(4)
    ]
    far = (2 * np.array(truth)).tolist()  # twice as far and as large: the same image
    said = [
        {"question_id": 0, "box": truth}, {"question_id": 1, "box": far},
        {"question_id": 2, "box": [0.1, -0.2, -3.0, 1.0, 0.8, 0.6]},
    ]  # fmt: skip
    result = scored(tmp_path, "grounding3d", said, given)
    assert rows(result, "as_predicted.iou_2d") == pytest.approx([1, 1, 0, 0])
    assert rows(result, "as_predicted.iou_3d") == pytest.approx([1, 0, 0, 0])
    assert rows(result, "depth_aligned.iou_3d") == pytest.approx([1, 1, 0, 0])
    found = values(result)
    assert found["as_predicted"]["offset_2d_px"] == pytest.approx(0, abs=1e-9)
    distance = float(np.linalg.norm(truth[:3]))
    assert found["as_predicted"]["offset_3d_m"] == pytest.approx((0 + distance + 6.0) / 3)
    assert result.variants["as_predicted"]["offset_3d_m"].n == 3
    with pytest.raises(ContractError, match="before the camera"):
        scored(tmp_path, "grounding3d", said, [{**given[0], "box": [0, 0, 0.1, 1, 1, 1]}])


@pytest.mark.parametrize("seed", range(5))
def test_depth_alignment_moves_nothing_in_the_image(seed: int) -> None:
    rng = np.random.default_rng(seed)
    turn = Rotation.random(random_state=rng).as_matrix()
    one, other = ((np.array(corners(box(0) - 0.5)) * 0.5) @ turn.T + [0.3, 0.1, z] for z in (2.0, 5.0))
    moved = aligned(one, other)
    assert moved[:, 2].mean() == pytest.approx(other[:, 2].mean())
    np.testing.assert_allclose(rectangle(moved, np.array(K)), rectangle(one, np.array(K)))
