"""Parameters of PoseAlign: in which way a model is told the pose that a question is asked from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from vantage.align.perturbation import Perturbation
from vantage.core.errors import ParameterError
from vantage.core.frames import Frame

Mode = Literal["transform", "prompt", "embed", "none"]
EgoFrame = Literal["ego_level", "ego_camera"]
Numbers = Literal["pose_point", "pose_view"]


@dataclass(frozen=True)
class AlignConfig:
    """How a pose reaches the model, in training and in evaluation alike.

    Attributes:
        mode: `transform`: coordinates and camera poses in the ego's frame. `prompt`: the pose as a sentence
            before the question. `embed`: the pose as numbers beside every patch's point. `none`: not at all,
            the baseline. In all but `transform` coordinates stay in the aligned world.
        frame: of the ego: `ego_level` (yaw alone, on the floor) or `ego_camera` (as published).
        numbers: of `embed`: `pose_point`, the paper's (pose and point), or `pose_view`, the published code's
            (the point as the ego's camera sees it; needs `ego_camera`). The encoder has to be of this kind.
        perturbation: of the pose, before it is used.
    """

    mode: Mode = "transform"
    frame: EgoFrame = "ego_level"
    numbers: Numbers = "pose_point"
    perturbation: Perturbation = field(default_factory=Perturbation)

    def __post_init__(self) -> None:
        if self.mode == "embed" and self.numbers == "pose_view" and self.frame != "ego_camera":
            raise ParameterError(
                "what the ego's camera sees is not known of a level pose", where="frame",
                expected="ego_camera, or numbers: pose_point", found=self.frame,
            )  # fmt: skip
        if self.mode == "none" and self.perturbation != Perturbation():
            raise ParameterError(
                "a pose that is not used cannot be perturbed", where="perturbation",
                expected="none, or another mode", found=self.perturbation,
            )  # fmt: skip
        try:
            self.perturbation.require_fits(self.frame)
        except ParameterError as error:
            raise ParameterError(
                error.message, where=f"perturbation.{error.where}", expected=error.expected,
                found=error.found, hint=error.hint,
            ) from error  # fmt: skip

    @property
    def sample_frame(self) -> Frame:
        """The frame of a sample's coordinates after alignment: what an injection has to be configured for."""
        return self.frame if self.mode == "transform" else "aligned"
