"""What a model is asked in one go: a prompt and the views that it speaks of; and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vantage.core.errors import ParameterError
from vantage.core.frames import Frame
from vantage.models.situated import PlaceEstimate
from vantage.models.vlm.sample import Sample, Turn, View

Size = tuple[int, int]
"""Width and height of an image, pixels."""

Finish = Literal["eos", "stop", "length"]
"""Why an answer ends: the model's own end mark, a stop string, or no token was left to it."""


@dataclass(frozen=True)
class Request:
    """A prompt and its images.

    Attributes:
        id: named in every message about it.
        text: what is said to the model, with the family's placeholder for each view, in order; a chat
            template goes around it where the model has one.
        views: in the order of the placeholders.
        sizes: of each view's image; known without its pixels, so that batches can be planned.
        frame: of all coordinates.
        before: what was asked and answered already; the placeholders are in its first question then.
    """

    id: str
    text: str
    views: tuple[View, ...]
    sizes: tuple[Size, ...]
    frame: Frame = "ego_level"
    before: tuple[Turn, ...] = ()

    def __post_init__(self) -> None:
        if len(self.views) != len(self.sizes):
            raise ParameterError(
                "views and sizes differ", where=self.id, expected=f"{len(self.views)} sizes",
                found=len(self.sizes),
            )  # fmt: skip

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The dialog; its last turn is open."""
        return (*self.before, Turn(self.text))

    @property
    def sample(self) -> Sample:
        """The same as training has it: one dialog, not answered yet."""
        return Sample(self.id, self.views, (self.turns,), self.frame)


@dataclass(frozen=True)
class Generated:
    """An answer.

    Attributes:
        id: of its request.
        text: without special tokens, cut before a stop string, without white space around it.
        finish: why it ends.
        tokens: ids, the end mark and the stop string included.
        prompt_tokens: of the prompt, padding not counted.
        margins: at each token, by how much its logit leads the next best: what rounding would have to make up
            for to change the answer.
        place: where a situated model takes the asker to stand and look; None of another model.
    """

    id: str
    text: str
    finish: Finish
    tokens: tuple[int, ...]
    prompt_tokens: int
    margins: tuple[float, ...]
    place: PlaceEstimate | None = None


@dataclass(frozen=True)
class Refused:
    """A request that cannot be answered, and why, on one line."""

    id: str
    reason: str
