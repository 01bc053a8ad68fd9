"""Processors that make one picture of an image: resize and centre crop, or a square of padding first.

SigLIP's squash, and with it PaliGemma's and NVILA's; CLIP's and LLaVA 1.5's crop.
"""

from __future__ import annotations

from vantage.geometry.warp import Tile
from vantage.lift.processors.settings import Processor, Settings
from vantage.lift.processors.steps import centre_cropped, padded_to_square, resized


def tiles(settings: Settings, image: Tile, images: int) -> list[Tile]:
    """The one tile of an image, whatever the number of images."""
    if settings.kind == "LlavaImageProcessor" and settings.flag("do_pad"):
        image = padded_to_square(image)
    if settings.flag("do_resize"):
        image = resized(image, settings)
    return [centre_cropped(image, settings)] if settings.flag("do_center_crop") else [image]


_CROP = {
    "size": {"shortest_edge": 224},
    "crop_size": {"height": 224, "width": 224},
    "do_resize": True,
    "do_center_crop": True,
}
SIGLIP = Processor({"size": {"height": 224, "width": 224}, "do_resize": True}, tiles)
CLIP = Processor(_CROP, tiles)
LLAVA = Processor({**_CROP, "do_pad": False}, tiles)
