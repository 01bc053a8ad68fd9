"""ScanNet's `*_vh_clean_2.labels.ply`: the mesh once more, with an NYU40 id for every vertex."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt16

from vantage.core.errors import ScanError
from vantage.scans.labels import NYU40
from vantage.scans.ply import Mesh, read_ply

_SAME_M = 1e-3
_MIN_AGREEMENT = 0.5


@dataclass(frozen=True, eq=False)
class Labels:
    """NYU40 id of every vertex, 0 for none; `outside`: vertices with a number that is no NYU40 id.

    Three of ScanNet's own scans have a few of those (ids of other columns of the table), so that they are
    counted and not refused.
    """

    nyu40: UInt16[np.ndarray, "n"]
    outside: int


def read_labels(path: Path, mesh: Mesh, mesh_file: str) -> Labels:
    """The labels of `mesh`'s vertices; ScanError naming both files when they are another mesh's."""
    both, found = f"{path.name} and {mesh_file}", read_ply(path)
    hint = "Take both from one scan and one release, or remove the labels mesh."
    if found.labels is None:
        raise ScanError("a labels mesh without labels", where=path.name, expected="vertex property label")
    message = "labels of another mesh"
    if len(found.vertices) != len(mesh.vertices):
        expected, count = f"{len(mesh.vertices)} vertices", f"{len(found.vertices)} vertices"
        raise ScanError(message, where=both, expected=expected, found=count, hint=hint)
    apart = np.abs(found.vertices - mesh.vertices).max(axis=1)
    if apart.max() > _SAME_M:
        row, expected = int(apart.argmax()), f"the same vertices within {_SAME_M} m"
        raise ScanError(message, where=both, expected=expected, found=f"vertex {row} {apart[row]:.3f} m off")
    return Labels(found.labels, int((found.labels > len(NYU40)).sum()))


def agreement(labels: Labels, expected: Int64[np.ndarray, "n"], files: str) -> float:
    """Share of vertices with the expected NYU40 id, among those with one on both sides; 1 without any.

    ScanError naming `files` when less than half agree: labels and objects of two scans, or two releases.
    """
    both = (labels.nyu40 > 0) & (expected > 0)
    if not both.any():
        return 1.0
    share = float((labels.nyu40[both] == expected[both]).mean())
    if share < _MIN_AGREEMENT:
        raise ScanError(
            "labels mesh and annotated objects disagree",
            where=files,
            expected=f"one class on at least {_MIN_AGREEMENT:.0%} of the vertices that both label",
            found=f"{share:.1%}",
            hint="Take both from one scan and one release, or remove the labels mesh.",
        )
    return share
