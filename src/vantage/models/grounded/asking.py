"""Questions to a trained model that locates and reasons: both turns in batches, as it was trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from vantage.core.errors import VantageError
from vantage.core.frames import require_frame
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import Matrix4, invert
from vantage.models.grounded.answering import GroundedAnswer, two_turns
from vantage.models.grounded.view import EgoView
from vantage.models.vlm.generate import Generator
from vantage.models.vlm.request import Finish, Generated, Refused, Request, Size
from vantage.models.vlm.sample import Sample, Turn
from vantage.models.vlm.trained import TrainedVlm


@dataclass(frozen=True, eq=False)
class Grounding:
    """A question that is to be answered over boxes.

    Attributes:
        id: of the question, unique among those asked together.
        question: bare, without a pose before it.
        shown: the question's sample as training shows it; in its one dialog a pose that is told stands before
            the question.
        view: the ego's, that boxes are read in.
        sizes: width and height of each view's image, pixels.
    """

    id: str
    question: str
    shown: Sample
    view: EgoView
    sizes: tuple[Size, ...]

    def turns(self, said: Sequence[Turn]) -> list[Turn]:
        """A dialog with the pose before all else, as in training."""
        told = self.shown.dialogs[0][0].question.removesuffix(self.question)
        return [replace(said[0], question=told + said[0].question), *said[1:]]


@dataclass(frozen=True, eq=False)
class Grounded:
    """A question answered.

    Attributes:
        id: of the question.
        found: the answer, with boxes and reasoning.
        finish: why the second reply ends.
        prompt_tokens: of the second prompt, which holds the first.
        tokens: of both replies.
    """

    id: str
    found: GroundedAnswer
    finish: Finish
    prompt_tokens: int
    tokens: int


def grounded_answers(
    vlm: TrainedVlm, generator: Generator, asked: Sequence[Grounding], check_steps: bool = True
) -> Iterator[list[Grounded | Refused]]:
    """Locate, then reason: all first turns, then all second ones, each of which rests on its first reply.

    Every question is asked so, as nobody knows a question's family in use; training asks in one turn what
    boxes do not decide. A question is refused where either dialog does not fit the model.

    Args:
        vlm: the model.
        generator: of the same; leave room for boxes and steps in `max_new_tokens`.
        asked: the questions.
        check_steps: see `two_turns`.
    """
    talks = {one.id: _Talk(one, check_steps) for one in asked}
    while talks:
        requests, refused = _requests(vlm, list(talks.values()))
        if refused:
            yield refused
        still: dict[str, _Talk] = {}
        for batch in generator.answers(requests):
            done: list[Grounded | Refused] = []
            for reply in batch:
                ended = reply if isinstance(reply, Refused) else talks[reply.id].read(reply)
                if ended is None:
                    still[reply.id] = talks[reply.id]
                else:
                    done.append(ended)
            if done:
                yield done
        talks = still


class _Talk:
    """A question on its way."""

    def __init__(self, asked: Grounding, check_steps: bool) -> None:
        self.asked = asked
        self._steps = two_turns(asked.question, asked.view, check_steps=check_steps)
        self.turns = next(self._steps)
        self._tokens = 0

    def read(self, reply: Generated) -> Grounded | None:
        """The answer, or None where there is more to ask."""
        self._tokens += len(reply.tokens)
        try:
            self.turns = self._steps.send(reply.text)
        except StopIteration as end:
            return Grounded(self.asked.id, end.value, reply.finish, reply.prompt_tokens, self._tokens)
        return None


def _requests(vlm: TrainedVlm, talks: Sequence[_Talk]) -> tuple[list[Request], list[Grounded | Refused]]:
    """What is asked next, and what cannot be put into words that the model takes."""
    requests: list[Request] = []
    refused: list[Grounded | Refused] = []
    for talk in talks:
        one = talk.asked
        try:
            requests.append(vlm.request(one.id, one.shown, one.turns(talk.turns), one.sizes))
        except VantageError as error:
            refused.append(Refused(one.id, error.one_line()))
    return requests, refused


def ego_view(sample: Sample, T_aligned_ego: Matrix4, camera: Pinhole) -> EgoView:
    """The ego's view in `ego_level`, the frame that boxes are taught in, whatever frame the points are in.

    Args:
        sample: its first view is the ego's.
        T_aligned_ego: `ego_level` to the aligned world; metres.
        camera: of the first view.

    A view of unknown pose is taken as level. Raises `ContractError` for a sample that is neither in the
    aligned world nor in `ego_level`.
    """
    T = sample.views[0].T_frame_cam
    if T is None:
        return EgoView.level(camera)
    if sample.frame == "aligned":
        return EgoView(camera, invert(T_aligned_ego) @ T)
    require_frame(sample.frame, "ego_level", f"sample {sample.sample_id}")
    return EgoView(camera, T)
