"""PoseRecover's file: written and read back, and published ones that were not written by us."""

from pathlib import Path

import numpy as np
import pytest

from vantage.core.errors import ContractError
from vantage.records.intersections import Intersections, read_intersections, write_intersections

NAMES = ("3.txt", "25.txt", "0100.txt")
SCORES = np.array([[0.0, 0.5], [0.25, 1.0], [0.0, 0.125]], dtype=np.float32)


def published(path: Path, **changes: object) -> Path:
    arrays = {
        "cam_object_intersections": SCORES,
        "pose_files": np.array(NAMES),
        "valid_object_ids": np.array([-1, 7]),
    }
    np.savez(path, **{k: v for k, v in {**arrays, **changes}.items() if v is not None})  # type: ignore[arg-type]
    return path


def test_round_trip(tmp_path: Path) -> None:
    extra = {"in_view": SCORES, "mode": np.array("reference")}
    write_intersections(tmp_path / "a.npz", Intersections(NAMES, np.array([-1, 7]), SCORES, extra))
    found = read_intersections(tmp_path / "a.npz")
    assert found.pose_files == NAMES
    assert found.frame_ids().tolist() == [3, 25, 100]
    assert found.object_ids.tolist() == [-1, 7]
    np.testing.assert_array_equal(found.scores, SCORES)
    np.testing.assert_array_equal(found.extras["in_view"], SCORES)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as data:
        assert data["pose_files"].dtype.kind == "U"
        assert data["cam_object_intersections"].dtype == np.float32
        assert data["valid_object_ids"].dtype.kind == "i"


def test_a_published_file_is_used_as_it_is(tmp_path: Path) -> None:
    names = np.array([f"poses/scans/scene0000_00/pose/{name}" for name in NAMES])
    path = published(tmp_path / "a.npz", pose_files=names, cam_object_intersections=SCORES.astype(np.float64))
    found = read_intersections(path)
    assert found.pose_files == NAMES
    assert found.scores.dtype == np.float32
    assert not found.extras


def test_columns_come_in_the_order_of_ids(tmp_path: Path) -> None:
    found = read_intersections(published(tmp_path / "a.npz", valid_object_ids=np.array([7, 2])))
    assert found.object_ids.tolist() == [2, 7]
    np.testing.assert_array_equal(found.scores, SCORES[:, ::-1])


def test_pickled_names_are_refused_with_the_way_to_convert_them(tmp_path: Path) -> None:
    path = published(tmp_path / "a.npz", pose_files=np.array(NAMES, dtype=object))
    with pytest.raises(ContractError, match="only pickle can read") as caught:
        read_intersections(path)
    assert "docs/recover.md" in str(caught.value.hint)
    page = (Path(__file__).parents[2] / "docs" / "recover.md").read_text()
    program = page[page.index("```python\n") + 10 :].split("```")[0]
    exec(program.replace('"scores.npz"', repr(str(path))))
    assert read_intersections(path).pose_files == NAMES


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"valid_object_ids": None}, "not a file of pose scores"),
        ({"valid_object_ids": np.array([1, 2, 3])}, "do not fit"),
        ({"valid_object_ids": np.array([1.0, 2.0])}, "do not fit"),
        ({"valid_object_ids": np.array([7, 7])}, "twice"),
        ({"pose_files": np.array(["3.txt", "25.txt"])}, "do not fit"),
        ({"pose_files": np.array(["3.txt", "3.txt", "4.txt"])}, "twice"),
        ({"pose_files": np.array(["3.txt", "x.txt", "4.txt"])}, "without a frame number"),
        ({"cam_object_intersections": SCORES * np.nan}, "no shares"),
        ({"cam_object_intersections": SCORES + 1}, "no shares"),
        ({"cam_object_intersections": SCORES.astype(str)}, "no shares"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, changes: dict[str, object], match: str) -> None:
    with pytest.raises(ContractError, match=match) as caught:
        read_intersections(published(tmp_path / "a.npz", **changes))
    assert "a.npz" in str(caught.value)


def test_files_that_are_no_archive(tmp_path: Path) -> None:
    (tmp_path / "empty.npz").touch()
    (tmp_path / "text.npz").write_text("hello")
    np.save(tmp_path / "one.npy", SCORES)
    whole = published(tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    for name in ("empty.npz", "text.npz", "one.npy", "cut.npz", "absent.npz"):
        with pytest.raises(ContractError):
            read_intersections(tmp_path / name)
