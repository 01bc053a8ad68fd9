"""What `vantage predict --control` takes from a model: the controls of `align.controls` on what is asked.

Pictures go (`blind`) or coordinates and camera poses are changed; questions, frames shown and the asker's own
pose stay. The room is moved instead of the asker, so that a model which is told the asker's pose, in words or
in coordinates, is told the true one: as in the `evaluate` stage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
from jaxtyping import Float64

from vantage.align.controls import ShownControl, as_seen_by, lender, moved_ego, turned_ego
from vantage.align.ego import EgoPose, ego_of_camera
from vantage.core.errors import ParameterError, VantageError
from vantage.core.hashing import digest_json
from vantage.core.seeds import priority
from vantage.evaluation.benchmarks.interface import Item
from vantage.evaluation.running.ask import Ask, SetAside, TakesPoses
from vantage.evaluation.running.posed import PosedViews
from vantage.evaluation.running.run import Builder
from vantage.evaluation.running.scan_views import Measured, ScanViews
from vantage.geometry.transforms import invert
from vantage.records.scan import room_of

CONTROLS: tuple[ShownControl, ...] = get_args(ShownControl)


@dataclass(frozen=True)
class Control:
    """A control and the seed of its draws."""

    name: ShownControl
    seed: int

    def settings(self) -> Mapping[str, Any]:
        """For the file's header; `blind` draws nothing."""
        return {"control": self.name, **({} if self.name == "blind" else {"control_seed": self.seed})}


def under(control: Control, inner: Builder, items: Sequence[Item[Any]]) -> Builder:
    """A builder's questions under a control.

    Args:
        control: which.
        inner: what would be shown without it.
        items: all of the references, which lend one another their coordinates.

    Raises:
        ParameterError: a control of coordinates where pictures have none, or nobody to lend them.
    """
    if control.name == "blind":
        return Blind(control, inner)
    if not isinstance(inner, PosedViews):
        raise ParameterError(
            "this control changes coordinates, and these pictures have none", where="--control",
            expected="blind, or --scans", found=control.name,
        )  # fmt: skip
    if control.name == "other_sample" and len({room_of(item.scene) for item in items}) < 2:
        raise ParameterError(
            "there is no other room to lend coordinates", where="--control",
            expected="questions about two rooms", found="one",
        )  # fmt: skip
    return Misplaced(control, inner, items)


def require_moved(control: Control, answerer: object) -> None:
    """Raise `ParameterError` for a control that cannot change what this model says."""
    told = isinstance(answerer, TakesPoses) and answerer.uses_coordinates()
    if control.name != "blind" and not told:
        raise ParameterError(
            "this control moves nothing: no coordinates reach this model, and its answers would be the same",
            where="--control", expected="blind, or a model trained with coordinates", found=control.name,
        )  # fmt: skip


class Blind:
    """Grey pictures of the same sizes, no points, no poses: only the words are left."""

    def __init__(self, control: Control, inner: Builder) -> None:
        self._control, self._inner = control, inner

    def settings(self) -> Mapping[str, Any]:
        """The inner ones, which still decide how many pictures there are, and the control."""
        return {**self._inner.settings(), **self._control.settings()}

    def asks(self, items: Sequence[Item[Any]], prompts: Mapping[str, str]) -> list[Ask | SetAside]:
        """What cannot be shown is set aside as without the control, so that both rest on the same items."""
        return [_blind(one) if isinstance(one, Ask) else one for one in self._inner.asks(items, prompts)]


def _blind(ask: Ask) -> Ask:
    if ask.scan is not None:
        return _showing(ask, replace(ask.scan, blind=True))
    from vantage.models.vlm.controls import unseen

    return replace(
        ask, views=tuple(unseen(view) for view in ask.views), input=digest_json([ask.input, "blind"])
    )


class Misplaced:
    """The same pictures with wrong coordinates.

    Args:
        control: `other_sample`, `random_yaw` or `random_pose`.
        inner: what would be shown without it.
        items: all of the references.
    """

    def __init__(self, control: Control, inner: PosedViews, items: Sequence[Item[Any]]) -> None:
        self._control, self._inner = control, inner
        self._items: dict[str, list[Item[Any]]] = {}
        for item in items:
            self._items.setdefault(item.scene, []).append(item)

    def settings(self) -> Mapping[str, Any]:
        """The inner ones and the control."""
        return {**self._inner.settings(), **self._control.settings()}

    def asks(self, items: Sequence[Item[Any]], prompts: Mapping[str, str]) -> list[Ask | SetAside]:
        """For items of one scene; where the lending scan cannot be read they are set aside."""
        found: list[Ask | SetAside] = []
        for one in self._inner.asks(items, prompts):
            try:
                found.append(self._changed(one, items[0].scene) if isinstance(one, Ask) else one)
            except VantageError as error:
                found.append(SetAside(one.id, error.one_line()))
        return found

    def _changed(self, ask: Ask, scene: str) -> Ask:
        scan, seed = ask.scan, self._control.seed
        assert scan is not None  # these views are posed
        # What is shown names the draw, so that questions about the same views stay together, as in evaluate.
        key = ask.input
        ego = ego_of_camera(scan.T_aligned_me, "aligned", "ego_level")
        if self._control.name == "other_sample":
            return _showing(ask, with_points_of(scan, self._lent(scene, key)))
        if self._control.name == "random_yaw":
            other = turned_ego(ego, seed, key)
        else:
            other = moved_ego(ego, self._other_cameras(scene, scan), seed, key)
        return _showing(ask, seen_by(scan, ego, other))

    def _other_cameras(self, scene: str, scan: ScanViews) -> Float64[np.ndarray, "m 4 4"]:
        """Cameras (to the aligned world) of the scan's usable frames but the one at the asker."""
        own, T = scan.frames[0].frame_id, scan.meta.T_aligned_raw
        others = [T @ f.T_raw_cam for f in self._inner.open(scene).kept if f.frame_id != own]
        return np.array(others).reshape(-1, 4, 4)

    def _lent(self, scene: str, key: str) -> ScanViews:
        """What another question is asked with: one scan lends to all questions of a scan, to be opened once.

        `ScanError` and others where that scan cannot be read.
        """
        scenes, seed = sorted(self._items), self._control.seed
        place = scenes.index(scene)
        other = scenes[lender(place, [room_of(name) for name in scenes], seed, scene)]
        items = self._items[other]
        item = items[priority(seed, "other_sample", key) % len(items)]
        (one,) = self._inner.asks([item], {item.id: ""})
        if isinstance(one, SetAside):
            raise VantageError("no coordinates can be lent", where=f"item {one.id}", found=one.reason)
        assert one.scan is not None
        return one.scan


def seen_by(scan: ScanViews, ego: EgoPose, other: EgoPose) -> ScanViews:
    """The room as it lies about another ego, given as if it lay about the asker (`ego`)."""
    T_aligned_raw = scan.meta.T_aligned_raw
    T_moved_raw = invert(T_aligned_raw) @ as_seen_by(ego, other) @ T_aligned_raw
    return replace(
        scan, told=tuple(replace(at, T_raw_cam=T_moved_raw @ at.T_raw_cam) for at in scan.measured)
    )


def with_points_of(scan: ScanViews, other: ScanViews) -> ScanViews:
    """The pictures with another room's points and poses, view by view, as they lie about its own asker.

    They repeat if it has fewer views. Pictures of another size count as if they were of this one.
    """
    egos = [ego_of_camera(s.T_aligned_me, "aligned", "ego_level") for s in (scan, other)]
    T_raw_other = invert(scan.meta.T_aligned_raw) @ as_seen_by(*egos) @ other.meta.T_aligned_raw
    lent, size = other.measured, (scan.meta.color.width, scan.meta.color.height)
    told = [lent[number % len(lent)] for number in range(len(scan.frames))]
    return replace(scan, told=tuple(_at(one, T_raw_other @ one.T_raw_cam, size) for one in told))


def _at(lent: Measured, T_raw_cam: Float64[np.ndarray, "4 4"], size: tuple[int, int]) -> Measured:
    color = lent.color
    if (color.width, color.height) != size:
        color = color.resized(*size)
    return replace(lent, T_raw_cam=T_raw_cam, color=color)


def _showing(ask: Ask, scan: ScanViews) -> Ask:
    return replace(ask, scan=scan, views=scan.views(), input=scan.digest())
