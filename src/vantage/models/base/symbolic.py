"""Scenes as words: what four views of a room would tell if every patch named what it shows.

A token of a scene stands at a patch position and is the sum of the word vectors of a colour, a class and
a side
of the image; in most scenes also of a quadrant and a distance as seen from the ego. Questions and answers
come from
the question families themselves. This is where the decoder learns its circuits: look an attribute of a named
object up, compare two. An occluder is not modelled: a box inside the view counts as seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from vantage.core.seeds import rng as make_rng
from vantage.geometry.transforms import apply, invert, level_ego
from vantage.models.base.cameras import MODEL_CAMERA, random_cameras
from vantage.models.pocket import GRID, PATCHES, VIEWS
from vantage.models.tokens import answer_id, question_ids
from vantage.questions.sampling import sample_questions
from vantage.questions.scene import Scene, Seen
from vantage.questions.words import DIRECTIONS, NUMBERS, SIDES, STRUCTURE, WORD_IDS
from vantage.scans.generated.layout import sample_room
from vantage.scans.generated.room import Room

TOKENS = 64
"""Most tokens a symbolic scene has."""
QUESTION_WORDS = 14

Shown = dict[int, tuple[Float64[np.ndarray, "_ 2"], Float64[np.ndarray, "_ 3"]]]
"""By object id: model-image pixels and aligned points (m) of what a view shows of it."""

# A 3x3x3 lattice over a box, in units of its half extents.
_LATTICE = np.stack(np.meshgrid(*[[-0.8, 0.0, 0.8]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)


@dataclass(frozen=True)
class TokenRow:
    """What one token says: word ids (0 where it says nothing) and how far its distance leans to the next
    word."""

    position: int
    color: int
    label: int
    side: int
    quadrant: int
    near: int
    far: int
    lean: float


@dataclass(frozen=True)
class SymbolicScenes:
    """Scenes in arrays. `words` (s, t, 6): colour, class, side, quadrant, lower and upper distance word;
    `lean`: weight of the upper one; `position` -1 where a scene has fewer tokens. `questions` are zero-padded
    token ids, `answer` 0 where a scene has fewer; `family` indexes the names given to `sample_scenes`."""

    position: Int64[np.ndarray, "s t"]
    words: Int64[np.ndarray, "s t 6"]
    lean: Float32[np.ndarray, "s t"]
    questions: Int64[np.ndarray, "s q w"]
    answer: Int64[np.ndarray, "s q"]
    family: Int64[np.ndarray, "s q"]
    first_only: Bool[np.ndarray, "s q"]


def geometry_words(p_ego: Float64[np.ndarray, "3"]) -> tuple[int, int, int, float]:
    """Word ids of the quadrant and of the two whole metres around the distance of a point in `ego_level` (m),
    and the weight of the upper one."""
    x, y = float(p_ego[0]), float(p_ego[1])
    quadrant = DIRECTIONS[(0 if x >= 0 else 2) + (0 if y >= 0 else 1)]
    distance = min(max(float(np.hypot(x, y)), 1.0), 6.0)
    low = min(int(distance), 5)
    return WORD_IDS[quadrant], WORD_IDS[NUMBERS[low - 1]], WORD_IDS[NUMBERS[low]], distance - low


def look(room: Room, T_aligned_cam: Float64[np.ndarray, "4 4"]) -> Shown:
    """The furniture in front of a camera, by a lattice of points over each box."""
    T_cam_aligned = invert(T_aligned_cam)
    shown: Shown = {}
    for item in room.items:
        c, s = np.cos(item.yaw), np.sin(item.yaw)
        local = _LATTICE * (np.array(item.size) / 2)
        points = local @ np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]]) + np.array(item.center)
        uv, z = MODEL_CAMERA.project(apply(T_cam_aligned, points))
        inside = (z > 0.25) & MODEL_CAMERA.inside(uv)
        if inside.sum() < 6:
            continue
        spread = np.ptp(uv[inside], axis=0)
        if spread[0] * spread[1] >= 12:
            shown[item.object_id] = (uv[inside], points[inside])
    return shown


def choose_views(shown: Sequence[Shown], ego: int, most: int = VIEWS) -> list[int]:
    """The ego's view first, then greedily those that show most objects not shown yet."""
    views, seen = [ego], set(shown[ego])
    while len(views) < most:
        rest = [k for k in range(len(shown)) if k not in views]
        best = max(rest, key=lambda k: len(set(shown[k]) - seen))
        views.append(best)
        seen |= set(shown[best])
    return views


def first_view_columns(
    room: Room, T_aligned_cam: Float64[np.ndarray, "4 4"], shown: Iterable[int]
) -> dict[int, float]:
    """Column of each object's box centre in the model image; NaN where the centre is outside the picture."""
    ids = list(shown)
    if not ids:
        return {}
    centers = np.array([room.items[object_id].center for object_id in ids])
    uv, _ = MODEL_CAMERA.project(apply(invert(T_aligned_cam), centers))
    columns = np.where(MODEL_CAMERA.inside(uv), uv[:, 0], np.nan)
    return dict(zip(ids, columns.tolist(), strict=True))


def _tokens(
    room: Room, shown: Sequence[Shown], T_ego_aligned: Float64[np.ndarray, "4 4"], rng: np.random.Generator
) -> list[TokenRow]:
    rows: dict[int, TokenRow] = {}
    for view, objects in enumerate(shown):
        for object_id, (uv, points) in objects.items():
            item = room.items[object_id]
            for pick in rng.choice(len(uv), min(len(uv), int(rng.integers(1, 4))), replace=False).tolist():
                column, line = ((uv[pick] + 0.5) // (64 // GRID)).astype(int).clip(0, GRID - 1).tolist()
                place = geometry_words(apply(T_ego_aligned, points[pick]))
                side = WORD_IDS[SIDES[0 if column < GRID // 2 else 1]]
                position = view * PATCHES + line * GRID + column
                rows[position] = TokenRow(position, WORD_IDS[item.color], WORD_IDS[item.label], side, *place)
    reach = np.array([room.width / 2, room.depth / 2, 0.0])
    for position in rng.choice(VIEWS * PATCHES, 20, replace=False).tolist():
        if position not in rows:
            # Walls and floors anywhere: their geometry is as unrelated to questions as it is in images.
            place = geometry_words(apply(T_ego_aligned, rng.uniform(-1, 1, 3) * reach))
            side = WORD_IDS[SIDES[0 if position % GRID < GRID // 2 else 1]]
            label = WORD_IDS[STRUCTURE[int(rng.choice(4, p=(0.5, 0.4, 0.05, 0.05)))]]
            rows[position] = TokenRow(position, 0, label, side, *place)
    keep = sorted(rows)
    if len(keep) > TOKENS:
        keep = sorted(rng.choice(keep, TOKENS, replace=False).tolist())
    return [rows[position] for position in keep]


def sample_scenes(
    seed: int, first: int, count: int, families: Sequence[str], per_scene: int, cameras: int = 8
) -> SymbolicScenes:
    """Scenes number `first` to `first + count`, each from its own room; a pure function of its arguments."""
    out = SymbolicScenes(
        position=np.full((count, TOKENS), -1, np.int64),
        words=np.zeros((count, TOKENS, 6), np.int64),
        lean=np.zeros((count, TOKENS), np.float32),
        questions=np.zeros((count, per_scene, QUESTION_WORDS), np.int64),
        answer=np.zeros((count, per_scene), np.int64),
        family=np.full((count, per_scene), -1, np.int64),
        first_only=np.zeros((count, per_scene), bool),
    )
    for row in range(count):
        _fill(out, row, seed, first + row, families, per_scene, cameras)
    return out


def _fill(
    out: SymbolicScenes,
    row: int,
    seed: int,
    number: int,
    families: Sequence[str],
    per_scene: int,
    cameras: int,
) -> None:
    rng = make_rng(seed, "symbolic scene", number)
    room = sample_room(seed, f"text{number}")
    poses = random_cameras(room, rng, cameras)
    seen_by = [look(room, pose) for pose in poses]
    views = choose_views(seen_by, int(rng.integers(cameras)))
    shown = [seen_by[k] for k in views]
    T_aligned_ego = level_ego(poses[views[0]])
    first = first_view_columns(room, poses[views[0]], shown[0])
    seen = Seen(first=first, views=frozenset().union(*shown))
    for t, token in enumerate(_tokens(room, shown, invert(T_aligned_ego), rng)):
        out.position[row, t] = token.position
        out.words[row, t] = (token.color, token.label, token.side, token.quadrant, token.near, token.far)
        out.lean[row, t] = token.lean
    asked = sample_questions(Scene.of(room.items), T_aligned_ego, seen, rng, per_scene, families)
    for q, candidate in enumerate(asked):
        ids = question_ids(candidate.text)
        out.questions[row, q, : len(ids)] = ids
        out.answer[row, q] = answer_id(candidate.answer)
        out.family[row, q] = families.index(candidate.family)
        out.first_only[row, q] = candidate.slice == "seen"
