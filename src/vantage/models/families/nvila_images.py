"""NVILA's dynamic tiling, which is part of no image processor in transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vantage.geometry.tiling import nearest_tiling


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
        shown = [self._pictures(image, alone=len(own) == 1) for own in images for image in own]
        flat = [picture for pictures in shown for picture in pictures]
        processed = dict(self.inner(images=flat, return_tensors=return_tensors))
        return {**processed, "num_tiles": [len(pictures) for pictures in shown]}

    def _pictures(self, image: Any, alone: bool) -> list[Any]:
        """The tiles of an image alone, and the image itself.

        As published: Pillow's bicubic resize to whole tiles, which the tower's processor then leaves as they
        are.
        """
        width, height = int(self.inner.size["width"]), int(self.inner.size["height"])
        columns, rows = (1, 1)
        if alone:
            columns, rows = nearest_tiling(image.size, (width, height), self.min_tiles, self.max_tiles)
        if columns * rows == 1:
            return [image]
        image = image.convert("RGB")
        canvas = image.resize((columns * width, rows * height))
        places = [(x * width, y * height) for y in range(rows) for x in range(columns)]
        tiles = [canvas.crop((x, y, x + width, y + height)) for x, y in places]
        return [*tiles, image.resize((width, height))]
