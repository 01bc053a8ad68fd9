"""Annotation files that do not belong together, the labels mesh, superpoints, and boxes in both worlds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vantage.core.errors import ContractError, ScanError
from vantage.core.tasks import Task
from vantage.geometry.transforms import apply
from vantage.records.objects import POINTS_FILE, axis_boxes, read_objects, read_points
from vantage.records.scan import read_scan
from vantage.scans.annotation_release import scan_named
from vantage.scans.config import DownloadConfig, ExtractConfig, FolderConfig
from vantage.scans.objects import read_annotations
from vantage.scans.ply import Mesh, read_ply, write_ply
from vantage.scans.scannet import AGGREGATION, LABELS, MESH, SEGMENTS
from vantage.scans.stage import download, extract

SCAN = "scene0000_00"
EYE = np.eye(4)


def change(path: Path, **fields: Any) -> None:
    value = json.loads(path.read_text())
    for key, new in fields.items():
        value.pop(key) if new is None else value.update({key: new})
    path.write_text(json.dumps(value))


def failure(folder: Path) -> str:
    with pytest.raises(ScanError) as caught:
        read_annotations(folder, SCAN, EYE)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "scan"),
    [
        ("scannet.scene0000_00", "scene0000_00"),
        ("scene0000_00", "scene0000_00"),
        ("/scene0000_00_vh_clean_2", "scene0000_00"),  # as ScanNet's Segmentator writes it
        ("scannet.scene0000_00_vh_clean_2.0.010000.segs.json", "scene0000_00"),
        ("scannet.scene0000_00_vh_clean.segs.json", "scene0000_00"),
        ("scannet.scene0000_001", "scene0000_001"),
    ],
)
def test_the_scan_that_a_file_names(text: str, scan: str) -> None:
    assert scan_named(text) == scan


@pytest.mark.parametrize("scene", ["scene0000_00", "scannet.scene0000_00", "/scene0000_00_vh_clean_2", None])
def test_files_of_one_scan_are_taken(raw_scan: Path, scene: str | None) -> None:
    change(raw_scan / f"{SCAN}{AGGREGATION}", sceneId=scene, segmentsFile=None)
    change(raw_scan / f"{SCAN}{SEGMENTS}", sceneId=scene)
    assert len(read_annotations(raw_scan, SCAN, EYE).objects) == 3


@pytest.mark.parametrize(
    ("ending", "fields"),
    [
        (AGGREGATION, {"sceneId": "scannet.scene0001_00"}),
        (AGGREGATION, {"sceneId": "scene0000_01"}),
        (AGGREGATION, {"segmentsFile": "scannet.scene0001_00_vh_clean_2.0.010000.segs.json"}),
        (SEGMENTS, {"sceneId": "scene0001_00"}),
    ],
)
def test_a_file_of_another_scan_is_refused(raw_scan: Path, ending: str, fields: dict[str, str]) -> None:
    change(raw_scan / f"{SCAN}{ending}", **fields)
    text = failure(raw_scan)
    assert "annotation of another scan" in text and next(iter(fields.values())) in text
    assert f"{SCAN}{AGGREGATION}" in text and f"{SCAN}{SEGMENTS}" in text


def test_an_aggregation_of_the_full_mesh_is_refused(raw_scan: Path) -> None:
    change(raw_scan / f"{SCAN}{AGGREGATION}", segmentsFile=f"scannet.{SCAN}_vh_clean.segs.json")
    text = failure(raw_scan)
    assert "annotation of another mesh" in text and "*_vh_clean.*" in text


def test_segments_that_do_not_exist_are_refused(raw_scan: Path) -> None:
    """What an aggregation of one release does beside the segments of another."""
    path = raw_scan / f"{SCAN}{AGGREGATION}"
    groups = json.loads(path.read_text())["segGroups"]
    groups[1]["segments"] += [5000, 4000]
    change(path, segGroups=groups)
    text = failure(raw_scan)
    assert "segments that do not exist" in text and "2 of 8" in text and "first 4000" in text
    assert f"{SCAN}{AGGREGATION}" in text and f"{SCAN}{SEGMENTS}" in text and "v1 and v2 do not mix" in text


def table_config(folder: Path, table: Path) -> DownloadConfig:
    return DownloadConfig(source="folder", folder=FolderConfig(path=str(folder), label_table=str(table)))


def test_a_label_table_that_knows_no_label_is_refused(
    raw_scan: Path, tmp_path: Path, make_task: Callable[..., Task]
) -> None:
    table = tmp_path / "scannet-labels.combined.tsv"
    table.write_text("category\tnyu40id\tnyu40class\nstool\t40\totherprop\n")
    with pytest.raises(ScanError, match="another release or data set") as caught:
        download(make_task(SCAN), table_config(raw_scan.parent, table))
    assert table.name in str(caught.value) and f"{SCAN}{AGGREGATION}" in str(caught.value)


@pytest.mark.parametrize(("column", "release"), [("raw_category", "v2"), ("category", "v1"), ("", "unknown")])
def test_the_release_and_its_evidence_are_facts(
    raw_scan: Path, tmp_path: Path, make_task: Callable[..., Task], column: str, release: str
) -> None:
    table = tmp_path / "labels.tsv"
    table.write_text(f"{column}\tnyu40id\tnyu40class\nchair\t5\tchair\nnightstand\t32\tnight stand\n")
    first = make_task(SCAN)
    config = table_config(raw_scan.parent, table)
    if not column:
        config = DownloadConfig(source="folder", folder=FolderConfig(path=str(raw_scan.parent)))
    download(first, config)
    facts = extract(make_task(SCAN, download=first.out), ExtractConfig())
    assert facts["annotation_release"] == release
    evidence = f"2 of 3 labels in its column {column}" if column else "no label table"
    assert evidence in str(facts["release_evidence"]) and "Aggregator.v2" in str(facts["release_evidence"])
    assert facts["unknown_labels"] == "thingamajig 1"


def write_labels(folder: Path, labels: np.ndarray, moved: float = 0.0, cut: int = 0) -> None:
    mesh = read_ply(folder / f"{SCAN}{MESH}")
    n = len(mesh.vertices) - cut
    vertices = (mesh.vertices + np.float32(moved))[:n]
    write_ply(folder / f"{SCAN}{LABELS}", Mesh(vertices, mesh.colors[:n], mesh.faces[:0], labels[:n]))


def true_labels(folder: Path) -> np.ndarray:
    """Chair, night stand and (in ScanNet's eyes) otherprop; nothing on the ground."""
    instance = read_annotations(folder, SCAN, EYE).points.instance
    return np.array([5, 32, 40, 0], dtype=np.uint16)[instance]


def test_the_labels_mesh_is_compared_with_the_objects(raw_scan: Path) -> None:
    labels = true_labels(raw_scan)
    write_labels(raw_scan, labels)
    facts = read_annotations(raw_scan, SCAN, EYE).facts
    assert facts["labels_mesh_agreement"] == 1.0 and facts["labels_mesh_outside_nyu40"] == 0
    # 25 of the 250 vertices with a class on both sides are another class, or a number that is none.
    labels[np.flatnonzero(labels == 5)[:25]] = 50
    write_labels(raw_scan, labels)
    facts = read_annotations(raw_scan, SCAN, EYE).facts
    assert facts["labels_mesh_agreement"] == 0.9 and facts["labels_mesh_outside_nyu40"] == 25


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"moved": 0.01}, "0.010 m off"),
        ({"cut": 1}, "377 vertices"),
        ({"turned": True}, "labels mesh and annotated objects disagree"),
    ],
)
def test_labels_of_another_scan_are_refused(raw_scan: Path, fault: dict[str, Any], expected: str) -> None:
    labels = true_labels(raw_scan)
    if fault.pop("turned", False):
        labels = np.where(labels > 0, 41 - labels, 0).astype(np.uint16)
    write_labels(raw_scan, labels, **fault)
    text = failure(raw_scan)
    assert expected in text and f"{SCAN}{LABELS}" in text
    assert (f"{SCAN}{MESH}" in text) or ("*.aggregation.json" in text)


def test_a_labels_mesh_without_labels(raw_scan: Path) -> None:
    shutil.copy(raw_scan / f"{SCAN}{MESH}", raw_scan / f"{SCAN}{LABELS}")
    assert "a labels mesh without labels" in failure(raw_scan)


def test_superpoints_are_the_segments_numbered_without_gaps(
    raw_scan: Path, make_task: Callable[..., Task]
) -> None:
    written = np.array(json.loads((raw_scan / f"{SCAN}{SEGMENTS}").read_text())["segIndices"])
    out = make_task(SCAN, download=raw_scan)
    extract(out, ExtractConfig())
    found = read_points(out.out).superpoint
    assert found.dtype == np.int32 and sorted(set(found.tolist())) == list(range(7))
    for number in range(7):
        assert len(set(written[found == number].tolist())) == 1
        assert len(set(found[written == written[found == number][0]].tolist())) == 1


def test_points_of_another_version_or_with_gaps(raw_scan: Path, make_task: Callable[..., Task]) -> None:
    out = make_task(SCAN, download=raw_scan)
    extract(out, ExtractConfig())
    path = out.out / POINTS_FILE
    whole = dict(np.load(path))
    np.savez(path, **{name: whole[name] for name in ("coord", "instance")})
    with pytest.raises(ContractError, match="another version"):
        read_points(out.out)
    np.savez(path, **{**whole, "superpoint": whole["superpoint"] * 2})
    with pytest.raises(ContractError, match="gaps"):
        read_points(out.out)
    np.savez(path, **{**whole, "superpoint": whole["superpoint"][1:]})
    with pytest.raises(ContractError, match="do not fit"):
        read_points(out.out)


def test_axis_boxes_in_both_worlds(raw_scan: Path, make_task: Callable[..., Task]) -> None:
    """ScanNet's detection boxes: least and greatest aligned coordinates of an object's vertices."""
    out = make_task(SCAN, download=raw_scan)
    extract(out, ExtractConfig())
    points, T_aligned_raw = read_points(out.out), read_scan(out.out).T_aligned_raw
    for T in (None, T_aligned_raw):
        boxes = axis_boxes(points, T)
        assert sorted(boxes) == [0, 1, 2]
        for k, box in boxes.items():
            own = [apply(EYE if T is None else T, p) for p in points.coord[points.instance == k]]
            low = [min(p[axis] for p in own) for axis in range(3)]
            high = [max(p[axis] for p in own) for axis in range(3)]
            np.testing.assert_allclose(box.center - box.size / 2, low, atol=1e-9)
            np.testing.assert_allclose(box.center + box.size / 2, high, atol=1e-9)
            np.testing.assert_array_equal(box.rotation, EYE[:3, :3])
    for fitted in read_objects(out.out):
        assert (
            np.prod(fitted.size[:2])
            <= np.prod(axis_boxes(points, T_aligned_raw)[fitted.object_id].size[:2]) + 1e-6
        )


def test_no_groups_and_no_points_are_told(raw_scan: Path) -> None:
    path = raw_scan / f"{SCAN}{AGGREGATION}"
    groups = json.loads(path.read_text())["segGroups"]
    groups[1]["segments"] = []
    change(path, segGroups=groups)
    found = read_annotations(raw_scan, SCAN, EYE)
    assert [item.object_id for item in found.objects] == [0, 2] and list(found.empty) == [1]
    change(path, segGroups=[])
    found = read_annotations(raw_scan, SCAN, EYE)
    assert found.objects == [] and found.labelled and (found.points.instance == -1).all()
