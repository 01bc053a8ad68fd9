"""A reply about a view, read: as boxes of our text for trained models, as JSON for stock ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from vantage.evaluation.running.ask import Answer, Ask, SetAside
from vantage.evaluation.running.boxes.answering import Said, Say
from vantage.evaluation.running.boxes.eyes import Eye
from vantage.evaluation.running.boxes.view_asks import ViewAsk
from vantage.geometry.box_batch import OrientedBoxes
from vantage.models.grounded.prompts import NOTHING
from vantage.records.box_json import camera_line, read_json_boxes
from vantage.records.box_lattice import METRIC
from vantage.records.box_text import read_boxes

Read = Callable[[Answer, Eye], Said]
"""A reply about the eye's view; its boxes in the eye's frame."""
Answers = Callable[[Sequence[Ask]], Iterator[list[Answer | SetAside]]]


def read_text(reply: Answer, eye: Eye) -> Said:
    """As grounded models are taught to write boxes."""
    nothing = reply.text.strip().lower() == NOTHING
    read = read_boxes("" if nothing else reply.text, METRIC, eye.camera)
    boxes = tuple(box.placed(eye.T_frame_cam) for box in read.boxes)
    return Said(
        reply.id, reply.text, boxes, read.bad, nothing, reply.finish, reply.prompt_tokens, reply.tokens
    )


def read_json(reply: Answer, eye: Eye) -> Said:
    """As `vantage.records.box_json` asks for boxes, in the camera's frame."""
    read = read_json_boxes(reply.text)
    placed = OrientedBoxes.of(read.boxes).transformed(eye.T_frame_cam)
    boxes = tuple(placed[row] for row in range(len(placed)))
    return Said(
        reply.id, reply.text, boxes, read.bad, read.nothing, reply.finish, reply.prompt_tokens, reply.tokens
    )


def as_it_is(view: ViewAsk) -> Ask:
    """The question without a change."""
    return view.ask


def told_camera(view: ViewAsk) -> Ask:
    """The question after the first view's camera, in plain words."""
    return replace(view.ask, prompt=f"{camera_line(view.eye.camera)}\n{view.ask.prompt}")


def saying(answers: Answers, read: Read, told: Callable[[ViewAsk], Ask] = as_it_is) -> Say:
    """A model that answers in words as one that says boxes.

    Args:
        answers: to questions, as `Answerer.answers`.
        read: makes boxes of an answer.
        told: what is asked about a view.
    """

    def say(views: Sequence[ViewAsk]) -> Iterator[list[Said | SetAside]]:
        eyes = {view.ask.id: view.eye for view in views}
        for batch in answers([told(view) for view in views]):
            yield [one if isinstance(one, SetAside) else read(one, eyes[one.id]) for one in batch]

    return say
