"""Which encoder, on coordinates normalised in which way: what a checkpoint records and what builds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Gt

from vantage.core.errors import ParameterError
from vantage.models.drawing import drawn_from
from vantage.models.encoders.base import PositionEncoder
from vantage.models.encoders.mlp import MlpEncoder
from vantage.models.encoders.sinusoid import SinusoidEncoder
from vantage.models.encoders.sinusoid_mlp import PERIODS_M, REACH_M, SinusoidMlpEncoder
from vantage.models.encoders.voxel_index import VoxelIndexEncoder

Kind = Literal[
    "sinusoid", "sinusoid_summed", "mlp", "sinusoid_mlp", "voxel_index", "pose_point", "pose_view"
]  # fmt: skip
Normalisation = Literal["metres", "scene_centred", "box_unit", "voxel", "n3d"]
VOXEL_ORIGIN_M = (-15.0, -15.0, -5.0)
"""The corner of the voxel grid; it reaches as far on the other side."""
POSE_PLACE = slice(6, 9)
"""Where a pose's place stands among the numbers beside a point of `pose_point`."""

_BESIDE = {"pose_point": 9, "pose_view": 6}
_NUMBERS = {"pose_point": 12, "pose_view": 6}


@dataclass(frozen=True)
class EncoderConfig:
    """What turns coordinates into vectors.

    Attributes:
        kind: `sinusoid` (axes side by side) and `sinusoid_summed` have no parameters but a scale and the null
            vector; `mlp` is a network on coordinates, `sinusoid_mlp` one on their sinusoids; `voxel_index`
            looks vectors up and wants `voxel`. Two take a pose and the point together (PoseAlign by
            embedding), through a network as `sinusoid_mlp` has: `pose_point` the 12 numbers of the paper's
            formula, the pose's axes and place, then the point (`align.embed.additive_numbers`); `pose_view`
            the published 6, the point seen from the pose (`align.embed.token_numbers`).
        normalisation: `metres`: as they are. `scene_centred`: metres from the middle of the box around the
            sample's valid patches. `box_unit`: the same over half the box's longest edge, so within [-1, 1].
            `voxel`: whole numbers of `voxel_m` from (-15, -15, -5) m, cut to the grid. `n3d`: N3D-VLM's, for
            sinusoids alone: whole thousandths of the mean norm of the sample's valid points, counted from
            their least coordinates, about the mean of all coordinates. `pose_point` moves and
            scales the pose's place with the points, and has no `voxel`; `pose_view` has `metres` alone, from
            the pose.
        hidden: width of hidden layers.
        scale: a fixed factor of a sinusoid, which then has no parameters at all; None: learned, from zero.
        voxel_m: edge of a voxel, metres.
    """

    kind: Kind = "sinusoid_mlp"
    normalisation: Normalisation = "metres"
    hidden: Annotated[int, Gt(0)] = 128
    scale: float | None = None
    voxel_m: Annotated[float, Gt(0)] = 0.1

    def __post_init__(self) -> None:
        if self.kind == "voxel_index" and self.normalisation != "voxel":
            raise ParameterError(
                "a table of voxels needs voxel indices", where="normalisation", expected="voxel",
                found=self.normalisation,
            )  # fmt: skip
        if self.normalisation == "n3d" and self.kind not in ("sinusoid", "sinusoid_summed"):
            raise ParameterError(
                "n3d units go with sinusoids", where="normalisation", expected="sinusoid or sinusoid_summed",
                found=self.kind,
            )  # fmt: skip
        if not self.beside:
            return
        fitting = ("metres",) if self.kind == "pose_view" else ("metres", "scene_centred", "box_unit")
        if self.normalisation not in fitting:
            raise ParameterError(
                f"the numbers of {self.kind} cannot be normalised so", where="normalisation",
                expected=" or ".join(fitting), found=self.normalisation,
            )  # fmt: skip

    @property
    def beside(self) -> int:
        """How many numbers beside a patch's point the encoder reads."""
        return _BESIDE.get(self.kind, 0)

    @property
    def numbers(self) -> int:
        """How many numbers the encoder reads of a patch, its point included."""
        return _NUMBERS.get(self.kind, 3)

    def cells(self) -> tuple[int, int, int]:
        """Voxels along each axis, both borders included."""
        x, y, z = (round(-2 * corner / self.voxel_m) + 1 for corner in VOXEL_ORIGIN_M)
        return x, y, z

    def build(self, width: int) -> PositionEncoder:
        """A fresh encoder, drawn from torch's global generator."""
        makers: dict[str, Callable[[], PositionEncoder]] = {
            "sinusoid": lambda: SinusoidEncoder(width, "concatenated", self._unit(), scale=self.scale),
            "sinusoid_summed": lambda: SinusoidEncoder(width, "summed", self._unit(), scale=self.scale),
            "mlp": lambda: MlpEncoder(width, self.hidden),
            "sinusoid_mlp": lambda: SinusoidMlpEncoder(width, self.hidden, *self._waves()),
            "voxel_index": lambda: VoxelIndexEncoder(width, self.cells()),
            "pose_point": lambda: SinusoidMlpEncoder(
                width, self.hidden, *self._waves(), self.numbers, lengths=tuple(range(6, 12))
            ),
            "pose_view": lambda: SinusoidMlpEncoder(width, self.hidden, *self._waves(), self.numbers),
        }
        return makers[self.kind]()

    def _unit(self) -> float:
        """Units for a radian of the fastest wave: 0.1 m, a voxel, a hundredth of the box, n3d's 1."""
        return {"voxel": 1.0, "box_unit": 0.02, "n3d": 1.0}.get(self.normalisation, 0.1)

    def _waves(self) -> tuple[tuple[float, ...], float]:
        """Periods and reach in the units of the normalisation."""
        if self.normalisation == "box_unit":
            return tuple(period / 4.0 for period in PERIODS_M), 1.0
        metre = 1.0 / self.voxel_m if self.normalisation == "voxel" else 1.0
        return tuple(period * metre for period in PERIODS_M), REACH_M * metre


def fresh_encoder(config: EncoderConfig, width: int, seed: int) -> PositionEncoder:
    """An encoder of a site's width, drawn from `seed` without touching torch's global state."""
    with drawn_from(seed):
        return config.build(width)
