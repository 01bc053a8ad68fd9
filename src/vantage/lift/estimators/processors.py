"""The image processors of depth estimators, without torchvision, and what each does to an image's pixels.

ZoeDepth's own post-processing needs torchvision and forgets that its pre-processing keeps corner centres;
Depth Pro has no processor without torchvision. Both are made up for here: pixels are undone by `warp_of`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from vantage.core.errors import ContractError, ParameterError
from vantage.lift.estimators.grids import Axis, Warp

if TYPE_CHECKING:
    from torch import Tensor

FILE = "preprocessor_config.json"


def load_processor(folder: Path, model_type: str, name: str) -> Any:
    """The PIL image processor that lies beside a model, with its settings.

    Raises ContractError when there is none or it is unreadable, ParameterError for a kind that is not known.
    """
    if not (folder / FILE).is_file():
        raise ContractError("the model has no image processor", where=name, expected=FILE)
    try:
        if model_type == "depth_pro":
            processor = depth_pro_processor().from_pretrained(folder, local_files_only=True)
        else:
            from transformers import AutoImageProcessor

            processor = AutoImageProcessor.from_pretrained(
                folder, backend="pil", local_files_only=True, trust_remote_code=False
            )
    except (OSError, ValueError, TypeError, ImportError) as error:
        text = str(error).strip().split("\n")[0]
        raise ContractError("cannot load the image processor", where=f"{name}, {FILE}", found=text) from error
    if type(processor).__name__ not in _WARPS:
        raise ParameterError(
            "an image processor whose pixels are not known here", where=f"{name}, {FILE}",
            expected=", ".join(sorted(_WARPS)), found=type(processor).__name__,
        )  # fmt: skip
    return processor


def prepare(processor: Any, images: Sequence[UInt8[np.ndarray, "h w 3"]]) -> tuple[Tensor, Warp]:
    """Images of one size as the network's input (n, 3, h, w), and what happened to their pixels."""
    import torch
    from transformers.image_utils import ChannelDimension

    made = processor(images=list(images), return_tensors="np", input_data_format=ChannelDimension.LAST)
    pixels = torch.from_numpy(np.stack(made["pixel_values"]).astype(np.float32))
    height, width = images[0].shape[:2]
    _, _, tall, wide = pixels.shape
    return pixels, warp_of(processor, (height, width), (tall, wide))


def warp_of(processor: Any, size: tuple[int, int], network: tuple[int, int]) -> Warp:
    """What a processor did to the pixels of an image of `size`, given the size (height, width) it made."""
    return _WARPS[type(processor).__name__](processor, size, network)


def _edges(processor: Any, size: tuple[int, int], network: tuple[int, int]) -> Warp:
    y, x = (Axis.by_edges(*pair) for pair in zip(size, network, strict=True))
    return Warp(size, network, y, x)


def _dpt(processor: Any, size: tuple[int, int], network: tuple[int, int]) -> Warp:
    divisor = getattr(processor, "size_divisor", None)
    if not processor.do_pad or not divisor:
        return _edges(processor, size, network)
    from transformers.models.dpt.image_processing_pil_dpt import get_resize_output_image_size

    inner = size
    if processor.do_resize:
        made = get_resize_output_image_size(
            np.empty((1, *size), dtype=np.uint8), (processor.size["height"], processor.size["width"]),
            processor.keep_aspect_ratio, processor.ensure_multiple_of,
        )  # fmt: skip
        inner = (made.height, made.width)
    pads = [(math.ceil(n / divisor) * divisor - n) // 2 for n in inner]
    y, x = (Axis.by_edges(a, b, pad) for a, b, pad in zip(size, inner, pads, strict=True))
    return Warp(size, network, y, x)


def _zoedepth(processor: Any, size: tuple[int, int], network: tuple[int, int]) -> Warp:
    pads = [int(np.sqrt(n / 2) * 3) if processor.do_pad else 0 for n in size]
    y, x = (Axis.by_corners(a, b, pad) for a, b, pad in zip(size, network, pads, strict=True))
    return Warp(size, network, y, x)


_WARPS = {
    "DPTImageProcessorPil": _dpt,
    "GLPNImageProcessorPil": _edges,
    "ZoeDepthImageProcessorPil": _zoedepth,
    "DepthProImageProcessorPil": _edges,
}


@functools.cache
def depth_pro_processor() -> Any:
    """Depth Pro's processor as a class on transformers' PIL base: colours first, then a plain resize."""
    from transformers.image_processing_backends import PilBackend
    from transformers.image_utils import IMAGENET_STANDARD_MEAN, IMAGENET_STANDARD_STD, PILImageResampling

    class DepthProImageProcessorPil(PilBackend):  # type: ignore[misc]
        """Settings as in `preprocessor_config.json`; 1536 x 1536 without keeping the aspect."""

        resample = PILImageResampling.BILINEAR
        image_mean = IMAGENET_STANDARD_MEAN
        image_std = IMAGENET_STANDARD_STD
        size = {"height": 1536, "width": 1536}  # noqa: RUF012 - transformers reads it from the class
        do_resize = True
        do_rescale = True
        do_normalize = True

        def _preprocess(self, images: list[np.ndarray], **settings: Any) -> Any:
            from transformers.image_processing_utils import BatchFeature

            made = [self._one(image, settings) for image in images]
            return BatchFeature({"pixel_values": made}, tensor_type=settings.get("return_tensors"))

        def _one(self, image: np.ndarray, settings: dict[str, Any]) -> np.ndarray:
            import torch

            if settings["do_rescale"]:
                image = self.rescale(image, settings["rescale_factor"])
            if settings["do_normalize"]:
                image = self.normalize(image, settings["image_mean"], settings["image_std"])
            if not settings["do_resize"]:
                return image
            modes = {PILImageResampling.BILINEAR: "bilinear", PILImageResampling.BICUBIC: "bicubic"}
            size = (settings["size"].height, settings["size"].width)
            batch = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))[None]
            resized = torch.nn.functional.interpolate(
                batch, size, mode=modes[settings["resample"]], align_corners=False, antialias=False
            )
            return np.asarray(resized[0].numpy())

    return DepthProImageProcessorPil
