"""Where furniture stands: against walls, beside, at and on other pieces, without interpenetration."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from vantage.scans.generated.furniture import SIZES, sample_size
from vantage.scans.generated.room import Item, Rectangle, overlaps_any

Size = tuple[float, float, float]

# Door and window frames and pictures stand out from the wall by up to 3 cm.
WALL_GAP = 0.04
_GAP = 0.04
_SUPPORT_TOP = 1.3
_TRIES = 14


@dataclass
class Placer:
    """Furniture placed so far in one room, and the rules by which the next piece finds its place."""

    rng: np.random.Generator
    width: float
    depth: float
    blocked: list[Rectangle]
    """Floor that stays free, as before the door."""
    items: list[Item] = field(default_factory=list)
    color: str = ""
    group: int = 0
    _floor: list[Rectangle] = field(default_factory=list)
    _fronts: list[Rectangle] = field(default_factory=list)

    def place_group(self, label: str, count: int, color: str, group: int) -> int:
        """Place up to `count` identical pieces; returns how many found a place."""
        self.color, self.group = color, group
        size: Size | None = None
        kind = ""
        placed = 0
        for _ in range(count):
            if size is None:
                kind = self._kind(label)
                size = sample_size(self.rng, kind)
            placed += self._place(label, kind, size)
        return placed

    def _kind(self, label: str) -> str:
        u = self.rng.random()
        if label == "table":
            return "coffee table" if self._of("sofa") and u < 0.8 else "table"
        if label == "cabinet":
            return "low cabinet" if u < 0.45 else "cabinet"
        if label == "tv":
            return "tv" if self._supports(0.25, 0.7) else "floor tv"
        if label == "lamp":
            return "lamp" if u < 0.6 and self._supports(0.36, 0.36) else "floor lamp"
        return label

    def _place(self, label: str, kind: str, size: Size) -> bool:
        if kind in ("tv", "lamp"):
            return self._on_support(label, size)
        if label == "box" and self.rng.random() < 0.2 and self._on_support(label, size):
            return True
        if label == "nightstand":
            return self._beside(label, size, self._of("bed", "sofa")) or self._at_wall(label, kind, size)
        if label == "chair":
            return self._at_edge(label, size) or self._at_wall(label, kind, size)
        if kind == "coffee table":
            return self._before(label, size, self._of("sofa")) or self._free(label, size, 0.4)
        if kind == "table":
            return self._free(label, size, 0.75) or self._at_wall(label, kind, size)
        if label == "box" and self.rng.random() < 0.4:
            return self._free(label, size, 0.3) or self._at_wall(label, kind, size)
        return self._at_wall(label, kind, size)

    def _of(self, *labels: str) -> list[Item]:
        return [i for i in self.items if i.label in labels]

    def _supports(self, depth: float, width: float) -> list[Item]:
        taken = {i.on for i in self.items}
        return [
            i
            for i in self.items
            if i.label in ("nightstand", "dresser", "cabinet", "desk", "table")
            and i.on < 0
            and i.top <= _SUPPORT_TOP
            and i.object_id not in taken
            and i.size[0] >= depth
            and i.size[1] >= width
        ]

    def _add(self, label: str, size: Size, x: float, y: float, yaw: float, base: float, on: int) -> None:
        center = (round(x, 4), round(y, 4), round(base + size[2] / 2, 4))
        yaw = math.remainder(yaw, 2 * math.pi)
        self.items.append(Item(len(self.items), label, self.color, self.group, center, size, yaw, on))

    def _stand(self, label: str, size: Size, x: float, y: float, yaw: float, front: float, near: int) -> bool:
        """Put it on the floor there if it fits; `near` may have it within its front floor."""
        foot = Rectangle(x, y, size[0] / 2, size[1] / 2, yaw)
        rx, ry = foot.reach()
        inner = WALL_GAP - 1e-6
        if abs(x) + rx > self.width / 2 - inner or abs(y) + ry > self.depth / 2 - inner:
            return False
        wide = foot.grown(_GAP)
        if overlaps_any(wide, self._floor) or overlaps_any(foot, self.blocked):
            return False
        if any(k != near and foot.overlaps(f) for k, f in enumerate(self._fronts)):
            return False
        if front and overlaps_any(foot.forward(front), self._floor):
            return False
        # Indices of `_floor` and `_fronts` are positions among the pieces on the floor, not object ids.
        self._floor.append(foot)
        self._fronts.append(foot.forward(front) if front else foot)
        self._add(label, size, x, y, yaw, 0.0, -1)
        return True

    def _place_of(self, item: Item) -> int:
        return sum(1 for i in self.items[: item.object_id] if i.on < 0)

    def _at_wall(self, label: str, kind: str, size: Size) -> bool:
        """Back to a wall, front into the room."""
        front = SIZES[kind].front
        for _ in range(_TRIES):
            u, v, w = self.rng.random(3).tolist()
            side = int(u * 4)
            yaw = side * math.pi / 2
            gap = WALL_GAP + 0.06 * v * v + size[0] / 2
            along = self.depth if side % 2 == 0 else self.width
            t = (w - 0.5) * (along - size[1] - 2 * WALL_GAP)
            # Corners are where furniture goes: pull towards the nearer end now and then.
            if v < 0.35:
                t = math.copysign((along - size[1]) / 2 - WALL_GAP, t)
            x, y = (
                (gap - self.width / 2, t),
                (t, gap - self.depth / 2),
                (self.width / 2 - gap, t),
                (t, self.depth / 2 - gap),
            )[side]
            if self._stand(label, size, x, y, yaw, front, -1):
                return True
        return False

    def _free(self, label: str, size: Size, margin: float) -> bool:
        """Anywhere at least `margin` from the walls, nearly square to them."""
        for _ in range(_TRIES):
            u, v, w, turn = self.rng.random(4).tolist()
            yaw = int(w * 4) * math.pi / 2 + (turn - 0.5) * 0.3
            reach = max(size[0], size[1]) / 2 + margin
            x = (u - 0.5) * max(self.width - 2 * reach, 0.0)
            y = (v - 0.5) * max(self.depth - 2 * reach, 0.0)
            if self._stand(label, size, x, y, yaw, 0.0, -1):
                return True
        return False

    def _beside(self, label: str, size: Size, anchors: list[Item]) -> bool:
        """At the head of a bed or the end of a sofa, facing the same way."""
        for anchor in anchors:
            foot = anchor.footprint
            first = 1 if self.rng.random() < 0.5 else -1
            for side in (first, -first):
                left = side * (foot.hy + size[1] / 2 + 0.06)
                x, y = foot.point(size[0] / 2 - foot.hx, left)
                if self._stand(label, size, x, y, anchor.yaw, 0.0, -1):
                    return True
        return False

    def _before(self, label: str, size: Size, anchors: list[Item]) -> bool:
        """In front of a sofa, its long side along it."""
        for anchor in anchors:
            foot = anchor.footprint
            for _ in range(4):
                u, v = self.rng.random(2).tolist()
                x, y = foot.point(foot.hx + size[0] / 2 + 0.3 + 0.2 * u, (v - 0.5) * 0.4)
                if self._stand(label, size, x, y, anchor.yaw, 0.0, self._place_of(anchor)):
                    return True
        return False

    def _at_edge(self, label: str, size: Size) -> bool:
        """A chair at a desk or around a table, facing it."""
        for anchor in self._of("desk", "table"):
            if anchor.size[2] < 0.6:
                continue
            foot, (u, v) = anchor.footprint, self.rng.random(2).tolist()
            reach = size[0] / 2 + 0.06 + 0.1 * u
            turn = (v - 0.5) * 0.3
            shift = foot.hy / 2 if anchor.size[1] > 1.3 else 0.0
            places = [(foot.hx + reach, 0.0, math.pi)]
            if anchor.label == "table":
                places = [(foot.hx + reach, shift, math.pi), (-foot.hx - reach, -shift, 0.0)]
                places += [(0.0, foot.hy + reach, -math.pi / 2), (0.0, -foot.hy - reach, math.pi / 2)]
                if shift:
                    places += [(foot.hx + reach, -shift, math.pi), (-foot.hx - reach, shift, 0.0)]
                first = int(u * len(places))
                places = places[first:] + places[:first]
            for forward, left, facing in places:
                x, y = foot.point(forward, left)
                yaw = anchor.yaw + facing + turn
                if self._stand(label, size, x, y, yaw, 0.0, self._place_of(anchor)):
                    return True
        return False

    def _on_support(self, label: str, size: Size) -> bool:
        """On top of a piece that is low enough and large enough."""
        room = self._supports(size[0], size[1])
        if not room:
            return False
        if label == "lamp":
            room.sort(key=lambda i: i.label != "nightstand")
            support = room[0]
        else:
            support = room[int(self.rng.random() * len(room))]
        foot = support.footprint
        u, v = self.rng.random(2).tolist()
        forward = (u - 0.5) * (support.size[0] - size[0]) * 0.8
        left = (v - 0.5) * (support.size[1] - size[1]) * 0.9
        x, y = foot.point(forward, left)
        self._add(label, size, x, y, support.yaw, support.top, support.object_id)
        return True
