"""A registered grounded model asked for boxes: one request a view as the ego, with all its questions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from vantage.core.errors import VantageError
from vantage.core.frames import require_frame
from vantage.evaluation.running.ask import Ask, SetAside
from vantage.evaluation.running.boxes.answering import Said, Say
from vantage.evaluation.running.boxes.view_asks import ViewAsk
from vantage.geometry.boxes import OrientedBox
from vantage.models.grounded.prompts import NOTHING
from vantage.records.box_text import BadLine

Records = Callable[[Mapping[str, Any], Sequence[Ask]], Sequence[Mapping[str, Any] | SetAside]]
"""The model's record of each question about a request's views, or why it has none."""


def saying_boxes(records: Records) -> Say:
    """The model as one that says boxes."""

    def say(views: Sequence[ViewAsk]) -> Iterator[list[Said | SetAside]]:
        together: dict[int, list[ViewAsk]] = {}
        for view in views:  # items of one scan share its turned views
            together.setdefault(id(view.ask.scan or view), []).append(view)
        for group in together.values():
            try:
                request = _request(group[0])
            except VantageError as error:
                yield [SetAside(view.ask.id, error.one_line()) for view in group]
                continue
            found = records(request, [view.ask for view in group])
            yield [_said(view, record) for view, record in zip(group, found, strict=True)]

    return say


def _request(view: ViewAsk) -> dict[str, Any]:
    """The ego's view first; a picture of unknown pose where `Eye` has it."""
    ask, eye = view.ask, view.eye
    if ask.scan is not None:
        return ask.scan.request("")
    request: dict[str, Any] = {
        "images": [np.asarray(ask.views[0].image())],
        "poses": eye.T_frame_cam[None],
        "intrinsics": eye.camera.matrix(),
        "frame": "aligned",
    }
    if eye.depth is not None:
        depth, camera = eye.depth()
        request |= {"depth": depth[None], "depth_intrinsics": camera.matrix()}
    return request


def _said(view: ViewAsk, record: Mapping[str, Any] | SetAside) -> Said | SetAside:
    """A record, its boxes brought from the ego's frame to that of the eye, the aligned world."""
    if isinstance(record, SetAside):
        return record
    if "located" not in record:
        return SetAside(view.ask.id, "the registered model was packaged before it told its boxes' text")
    T_aligned_ego = np.asarray(record["T_aligned_ego"], dtype=np.float64)
    try:
        boxes = tuple(_box(box, view.ask.id).transformed(T_aligned_ego) for box in record["boxes"])
    except VantageError as error:
        return SetAside(view.ask.id, error.one_line())
    text = record["located"]
    unread = tuple(BadLine(**bad) for bad in record["unread"])
    return Said(view.ask.id, text, boxes, unread, text.strip().lower() == NOTHING, "boxes")


def _box(box: Mapping[str, Any], where: str) -> OrientedBox:
    require_frame(box["frame"], "ego_level", where)
    center, size, rotation = (
        np.asarray(box[key], dtype=np.float64) for key in ("center", "size", "rotation")
    )
    return OrientedBox(center, size, rotation)
