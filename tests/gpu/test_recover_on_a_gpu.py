"""PoseRecover on a GPU: the compiled kernel's scores bit for bit, and used where there is enough work."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import R_FLU_RDF, compose
from vantage.recover.device import WORTH_A_GPU, gpu_for
from vantage.recover.published import published_scores

pytest.importorskip("torch")
pytest.importorskip("numba", reason="no numba: there is no kernel to compare with")

import torch

CAMERA = Pinhole(1296, 968, 1169.6, 1167.1, 646.3, 489.9)


def room(points: int, poses: int) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Points in a box of 7 x 5.5 x 2.7 m with 40 objects and background, and cameras that look around."""
    random = np.random.default_rng(0)
    coord = (random.uniform(0, 1, (points, 3)) * (7.0, 5.5, 2.7)).astype(np.float32)
    instance = np.where(random.random(points) < 0.45, -1, random.integers(0, 40, points)).astype(np.int32)
    cameras = []
    for _ in range(poses):
        turn = Rotation.from_euler("zy", random.uniform((-np.pi, -0.3), (np.pi, 0.3))).as_matrix()
        cameras.append(compose(turn @ R_FLU_RDF, random.uniform((1, 1, 1.2), (6, 4.5, 1.7))))
    return coord, instance, cameras


def test_scores_are_those_of_the_kernel(device: str) -> None:
    coord, instance, poses = room(150_000, 100 if torch.version.cuda else 6)
    each = [CAMERA] * len(poses)
    found = {}
    for where in (None, device):
        published_scores(coord, instance, poses[:2], each[:2], 0.1, device=where)  # compiled and loaded
        started = time.perf_counter()
        found[where] = published_scores(coord, instance, poses, each, 0.1, device=where).score
        print(f"{where or 'kernel'}: {1000 * (time.perf_counter() - started) / len(poses):.2f} ms a pose")
    # A view of 130 x 97 pixels onto 82,000 points of objects sees few of each, but some of nearly all.
    assert (found[None] > 0).mean() > 0.8
    np.testing.assert_array_equal(found[device].view(np.uint32), found[None].view(np.uint32))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="NO GPU: nothing here was tested")
def test_a_gpu_is_taken_for_enough_work_alone() -> None:
    assert gpu_for(WORTH_A_GPU) == "cuda" and gpu_for(WORTH_A_GPU - 1) is None
