"""The names of coordinate frames, and a check that two things share one."""

from __future__ import annotations

from typing import Final, Literal, get_args

from vantage.core.errors import ContractError

Frame = Literal["raw", "aligned", "camera", "ego_camera", "ego_level"]
"""The frames that coordinates can be in.

- `raw`: the world as scanned.
- `aligned`: axis alignment applied, z up, floor at z = 0.
- `camera`: x right, y down, z forward.
- `ego_camera`: at the camera, x forward, y left, z up, pitch and roll kept.
- `ego_level`: on the floor below the camera, x forward, y left, z up, yaw only.
"""

FRAMES: Final[tuple[str, ...]] = get_args(Frame)


def require_frame(found: str, expected: Frame, where: object) -> None:
    """Raise `ContractError` unless a record's frame is the one that the caller computes in."""
    if found != expected:
        raise ContractError(
            "coordinates in the wrong frame",
            where=where,
            expected=expected,
            found=found,
            hint="compose the transform between the two frames; coordinates of two frames are never mixed",
        )
