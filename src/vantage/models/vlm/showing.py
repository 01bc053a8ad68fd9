"""A question's sample as a model is shown it: one function, for training and evaluation alike."""

from __future__ import annotations

from vantage.align.config import AlignConfig
from vantage.align.controls import ShownControl
from vantage.models.vlm.controls import controlled
from vantage.models.vlm.pose_align import aligned
from vantage.models.vlm.question_samples import QuestionSamples
from vantage.models.vlm.sample import Sample


def shown_sample(
    samples: QuestionSamples,
    index: int,
    align: AlignConfig | None,
    control: ShownControl | str,
    seed: int,
    draw: int = 0,
) -> Sample:
    """A sample under a control, aligned where the recipe aligns.

    Args:
        samples: read in the frame that the recipe lists them in.
        index: which of them.
        align: how the ego pose reaches the model; None: not at all.
        control: "" for none.
        seed: of controls and perturbations.
        draw: tells one time from another, for instance a training step; 0 is that of evaluation.
    """
    if align is not None:
        return aligned_question(samples, index, align, seed, control, draw)
    draws = (draw,) if draw else ()
    return controlled(samples, index, control, seed, *draws)


def aligned_question(
    samples: QuestionSamples,
    index: int,
    config: AlignConfig,
    seed: int,
    control: ShownControl | str = "",
    draw: int = 0,
) -> Sample:
    """A sample of the pipeline's questions as the model is to see it, also under a control.

    A control takes from the coordinates and leaves the pose that is told: it comes first.

    Args:
        samples: opened with `Selection(frame="aligned")`.
        index: which of them.
        config: the way, the ego frame and the perturbation.
        seed: of the perturbation and of the control's choices.
        control: as `controlled` knows it.
        draw: tells one time from another; training may count epochs, evaluation leaves it at 0.

    Raises:
        ContractError: as `aligned` and `QuestionSamples.pose` raise.
    """
    draws = (draw,) if draw else ()
    return aligned(controlled(samples, index, control, seed, *draws), samples.pose(index), config, seed, draw)
