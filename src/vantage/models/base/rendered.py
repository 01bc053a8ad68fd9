"""Rooms rendered in memory at model size, with what every patch shows: the pictures the base learns from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int16, Int32, Int64, UInt8

from vantage.core.seeds import priority
from vantage.core.seeds import rng as make_rng
from vantage.geometry.transforms import apply
from vantage.models.base.cameras import MODEL_CAMERA, random_cameras
from vantage.models.pocket import GRID, PATCH_SIZE, PATCHES
from vantage.questions.words import WORD_IDS
from vantage.scans.generated.layout import sample_room
from vantage.scans.generated.room import Room

MOST_ITEMS = 40
LEAST_PATCH_PIXELS = 10
"""A patch is an object's when the object covers this many of its 64 pixels."""


@dataclass(frozen=True)
class RenderedRooms:
    """Views of rooms. Room r is `sample_room(seed, f"view{number[r]}")`.

    `color` pictures; `label` and `tint` class and colour word of each patch (tint 0 where it is structure);
    `xyz` aligned point of each patch (m), `pixels` visible pixels of each object; `pose` is `T_aligned_cam`.
    """

    number: Int64[np.ndarray, "r"]
    color: UInt8[np.ndarray, "r k 64 64 3"]
    label: UInt8[np.ndarray, "r k 64"]
    tint: UInt8[np.ndarray, "r k 64"]
    xyz: Float32[np.ndarray, "r k 64 3"]
    pixels: Int16[np.ndarray, "r k o"]
    pose: Float64[np.ndarray, "r k 4 4"]


def room_of(seed: int, number: int) -> Room:
    """The room behind a row of `RenderedRooms`."""
    return sample_room(seed, f"view{number}")


def render_rooms(seed: int, first: int, count: int, cameras: int) -> RenderedRooms:
    """Rooms number `first` to `first + count`, `cameras` views each; a pure function of its arguments."""
    from vantage.scans.generated.render import views_in_memory

    shape = (count, cameras)
    out = RenderedRooms(
        number=np.arange(first, first + count),
        color=np.empty((*shape, 64, 64, 3), np.uint8),
        label=np.empty((*shape, PATCHES), np.uint8),
        tint=np.empty((*shape, PATCHES), np.uint8),
        xyz=np.empty((*shape, PATCHES, 3), np.float32),
        pixels=np.zeros((*shape, MOST_ITEMS), np.int16),
        pose=np.empty((*shape, 4, 4)),
    )
    for row, number in enumerate(out.number.tolist()):
        room = room_of(seed, number)
        poses = np.stack(random_cameras(room, make_rng(seed, "cameras", number), cameras))
        decoration = priority(seed, "decoration", number) % 2**31
        views = views_in_memory(room, poses, MODEL_CAMERA, seed=decoration)
        out.color[row], out.pose[row] = views.color, poses
        for k in range(cameras):
            out.label[row, k], out.tint[row, k] = _patch_words(room, views.ids[k])
            out.xyz[row, k] = _patch_points(views.depth[k], poses[k])
            out.pixels[row, k] = np.bincount(
                views.ids[k][views.ids[k] >= 0].ravel(), minlength=len(room.objects)
            )[: len(room.items)].astype(np.int16).tolist() + [0] * (MOST_ITEMS - len(room.items))
    return out


def _blocks(image: np.ndarray) -> np.ndarray:
    """An image as (64 patches, 64 pixels, ...)."""
    blocks = image.reshape(GRID, PATCH_SIZE, GRID, PATCH_SIZE, *image.shape[2:])
    return np.moveaxis(blocks, 2, 1).reshape(PATCHES, PATCH_SIZE * PATCH_SIZE, *image.shape[2:])


def _patch_words(
    room: Room, ids: Int32[np.ndarray, "64 64"]
) -> tuple[UInt8[np.ndarray, "64"], UInt8[np.ndarray, "64"]]:
    objects = room.objects
    blocks = _blocks(ids.astype(np.int64))
    counts = np.zeros((PATCHES, len(objects) + 1), np.int64)
    np.add.at(counts, (np.arange(PATCHES)[:, None], blocks), 1)  # -1, ceiling and pictures, goes to the last
    furniture = counts[:, : len(room.items)]
    best = furniture.argmax(1)
    taken = furniture.max(1) >= LEAST_PATCH_PIXELS
    behind = counts[:, len(room.items) : -1].argmax(1) + len(room.items)
    behind = np.where(counts[np.arange(PATCHES), behind] > 0, behind, len(objects) - 1)
    bare = counts[:, -1] > PATCHES // 2
    words = np.array([WORD_IDS[o.label] for o in objects])
    tints = np.array([WORD_IDS[o.color] if o.color else 0 for o in objects])
    label = np.where(taken, words[best], np.where(bare, WORD_IDS["wall"], words[behind]))
    return label.astype(np.uint8), np.where(taken, tints[best], 0).astype(np.uint8)


def _patch_points(
    depth: Float32[np.ndarray, "64 64"], T_aligned_cam: Float64[np.ndarray, "4 4"]
) -> Float32[np.ndarray, "64 3"]:
    """The point of each patch's pixel of median depth, aligned, metres."""
    blocks = _blocks(depth)
    middle = np.argsort(blocks, axis=1, kind="stable")[:, PATCHES // 2]
    points = _blocks(MODEL_CAMERA.rays()) * blocks[..., None]
    return apply(T_aligned_cam, points[np.arange(PATCHES), middle]).astype(np.float32)


def degrade(
    color: UInt8[np.ndarray, "n 64 64 3"], rng: np.random.Generator, blurred: float = 0.15
) -> UInt8[np.ndarray, "n 64 64 3"]:
    """What a hand-held camera does to a picture: brightness, noise, a soft lens, now and then motion blur."""
    image = color.astype(np.float32)
    n = len(image)
    image *= rng.normal(1.0, 0.09, (n, 1, 1, 1)).astype(np.float32)
    image *= rng.normal(1.0, 0.02, (n, 1, 1, 3)).astype(np.float32)
    soft = rng.uniform(0.0, 0.5, (n, 1, 1, 1)).astype(np.float32)
    around = (np.roll(image, 1, 1) + np.roll(image, -1, 1) + np.roll(image, 1, 2) + np.roll(image, -1, 2)) / 4
    image += soft * (around - image)
    moved = rng.random(n) < blurred
    if moved.any():
        axis = 2 if rng.random() < 0.7 else 1
        part = image[moved]
        image[moved] = (part + np.roll(part, 1, axis) + np.roll(part, -1, axis)) / 3
    image += rng.normal(0.0, rng.uniform(0.5, 4.0), image.shape).astype(np.float32)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)
