"""How far lifted 3D boxes are off the exact ones of generated rooms, from masks and from bare 2D boxes.

The sensor's noise, holes and lost edges are on, and half of the pixels on depth edges fly between the two
surfaces. A bare 2D box is the rectangle around what of the object is visible. The baseline back-projects all
pixels in that rectangle and takes the least and greatest coordinates.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import open3d as o3d

from vantage.geometry.box_batch import OrientedBoxes
from vantage.geometry.boxes import OrientedBox, axis_box
from vantage.geometry.camera import Pinhole
from vantage.geometry.iou3d import iou_pairs
from vantage.geometry.transforms import apply, from_yaw
from vantage.lift.box_settings import BoxSettings
from vantage.lift.confidence import features
from vantage.lift.depth_surface import DepthSurface, depth_surface
from vantage.lift.fit_box import Fit
from vantage.lift.objects2d import LiftedBox, Sighting, lift_object
from vantage.lift.region import Region
from vantage.scans.generated.cameras import color_camera, depth_camera
from vantage.scans.generated.config import GeneratedConfig
from vantage.scans.generated.layout import sample_room
from vantage.scans.generated.path import camera_path
from vantage.scans.generated.render import Scene
from vantage.scans.generated.room import Item
from vantage.scans.generated.sensor import measured_depth

sys.path.append(str(Path(__file__).parents[1]))

from small import sized

CONFIG = GeneratedConfig(frames_per_scan=sized(GeneratedConfig().frames_per_scan, 4))
COLOR, DEPTH = color_camera(CONFIG), depth_camera(CONFIG)
LEAST_PIXELS = 150
"""Of the colour image; an object that fills fewer is no detection."""
VIEWS_OF_ONE, VIEWS_TOGETHER = 3, 4
SHARES = ((0.0, 0.3), (0.3, 0.6), (0.6, 0.9), (0.9, 1.01))
WAYS = ("naive, 2D box", "2D box", "mask", "masks of views", "2D boxes of views")


@dataclass(frozen=True, eq=False)
class Row:
    """One object lifted in one way."""

    way: str
    room: str
    label: str
    share: float
    truth: OrientedBox
    found: LiftedBox | None
    box: OrientedBox | None


def room_rows(name: str, seed: int, settings: BoxSettings, fit: Fit = "upright") -> Iterator[Row]:
    """All detections of a room, lifted in every way."""
    room = sample_room(seed, name, smallest=CONFIG.smallest_side, largest=CONFIG.largest_side)
    scene = Scene(room, seed)
    poses = camera_path(room, seed, f"{name}_00", CONFIG.frames_per_scan)
    rng = np.random.default_rng([seed, int(name[-4:])])
    ids = scene.views(poses, COLOR).ids
    clean = scene.depth_views(poses, DEPTH)
    raw = [
        metres(d, z, rng) for d, z in zip(measured_depth(clean, CONFIG.noise, rng), clean.depth, strict=True)
    ]
    surfaces = [depth_surface(d, DEPTH, COLOR, T, settings) for d, T in zip(raw, poses, strict=True)]
    for item in room.items:
        seen = [k for k in range(len(poses)) if (ids[k] == item.object_id).sum() >= LEAST_PIXELS]
        if not seen:
            continue
        whole = alone(scene, item, poses[seen])
        masks = {k: ids[k] == item.object_id for k in seen}
        shares = {k: min(1.0, masks[k].sum() / max(w, 1)) for k, w in zip(seen, whole, strict=True)}
        yield from item_rows(
            name,
            item,
            spread(seen, VIEWS_OF_ONE),
            spread(seen, VIEWS_TOGETHER),
            masks,
            shares,
            surfaces,
            raw,
            settings,
            fit,
        )


def item_rows(
    name: str, item: Item, single: Sequence[int], several: Sequence[int], masks: dict[int, np.ndarray],
    shares: dict[int, float], surfaces: Sequence[DepthSurface], raw: Sequence[np.ndarray],
    settings: BoxSettings, fit: Fit,
) -> Iterator[Row]:  # fmt: skip
    """One object, in every way."""
    truth = OrientedBox(np.array(item.center), np.array(item.size), from_yaw(item.yaw)[:3, :3])

    def lifted(way: str, share: float, sightings: list[Sighting]) -> Row:
        found = lift_object(sightings, settings, fit)
        return Row(way, name, item.label, share, truth, found, found.box)

    def box_of(k: int) -> Region:
        return Region.of_box(Region.of_mask(masks[k]).box + np.array([-0.5, -0.5, 0.5, 0.5]))

    for k in single:
        yield Row(
            "naive, 2D box", name, item.label, shares[k], truth, None, naive(surfaces[k], box_of(k), raw[k])
        )
        yield lifted("2D box", shares[k], [(surfaces[k], box_of(k))])
        yield lifted("mask", shares[k], [(surfaces[k], Region.of_mask(masks[k]))])
    if len(several) > 1:
        best = max(shares[k] for k in several)
        yield lifted("masks of views", best, [(surfaces[k], Region.of_mask(masks[k])) for k in several])
        yield lifted("2D boxes of views", best, [(surfaces[k], box_of(k)) for k in several])


def metres(stored: np.ndarray, exact: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Measured depth in metres, half of its pixels beside a depth edge flying between both surfaces."""
    depth = stored.astype(np.float32) / 1000
    for axis in (0, 1):
        jump = np.diff(exact, axis=axis)
        fly = (np.abs(jump) > 0.12) & (rng.random(jump.shape) < 0.5)
        v, u = np.nonzero(fly)
        here = depth[v, u]
        depth[v, u] = np.where(here > 0, exact[v, u] + rng.random(len(v)) * jump[v, u], 0)
    return depth


def alone(scene: Scene, item: Item, poses: np.ndarray) -> np.ndarray:
    """Pixels that the object would fill in each view without anything in front, nor an end to the image."""
    mine = scene.surfaces.object_id[scene.triangles.part] == item.object_id
    caster = o3d.t.geometry.RaycastingScene(nthreads=1)
    caster.add_triangles(
        o3d.core.Tensor(scene.triangles.vertices.astype(np.float32)),
        o3d.core.Tensor(scene.triangles.faces[mine].astype(np.uint32)),
    )
    wide = Pinhole(
        2 * COLOR.width,
        2 * COLOR.height,
        COLOR.fx,
        COLOR.fy,
        COLOR.cx + COLOR.width / 2,
        COLOR.cy + COLOR.height / 2,
    )
    small = wide.resized(wide.width // 3, wide.height // 3)
    counts = []
    for T in poses:
        ray = small.rays().reshape(-1, 3) @ T[:3, :3].T
        rays = np.concatenate([np.broadcast_to(T[:3, 3], ray.shape), ray], axis=1).astype(np.float32)
        counts.append(
            9 * np.isfinite(caster.cast_rays(o3d.core.Tensor(rays), nthreads=1)["t_hit"].numpy()).sum()
        )
    return np.array(counts)


def naive(surface: DepthSurface, region: Region, depth: np.ndarray) -> OrientedBox | None:
    """Least and greatest coordinates of all back-projected pixels in the rectangle."""
    use = region.contains(surface.uv) & (depth > 0)
    if not use.any():
        return None
    return axis_box(apply(surface.T_world_cam, DEPTH.rays()[use] * depth[use][:, None].astype(np.float64)))


def spread(values: Sequence[int], count: int) -> list[int]:
    """Up to `count` of the values, evenly spread."""
    return [values[i] for i in np.unique(np.linspace(0, len(values) - 1, count).round().astype(int))]


@dataclass(frozen=True, eq=False)
class Errors:
    """Of rows that have a box: centre (m), relative size along the true box's axes, IoU."""

    centre: np.ndarray
    size: np.ndarray
    iou: np.ndarray
    refused: int


def errors(rows: Sequence[Row]) -> Errors:
    """Errors of rows; a refused one has an IoU of 0 and no other error."""
    pairs = [(row.truth, row.box) for row in rows if row.box is not None]
    truth, found = OrientedBoxes.of([t for t, _ in pairs]), OrientedBoxes.of([f for _, f in pairs])
    sizes = np.array([along(f, t) for t, f in pairs]).reshape(-1, 3)
    iou = np.zeros(len(rows))
    iou[[i for i, row in enumerate(rows) if row.box is not None]] = iou_pairs(truth, found)
    return Errors(
        np.linalg.norm(found.center - truth.center, axis=1),
        sizes / truth.size - 1,
        iou,
        len(rows) - len(pairs),
    )


def along(found: OrientedBox, truth: OrientedBox) -> np.ndarray:
    """The found box's edges, each put to the true box's axis that it is nearest to."""
    turn = np.abs(truth.rotation.T @ found.rotation)
    size = np.empty(3)
    for _ in range(3):
        i, j = np.unravel_index(turn.argmax(), (3, 3))
        size[i] = found.size[j]
        turn[i, :], turn[:, j] = -1, -1
    return size


def rank_correlation(x: np.ndarray, y: np.ndarray, rooms: np.ndarray) -> tuple[float, float, float]:
    """Spearman's, with a 95 % interval by drawing rooms with replacement."""
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    of_room = [np.flatnonzero(rooms == name) for name in np.unique(rooms)]
    drawn = []
    for _ in range(500):
        pick = np.concatenate([of_room[i] for i in rng.integers(0, len(of_room), len(of_room))])
        drawn.append(spearmanr(x[pick], y[pick]).statistic)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(spearmanr(x, y).statistic), float(low), float(high)


def line(name: str, rows: Sequence[Row]) -> str:
    """One line of the table."""
    e = errors(rows)
    both = zip(np.median(np.abs(e.size), axis=0), np.median(e.size, axis=0), strict=True)
    sizes = " | ".join(f"{size:4.0%} ({signed:+.0%})" for size, signed in both)
    return (
        f"| {name:<24} | {len(rows):>5} | {e.refused / len(rows):5.1%} | {100 * np.median(e.centre):5.1f} | "
        f"{sizes} | {np.median(e.iou):.2f} | {(e.iou >= 0.25).mean():4.0%} | {(e.iou >= 0.5).mean():4.0%} |"
    )


HEAD = (
    "| from                     |     n | none | centre cm | depth | width | height | IoU | >= .25 | >= .5 |"
)


def fit_confidence(rooms: int) -> None:
    """Print the weights of the confidence: logistic regression on the IoU of rooms that no table uses."""
    rows = [row for k in range(rooms) for row in room_rows(f"room{100 + k:04d}", 11, BoxSettings())]
    rows = [row for row in rows if row.found is not None and row.box is not None]
    iou = np.clip(errors(rows).iou, 0, 1)
    given = [features(row.found.evidence, row.box) for row in rows if row.found and row.box]
    X = np.array([[1.0, *each.values()] for each in given])
    weights = np.zeros(X.shape[1])
    for _ in range(60):  # Newton's method, with a little weight decay
        p = 1 / (1 + np.exp(-X @ weights))
        H = X.T @ (X * (p * (1 - p))[:, None]) + 0.1 * np.eye(len(weights))
        weights += np.linalg.solve(H, X.T @ (iou - p) - 0.1 * weights)
    print(f"{len(rows)} boxes of {rooms} rooms")
    print({name: round(float(w), 2) for name, w in zip(("intercept", *given[0]), weights, strict=True)})


def free_fits(rooms: int) -> None:
    """Compare the ways a box may turn, on masks: in one view and in several."""
    for fit in ("upright", "free", "principal"):
        rows = [row for k in range(rooms) for row in room_rows(f"room{k:04d}", 7, BoxSettings(), fit)]
        for way in ("mask", "masks of views"):
            mine = [row for row in rows if row.way == way and row.share >= 0.6]
            print(line(f"{fit}, {way}", mine), f"mean IoU {errors(mine).iou.mean():.3f}")


def main() -> None:
    """Print the table, by class and visible share, and how the confidence ranks."""
    if "--fit" in sys.argv:
        return fit_confidence(20)
    rooms = int(sys.argv[1]) if len(sys.argv) > 1 else sized(12, 1)
    rows = [row for k in range(rooms) for row in room_rows(f"room{k:04d}", 7, BoxSettings())]
    print(
        f"{rooms} generated rooms, sensor noise on; medians, sizes with the sign of the median error\n{HEAD}"
    )
    for way in WAYS:
        print(line(way, [row for row in rows if row.way == way]))
    for way in WAYS[1:4]:
        mine = [row for row in rows if row.way == way]
        print(f"\n{way}, by visible share and class\n{HEAD}")
        for low, high in SHARES:
            if part := [row for row in mine if low <= row.share < high]:
                print(line(f"share {low:.1f} to {min(high, 1):.1f}", part))
        for label in sorted({row.label for row in mine}):
            print(line(label, [row for row in mine if row.label == label]))
    print(f"\nhow a box may turn, objects seen to 60 % at least\n{HEAD}")
    free_fits(min(rooms, 4))
    print("\nconfidence and IoU: rank correlation (95 % interval over rooms), mean of each, mean difference")
    for way in WAYS[1:]:
        mine = [row for row in rows if row.way == way and row.found is not None]
        confidence, iou = np.array([row.found.confidence for row in mine if row.found]), errors(mine).iou
        rho, low, high = rank_correlation(confidence, iou, np.array([row.room for row in mine]))
        off = np.abs(confidence - iou).mean()
        print(
            f"{way:<20} n {len(mine):>5}  {rho:.2f} ({low:.2f} to {high:.2f})  "
            f"{confidence.mean():.2f} {iou.mean():.2f}  {off:.2f}"
        )


if __name__ == "__main__":
    main()
