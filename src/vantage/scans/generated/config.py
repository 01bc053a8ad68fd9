"""Parameters of the room generator; the defaults are the demo profile."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import Ge, Gt, Le

from vantage.core.errors import ParameterError


@dataclass(frozen=True)
class NoiseConfig:
    """What the sensor gets wrong. Zero for all but the range gives perfect frames."""

    depth_noise: Annotated[float, Ge(0)] = 0.0015
    """Standard deviation of depth in metres at 1 m; grows with the square of depth."""
    depth_dropout: Annotated[float, Ge(0), Le(1)] = 0.01
    """Share of depth pixels lost at random."""
    depth_range: Annotated[float, Gt(0)] = 6.0
    """Depth beyond about this many metres is lost."""
    color_noise: Annotated[float, Ge(0)] = 2.0
    """Standard deviation of colour, in levels of 255."""
    exposure: Annotated[float, Ge(0), Le(0.5)] = 0.08
    """Standard deviation of a frame's brightness, as a share."""
    blurred: Annotated[float, Ge(0), Le(1)] = 0.08
    """Share of frames with motion blur."""
    lost: Annotated[float, Ge(0), Le(0.5)] = 0.03
    """Share of frames whose pose is lost (-inf)."""


@dataclass(frozen=True)
class GeneratedConfig:
    """How many rooms, how they are seen, and by what camera."""

    rooms: Annotated[int, Ge(1), Le(9999)] = 140
    second_scan_every: Annotated[int, Ge(0)] = 10
    """Each n-th room is scanned a second time along another path; 0 for never."""
    frames_per_scan: Annotated[int, Ge(2)] = 24
    color_width: Annotated[int, Ge(32)] = 384
    color_height: Annotated[int, Ge(32)] = 288
    depth_width: Annotated[int, Ge(32)] = 320
    depth_height: Annotated[int, Ge(32)] = 240
    smallest_side: Annotated[float, Ge(3.2)] = 3.5
    """Smallest side of a room, metres."""
    largest_side: Annotated[float, Le(8)] = 6.5
    """Largest side of a room, metres."""
    mesh_edge: Annotated[float, Gt(0)] = 0.06
    """Longest edge of the mesh's triangles, metres."""
    noise: NoiseConfig = field(default_factory=NoiseConfig)

    def __post_init__(self) -> None:
        if self.smallest_side > self.largest_side:
            raise ParameterError(
                "the smallest side of a room exceeds the largest",
                where="generated.smallest_side",
                expected=f"at most {self.largest_side}",
                found=self.smallest_side,
            )


def scan_ids(config: GeneratedConfig) -> list[str]:
    """The scans, sorted: `room0000_00`, and `room0000_01` too where a room is scanned twice."""
    ids: list[str] = []
    for k in range(config.rooms):
        ids.append(f"room{k:04d}_00")
        if config.second_scan_every and k % config.second_scan_every == 0:
            ids.append(f"room{k:04d}_01")
    return ids
