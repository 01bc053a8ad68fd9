"""Parameters of the `evaluate` stage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge, Le

from vantage.core.sections import shared
from vantage.models.config import BaseConfig

Control = Literal["blind", "other_sample", "random_yaw", "random_pose", "no_pose", "majority"]
Recovered = Literal["recovered_top", "recovered_clip", "recovered_top_target", "recovered_clip_target"]


@dataclass(frozen=True)
class AnsweringConfig:
    """How a vision-language model is asked, here and once it is registered.

    Attributes:
        max_new_tokens: of an answer; reasoning needs more.
        tokens: of a batch at most, prompts with their padding and answers.
    """

    max_new_tokens: Annotated[int, Ge(1)] = 32
    tokens: Annotated[int, Ge(1)] = 16384


@dataclass(frozen=True)
class EvaluateConfig:
    """What is evaluated and what the headline is.

    Attributes:
        headline_arm: the arm that is to be promoted, and that the test-time controls are applied to.
        baseline_arm: the arm that gains are measured against.
        controls: changes at test time that should not work: `blind` removes images and coordinates,
            `other_sample` gives the coordinates of another scan, `random_yaw` turns the ego at random,
            `random_pose` puts it where another frame of its scan was taken, `no_pose` leaves the coordinates
            in the room's own frame, `majority` asks no model and always gives the family's commonest answer
            of the training split.
        pose_sources: poses that the headline arm is asked from as well, compared in the report, no control:
            `recovered_top` and `recovered_clip` are the choice of `recover` for the objects that a question
            names, with `_target` for those that its answer rests on, which leaks.
        headline_family: question family of the headline.
        headline_slice: slice of that family; empty for a family without slices.
        resamples: bootstrap resamples behind an interval of a gain.
        base: what the arms were trained on.
        answering: how they are asked.
    """

    headline_arm: str = "embedding"
    baseline_arm: str = "projector"
    controls: tuple[Control, ...] = (
        "blind",
        "other_sample",
        "random_yaw",
        "random_pose",
        "no_pose",
        "majority",
    )
    pose_sources: tuple[Recovered, ...] = ()
    headline_family: str = "direction"
    headline_slice: str = "unseen"
    resamples: Annotated[int, Ge(100), Le(100_000)] = 2000
    base: BaseConfig = field(default_factory=BaseConfig, metadata=shared("base"))
    answering: AnsweringConfig = field(default_factory=AnsweringConfig, metadata=shared("answering"))
