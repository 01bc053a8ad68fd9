"""ScanNet's meshes: the exact bytes, other people's files, and damage."""

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from vantage.core.errors import ScanError
from vantage.scans.ply import Mesh, read_ply, write_ply


@st.composite
def meshes(draw: st.DrawFn) -> Mesh:
    n = draw(st.integers(1, 30))
    finite = st.floats(-1e6, 1e6, width=32)
    vertices = draw(npst.arrays(np.float32, (n, 3), elements=finite))
    colors = draw(npst.arrays(np.uint8, (n, 3)))
    faces = draw(npst.arrays(np.int32, (draw(st.integers(0, 20)), 3), elements=st.integers(0, n - 1)))
    labels = draw(st.none() | npst.arrays(np.uint16, n))
    return Mesh(vertices, colors, faces, labels)


@settings(deadline=None)
@given(meshes())
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, mesh: Mesh) -> None:
    path = tmp_path_factory.mktemp("ply") / "m.ply"
    write_ply(path, mesh)
    again = read_ply(path)
    np.testing.assert_array_equal(again.vertices, mesh.vertices)
    np.testing.assert_array_equal(again.colors, mesh.colors)
    np.testing.assert_array_equal(again.faces, mesh.faces)
    assert (again.labels is None) == (mesh.labels is None)
    if mesh.labels is not None:
        np.testing.assert_array_equal(again.labels, mesh.labels)


HEADER = (
    "ply\nformat binary_little_endian 1.0\ncomment MLIB generated\nelement vertex 3\nproperty float x\n"
    "property float y\nproperty float z\nproperty uchar red\nproperty uchar green\nproperty uchar blue\n"
    "property uchar alpha\nelement face 1\nproperty list uchar int vertex_indices\nend_header\n"
)


def by_hand() -> bytes:
    """A file as ScanNet's own tools write it, packed with struct."""
    rows = [(0.0, 1.0, 2.0, 1, 2, 3, 255), (3.0, 4.0, 5.0, 4, 5, 6, 255), (6.0, 7.0, 8.0, 7, 8, 9, 255)]
    body = b"".join(struct.pack("<3f4B", *row) for row in rows)
    return HEADER.encode() + body + struct.pack("<B3i", 3, 2, 1, 0)


def test_reads_a_file_packed_by_hand(tmp_path: Path) -> None:
    (tmp_path / "a.ply").write_bytes(by_hand())
    mesh = read_ply(tmp_path / "a.ply")
    np.testing.assert_array_equal(mesh.vertices, np.arange(9).reshape(3, 3))
    np.testing.assert_array_equal(mesh.colors, np.arange(1, 10).reshape(3, 3))
    np.testing.assert_array_equal(mesh.faces, [[2, 1, 0]])
    assert mesh.labels is None


def test_writes_the_bytes_of_scannet_apart_from_the_comment(tmp_path: Path) -> None:
    (tmp_path / "a.ply").write_bytes(by_hand())
    write_ply(tmp_path / "b.ply", read_ply(tmp_path / "a.ply"))
    assert (tmp_path / "b.ply").read_bytes() == by_hand().replace(b"comment MLIB generated\n", b"")


def test_open3d_reads_what_we_write(tmp_path: Path) -> None:
    o3d = pytest.importorskip("open3d")
    (tmp_path / "a.ply").write_bytes(by_hand())
    write_ply(tmp_path / "b.ply", read_ply(tmp_path / "a.ply"))
    mesh = o3d.io.read_triangle_mesh(str(tmp_path / "b.ply"))
    np.testing.assert_allclose(np.asarray(mesh.vertices), np.arange(9).reshape(3, 3))
    np.testing.assert_allclose(np.asarray(mesh.vertex_colors) * 255, np.arange(1, 10).reshape(3, 3))
    np.testing.assert_array_equal(np.asarray(mesh.triangles), [[2, 1, 0]])


def test_other_properties_and_types_are_skipped(tmp_path: Path) -> None:
    header = (
        "ply\nformat binary_little_endian 1.0\nelement vertex 1\nproperty double x\nproperty double y\n"
        "property double z\nproperty float nx\nproperty ushort label\nend_header\n"
    )
    (tmp_path / "a.ply").write_bytes(header.encode() + struct.pack("<3dfH", 1.0, 2.0, 3.0, 9.0, 35))
    mesh = read_ply(tmp_path / "a.ply")
    np.testing.assert_array_equal(mesh.vertices, [[1, 2, 3]])
    assert mesh.labels is not None and mesh.labels.tolist() == [35] and mesh.faces.shape == (0, 3)


@settings(deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_cut_file_is_an_error(tmp_path_factory: pytest.TempPathFactory, share: float) -> None:
    path = tmp_path_factory.mktemp("cut") / "cut.ply"
    whole = by_hand()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ScanError, match=r"cut\.ply") as caught:
        read_ply(path)
    assert caught.value.expected and caught.value.found


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b"binary_little_endian", b"ascii", "line 2"),
        (b"property float y\n", b"property quad y\n", "line 6"),
        (b"vertex 3", b"vertex 1000000000", "1000000000 vertex records"),
        (b"property float z\n", b"property float w\n", "properties z"),
        (b"\x03" + struct.pack("<3i", 2, 1, 0), b"\x04" + struct.pack("<3i", 2, 1, 0), "a triangle"),
        (struct.pack("<3i", 2, 1, 0), struct.pack("<3i", 2, 1, 3), "vertex numbers 0 to 2"),
        (struct.pack("<3f", 3, 4, 5), struct.pack("<3f", 3, float("nan"), 5), "finite coordinates"),
    ],
)
def test_bad_files_say_what_is_wrong(tmp_path: Path, old: bytes, new: bytes, expected: str) -> None:
    assert old in by_hand()
    (tmp_path / "bad.ply").write_bytes(by_hand().replace(old, new))
    with pytest.raises(ScanError) as caught:
        read_ply(tmp_path / "bad.ply")
    assert expected in str(caught.value)


def test_a_missing_mesh(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match="cannot open the mesh"):
        read_ply(tmp_path / "none.ply")
