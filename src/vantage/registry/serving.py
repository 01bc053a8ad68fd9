"""The model as others use it: pictures, poses and a question in, a word and the ego's pose out.

This module and all that it imports are copied into the registered model, so it knows neither MLflow nor the
pipeline.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32

from vantage.lift.config import LiftConfig
from vantage.registry.request import Views, aligned_points, read_questions, read_views


class Answerer:
    """Answers requests with a loaded pocket model."""

    def __init__(self, vlm: Any, lift: LiftConfig | None = None) -> None:
        self._vlm = vlm
        self._lift = lift or LiftConfig()

    @classmethod
    def load(cls, base: Path, adapter: Path) -> Answerer:
        """From the folders of a base and an adapter; `ContractError` when they do not belong together."""
        from vantage.models.answering import PocketVLM

        return cls(PocketVLM.load(base, adapter))

    def answer(self, request: Mapping[str, Any]) -> list[dict[str, Any]]:
        """One record for each question of a request.

        Args:
            request: `images` (1 to 8: uint8 (H, W, 3) arrays, JPEG or PNG bytes, or paths), `poses` (V, 4, 4)
                camera to world in metres (camera x right, y down, z forward), `intrinsics` of the images
                (3x3, or (V, 3, 3) where views differ), `frame` of the poses: "aligned" (z up, floor at z = 0)
                or "raw" together with `T_aligned_raw`,
                `question` (text, or a list of texts). Optional: `ego` (index of the view that "me" stands at,
                0), `ego_pose` (4x4 in the same frame, for a "me" a little beside that view), `depth`
                (V, H, W) metres with 0 for holes, and `depth_intrinsics` where they differ.

        Returns:
            Records with `question`, `answer`, `T_aligned_ego` (4x4; x forward, y left, z up, on the floor),
            `views` (indices in the order shown) and `patches_with_depth` (share).

        Raises:
            ParameterError: a key is missing or unknown, a value has the wrong form, or a word is unknown.
        """
        views = read_views(request)
        questions = read_questions(request["question"])
        xyz, valid = self._patches(views)
        from vantage.models.answering import model_image

        images = np.stack([model_image(image) for image in views.images])
        words = self._vlm.answer(images, xyz, valid, questions)
        shared = {
            "T_aligned_ego": views.ego.T_world_ego.tolist(),
            "views": views.order,
            "patches_with_depth": float(valid.mean()),
        }
        return [{"question": q, "answer": w, **shared} for q, w in zip(questions, words, strict=True)]

    def _patches(self, views: Views) -> tuple[Float32[np.ndarray, "v gh gw 3"], Bool[np.ndarray, "v gh gw"]]:
        """Ego coordinates of every patch; without depth no patch has any."""
        warp = self._lift.warp(views.colors[0].width, views.colors[0].height)
        xyz_aligned, valid = aligned_points(views, warp, self._lift.min_valid_share)
        xyz = np.zeros(xyz_aligned.shape, np.float32)
        for i, points in enumerate(xyz_aligned):
            xyz[i] = views.ego.to_ego(points.astype(np.float64), "aligned")
        return np.where(valid[..., None], xyz, np.float32(0)), valid
