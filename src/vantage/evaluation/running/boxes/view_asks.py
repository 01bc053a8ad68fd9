"""An item that is answered with boxes, as questions about one view each: every view in turn is the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from vantage.core.errors import ParameterError
from vantage.evaluation.running.ask import Ask
from vantage.evaluation.running.boxes.eyes import Eye, eye_of_picture, eyes_of_scan
from vantage.evaluation.running.scan_views import ScanViews
from vantage.geometry.camera import Pinhole

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class ViewAsk:
    """A question about the first of its views.

    Attributes:
        ask: its own id, the view first, the others in their order.
        eye: of the first view.
    """

    ask: Ask
    eye: Eye


class ViewAsks:
    """Makes the questions of many items; what items of one scan share is made once."""

    def __init__(self) -> None:
        self._of_scan: dict[int, tuple[ScanViews, list[Eye], list[ScanViews]]] = {}

    def of(self, ask: Ask) -> list[ViewAsk]:
        """The questions of an item: one for each view of a scan, or one for its own picture.

        Raises `ParameterError` where nothing is known of the camera.
        """
        if ask.scan is not None:
            return self._posed(ask, ask.scan)
        intrinsics = getattr(ask.content, "intrinsics", None)
        if intrinsics is None:
            raise ParameterError(
                "boxes need posed views, from --scans, or a picture with intrinsics", where=f"item {ask.id}"
            )
        fx, fy, cx, cy = (float(value) for value in np.asarray(intrinsics))
        camera = Pinhole(*ask.sizes[0], fx, fy, cx, cy)
        return [ViewAsk(ask, eye_of_picture(ask.views[0].name, camera, ask.depth))]

    def _posed(self, ask: Ask, scan: ScanViews) -> list[ViewAsk]:
        if id(scan) not in self._of_scan:
            turned = [_turned(scan, k) for k in range(len(scan.frames))]
            self._of_scan[id(scan)] = (scan, eyes_of_scan(scan), turned)
        _, eyes, turned = self._of_scan[id(scan)]
        return [
            ViewAsk(
                replace(
                    ask,
                    id=f"{ask.id} from view {k + 1}",
                    views=_first(ask.views, k),
                    sizes=_first(ask.sizes, k),
                    scan=turned[k],
                ),
                eye,
            )
            for k, eye in enumerate(eyes)
        ]


def _turned(scan: ScanViews, k: int) -> ScanViews:
    """The same views as seen from the kth, under the same control."""
    told = None if scan.told is None else _first(scan.told, k)
    return replace(scan, frames=_first(scan.frames, k), told=told, T_raw_me=None)


def _first(values: Sequence[T], k: int) -> tuple[T, ...]:
    """The kth before the others."""
    return (values[k], *values[:k], *values[k + 1 :])
