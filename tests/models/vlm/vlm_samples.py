"""Samples of two rooms for the tiny models: views of several shapes, dialogs of one and two turns."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import torch
from PIL import Image
from tiny_prompts import PROCESSORS

from vantage.models.patch_geometry import PatchGrid
from vantage.models.prompts import Preparer
from vantage.models.vlm.batch import Batch
from vantage.models.vlm.model import SpatialVlm
from vantage.models.vlm.sample import Place, Sample, Turn, View
from vantage.models.vlm.tuning import LoraSettings, Tune

FAMILIES = [name for name in PROCESSORS if name != "llava_clip"]
TUNES = get_args(Tune)
SMALL = LoraSettings(rank=4, alpha=8.0, dropout=0.0)


SIZES = [[(30, 20), (16, 16)], [(32, 24)]]
DIALOGS = [
    ((Turn("where is the chair :", "from here"),),),
    ((Turn("is the chair here :", "answer"), Turn("where from :", "briefly the chair")),),
]


def picture(width: int, height: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(1, 255, (height, width, 3), dtype=np.uint8))


def samples(prepare: Preparer) -> list[Sample]:
    """Two samples with two views and one, points for every picture that `prepare`'s model sees."""
    views = [
        [_view(sample, number, size) for number, size in enumerate(sizes)]
        for sample, sizes in enumerate(SIZES)
    ]
    grids = prepare.show([[view.image() for view in own] for own in views]).samples
    rng = np.random.default_rng(0)
    found = []
    for number, own in enumerate(views):
        with_points = tuple(
            replace(view, pictures=tuple(_grid(rng, *grid) for grid in tiles))
            for view, tiles in zip(own, grids[number], strict=True)
        )
        found.append(
            Sample(f"room{number}", with_points, DIALOGS[number], place=Place(0.5, -1.0, 0.25 * number))
        )
    return found


def _view(sample: int, number: int, size: tuple[int, int]) -> View:
    T = np.eye(4)
    T[:3, 3] = (sample, number, 1.5)
    return View(f"room{sample}/frame {number}", lambda: picture(*size, seed=10 * sample + number), None, T)


def _grid(rng: np.random.Generator, rows: int, columns: int) -> PatchGrid:
    xyz = torch.from_numpy(rng.normal(size=(rows, columns, 3)).astype(np.float32))
    return PatchGrid(xyz, torch.from_numpy(rng.random((rows, columns)) < 0.8))


def stepped(model: SpatialVlm, batch: Batch, steps: int = 2) -> dict[str, torch.Tensor]:
    """Some steps of training; the state before them."""
    before = copy.deepcopy(model.state_dict())
    groups = [{"params": [p], "lr": 100 * model.rate(n)} for n, p in model.trained().items()]
    optimiser = torch.optim.SGD(groups)
    for _ in range(steps):  # what starts at zero holds back the rest for a step
        optimiser.zero_grad()
        model(batch).total.backward()
        optimiser.step()
    return before
