"""NVILA's dynamic tiling, which is part of no image processor in transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vantage.geometry.warp import ImageWarp
from vantage.lift.processors.table import processor_warp


class NvilaImageProcessor:
    """The tower's image processor behind NVILA's tiling of an image that is alone in its sample.

    Args:
        inner: SigLIP's, for Pillow images; it squashes.
        patch_size: edge of the tower's patches, pixels.
        min_tiles, max_tiles: how many tiles an image becomes, the whole image not counted.
    """

    def __init__(self, inner: Any, patch_size: int, min_tiles: int = 1, max_tiles: int = 12) -> None:
        self.inner = inner
        self.patch_size, self.min_tiles, self.max_tiles = patch_size, min_tiles, max_tiles

    @property
    def image_mean(self) -> Any:
        """Of each channel."""
        return self.inner.image_mean

    @property
    def image_std(self) -> Any:
        """Of each channel."""
        return self.inner.image_std

    def to_dict(self) -> dict[str, Any]:
        """Its settings, as `lift.processor` takes them."""
        own = {name: getattr(self, name) for name in ("patch_size", "min_tiles", "max_tiles")}
        return {**self.inner.to_dict(), "image_processor_type": "NvilaImageProcessor", **own}

    def __call__(self, images: Sequence[Sequence[Any]], return_tensors: str = "pt") -> dict[str, Any]:
        """Pixels of the pictures of all Pillow images, sample by sample, and `num_tiles` of each image."""
        shown = [_pictures(image, self._warp(image, len(own))) for own in images for image in own]
        flat = [picture for pictures in shown for picture in pictures]
        processed = dict(self.inner(images=flat, return_tensors=return_tensors))
        return {**processed, "num_tiles": [len(pictures) for pictures in shown]}

    def _warp(self, image: Any, together: int) -> ImageWarp:
        width, height = image.size
        return processor_warp(self.to_dict(), width, height, together)


def _pictures(image: Any, warp: ImageWarp) -> list[Any]:
    """The tiles cut from the resized image, then the image itself, which the tower's processor squashes.

    As published: Pillow's bicubic resize to whole tiles, which the processor then leaves as they are.
    """
    if len(warp.tiles) == 1:
        return [image]
    *parts, whole = warp.tiles
    width, height = (max(int(-part.shift[axis]) for part in parts) for axis in (0, 1))
    canvas = image.convert("RGB").resize((width + whole.width, height + whole.height))
    boxes = [(int(-part.shift[0]), int(-part.shift[1])) for part in parts]
    tiles = [canvas.crop((x, y, x + whole.width, y + whole.height)) for x, y in boxes]
    return [*tiles, image.convert("RGB").resize((whole.width, whole.height))]
