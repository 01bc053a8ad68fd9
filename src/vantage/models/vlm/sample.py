"""What a model is shown and asked: views with what is known of where they lie, and dialogs about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from vantage.core.errors import ParameterError
from vantage.core.frames import Frame
from vantage.models.patch_geometry import PatchGrid


@dataclass(frozen=True)
class View:
    """A picture.

    Attributes:
        name: what it is called in messages, for instance `scene0000_00/frame 120`.
        image: gives the Pillow image (RGB); called where it is needed, so that a sample stays small.
        pictures: points of each picture that the tower sees of it (the whole, or its tiles in order), in the
            sample's frame; None where nothing is known.
        T_frame_cam: camera pose in the sample's frame, metres; None where it is not known.
    """

    name: str
    image: Callable[[], Any]
    pictures: tuple[PatchGrid, ...] | None = None
    T_frame_cam: Float64[np.ndarray, "4 4"] | None = None


@dataclass(frozen=True)
class Turn:
    """A question and what is answered; the answer of a turn that is still to be answered is empty."""

    question: str
    answer: str = ""


@dataclass(frozen=True)
class Place:
    """Where somebody stands and looks, seen from above, in the sample's frame.

    Attributes:
        x, y: metres.
        yaw: radians, counter-clockwise from x.
    """

    x: float
    y: float
    yaw: float


@dataclass(frozen=True)
class Sample:
    """Views, and dialogs that are all about them.

    Attributes:
        sample_id: named in every message about it.
        views: in the order shown, the ego's first where there is one.
        dialogs: each one or more turns, independent of one another.
        frame: of all coordinates.
        situation: a sentence on where the asker is, shown after the views and before every question; or "".
        place: what that sentence describes; None where it is not known or not to be learned.
    """

    sample_id: str
    views: tuple[View, ...]
    dialogs: tuple[tuple[Turn, ...], ...]
    frame: Frame = "ego_level"
    situation: str = ""
    place: Place | None = None

    def __post_init__(self) -> None:
        if not self.views:
            raise ParameterError(
                "a sample without views", where=f"sample {self.sample_id}", expected="at least one view"
            )
        if not self.dialogs or not all(self.dialogs):
            raise ParameterError(
                "nothing is asked", where=f"sample {self.sample_id}",
                expected="at least one dialog of at least one turn",
            )  # fmt: skip
