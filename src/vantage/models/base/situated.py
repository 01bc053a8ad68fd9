"""Questions about rendered rooms: an ego, its views, and what may be asked of pictures alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64, UInt8
from torch import Tensor
from transformers import LlavaForConditionalGeneration

from vantage.geometry.transforms import apply, invert, level_ego
from vantage.models.base.rendered import RenderedRooms, degrade, room_of
from vantage.models.base.symbolic import first_view_columns
from vantage.models.packing import answer_logits, pack
from vantage.models.pocket import VIEWS, pixels, prefix_positions, view_tokens
from vantage.models.tokens import answer_id, question_ids
from vantage.questions.families import Candidate
from vantage.questions.sampling import sample_questions
from vantage.questions.scene import Scene, Seen

SEEN_PIXELS = 12
UNSEEN_FREE = ("distance", "nearest")
"""Families that pictures without coordinates are never asked in the base; direction only of what view 1
shows."""


@dataclass(frozen=True)
class ImageBatch:
    """Views with their questions; `xyz` are patch points in `ego_level` of the first view, metres."""

    images: UInt8[np.ndarray, "b v 64 64 3"]
    xyz: Float32[np.ndarray, "b v 64 3"]
    questions: list[list[tuple[int, ...]]]
    answer: Int64[Tensor, "n"]
    family: Int64[Tensor, "n"]
    unseen: Bool[Tensor, "n"]


class RenderedScenes:
    """Rendered rooms with their symbols at hand."""

    def __init__(self, rooms: RenderedRooms, seed: int) -> None:
        self.rooms = rooms
        self.symbols = [room_of(seed, number) for number in rooms.number.tolist()]
        self.scenes = [Scene.of(room.items) for room in self.symbols]

    def views(self, row: int, ego: int) -> list[int]:
        """The ego's view, then greedily those that show most objects not shown yet."""
        shows = self.rooms.pixels[row] >= SEEN_PIXELS
        views, seen = [ego], shows[ego].copy()
        while len(views) < VIEWS:
            gain = (shows & ~seen).sum(1)
            gain[views] = -1
            views.append(int(gain.argmax()))
            seen |= shows[views[-1]]
        return views

    def draw(
        self,
        rng: np.random.Generator,
        size: int,
        families: Sequence[str],
        per_scene: int,
        *,
        geometry: bool = False,
        blurred: float = 0.15,
    ) -> ImageBatch:
        """A batch of situations; without `geometry`, only what pictures alone can tell is asked."""
        asked_of = families if geometry else [name for name in families if name not in UNSEEN_FREE]
        images: list[UInt8[np.ndarray, "v 64 64 3"]] = []
        points: list[Float32[np.ndarray, "v 64 3"]] = []
        questions: list[list[tuple[int, ...]]] = []
        kept: list[Candidate] = []
        while len(images) < size:
            row = int(rng.integers(len(self.scenes)))
            views = self.views(row, int(rng.integers(self.rooms.color.shape[1])))
            pose = self.rooms.pose[row, views[0]]
            candidates = self._ask(row, views, rng, per_scene, asked_of)
            if not geometry:
                candidates = [c for c in candidates if c.family != "direction" or c.slice == "seen"]
            if not candidates:
                continue
            images.append(self.rooms.color[row, views])
            points.append(apply(invert(level_ego(pose)), self.rooms.xyz[row, views]).astype(np.float32))
            questions.append([question_ids(c.text) for c in candidates])
            kept += candidates
        flat = degrade(np.concatenate(images), rng, blurred)
        return ImageBatch(
            flat.reshape(size, VIEWS, 64, 64, 3),
            np.stack(points),
            questions,
            torch.tensor([answer_id(c.answer) for c in kept]),
            torch.tensor([families.index(c.family) for c in kept]),
            torch.tensor([c.slice == "unseen" for c in kept]),
        )

    def _ask(
        self, row: int, views: list[int], rng: np.random.Generator, n: int, families: Sequence[str]
    ) -> list[Candidate]:
        shows = self.rooms.pixels[row, views] >= SEEN_PIXELS
        pose = self.rooms.pose[row, views[0]]
        first = first_view_columns(self.symbols[row], pose, np.flatnonzero(shows[0]).tolist())
        seen = Seen(first=first, views=frozenset(np.flatnonzero(shows.any(0)).tolist()))
        return sample_questions(self.scenes[row], level_ego(pose), seen, rng, n, families)


def image_logits(model: LlavaForConditionalGeneration, batch: ImageBatch) -> Tensor:
    """Logits of every question of the batch, in order."""
    prefix = view_tokens(model, pixels(batch.images))
    return answer_logits(model, prefix, pack(batch.questions), prefix_positions(*prefix.shape[:2]))
