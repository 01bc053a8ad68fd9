"""Parameters of the synthesize stage; defaults are the demo profile's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge, Le, Lt

from vantage.questions.families import Margins, family
from vantage.recover.choice import Meaning

Quota = Annotated[int, Ge(0)]


def _quotas() -> dict[str, int]:
    return {
        "exist": 2,
        "count": 1,
        "category": 2,
        "color": 1,
        "side": 2,
        "direction": 6,
        "distance": 3,
        "nearest": 2,
        "size": 1,
        "nearest_to": 1,
    }


@dataclass(frozen=True)
class SplitLists:
    """Two lists of scans, or none."""

    train: str = ""
    """Scans that train; empty to split by `held_out_share`."""
    heldout: str = ""
    """Scans that are held out."""

    def __post_init__(self) -> None:
        if bool(self.train) != bool(self.heldout):
            lacking = "heldout" if self.train else "train"
            raise ValueError(f"splits.{lacking} is not set: lists are given for both splits or for none")


@dataclass(frozen=True)
class PoseConfig:
    """Where the pose comes from that a question is asked from."""

    source: Literal["recorded_frame", "top", "clip", "random"] = "recorded_frame"
    """`recorded_frame`: frames spread over the path, whatever is asked. Else a frame is chosen for an object
    and questions about it are asked from there: the one that sees most of it (`top`), one of the middle band
    of those that see it (`clip`), or any (`random`). `top` and `clip` know the object, which is an oracle at
    test time."""
    meaning: Meaning = "paper"
    """Of `clip`: the middle band as the `paper` has it, or the set that the `released` program draws from."""
    cut: Annotated[float, Ge(0), Lt(0.5)] = 0.3
    """Of `clip`: the share of the frames that see an object cut at either end."""


@dataclass(frozen=True)
class SynthesizeConfig:
    """What to ask, from where, and which rooms are held out."""

    held_out_share: Annotated[float, Ge(0), Le(1)] = 0.2857
    """Share of rooms held out, by a hash of the room's id; without effect where `splits` names lists."""
    splits: SplitLists = field(default_factory=SplitLists)
    """Official splits: files with one scan id a line, as ScanNet's `scannetv2_train.txt`. A room must not be
    in both; a scan whose room is in neither is set aside."""
    views_per_question: Annotated[int, Ge(1)] = 4
    """Views of a situation, the ego's included; fewer when a scan keeps fewer frames."""
    train_egos: Annotated[int, Ge(1)] = 24
    """Situations of a training scan: at most this many kept frames, spread over the path, are egos."""
    heldout_egos: Annotated[int, Ge(1)] = 6
    """Situations of a held-out scan."""
    pose: PoseConfig = field(default_factory=PoseConfig)
    """Where the egos come from."""
    must_see: bool = False
    """Ask about every object that any kept frame shows, and choose a question's views so that they show its
    objects; else ask about what a situation's views show. It makes more and smaller situations."""
    min_visible_px: Annotated[float, Ge(1)] = 12.0
    """An object counts as seen in a view from this many pixels of a 64 x 64 image of it."""
    questions: dict[str, Quota] = field(default_factory=_quotas)
    """At most so many questions of a family for a situation, on average over a scan; families left out are
    not asked."""
    margins: Margins = field(default_factory=Margins)
    """How far from a tie a question must be."""

    def __post_init__(self) -> None:
        for name in self.questions:
            family(name)  # an unknown name is an error here, before any scan is touched
