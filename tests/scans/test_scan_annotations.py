"""Segments, aggregation, attributes, the scan's text file, and NYU40 labels."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import from_yaw
from vantage.scans.annotations import (
    Group,
    instances,
    read_aggregation,
    read_attributes,
    read_segments,
    write_aggregation,
    write_attributes,
    write_segments,
)
from vantage.scans.scan_txt import axis_alignment, read_scan_txt, write_scan_txt

CLASSES = [
    "bed",
    "cabinet",
    "chair",
    "sofa",
    "table",
    "desk",
    "bookshelf",
    "dresser",
    "nightstand",
    "lamp",
    "refrigerator",
    "tv",
    "box",
    "bathtub",
]


def test_segments_round_trip_with_scannets_keys(tmp_path: Path) -> None:
    path = tmp_path / "s.segs.json"
    write_segments(path, "scene0000_00", np.array([5, 5, 2], dtype=np.int32))
    assert read_segments(path, 3).of_vertex.tolist() == [5, 5, 2]
    assert set(json.loads(path.read_text())) == {"params", "sceneId", "segIndices"}


def test_aggregation_round_trip_with_scannets_keys(tmp_path: Path) -> None:
    path = tmp_path / "a.aggregation.json"
    groups = [Group(0, "chair", (1, 2)), Group(7, "night stand", (5,))]
    write_aggregation(path, "scene0000_00", groups)
    found = read_aggregation(path)
    assert found.groups == tuple(groups) and found.app == "Aggregator.v2"
    value = json.loads(path.read_text())
    assert set(value) == {"sceneId", "appId", "segGroups", "segmentsFile"}
    assert set(value["segGroups"][0]) == {"id", "objectId", "segments", "label"}
    assert value["segmentsFile"] == "scannet.scene0000_00_vh_clean_2.0.010000.segs.json"


def test_attributes_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "a.attributes.json"
    write_attributes(path, {3: "red", 1: "black"})
    assert read_attributes(path) == {3: "red", 1: "black"}
    objects = [{"objectId": 1, "color": "black"}, {"objectId": 3, "color": "red"}]
    assert json.loads(path.read_text()) == {"version": 1, "objects": objects}


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 8), min_size=1, max_size=40),
    st.dictionaries(st.integers(0, 8), st.integers(0, 3)),
)
def test_instances_equal_a_loop(segments: list[int], owner: dict[int, int]) -> None:
    groups = [Group(k, "x", tuple(s for s in owner if owner[s] == k)) for k in range(4)]
    found = instances(np.array(segments, dtype=np.int32), groups)
    assert found.tolist() == [owner.get(s, -1) for s in segments]


def aggregation(*groups: Any) -> dict[str, Any]:
    return {"segGroups": list(groups)}


GOOD = {"id": 0, "objectId": 0, "segments": [1], "label": "chair"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([], "a JSON object"),
        ({}, "segGroups of type list"),
        (aggregation(3), "segGroups[0]"),
        (aggregation({**GOOD, "objectId": "0"}), "objectId of type int"),
        (aggregation({**GOOD, "objectId": True}), "objectId of type int"),
        (aggregation({**GOOD, "objectId": -1}), "objectId[0]"),
        (aggregation(GOOD, {**GOOD, "segments": [2]}), "segGroups[1]"),
        (aggregation(GOOD, {**GOOD, "objectId": 1}), "one object for segment 1"),
        (aggregation({**GOOD, "segments": [1.5]}), "segments[0]"),
        (aggregation({k: v for k, v in GOOD.items() if k != "label"}), "no such key"),
        (aggregation({**GOOD, "objectId": 1 << 31}), "objectId[0]"),
        (aggregation({**GOOD, "objectId": 10**4000}), "bits"),
        (aggregation(GOOD, {**GOOD, "segments": [], "label": "x"}), "0 twice"),
        (aggregation({**GOOD, "segments": [-1]}), "segments[0]"),
        (aggregation({**GOOD, "segments": [True]}), "segments[0]"),
        (aggregation({**GOOD, "segments": "1"}), "segments of type list"),
        (aggregation({**GOOD, "label": "chair\ud800"}), "half a surrogate pair"),
        ({**aggregation(GOOD), "sceneId": 3}, "sceneId of type str"),
    ],
)
def test_bad_aggregations_say_what_is_wrong(tmp_path: Path, value: Any, expected: str) -> None:
    path = tmp_path / "bad.aggregation.json"
    path.write_text(json.dumps(value))
    with pytest.raises(ScanError) as caught:
        read_aggregation(path)
    assert expected in str(caught.value) and "bad.aggregation.json" in str(caught.value)


def test_other_bad_annotation_files(tmp_path: Path) -> None:
    path = tmp_path / "s.segs.json"
    write_segments(path, "scene0000_00", np.array([5, 5, 2], dtype=np.int32))
    with pytest.raises(ScanError, match="each of 4 mesh vertices"):
        read_segments(path, 4)
    with pytest.raises(ScanError, match="2 mesh vertices"):
        read_segments(path, 2)
    path.write_text('{"segIndices": [1, ')
    with pytest.raises(ScanError, match="JSON"):
        read_segments(path, 2)
    path.write_text('{"version": 2, "objects": []}')
    with pytest.raises(ScanError, match="version"):
        read_attributes(path)
    with pytest.raises(ScanError, match="cannot open"):
        read_aggregation(tmp_path / "none.json")


COLOR, DEPTH = (
    Pinhole(1296, 968, 1170.1, 1170.2, 647.75, 483.75),
    Pinhole(640, 480, 571.6, 571.7, 319.5, 239.5),
)


def test_scan_text_round_trip_with_scannets_keys(tmp_path: Path) -> None:
    path = tmp_path / "scene0000_00.txt"
    T = from_yaw(0.3, np.array([1.0, 2.0, -0.5]))
    write_scan_txt(path, COLOR, DEPTH, 77, T_aligned_raw=T)
    values = read_scan_txt(path)
    found = axis_alignment(values, path.name)
    assert found is not None
    np.testing.assert_allclose(found, T, atol=1e-6)
    assert (values["colorWidth"], values["depthHeight"], values["numDepthFrames"]) == ("1296", "480", "77")
    assert float(values["fx_color"]) == pytest.approx(1170.1) and float(values["my_depth"]) == 239.5
    write_scan_txt(path, COLOR, DEPTH, 77)
    assert axis_alignment(read_scan_txt(path), path.name) is None


def test_real_scan_text(tmp_path: Path) -> None:
    """Lines as in ScanNet's own files."""
    path = tmp_path / "scene0000_00.txt"
    path.write_text(
        "axisAlignment = 0.945519 0.325568 0.000000 -5.384390 -0.325568 0.945519 0.000000 -2.871780 "
        "0.000000 0.000000 1.000000 -0.064350 0.000000 0.000000 0.000000 1.000000 \n"
        "colorHeight = 968\ncolorWidth = 1296\nsceneType = Apartment \n"
    )
    T = axis_alignment(read_scan_txt(path), path.name)
    assert T is not None and T[0, 3] == -5.38439 and T[2, 3] == -0.06435


@pytest.mark.parametrize("text", ["1 2 3", "a b", " ".join(["1"] * 16), " ".join(["nan"] * 16)])
def test_a_bad_alignment_is_refused(text: str) -> None:
    with pytest.raises(ScanError, match="axisAlignment"):
        axis_alignment({"axisAlignment": text}, "x.txt")


def test_a_line_without_equals_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("a = 1\nnonsense\n")
    with pytest.raises(ScanError, match=r"x\.txt, line 2"):
        read_scan_txt(tmp_path / "x.txt")


@pytest.mark.parametrize(
    "value",
    [-1, 1 << 31, 1.0, 1e999, float("nan"), True, None, "1", [1], {"a": 1}, 10**4000, 1 << 63, 1 << 64],
)
@pytest.mark.parametrize("place", [0, 2])
def test_a_segment_that_is_no_whole_number_is_named(tmp_path: Path, value: Any, place: int) -> None:
    rows: list[Any] = [0, (1 << 31) - 1, 2]
    rows[place] = value
    (tmp_path / "s.segs.json").write_text(json.dumps({"segIndices": rows}))
    with pytest.raises(ScanError) as caught:
        read_segments(tmp_path / "s.segs.json", 3)
    assert f"segIndices[{place}]" in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"segGroups": [], "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "JSON"),
        (b'{"segGroups": [' + b"9" * 100_000 + b"]}", "JSON"),
        (b'{"segGroups": [], "segGroups": []}', "twice in one object"),
        ('{"segGroups": [{"label": "caf\u00e9"}]}'.encode("latin1"), "byte 29"),
        (b"\xff\xfe{\x00}\x00", "text in UTF-8"),
        (b"", "JSON"),
        (b"[]", "a JSON object"),
    ],
)
def test_damaged_json(tmp_path: Path, data: bytes, expected: str) -> None:
    path = tmp_path / "bad.aggregation.json"
    path.write_bytes(data)
    for read in (read_aggregation, read_attributes, lambda p: read_segments(p, 1)):
        with pytest.raises(ScanError, match=r"bad\.aggregation\.json") as caught:
            read(path)
        assert expected in str(caught.value) and len(str(caught.value)) < 600


def test_a_file_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    for name, read in {"a.json": read_aggregation, "a.txt": read_scan_txt}.items():
        with (tmp_path / name).open("wb") as file:
            file.truncate(1 << 40)  # sparse
        with pytest.raises(ScanError, match=r"at most \d+ bytes"):
            read(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("colorWidth=1296\n\n   \n", None),  # no alignment, no intrinsics: the .sens has those
        (" axisAlignment   =  1 0 0 2  0 1 0 3\t0 0 1 4  0 0 0 1  \r\n", (2.0, 3.0, 4.0)),
        ("axisAlignment = 1 0 0 2 0 1 0 3 0 0 1 4 0 0 0 1\n" * 2, (2.0, 3.0, 4.0)),
    ],
)
def test_variants_of_the_scan_text(tmp_path: Path, text: str, found: tuple[float, ...] | None) -> None:
    (tmp_path / "x.txt").write_text(text)
    T = axis_alignment(read_scan_txt(tmp_path / "x.txt"), "x.txt")
    assert (None if T is None else tuple(T[:3, 3].tolist())) == found


@pytest.mark.parametrize(
    "rows",
    [
        "2 0 0 0 0 2 0 0 0 0 2 0 0 0 0 1",  # scaled
        "1 0 0 0 0 1 0 0 0 0 -1 0 0 0 0 1",  # mirrored
        "1 0.1 0 0 0 1 0 0 0 0 1 0 0 0 0 1",  # sheared
        "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 2",
        "1 0 0 inf 0 1 0 0 0 0 1 0 0 0 0 1",
        "1e200 0 0 0 0 1e200 0 0 0 0 1e200 0 0 0 0 1",
        "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1 1",
    ],
)
def test_an_alignment_that_is_not_rigid(rows: str) -> None:
    with pytest.raises(ScanError, match="rigid transform"):
        axis_alignment({"axisAlignment": rows}, "x.txt")


def test_two_alignments_and_other_encodings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("a = 1\na = 2\n")
    with pytest.raises(ScanError, match=r"line 2[\s\S]*one value for a"):
        read_scan_txt(tmp_path / "x.txt")
    (tmp_path / "x.txt").write_bytes("sceneType = Caf\u00e9\n".encode("latin1"))
    with pytest.raises(ScanError, match="not a text file"):
        read_scan_txt(tmp_path / "x.txt")
