"""Rooms of noise, and a small pocket model to train on them."""

from __future__ import annotations

import numpy as np

from vantage.geometry.transforms import from_yaw, invert
from vantage.models.pocket import PocketShape
from vantage.models.tokens import answer_id, question_ids
from vantage.training.samples import Samples, Situation

SMALL = PocketShape(
    vision_width=32, vision_layers=1, vision_heads=2, vision_mlp=48, width=96, layers=1, heads=2, mlp=64
)
TEXTS = (
    ("where is the red chair from me?", "back-left"),
    ("is there a blue box?", "no"),
    ("how many beds are there?", "two"),
)


def noise_rooms() -> Samples:
    """Three rooms, two situations each, made of noise."""
    rng = np.random.default_rng(0)
    situations = []
    for room in range(3):
        for ego in range(2):
            T_aligned_ego = from_yaw(rng.uniform(-3, 3), (*rng.uniform(-2, 2, 2), 0.0))
            views = tuple(room * 4 + (ego + k) % 4 for k in range(3 + ego))
            questions = tuple((question_ids(text), answer_id(word)) for text, word in TEXTS)
            name = f"room{room}/frame {views[0]}"
            situations.append(Situation(name, f"room{room}", views, invert(T_aligned_ego), questions))
    return Samples(
        rng.integers(0, 256, (12, 64, 64, 3), dtype=np.uint8),
        rng.normal(0, 2, (12, 64, 3)).astype(np.float32),
        rng.random((12, 64)) < 0.9,
        tuple(situations),
    )
