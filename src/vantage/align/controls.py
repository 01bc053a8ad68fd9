"""What is taken from a model to see whether it uses the ego's pose: each control's meaning, in one place.

Arrays and samples are changed where they are made (`evaluation.answers`, `models.vlm.controls`); from here
come the poses and the choices. Each depends on the seed, on a key of what it is done to and on `draw`, which
tells one time from another (a training step), and on nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float64

from vantage.align.ego import EgoPose, ego_of_camera, random_yaw
from vantage.core.seeds import priority
from vantage.geometry.transforms import invert

ShownControl = Literal["blind", "other_sample", "random_yaw", "random_pose"]
"""Controls that change what a model is shown.

- `blind`: plain grey pictures and no coordinates; only words are left.
- `other_sample`: the coordinates of another room's sample, in that one's frame.
- `random_yaw`: coordinates of an ego that stands where the ego does and looks somewhere at random.
- `random_pose`: coordinates of an ego that stands and looks as another kept frame of the scan does.
"""

GREY = 128
"""Level of the pictures of `blind`."""


def turned_ego(ego: EgoPose, seed: int, key: str, *draw: str | int) -> EgoPose:
    """The ego of `random_yaw`."""
    return ego.turned(random_yaw(seed, "evaluate", key, *draw))


def moved_ego(
    ego: EgoPose, T_aligned_others: Float64[np.ndarray, "m 4 4"], seed: int, key: str, *draw: str | int
) -> EgoPose:
    """The ego of `random_pose`: that of one of the scan's other cameras, drawn evenly.

    A scan with one frame has no other pose and keeps its own: that makes the control harder to beat, never
    easier.
    """
    if len(T_aligned_others) == 0:
        return ego
    chosen = priority(seed, "random_pose", key, *draw) % len(T_aligned_others)
    return ego_of_camera(T_aligned_others[chosen], "aligned", "ego_level")


def as_seen_by(ego: EgoPose, other: EgoPose) -> Float64[np.ndarray, "4 4"]:
    """What carries a room (metres, aligned world) so that `other` comes to stand and look as `ego` does.

    Both poses are `ego_level` in the aligned world. In the frame of `ego` the room then lies as it did in
    that of `other`.
    """
    return np.asarray(ego.T_world_ego @ invert(other.T_world_ego))


def lender(index: int, rooms: Sequence[object], seed: int, key: str, *draw: str | int) -> int:
    """Which sample lends its coordinates in `other_sample`: one of another room.

    Any other if there is but one room, and itself if it is alone.
    """
    others = [i for i, room in enumerate(rooms) if room != rooms[index]]
    others = others or [i for i in range(len(rooms)) if i != index] or [index]
    return others[priority(seed, "other_sample", key, *draw) % len(others)]
