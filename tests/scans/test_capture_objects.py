"""Captures without a mesh through `download` and `extract`: points of depth, objects of masks or boxes."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from meshless import Truth, ids_of, true_boxes, write_capture, write_masks, write_true_boxes
from vantage.core.hashing import digest_tree
from vantage.core.tasks import Facts, Task
from vantage.geometry.box_batch import OrientedBoxes
from vantage.geometry.iou3d import iou_pairs
from vantage.geometry.transforms import apply
from vantage.records.contracts import frames as frames_contract
from vantage.records.frames import kept_frames
from vantage.records.objects import read_objects, read_points
from vantage.records.scan import read_scan
from vantage.scans.config import DownloadConfig, ExtractConfig, FolderConfig, FusionConfig
from vantage.scans.generated.config import GeneratedConfig
from vantage.scans.generated.scan import GeneratedScan, generate_scan
from vantage.scans.pixels import read_depth
from vantage.scans.ply import Mesh, read_ply, write_ply
from vantage.scans.stage import download, extract

MakeTask = Callable[..., Task]
CONFIG = GeneratedConfig(
    frames_per_scan=18, color_width=192, color_height=144, depth_width=160, depth_height=120
)


@dataclass
class Heard:
    """Keeps what is said."""

    lines: list[str] = field(default_factory=list)

    def step(self, done: int, total: int, note: str = "") -> None:
        """Steps are not kept."""

    def say(self, text: str) -> None:
        """Keep a line."""
        self.lines.append(text)


@pytest.fixture(scope="module")
def scan() -> GeneratedScan:
    return generate_scan("room0001_00", 0, CONFIG)


@pytest.fixture
def capture(scan: GeneratedScan, tmp_path: Path) -> Path:
    return write_capture(scan, tmp_path / "captures" / scan.scan_id)


def through(
    make_task: MakeTask, capture: Path, fusion: FusionConfig | None = None
) -> tuple[Path, Path, Facts, list[str]]:
    """Raw folder, extract folder, facts, and what was said."""
    first = make_task(capture.name)
    config = DownloadConfig(source="folder", folder=FolderConfig(path=str(capture.parent)))
    download(first, config)
    made = make_task(capture.name, download=first.out)
    heard = Heard()
    second = Task(made.item, made.inputs, made.out, made.work, made.seed, heard)
    facts = extract(second, ExtractConfig(fusion=fusion or FusionConfig()))
    frames_contract(second.out)
    return first.out, second.out, facts, heard.lines


def test_neither_masks_nor_boxes_still_gives_points(
    scan: GeneratedScan, capture: Path, make_task: MakeTask
) -> None:
    _, out, facts, _ = through(make_task, capture)
    points = read_points(out)
    assert (facts["points_from"], facts["objects_from"]) == ("fused depth", "nothing")
    assert facts["points"] == len(points.coord) > 50_000
    assert (points.instance == -1).all() and (points.superpoint == -1).all()
    assert read_objects(out) == [] and not read_scan(out).labelled
    distance, _ = Truth(scan).nearest(points.coord)
    assert np.median(distance) < 0.005 and np.percentile(distance, 95) < 0.025
    # The frames see all but a little of what they measured in it.
    from scipy.spatial import cKDTree

    depth = (scan.depth[5] / 1000).astype(np.float32)
    v, u = np.nonzero((depth > 0) & (depth < 5))
    p_cam = scan.depth_camera.backproject(np.stack([u, v], 1).astype(float), depth[v, u])
    near = cKDTree(points.coord).query(apply(scan.T_raw_cam[5], p_cam))[0]
    assert (near < 0.03).mean() > 0.9


def test_fusion_has_an_off_switch_and_a_limit(capture: Path, make_task: MakeTask) -> None:
    _, out, facts, _ = through(make_task, capture, FusionConfig(enabled=False))
    assert len(read_points(out).coord) == 0 and facts["points_from"] == "nothing"
    _, out, facts, _ = through(make_task, capture, FusionConfig(max_points=5000, stride=2))
    assert 4000 < len(read_points(out).coord) <= 5000


def test_the_same_bytes_each_time(scan: GeneratedScan, capture: Path, make_task: MakeTask) -> None:
    write_masks(scan, capture)
    found = {digest_tree(through(make_task, capture)[1]) for _ in range(2)}
    assert len(found) == 1


@pytest.mark.parametrize("kind", ["instance-filt", "instance", "semantic_instance"])
def test_masks_vote_for_objects(scan: GeneratedScan, capture: Path, make_task: MakeTask, kind: str) -> None:
    write_masks(scan, capture, kind)
    raw, out, facts, _ = through(make_task, capture)
    assert facts["objects_from"] == f"masks in {kind}/" and facts["masks_used"] == len(kept_frames(out))
    shift = 1 if kind == "semantic_instance" else 0  # Replica's ids are the values
    points = read_points(out)
    distance, own = Truth(scan).nearest(points.coord)
    own = np.where(own >= 0, own + shift, -1)
    assert (
        points.instance == own
    ).mean() > 0.88  # the colour image, which masks follow, shows less than depth
    voted = points.instance >= 0
    assert voted.mean() > 0.85
    assert (points.instance == own)[voted].mean() > 0.96
    labels = {item.object_id + shift: item.label for item in scan.room.objects}
    objects = read_objects(out)
    assert all(item.label == labels[item.object_id] for item in objects)
    assert {item.nyu40 for item in objects} >= {"sofa", "chair", "floor", "wall"}
    seen = {k for k in np.unique(own[distance < 0.02]).tolist() if k >= 0 and (own == k).sum() > 300}
    assert seen <= set(ids_of(objects))
    boxes = {one.object_id + shift: one.box for one in true_boxes(scan)}
    furniture = [item for item in objects if item.object_id in boxes]
    off = [np.linalg.norm(item.center - boxes[item.object_id].center) for item in furniture]
    assert len(furniture) > 7
    assert np.median(off) < 0.03 and np.percentile(off, 90) < 0.12
    mine, true = (
        OrientedBoxes(
            *(np.array([getattr(box, name) for box in rows]) for name in ("center", "size", "rotation"))
        )
        for rows in (furniture, [boxes[item.object_id] for item in furniture])
    )
    assert np.median(iou_pairs(mine, true)) > 0.7
    assert read_scan(out).labelled
    assert (raw / kind).is_dir()


def test_boxes_take_the_points_in_them(scan: GeneratedScan, capture: Path, make_task: MakeTask) -> None:
    write_true_boxes(scan, capture)
    _, out, facts, _ = through(make_task, capture)
    assert facts["objects_from"] == "objects.json"
    objects, points = read_objects(out), read_points(out)
    assert [(item.label, item.color) for item in objects] == [(i.label, i.color) for i in scan.room.items]
    for item, one in zip(objects, true_boxes(scan), strict=True):
        np.testing.assert_allclose(item.center, one.box.center, atol=1e-9)
        assert item.points == (points.instance == item.object_id).sum()
    _, own = Truth(scan).nearest(points.coord)
    own[own >= len(objects)] = -1  # the walls have no box
    assert (points.instance == own).mean() > 0.95
    furniture = own >= 0
    assert (points.instance == own)[furniture].mean() > 0.9


def test_boxes_go_before_masks(scan: GeneratedScan, capture: Path, make_task: MakeTask) -> None:
    write_true_boxes(scan, capture)
    write_masks(scan, capture)
    assert through(make_task, capture)[2]["objects_from"] == "objects.json"


def test_a_mesh_without_annotation_is_labelled_by_masks_and_not_fused(
    scan: GeneratedScan, capture: Path, make_task: MakeTask
) -> None:
    write_masks(scan, capture)
    name = f"{scan.scan_id}_vh_clean_2.ply"
    write_ply(capture / name, Mesh(scan.mesh.vertices, scan.mesh.colors, scan.mesh.faces))
    _, out, facts, _ = through(make_task, capture)
    points = read_points(out)
    assert facts["points_from"] == "mesh"
    np.testing.assert_array_equal(points.coord, scan.mesh.vertices)
    voted = points.instance >= 0
    assert 0.4 < voted.mean() < 0.9  # the mesh has backs that no frame saw
    assert (points.instance == scan.mesh.object_id)[
        voted
    ].mean() > 0.93  # within 5 cm of what is seen lie backs, too


def test_an_aggregation_names_the_objects_of_masks(
    scan: GeneratedScan, capture: Path, make_task: MakeTask
) -> None:
    from vantage.scans.annotations import Group, write_aggregation

    write_masks(scan, capture)
    (capture / "instance_labels.json").unlink()
    _, out, _, _ = through(make_task, capture)
    assert {item.label for item in read_objects(out)} == {"object"}
    groups = [Group(item.object_id, f"my {item.label}", (item.object_id,)) for item in scan.room.objects]
    write_aggregation(capture / f"{scan.scan_id}.aggregation.json", scan.scan_id, groups)
    _, out, facts, _ = through(make_task, capture)
    assert {item.label for item in read_objects(out)} >= {"my sofa", "my floor"}
    assert "my sofa 1" in str(facts["unknown_labels"])


def test_a_damaged_mask_costs_its_vote_and_is_told(
    scan: GeneratedScan, capture: Path, make_task: MakeTask
) -> None:
    write_masks(scan, capture)
    victim = next(iter(sorted((capture / "instance-filt").iterdir())))
    victim.write_bytes(victim.read_bytes()[:50])
    kept = len(list((capture / "instance-filt").iterdir()))
    _, out, facts, said = through(make_task, capture)
    assert facts["masks_used"] == min(kept, len(kept_frames(out))) - 1
    assert any("a mask was left out" in line and victim.name in line for line in said)
    assert len(read_objects(out)) > 10


def test_the_fused_surface_can_be_kept_and_lifted_from(
    scan: GeneratedScan, capture: Path, make_task: MakeTask
) -> None:
    from vantage.lift.config import LiftConfig
    from vantage.lift.depth_config import DepthConfig
    from vantage.lift.stage import lift
    from vantage.records.patches import read_patches

    raw, out, _, _ = through(make_task, capture, FusionConfig(mesh=True))
    mesh = read_ply(out / "mesh.ply")
    assert len(mesh.faces) > len(mesh.vertices) > 50_000
    found = {}
    for source in ("mesh", "cloud", "sensor"):
        task = make_task(scan.scan_id, download=raw, extract=out)
        lift(task, LiftConfig(depth=DepthConfig(source)))  # type: ignore[arg-type]
        found[source] = read_patches(task.out)
        distance, _ = Truth(scan).nearest(
            apply(np.linalg.inv(scan.T_aligned_raw), found[source].xyz_aligned[found[source].valid])
        )
        assert np.percentile(distance, 95) < 0.03
        assert found[source].valid.mean() > 0.95


def test_the_office_fused_agrees_with_its_own_depth(
    office: Path, tmp_path: Path, make_task: MakeTask
) -> None:
    folder = tmp_path / "captures" / "office"
    shutil.copytree(office, folder)
    raw, out, facts, _ = through(make_task, folder)
    points, meta = read_points(out), read_scan(out)
    assert facts["points_from"] == "fused depth" and len(points.coord) > 100_000
    near, seen, free = [], 0, 0
    for frame in kept_frames(out):
        depth = read_depth(raw, meta, frame)
        uv, z = meta.depth_of(frame).project(apply(np.linalg.inv(frame.T_raw_cam), points.coord))
        inside = meta.depth.inside(uv)
        column, row = np.floor(uv[inside] + 0.5).astype(int).T
        measured, z = depth[row, column], z[inside]
        with_depth = (measured > 0) & (z < 5)
        off = (measured - z)[with_depth]
        near.append(np.abs(off)[np.abs(off) < 0.2])
        seen += len(off)
        free += int((off > 0.2).sum())  # the frame looks through the point
    assert free / seen < 0.05
    assert np.median(np.concatenate(near)) < 0.02
