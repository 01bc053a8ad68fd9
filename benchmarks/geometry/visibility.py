"""How far visibility scores are off the truth: a ray to every vertex of generated rooms (by Open3D)."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import open3d as o3d

from vantage.geometry.transforms import apply, invert
from vantage.recover.calibrated import Tolerances, visible_fractions
from vantage.recover.published import published_scores
from vantage.scans.generated.config import GeneratedConfig
from vantage.scans.generated.scan import GeneratedScan, generate_scan

sys.path.append(str(Path(__file__).parents[1]))

from small import sized


@dataclass(frozen=True)
class Truth:
    """What the rays say: share of each object's vertices unoccluded in the picture, and in the picture."""

    seen: np.ndarray
    in_view: np.ndarray


def cast(scan: GeneratedScan, ids: np.ndarray, instance: np.ndarray, poses: np.ndarray) -> Truth:
    """A ray from each camera to each vertex of an object, against the mesh itself."""
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(
        o3d.core.Tensor(scan.mesh.vertices.astype(np.float32)),
        o3d.core.Tensor(scan.mesh.faces.astype(np.uint32)),
    )
    mine = np.isin(instance, ids)
    p, column = scan.mesh.vertices[mine].astype(np.float64), np.searchsorted(ids, instance[mine])
    totals = np.bincount(column, minlength=len(ids))
    seen, view = [], []
    for T in poses:
        rays = np.c_[np.broadcast_to(T[:3, 3], p.shape), p - T[:3, 3]].astype(np.float32)
        along = scene.cast_rays(o3d.core.Tensor(rays))["t_hit"].numpy()
        # Vertices are off their faces by millimetres: less than a centimetre in front hides nothing.
        hit = (along - 1) * np.linalg.norm(rays[:, 3:], axis=1) > -0.01
        inside = scan.color_camera.inside(scan.color_camera.project(apply(invert(T), p))[0])
        seen.append(np.bincount(column[inside & hit], minlength=len(ids)) / totals)
        view.append(np.bincount(column[inside], minlength=len(ids)) / totals)
    return Truth(np.array(seen), np.array(view))


def line(name: str, found: np.ndarray, truth: np.ndarray) -> str:
    """Errors over the pairs in which the object is seen, or is said to be."""
    pairs = (truth > 0.02) | (found > 0.02)
    error = (found - truth)[pairs]
    return (
        f"  {name:<39} mean error {np.abs(error).mean():.3f}  90th percentile "
        f"{np.quantile(np.abs(error), 0.9):.3f}  bias {error.mean():+.3f}  correlation "
        f"{np.corrcoef(found[pairs], truth[pairs])[0, 1]:.3f}  ({pairs.sum()} pairs)"
    )


def main() -> None:
    """Print the errors of both modes on three rooms together, with a coarse and a fine mesh."""
    for edge in sized((0.06, 0.02), (0.06,)):
        rooms(edge)


def rooms(edge: float) -> None:
    """Errors on three rooms whose meshes have edges of `edge` metres."""
    config = GeneratedConfig(mesh_edge=edge, frames_per_scan=sized(GeneratedConfig().frames_per_scan, 4))
    rows: dict[str, list[np.ndarray]] = {}
    exact = []
    for number in range(sized(3, 1)):
        scan = generate_scan(f"room{number:04d}_00", 0, config)
        good = np.isfinite(scan.T_raw_cam).all(axis=(1, 2))
        poses, cameras = list(scan.T_raw_cam[good]), [scan.color_camera] * int(good.sum())
        coord, instance = scan.mesh.vertices.astype(np.float32), scan.mesh.object_id
        ids = np.unique(instance[instance >= 0]).astype(np.int64)
        depths = [(d.astype(np.float32) / 1000, scan.depth_camera) for d in scan.depth[good]]
        exact.append(cast(scan, ids, instance, scan.T_raw_cam[good]).seen.ravel())
        columns = np.searchsorted(np.unique(instance), ids)
        for shrink in (0.1, 0.25):
            limits = Tolerances()
            args = (coord, instance, ids, poses, cameras, shrink, limits)
            found = {
                "calibrated, measured depth": visible_fractions(*args, depth_of=depths.__getitem__),
                "calibrated, points alone": visible_fractions(*args),
            }
            scores = {name: each.score for name, each in found.items()}
            reference = published_scores(coord, instance, poses, cameras, shrink)
            scores["reference"] = reference.score[:, columns]
            for name, each in scores.items():
                rows.setdefault(f"{name}, shrink {shrink}", []).append(each.ravel())
    print(f"visible fraction against a ray to every vertex, three generated rooms, {edge} m mesh")
    for name, parts in rows.items():
        print(line(name, np.concatenate(parts), np.concatenate(exact)))


if __name__ == "__main__":
    main()
