"""A grounded model asked to locate, as the first turn of its training: about every view, in one call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from vantage.core.errors import ParameterError, VantageError
from vantage.core.recent import Recent
from vantage.evaluation.running.ask import MARK, SetAside, answer_of
from vantage.evaluation.running.boxes.answering import Said
from vantage.evaluation.running.boxes.eyes import Eye
from vantage.evaluation.running.boxes.reading import read_text
from vantage.evaluation.running.boxes.view_asks import ViewAsk
from vantage.evaluation.running.located import Warps, located
from vantage.evaluation.running.scan_views import ScanViews
from vantage.lift.config import LiftConfig
from vantage.lift.patches import patch_coordinates
from vantage.models.grounded.prompts import locate_prompt
from vantage.models.vlm.pictures import picture_grids
from vantage.models.vlm.request import Request
from vantage.models.vlm.sample import Sample, Turn, View
from vantage.records.box_lattice import METRIC

if TYPE_CHECKING:
    from vantage.models.vlm.generate import Generator
    from vantage.models.vlm.trained import TrainedVlm

_KEPT = 64  # turns of a scan's views, whose points are the same for all of its items


class Locating:
    """What the model says to `ViewAsk`s.

    Args:
        vlm: a grounded model.
        generator: of the same; leave room for boxes in `max_new_tokens`.
        warps: of its image processor; None for a model without coordinates.
    """

    def __init__(self, vlm: TrainedVlm, generator: Generator, warps: Warps | None) -> None:
        self._vlm, self._generator, self._warps = vlm, generator, warps
        self._recent: Recent[tuple[ScanViews, tuple[View, ...]]] = Recent(_KEPT)

    def say(self, views: Sequence[ViewAsk]) -> Iterator[list[Said | SetAside]]:
        """As `vantage.evaluation.running.boxes.answering.Say`."""
        requests: list[Request] = []
        aside: list[Said | SetAside] = []
        for view in views:
            try:
                requests.append(self._request(view))
            except VantageError as error:
                aside.append(SetAside(view.ask.id, error.one_line()))
        if aside:
            yield aside
        eyes = {view.ask.id: view.eye for view in views}
        for batch in self._generator.answers(requests):
            found = [answer_of(one) for one in batch]
            yield [one if isinstance(one, SetAside) else read_text(one, eyes[one.id]) for one in found]

    def _request(self, view: ViewAsk) -> Request:
        ask, eye, frame = view.ask, view.eye, self._vlm.frame
        if MARK in ask.own:
            raise ParameterError(
                "pictures inside the question", where=f"item {ask.id}", expected="a description in words",
                found=f"{ask.own.count(MARK)} x {MARK}",
            )  # fmt: skip
        if ask.scan is None:
            shown = (_pictured(ask.views[0], view, self._warps), *ask.views[1:])
        else:
            shown = self._located(ask.scan)
        sample = Sample(ask.id, shown, ((Turn(locate_prompt(ask.own, METRIC)),),), frame)
        sample = self._vlm.asked_from(sample, eye.T_frame_cam, eye.camera)
        return self._vlm.request(ask.id, sample, sample.dialogs[0], ask.sizes)

    def _located(self, scan: ScanViews) -> tuple[View, ...]:
        """Kept with its scan, so that the address stands for no other."""
        return self._recent.get(str(id(scan)), lambda: (scan, located(scan, self._vlm.frame, self._warps)))[1]


def _pictured(shown: View, view: ViewAsk, warps: Warps | None) -> View:
    """A picture of unknown pose with the points of its depth image, if there is one.

    The camera is taken as `Eye` has it: level, at eye height, over the origin of a frame that is both
    `ego_level` and `aligned`.
    """
    eye: Eye = view.eye
    pictures = None
    if warps is not None and eye.depth is not None:
        warp = warps(eye.camera.width, eye.camera.height, len(view.ask.views))
        depth, camera = eye.depth()
        share = LiftConfig().min_valid_share
        points = patch_coordinates(depth, camera, eye.T_frame_cam, eye.camera, warp, share)
        pictures = picture_grids(points.xyz_world, points.valid, warp.grids, np.eye(4))
    return View(shown.name, shown.image, pictures, eye.T_frame_cam)
