"""A vision-language model as what `ground_and_answer` asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vantage.core.errors import ParameterError
from vantage.core.frames import Frame
from vantage.models.grounded.answering import Ask
from vantage.models.vlm.batch import plain_head
from vantage.models.vlm.generate import Generator
from vantage.models.vlm.request import Refused, Request, Size
from vantage.models.vlm.sample import Sample, Turn, View


def asking(
    generator: Generator,
    name: str,
    views: Sequence[View],
    sizes: Sequence[Size],
    situation: str = "",
    frame: Frame = "ego_level",
) -> Ask:
    """A model that is shown these views, the ego's first, in every call.

    Prompts are those of training (`plain_head`). A placeholder that the model spelled itself is taken out of
    what it is shown again: it would stand for an image.

    Args:
        generator: a model with its way of decoding; leave room for boxes and steps in `max_new_tokens`.
        name: of the question, in messages.
        views: with their points.
        sizes: of each view's image, pixels.
        situation: as in `Sample`.
        frame: of all coordinates.

    The result raises `ParameterError` for a dialog that does not fit the model.
    """
    placeholder = generator.preparer.family.placeholder

    def ask(turns: Sequence[Turn]) -> str:
        said = [replace(turn, answer=turn.answer.replace(placeholder, " ").strip()) for turn in turns]
        head = plain_head(
            Sample(name, tuple(views), ((said[0],),), frame, situation), generator.preparer.family
        )
        said[0] = replace(said[0], question=head + said[0].question)
        *before, last = said
        request = Request(name, last.question, tuple(views), tuple(sizes), frame, tuple(before))
        for batch in generator.answers([request]):
            for found in batch:
                if isinstance(found, Refused):
                    raise ParameterError("the model cannot be asked", where=name, found=found.reason)
                return found.text
        raise ParameterError("the model gave no answer", where=name)

    return ask
