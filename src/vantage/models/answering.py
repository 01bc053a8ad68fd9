"""A pocket model that answers: the frozen base, an adapter, and the way from pictures to words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float32, UInt8
from PIL import Image
from transformers import LlavaForConditionalGeneration

from vantage.core.errors import ParameterError
from vantage.models.checkpoint import base_digest, load_adapter, load_base
from vantage.models.injector import Injector
from vantage.models.packing import answer_logits, pack
from vantage.models.pocket import GRID, IMAGE_SIZE, bound, pixels, prefix_positions, view_tokens
from vantage.models.tokens import question_ids
from vantage.questions.words import VOCABULARY

_AT_ONCE = 24


def model_image(color: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "64 64 3"]:
    """A picture as the model sees it: squashed to 64x64, antialiased."""
    image = Image.fromarray(color).resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BILINEAR)
    return np.asarray(image, dtype=np.uint8)


class PocketVLM:
    """Answers questions about a few views with one word each.

    The answer is the best word of the whole vocabulary: nothing is restricted to the answers a family allows.
    """

    def __init__(self, model: LlavaForConditionalGeneration, injector: Injector | None = None) -> None:
        self.model = model
        self.injector = injector

    @classmethod
    def load(cls, base_dir: Path | None = None, adapter_dir: Path | None = None) -> PocketVLM:
        """From a base folder (None: the shipped base) and an adapter folder (None: the bare base).

        Raises `ContractError` when they do not belong together.
        """
        model = load_base(base_dir)
        if adapter_dir is None:
            return cls(model)
        return cls(model, load_adapter(adapter_dir, model, base_digest(base_dir)))

    def answer(
        self,
        images: UInt8[np.ndarray, "v 64 64 3"],
        xyz_ego: Float32[np.ndarray, "v 8 8 3"],
        valid: Bool[np.ndarray, "v 8 8"],
        questions: Sequence[str],
    ) -> list[str]:
        """One word for each question, all asked of the same views.

        Args:
            images: views as `model_image` gives them, the ego's first.
            xyz_ego: a point for each patch, metres, frame `ego_level` of the first view.
            valid: whether the patch has a point.
            questions: texts in words of the vocabulary.

        Raises:
            UnknownWord: a question holds a word the model does not know.
            ParameterError: arrays of the wrong shape.
        """
        _check(images, xyz_ego, valid)
        ids = [question_ids(text) for text in questions]
        if not ids:
            return []
        views, device = len(images), self.model.device
        with torch.no_grad():
            xyz = torch.from_numpy(np.asarray(xyz_ego, np.float32).reshape(1, views, GRID * GRID, 3))
            there = torch.from_numpy(valid.reshape(1, views, GRID * GRID))
            with bound(self.injector, xyz, there):
                prefix = view_tokens(self.model, pixels(images[None]).to(device))
            positions = prefix_positions(1, prefix.shape[1]).to(device)
            words: list[str] = []
            for start in range(0, len(ids), _AT_ONCE):
                packed = pack([ids[start : start + _AT_ONCE]]).to(device)
                logits = answer_logits(self.model, prefix, packed, positions)
                words += [VOCABULARY[k] for k in logits.argmax(-1).tolist()]
        return words


def _check(images: np.ndarray, xyz_ego: np.ndarray, valid: np.ndarray) -> None:
    views = len(images)
    for name, array, shape in (
        ("images", images, (views, IMAGE_SIZE, IMAGE_SIZE, 3)),
        ("xyz_ego", xyz_ego, (views, GRID, GRID, 3)),
        ("valid", valid, (views, GRID, GRID)),
    ):
        if array.shape != shape or views == 0:
            raise ParameterError(
                "the model cannot read these views", where=name, expected=shape, found=array.shape
            )
    if images.dtype != np.uint8 or valid.dtype != np.bool_:
        raise ParameterError(
            "the model cannot read these views", where="images, valid", expected="uint8, bool",
            found=f"{images.dtype}, {valid.dtype}",
        )  # fmt: skip
