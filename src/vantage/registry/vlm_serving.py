"""A trained vision-language model as others use it: the pocket model's request, and a fuller record.

This module and all that it imports are copied into the registered model, so it knows neither MLflow nor the
pipeline.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from vantage.core.errors import ParameterError
from vantage.geometry.transforms import invert
from vantage.geometry.warp import ImageWarp
from vantage.lift.config import LiftConfig
from vantage.models.device import best_device
from vantage.models.grounded.answering import GroundedAnswer
from vantage.models.grounded.asking import Grounding, ego_view, grounded_answers
from vantage.models.grounded.view import Located
from vantage.models.vlm.generate import Decoding
from vantage.models.vlm.pictures import model_warp, picture_grids
from vantage.models.vlm.request import Refused, Size
from vantage.models.vlm.sample import Sample, Turn, View
from vantage.models.vlm.trained import TrainedVlm, by_id
from vantage.registry.request import Views, aligned_points, read_questions, read_situation, read_views
from vantage.registry.served_base import ServedBase

Reply = TypeVar("Reply")
SITUATION = "situation"


class VlmAnswerer:
    """Answers requests as the model was trained: its own pictures, frame, alignment and dialogs."""

    def __init__(self, vlm: TrainedVlm, decoding: Decoding, min_valid_share: float | None = None) -> None:
        self._vlm = vlm
        self._generator = vlm.generator(decoding)
        self._share = LiftConfig().min_valid_share if min_valid_share is None else min_valid_share

    @classmethod
    def load(cls, base: Path, adapter: Path) -> VlmAnswerer:
        """From the folders of a packaged model, on the GPU where there is one.

        Raises as `ServedBase.folder` and `TrainedVlm.load` do.
        """
        served = ServedBase.read(base)
        vlm = TrainedVlm.load(str(served.folder(base)), adapter, None, served.weights)
        vlm.model.to(best_device())
        return cls(vlm, Decoding(served.max_new_tokens, token_budget=served.tokens))

    def answer(self, request: Mapping[str, Any]) -> list[dict[str, Any]]:
        """One record for each question of a request.

        Args:
            request: see `vantage.registry.serving.Answerer.answer`; questions are free text. Optional:
                `situation`, a text on where the asker is, for all questions: a situated model finds its place
                from it, any other reads it before the question.

        Returns:
            The pocket model's records. Of a situated model also `place`: x, y, sigma_x, sigma_y (m), yaw,
            sigma_yaw (radians), resultant, ambiguous, frame, other_yaws. Of a grounded one also `boxes` (id,
            label, center and size in metres, rotation, frame), `located` (the text that they were read from),
            `reasoning`, `checks` (its steps, each with what it states and what comes out), and `unread`: what
            it wrote that is no box.

        Raises:
            ParameterError: a key is missing or unknown, a value has the wrong form, or the model cannot be
                asked a question (longer than its context, one of its own tokens).
        """
        views, questions = read_views(request, (SITUATION,)), read_questions(request["question"])
        sample, valid = self._sample(views, questions, read_situation(request.get(SITUATION)))
        answered = self._grounded if self._vlm.dialogs == "grounded" else self._single
        shared = {
            "T_aligned_ego": views.ego.T_world_ego.tolist(),
            "views": views.order,
            "patches_with_depth": float(valid.mean()),
        }
        found = answered(sample, views, questions)
        return [{"question": q, **own, **shared} for q, own in zip(questions, found, strict=True)]

    def _sample(self, views: Views, questions: Sequence[str], situation: str) -> tuple[Sample, np.ndarray]:
        """The sample as training has it, and which patches have a point."""
        frame = self._vlm.frame
        T_frame_aligned = invert(views.ego.T_world_ego) if frame == "ego_level" else np.eye(4)
        warp = self._warp(views)
        xyz, valid = aligned_points(views, warp, self._share)
        shown = tuple(
            View(
                name=f"images[{number}]",
                image=partial(_picture, image),
                pictures=picture_grids(points, there, warp.grids, T_frame_aligned),
                T_frame_cam=T_frame_aligned @ T_aligned_cam,
            )
            for number, image, points, there, T_aligned_cam in zip(
                views.order, views.images, xyz, valid, views.T_aligned_cams, strict=True
            )
        )
        dialogs = tuple((Turn(question),) for question in questions)
        sample = Sample("request", shown, dialogs, frame, situation)
        return self._vlm.asked_from(sample, views.T_aligned_me, views.colors[0]), valid

    def _warp(self, views: Views) -> ImageWarp:
        camera, prepare = views.colors[0], self._vlm.prepare
        warp = model_warp(prepare, camera.width, camera.height, len(views.images))
        if warp is None:
            raise ParameterError(
                "where patches lie is not known of this image processor", where="the model",
                expected="one of vantage.lift.processors", found=type(prepare.image_processor).__name__,
            )  # fmt: skip
        return warp

    def _single(self, sample: Sample, views: Views, questions: Sequence[str]) -> Iterator[dict[str, Any]]:
        asked = [
            self._vlm.request(f"question {number}", sample, dialog, self._sizes(views))
            for number, dialog in enumerate(sample.dialogs)
        ]
        replies = by_id([one for batch in self._generator.answers(asked) for one in batch])
        for request in asked:
            reply = _require_answered(replies[request.id])
            place = {} if reply.place is None else {"place": asdict(reply.place)}
            yield {"answer": reply.text, **place}

    def _grounded(self, sample: Sample, views: Views, questions: Sequence[str]) -> Iterator[dict[str, Any]]:
        view = ego_view(sample, views.ego.T_world_ego, views.colors[0])
        asked = [
            Grounding(
                f"question {number}", question, replace(sample, dialogs=(dialog,)), view, self._sizes(views)
            )
            for number, (question, dialog) in enumerate(zip(questions, sample.dialogs, strict=True))
        ]
        found = {
            one.id: one for batch in grounded_answers(self._vlm, self._generator, asked) for one in batch
        }
        for one in asked:
            yield _grounded_record(_require_answered(found[one.id]).found)

    def _sizes(self, views: Views) -> tuple[Size, ...]:
        return ((views.colors[0].width, views.colors[0].height),) * len(views.images)


def _picture(image: np.ndarray) -> Any:
    from PIL import Image

    return Image.fromarray(image)


def _require_answered(reply: Reply | Refused) -> Reply:
    if isinstance(reply, Refused):
        raise ParameterError("the model cannot be asked this", where=reply.id, found=reply.reason)
    return reply


def _grounded_record(found: GroundedAnswer) -> dict[str, Any]:
    checked = found.checked
    return {
        "answer": found.answer,
        "boxes": [_box(located, found.frame) for located in found.boxes],
        "located": found.located,
        "reasoning": found.reasoning,
        "checks": [] if checked is None else [asdict(step) for step in checked.steps],
        "unread": [asdict(line) for line in found.bad],
    }


def _box(located: Located, frame: str) -> dict[str, Any]:
    box = located.box
    return {
        "id": located.view_box.box_id,
        "label": located.view_box.label,
        "center": np.asarray(box.center).tolist(),
        "size": np.asarray(box.size).tolist(),
        "rotation": np.asarray(box.rotation).tolist(),
        "frame": frame,
    }
