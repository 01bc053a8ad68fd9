"""ScanNet's meshes: the exact bytes, other people's files, and damage."""

import struct
import tracemalloc
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
        (b"binary_little_endian", b"binary_middle_endian", "line 2"),
        (b"format binary_little_endian 1.0\n", b"", "no format line"),
        (b"vertex 3", b"vertex 0", "at least one vertex"),
        (b"vertex 3", b"vertex " + b"9" * 5000, "line 4"),
        (b"vertex 3", b"vertex -3", "line 4"),
        (b"element face 1", b"element vertex 1", "line 12"),
        (b"element face 1", b"element face 4000000000", "4000000000 face records"),
        (b"property uchar alpha", b"property list uchar int alpha", "no list property in element vertex"),
        (b"list uchar int", b"list float int", "line 13"),
        (b"property list uchar int vertex_indices", b"property int vertex_indices", "no list property"),
        (b"property float z", b"property float x", "line 7"),
        (b"end_header\n", b"end_headers\n", "closed by end_header"),
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


ROWS = "0 1 2 1 2 3 255\n3 4 5 4 5 6 255\n6 7 8 7 8 9 255\n"


def ascii_file(rows: str = ROWS, faces: str = "3 2 1 0\n") -> bytes:
    return HEADER.replace("binary_little_endian", "ascii").encode() + (rows + faces).encode()


def big_endian() -> bytes:
    rows = [(0.0, 1.0, 2.0, 1, 2, 3, 255), (3.0, 4.0, 5.0, 4, 5, 6, 255), (6.0, 7.0, 8.0, 7, 8, 9, 255)]
    body = b"".join(struct.pack(">3f4B", *row) for row in rows) + struct.pack(">B3i", 3, 2, 1, 0)
    return HEADER.replace("little", "big").encode() + body


def crlf() -> bytes:
    head, end, body = by_hand().partition(b"end_header\n")
    return (head + end).replace(b"\n", b"\r\n") + body


@pytest.mark.parametrize(
    "data",
    [
        ascii_file(),
        ascii_file().replace(b"\n", b"\r\n"),
        ascii_file().rstrip(b"\n"),
        big_endian(),
        crlf(),
        by_hand() + b"trailing",
        by_hand().replace(b"comment MLIB generated", b"comment end_header"),
        # An element after ours is passed over, lists in it or not.
        by_hand().replace(b"end_header\n", b"element e 9\nproperty list uchar int v\nend_header\n"),
        # So is one before ours, if its size is known.
        by_hand()
        .replace(b"element vertex", b"element camera 2\nproperty short f\nelement vertex")
        .replace(b"end_header\n", b"end_header\n\1\2\3\4"),
        # Faces may carry more than their corners.
        by_hand()
        .replace(b"element face 1\n", b"element face 1\nproperty uchar flags\n")
        .replace(b"\3" + struct.pack("<3i", 2, 1, 0), b"\x09\3" + struct.pack("<3i", 2, 1, 0)),
    ],
    ids=["ascii", "ascii crlf", "no end", "big", "crlf", "trailing", "comment", "after", "before", "flags"],
)
def test_every_form_of_a_ply_is_the_same_mesh(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.ply").write_bytes(data)
    mesh = read_ply(tmp_path / "a.ply")
    np.testing.assert_array_equal(mesh.vertices, np.arange(9).reshape(3, 3))
    np.testing.assert_array_equal(mesh.colors, np.arange(1, 10).reshape(3, 3))
    np.testing.assert_array_equal(mesh.faces, [[2, 1, 0]])


def test_reads_what_open3d_writes_in_ascii(tmp_path: Path) -> None:
    o3d = pytest.importorskip("open3d")
    ball = o3d.geometry.TriangleMesh.create_sphere(radius=0.7, resolution=6)
    ball.paint_uniform_color([0.2, 0.4, 0.6])
    for text in (True, False):
        assert o3d.io.write_triangle_mesh(str(tmp_path / "ball.ply"), ball, write_ascii=text)
        mesh = read_ply(tmp_path / "ball.ply")
        np.testing.assert_allclose(mesh.vertices, np.asarray(ball.vertices), atol=1e-6)
        np.testing.assert_array_equal(mesh.faces, np.asarray(ball.triangles))
        assert (mesh.colors == [51, 102, 153]).all()


def test_points_without_faces_are_a_mesh(tmp_path: Path) -> None:
    head = HEADER[: HEADER.index("element face")] + "end_header\n"
    (tmp_path / "a.ply").write_bytes(head.encode() + by_hand()[len(HEADER) : -13])
    assert read_ply(tmp_path / "a.ply").faces.shape == (0, 3)
    (tmp_path / "a.ply").write_bytes(by_hand().replace(b"face 1", b"face 0")[:-13])
    assert read_ply(tmp_path / "a.ply").faces.shape == (0, 3)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (ascii_file(faces="4 2 1 0 0\n"), "4 corners"),
        (ascii_file(faces="3 2 1\n"), "1 lines of 4 numbers"),
        (ascii_file(faces="3 2 1 3\n"), "vertex numbers 0 to 2"),
        (ascii_file(faces="3 2 1 0.5\n"), "whole number"),
        (ascii_file(faces=""), "bytes before the end"),
        (ascii_file(ROWS.replace("8 9 255\n", "8 9\n")), "3 lines of 7 numbers"),
        (ascii_file(ROWS.replace("0 1 2", "0 nan 2")), "finite coordinates"),
        (ascii_file(ROWS.replace("0 1 2", "0 1e99 2")), "finite coordinates"),
        (ascii_file(ROWS.replace("1 2 3 255", "1 2 300 255")), "whole number of 0 to 255"),
        (ascii_file(ROWS.replace("1 2 3 255", "1 2 x 255")), "3 lines of 7 numbers"),
        (ascii_file("\n" + ROWS), "3 lines of 7 numbers"),
        (ascii_file().replace(b"vertex 3", b"vertex 1000000000"), "bytes before the end"),
        (big_endian().replace(b"big", b"little"), "expected"),
    ],
)
def test_bad_text_and_wrong_byte_order(tmp_path: Path, data: bytes, expected: str) -> None:
    (tmp_path / "bad.ply").write_bytes(data)
    with pytest.raises(ScanError, match=r"bad\.ply") as caught:
        read_ply(tmp_path / "bad.ply")
    assert expected in str(caught.value)


def test_labels_must_be_whole(tmp_path: Path) -> None:
    head = "ply\nformat binary_little_endian 1.0\nelement vertex 1\nproperty float x\nproperty float y\n"
    head += "property float z\nproperty {} label\nend_header\n"
    for kind, value, good in (("i", 40, True), ("i", -1, False), ("f", 40.0, True), ("f", 0.5, False)):
        word = {"i": "int", "f": "float"}[kind]
        (tmp_path / "a.ply").write_bytes(
            head.format(word).encode() + struct.pack(f"<3f{kind}", 1, 2, 3, value)
        )
        if good:
            labels = read_ply(tmp_path / "a.ply").labels
            assert labels is not None and labels.tolist() == [40]
        else:
            with pytest.raises(ScanError, match="label of vertex 0"):
                read_ply(tmp_path / "a.ply")


def test_a_huge_count_costs_no_memory(tmp_path: Path) -> None:
    for data in (by_hand(), ascii_file(), big_endian()):
        for old, new in ((b"vertex 3", b"vertex 900000000000"), (b"face 1", b"face 900000000000")):
            (tmp_path / "huge.ply").write_bytes(data.replace(old, new))
            tracemalloc.start()
            with pytest.raises(ScanError):
                read_ply(tmp_path / "huge.ply")
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert most < 2_000_000


def test_a_missing_mesh(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match="cannot open the mesh"):
        read_ply(tmp_path / "none.ply")
