"""From what is said about each view to an item's answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from vantage.core.errors import VantageError
from vantage.evaluation.benchmarks.boxes import UNREAD
from vantage.evaluation.benchmarks.interface import BoxRule
from vantage.evaluation.running.ask import Answer, Ask, SetAside
from vantage.evaluation.running.boxes.consensus import FOUND_IN, SAME_FROM, one, several
from vantage.evaluation.running.boxes.eyes import SLACK_M, seeing
from vantage.evaluation.running.boxes.view_asks import ViewAsk, ViewAsks
from vantage.geometry.boxes import OrientedBox
from vantage.geometry.transforms import invert
from vantage.records.box_text import BadLine

RULE = {"asked": "from every view", "same_from": SAME_FROM, "found_in": FOUND_IN, "slack_m": SLACK_M}
"""What an answer depends on besides the model, for the header of a file of predictions."""


@dataclass(frozen=True, eq=False)
class Said:
    """What a model says about a view.

    Attributes:
        id: of the view's question.
        text: as it says it.
        boxes: in the frame of the view's eye, metres.
        unread: what of the text is no box.
        nothing: whether it says that there is none.
        finish, prompt_tokens, tokens: as of `Answer`.
    """

    id: str
    text: str
    boxes: tuple[OrientedBox, ...]
    unread: tuple[BadLine, ...]
    nothing: bool
    finish: str
    prompt_tokens: int = 0
    tokens: int = 0


Say = Callable[[Sequence[ViewAsk]], Iterator[list[Said | SetAside]]]
"""A model: what it says to each question, a batch at a time, in any order."""


@dataclass
class _Item:
    """An item on its way."""

    ask: Ask
    views: list[ViewAsk]
    said: dict[str, Said] = field(default_factory=dict)

    def answer(self) -> Answer | SetAside | None:
        """Once every view is through."""
        if len(self.said) < len(self.views):
            return None
        try:
            return _answer(self.ask, self.views, [self.said[view.ask.id] for view in self.views])
        except VantageError as error:  # a depth image that cannot be read
            return SetAside(self.ask.id, error.one_line())


def answers_with_boxes(asks: Sequence[Ask], say: Say) -> Iterator[list[Answer | SetAside]]:
    """The items' answers: all views of all items are asked in one call, and an item comes when it is whole.

    An item with a view that cannot be asked is set aside.
    """
    made, items = ViewAsks(), dict[str, _Item]()
    aside: list[Answer | SetAside] = []
    for ask in asks:
        try:
            items[ask.id] = _Item(ask, made.of(ask))
        except (VantageError, ValueError) as error:
            told = error.one_line() if isinstance(error, VantageError) else str(error)
            aside.append(SetAside(ask.id, told))
    if aside:
        yield aside
    owner = {view.ask.id: item for item in items.values() for view in item.views}
    for batch in say([view for item in items.values() for view in item.views]):
        if done := [found for one in batch if (found := _heard(items, owner[one.id], one)) is not None]:
            yield done


def _heard(items: dict[str, _Item], item: _Item, one: Said | SetAside) -> Answer | SetAside | None:
    """The item's answer if this was all it lacked; nothing of an item that has been set aside."""
    if item.ask.id not in items:
        return None
    if isinstance(one, SetAside):
        found: Answer | SetAside | None = SetAside(item.ask.id, one.reason)
    else:
        item.said[one.id] = one
        found = item.answer()
    if found is not None:
        del items[item.ask.id]
    return found


def _answer(ask: Ask, views: Sequence[ViewAsk], said: Sequence[Said]) -> Answer:
    assert ask.boxes is not None  # the benchmark is answered with boxes
    fields: dict[str, Any] = {}
    boxes = _chosen(ask.boxes, views, said)
    if boxes is not None:
        if ask.scan is None:  # of its own picture, in the frame of that picture's camera
            T_cam_frame = invert(views[0].eye.T_frame_cam)
            boxes = [box.transformed(T_cam_frame) for box in boxes]
        fields |= ask.boxes.fields(ask.content, boxes)
    unread = [
        {"view": view.eye.name, **asdict(bad)}
        for view, one in zip(views, said, strict=True)
        for bad in one.unread
    ]
    if unread:
        fields[UNREAD] = unread
    ends = {one.finish for one in said}
    return Answer(
        ask.id,
        "\n".join(" ".join(one.text.split()) for one in said),
        next((end for end in ("length", "stop") if end in ends), said[0].finish),
        sum(one.prompt_tokens for one in said),
        sum(one.tokens for one in said),
        fields,
    )


def _chosen(rule: BoxRule[Any], views: Sequence[ViewAsk], said: Sequence[Said]) -> list[OrientedBox] | None:
    """The boxes that are reported; None where nothing was said that can be read."""
    boxes = [one.boxes for one in said]
    if rule.several:
        if not any(one.boxes or one.nothing for one in said):
            return None
        return several(boxes, seeing([view.eye for view in views]))
    box = one(boxes)
    return None if box is None else [box]
