"""Pictures without poses as a request to a registered model that nobody tells where it is."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import UInt8

from vantage.evaluation.running.ask import MARK, Ask
from vantage.evaluation.running.posed import level_camera

_BORDER = 0


def pictures_request(ask: Ask) -> dict[str, Any]:
    """The item's pictures, none of whose patches has a point.

    A request has pictures of one size: smaller ones stand in the middle of a black frame. It has poses, too:
    all are the same level one, which does not reach a model without points.

    Raises `ParameterError` for a picture that cannot be read.
    """
    images = [np.asarray(view.image()) for view in ask.views]
    height, width = (max(image.shape[axis] for image in images) for axis in (0, 1))
    focal = float(max(height, width))
    K = np.array([[focal, 0.0, (width - 1) / 2], [0.0, focal, (height - 1) / 2], [0.0, 0.0, 1.0]])
    return {
        "images": [_framed(image, height, width) for image in images],
        "poses": np.stack([level_camera(0.0, 0.0, 0.0)] * len(images)),
        "intrinsics": K,
        "frame": "aligned",
    }


def _framed(image: UInt8[np.ndarray, "h w 3"], height: int, width: int) -> UInt8[np.ndarray, "H W 3"]:
    if image.shape[:2] == (height, width):
        return image
    framed = np.full((height, width, 3), _BORDER, np.uint8)
    top, left = (height - image.shape[0]) // 2, (width - image.shape[1]) // 2
    framed[top : top + image.shape[0], left : left + image.shape[1]] = image
    return framed


def in_words(prompt: str) -> str:
    """A prompt for a model that is shown all pictures first: marks within the text become their numbers."""
    text = prompt
    while text.startswith(MARK):
        text = text.removeprefix(MARK).lstrip()
    if MARK not in text:
        return text
    text, number = prompt, 0
    while MARK in text:
        number += 1
        text = text.replace(MARK, f"(picture {number})", 1)
    return text
