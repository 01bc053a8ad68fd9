"""Which pixels of a 2D box or mask are the object: what ends inside it, unlike what surrounds it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64, Int64

from vantage.core.seeds import rng
from vantage.lift.box_settings import BoxSettings
from vantage.lift.depth_surface import DepthSurface
from vantage.lift.region import Region

_RING_SHARE, _RING_LEAST_PX = 0.2, 6.0  # how far around a box is looked for what goes on there
_PLANES, _TRIPLES, _SAMPLE = 5, 400, 600
_PLANE_SHARE = 0.15  # of the points around the box, for a plane to be one
_ENDS_INSIDE = 0.7  # share of a surface's pixels inside the box, for it to be part of the object


def foreground(surface: DepthSurface, region: Region, settings: BoxSettings) -> Bool[np.ndarray, "h w"]:
    """The depth pixels of the object in a bare 2D box or a mask.

    The floor, the walls and the table an object stands on go on outside: planes are sought around the
    region and what lies on one is not the object. The rest falls apart at depth steps, and parts that go on
    outside are of others, in front or behind. Of the parts that end inside, the one with most pixels (of a
    bare box: near its middle) leads; the others stay and are judged in 3D. A mask is believed but near its
    edge, where masks run over.
    """
    box = region.box
    margin = max(_RING_LEAST_PX, _RING_SHARE * float((box[2:] - box[:2]).max()))
    near = np.asarray((surface.depth > 0) & region.within(surface.uv, margin))
    rows, columns = np.nonzero(near)
    if not len(rows):
        return near
    uv = surface.uv[rows, columns]
    inside, interior = region.contains(uv), region.interior(uv)
    p, z = surface.xyz_world[rows, columns], surface.depth[rows, columns]
    flat = _on_planes(p, z, ~inside, settings)
    label = _parts(surface, rows, columns, ~flat, settings)
    ours = _ends_inside(label, inside, region.weight(uv)) | interior
    if ours.sum() < settings.min_points:  # something flat on a flat thing: a picture, a rug
        ours = inside
    out = np.zeros(near.shape, dtype=bool)
    out[rows[ours], columns[ours]] = True
    return out


def _on_planes(
    p: Float64[np.ndarray, "n 3"],
    z: Float64[np.ndarray, "n"],
    around: Bool[np.ndarray, "n"],
    settings: BoxSettings,
) -> Bool[np.ndarray, "n"]:
    """Which points lie on a plane through many of those around the box."""
    tolerance = settings.plane_tolerance_m + settings.noise_per_m2 * z * z / 4
    generator = rng(0, "planes around a box")
    flat = np.zeros(len(p), dtype=bool)
    least = max(30, int(_PLANE_SHARE * around.sum()))
    for _ in range(_PLANES):
        left = np.flatnonzero(around & ~flat)
        if len(left) < least:
            break
        sample = left[np.linspace(0, len(left) - 1, min(len(left), _SAMPLE)).astype(np.int64)]
        normal, offset = _best_plane(p[sample], tolerance[sample], generator)
        on = np.abs(p @ normal - offset) <= tolerance
        if (on & around & ~flat).sum() < least:
            break
        normal, offset = _plane_through(p[on & around])
        flat |= np.abs(p @ normal - offset) <= tolerance
    return flat


def _best_plane(
    p: Float64[np.ndarray, "n 3"], tolerance: Float64[np.ndarray, "n"], generator: np.random.Generator
) -> tuple[Float64[np.ndarray, "3"], float]:
    """Of planes through three random points, the one that most points are on."""
    a, b, c = p[generator.integers(0, len(p), (3, _TRIPLES))]
    normal = np.cross(b - a, c - a)
    length = np.linalg.norm(normal, axis=1)
    normal /= np.where(length > 0, length, 1.0)[:, None]
    offset = np.einsum("ij,ij->i", normal, a)
    on = (np.abs(p @ normal.T - offset) <= tolerance[:, None]).sum(axis=0) * (length > 0)
    best = int(on.argmax())
    return normal[best], float(offset[best])


def _plane_through(p: Float64[np.ndarray, "n 3"]) -> tuple[Float64[np.ndarray, "3"], float]:
    """The least-squares plane."""
    middle = p.mean(axis=0)
    _, axes = np.linalg.eigh((p - middle).T @ (p - middle))
    return axes[:, 0], float(axes[:, 0] @ middle)


def _parts(
    surface: DepthSurface,
    rows: Int64[np.ndarray, "n"],
    columns: Int64[np.ndarray, "n"],
    use: Bool[np.ndarray, "n"],
    settings: BoxSettings,
) -> Int64[np.ndarray, "n"]:
    """Surfaces without a step in depth, numbered; -1 for pixels not in use."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    number = np.full(surface.depth.shape, -1, dtype=np.int64)
    number[rows[use], columns[use]] = np.flatnonzero(use)
    z = surface.depth
    links = []
    for one, other in (
        ((slice(None), slice(None, -1)), (slice(None), slice(1, None))),
        ((slice(None, -1), slice(None)), (slice(1, None), slice(None))),
    ):
        far = np.maximum(z[one], z[other])
        step = settings.noise_per_m2 * far * far + settings.steepest * surface.spacing(far)
        joined = (number[one] >= 0) & (number[other] >= 0) & (np.abs(z[one] - z[other]) <= step)
        links.append(np.stack([number[one][joined], number[other][joined]]))
    i, j = np.concatenate(links, axis=1)
    graph = coo_array((np.ones(len(i), dtype=bool), (i, j)), shape=(len(rows), len(rows)))
    label = connected_components(graph, directed=False)[1].astype(np.int64)
    return np.where(use, label, -1)


def _ends_inside(
    label: Int64[np.ndarray, "n"], inside: Bool[np.ndarray, "n"], weight: Float64[np.ndarray, "n"]
) -> Bool[np.ndarray, "n"]:
    """Pixels inside, of the leading part and of the others that end inside."""
    use = label >= 0
    count = int(label.max()) + 1
    if count == 0:
        return use
    total = np.bincount(label[use], minlength=count)
    share = np.bincount(label[use], inside[use], count) / np.maximum(total, 1)
    lead = np.bincount(label[use], (weight * inside)[use], count) * share**2
    ours = share >= _ENDS_INSIDE
    ours[int(lead.argmax())] = True
    return np.asarray(use & inside & ours[np.maximum(label, 0)])
