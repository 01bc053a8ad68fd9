"""A scene as questions see it: named objects in `aligned`, and the same objects from one ego pose."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Float64

from vantage.questions import words

K = TypeVar("K", str, tuple[str, str])


@dataclass(frozen=True, slots=True)
class RoomObject:
    """One object. Metres, frame `aligned` (z up, floor at z = 0).

    `size` holds the extents along the box's own axes; the third is the vertical extent. `color` is empty
    where it is not known (scans without colour attributes).
    """

    object_id: int
    label: str
    color: str
    center: tuple[float, float, float]
    size: tuple[float, float, float]

    @property
    def name(self) -> str:
        """The words that name it: "red chair", or "chair" without a colour."""
        return f"{self.color} {self.label}" if self.color else self.label


@runtime_checkable
class Item(Protocol):
    """What `Scene.of` needs of an object; fields as in `RoomObject`."""

    @property
    def object_id(self) -> int: ...  # noqa: D102
    @property
    def label(self) -> str: ...  # noqa: D102
    @property
    def color(self) -> str: ...  # noqa: D102
    @property
    def center(self) -> tuple[float, float, float]: ...  # noqa: D102
    @property
    def size(self) -> tuple[float, float, float]: ...  # noqa: D102


class Scene:
    """The objects of a room that may be asked about, and who can be named without ambiguity.

    `objects` are kept in order of their ids, so that the order they come in changes nothing. Labels are class
    words (`words.class_of` maps NYU40's); anything else does not belong here.
    """

    def __init__(self, objects: Iterable[RoomObject]) -> None:
        self.objects: tuple[RoomObject, ...] = tuple(sorted(objects, key=lambda o: o.object_id))

    @classmethod
    def of(cls, items: Iterable[Item]) -> Scene:
        """From any upright boxes in `aligned`, a generated room's for instance.

        Items whose label is not a class of the vocabulary (walls, floors) are left out.
        """
        labelled = ((words.class_of(item.label), item) for item in items)
        return cls(
            RoomObject(item.object_id, label, item.color, item.center, item.size)
            for label, item in labelled
            if label is not None
        )

    @cached_property
    def by_id(self) -> dict[int, RoomObject]:
        """Objects by their id."""
        return {o.object_id: o for o in self.objects}

    @cached_property
    def named(self) -> frozenset[int]:
        """Ids of the objects that "the COLOR CLASS" (or "the CLASS" without a colour) picks out alone."""
        names = Counter(o.name for o in self.objects)
        labels = Counter(o.label for o in self.objects)
        return frozenset(
            o.object_id for o in self.objects if (names[o.name] if o.color else labels[o.label]) == 1
        )

    @cached_property
    def colored(self) -> bool:
        """Whether every object has a colour; else questions name objects by their class alone."""
        return bool(self.objects) and all(o.color for o in self.objects)

    @cached_property
    def labels(self) -> dict[str, tuple[RoomObject, ...]]:
        """Objects by class word."""
        return _grouped((o.label, o) for o in self.objects)

    @cached_property
    def colors(self) -> dict[str, tuple[RoomObject, ...]]:
        """Objects by colour word."""
        return _grouped((o.color, o) for o in self.objects if o.color)

    @cached_property
    def kinds(self) -> dict[tuple[str, str], tuple[RoomObject, ...]]:
        """Objects by colour and class word."""
        return _grouped(((o.color, o.label), o) for o in self.objects)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the views of a situation show (visible pixels above the threshold).

    `first`: for each object seen in view 1 (the ego's), the column of its box centre there in pixels of the
    64-pixel-wide model image, integers at pixel centres; NaN where the centre does not fall in the picture.
    `views`: ids seen in any of the views, view 1 included.
    """

    first: Mapping[int, float]
    views: frozenset[int]


@dataclass(frozen=True, slots=True)
class Placed:
    """A nameable object seen in the views, in `ego_level`: x forward, y left; metres, on the floor plane."""

    object_id: int
    name: str
    x: float
    y: float
    height: float
    column: float | None
    """Column in view 1 as in `Seen.first`; None when the object is not seen there."""

    @property
    def distance(self) -> float:
        """Horizontal distance from the ego's origin to the box centre, metres."""
        return math.hypot(self.x, self.y)


class Situated:
    """A scene seen from an ego pose with a set of views: all a question family looks at.

    Args:
        scene: the room.
        T_aligned_ego: maps `ego_level` (x forward, y left, z up, on the floor) to `aligned`, metres.
        seen: what the views show.
    """

    def __init__(self, scene: Scene, T_aligned_ego: Float64[np.ndarray, "4 4"], seen: Seen) -> None:
        self.scene = scene
        self.seen = seen
        self.visible = tuple(o for o in scene.objects if o.object_id in seen.views)
        self.placed = tuple(self._place(T_aligned_ego))

    def _place(self, T_aligned_ego: Float64[np.ndarray, "4 4"]) -> Iterable[Placed]:
        (rxx, rxy, _, tx), (ryx, ryy, _, ty) = T_aligned_ego[:2].tolist()
        for o in self.visible:
            if o.object_id in self.scene.named:
                dx, dy = o.center[0] - tx, o.center[1] - ty
                x, y = rxx * dx + ryx * dy, rxy * dx + ryy * dy  # the rotation's transpose
                yield Placed(o.object_id, o.name, x, y, o.size[2], self.seen.first.get(o.object_id))


def _grouped(pairs: Iterable[tuple[K, RoomObject]]) -> dict[K, tuple[RoomObject, ...]]:
    found: dict[K, list[RoomObject]] = {}
    for key, o in pairs:
        found.setdefault(key, []).append(o)
    return {key: tuple(found[key]) for key in sorted(found)}
