"""How large each class is, and which furniture each style of room holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Range = tuple[float, float]


@dataclass(frozen=True)
class Sizes:
    """Ranges of depth, width and height in metres, and the floor to keep free in front."""

    depth: Range
    width: Range
    height: Range
    front: float = 0.0


SIZES: dict[str, Sizes] = {
    "bed": Sizes((1.90, 2.10), (1.00, 1.70), (0.85, 1.10)),
    "bathtub": Sizes((0.70, 0.80), (1.50, 1.70), (0.52, 0.60), 0.4),
    "sofa": Sizes((0.80, 0.95), (1.50, 2.10), (0.75, 0.88), 0.35),
    "desk": Sizes((0.60, 0.75), (1.10, 1.50), (0.72, 0.77), 0.5),
    "table": Sizes((0.75, 0.95), (1.10, 1.60), (0.71, 0.77)),
    "coffee table": Sizes((0.50, 0.65), (0.85, 1.15), (0.40, 0.48)),
    "refrigerator": Sizes((0.60, 0.70), (0.60, 0.75), (1.60, 1.90), 0.4),
    "cabinet": Sizes((0.40, 0.55), (0.80, 1.20), (1.25, 1.85), 0.35),
    "low cabinet": Sizes((0.40, 0.50), (1.00, 1.40), (0.60, 0.80), 0.35),
    "bookshelf": Sizes((0.28, 0.36), (0.75, 1.15), (1.50, 2.00), 0.35),
    "dresser": Sizes((0.42, 0.52), (0.95, 1.40), (0.78, 1.00), 0.35),
    "nightstand": Sizes((0.38, 0.48), (0.40, 0.52), (0.48, 0.60)),
    "chair": Sizes((0.44, 0.52), (0.42, 0.50), (0.84, 0.98)),
    "tv": Sizes((0.16, 0.22), (0.85, 1.20), (0.62, 0.78)),
    "floor tv": Sizes((0.36, 0.44), (0.90, 1.20), (1.15, 1.35), 0.3),
    "lamp": Sizes((0.34, 0.42), (0.34, 0.42), (0.50, 0.62)),
    "floor lamp": Sizes((0.40, 0.50), (0.40, 0.50), (1.40, 1.70)),
    "box": Sizes((0.34, 0.55), (0.34, 0.55), (0.30, 0.50)),
}

# Large pieces first: they need the walls, and the others stand beside, at or on them.
PRIORITY: tuple[str, ...] = (
    "bed",
    "bathtub",
    "sofa",
    "desk",
    "table",
    "refrigerator",
    "cabinet",
    "bookshelf",
    "dresser",
    "nightstand",
    "chair",
    "tv",
    "lamp",
    "box",
)

# Chance of a group of 1, 2, ... identical objects.
COUNTS: dict[str, tuple[float, ...]] = {
    "chair": (0.30, 0.25, 0.20, 0.15, 0.10),
    "box": (0.30, 0.25, 0.20, 0.15, 0.10),
    "nightstand": (0.50, 0.50),
    "lamp": (0.55, 0.35, 0.10),
    "bookshelf": (0.70, 0.30),
    "cabinet": (0.75, 0.25),
    "desk": (0.80, 0.20),
    "sofa": (0.85, 0.15),
    "bed": (0.90, 0.10),
}


# "How many" is answered with one to six.
MOST_OF_A_CLASS = 6


@dataclass(frozen=True)
class Plan:
    """What a style holds: groups it always has, and weights of those it may have."""

    always: tuple[str, ...]
    maybe: dict[str, float]


PLANS: dict[str, Plan] = {
    "bedroom": Plan(
        ("bed",),
        {
            "nightstand": 5.0,
            "dresser": 4.0,
            "lamp": 2.5,
            "tv": 2.0,
            "cabinet": 1.5,
            "chair": 1.5,
            "desk": 1.5,
            "bathtub": 2.5,
            "bookshelf": 1.0,
            "box": 1.5,
            "sofa": 0.5,
        },
    ),
    "living": Plan(
        ("sofa",),
        {
            "table": 3.0,
            "tv": 4.0,
            "cabinet": 2.0,
            "bookshelf": 2.5,
            "lamp": 2.5,
            "chair": 2.0,
            "box": 1.5,
            "dresser": 1.5,
            "sofa": 1.0,
            "nightstand": 1.0,
            "refrigerator": 0.7,
        },
    ),
    "office": Plan(
        ("desk", "chair"),
        {
            "bookshelf": 3.0,
            "cabinet": 2.5,
            "lamp": 2.5,
            "tv": 2.0,
            "box": 2.0,
            "table": 1.5,
            "sofa": 1.5,
            "chair": 1.0,
            "refrigerator": 2.0,
            "desk": 0.7,
            "dresser": 0.7,
            "nightstand": 0.7,
        },
    ),
    "kitchen": Plan(
        ("table", "refrigerator"),
        {
            "chair": 5.0,
            "cabinet": 3.0,
            "bathtub": 3.0,
            "box": 2.0,
            "lamp": 2.0,
            "tv": 1.5,
            "sofa": 1.0,
            "dresser": 1.5,
            "bookshelf": 1.0,
            "bed": 1.5,
            "nightstand": 1.0,
        },
    ),
}


def sample_size(rng: np.random.Generator, kind: str) -> tuple[float, float, float]:
    """Depth, width and height in metres of one `kind` (a class or one of its variants in `SIZES`)."""
    sizes = SIZES[kind]
    u = rng.random(3).tolist()
    low_high = (sizes.depth, sizes.width, sizes.height)
    d, w, h = (round(a + (b - a) * f, 3) for (a, b), f in zip(low_high, u, strict=True))
    return (d, w, h) if kind not in ("lamp", "floor lamp") else (d, d, h)


def sample_count(rng: np.random.Generator, label: str) -> int:
    """How many identical objects a group of this class has."""
    u, total = rng.random(), 0.0
    for count, chance in enumerate(COUNTS.get(label, ()), start=1):
        total += chance
        if u < total:
            return count
    return 1


def _weighted(rng: np.random.Generator, weights: dict[str, float]) -> str:
    u = rng.random() * sum(weights.values())
    for label, weight in weights.items():
        u -= weight
        if u < 0:
            return label
    return next(iter(weights))


def sample_groups(rng: np.random.Generator, style: str, count: int) -> list[tuple[str, int]]:
    """`count` groups of a room as (class, members), large pieces first.

    A class may come twice: two chairs of different colours are told apart by colour alone.
    """
    plan = PLANS[style]
    labels = list(plan.always)
    left = dict(plan.maybe)
    while len(labels) < count:
        label = _weighted(rng, left)
        labels.append(label)
        # A second group of the class stays possible, but rarely.
        left[label] *= 0.2 if label in ("chair", "box", "lamp", "cabinet", "sofa") else 0.0
    labels.sort(key=PRIORITY.index)
    left_of: dict[str, int] = {}
    groups: list[tuple[str, int]] = []
    for label in labels:
        members = min(sample_count(rng, label), left_of.get(label, MOST_OF_A_CLASS))
        left_of[label] = left_of.get(label, MOST_OF_A_CLASS) - members
        if members:
            groups.append((label, members))
    return groups
