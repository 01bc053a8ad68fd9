"""A depth estimator: loaded by name with its image processor, run on batches of colour images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32, UInt8

from vantage.core.errors import ContractError, ParameterError, ResourceError
from vantage.lift.depth_config import Device, Precision
from vantage.lift.estimators.grids import Warp
from vantage.lift.estimators.meaning import Meaning, meaning_of
from vantage.lift.estimators.model_files import (
    ModelFiles,
    find_model,
    folder_state,
    is_folder,
    missing_library,
)
from vantage.lift.estimators.processors import load_processor, prepare

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Prediction:
    """What a network said of one image.

    Attributes:
        values: its output, at its own pixels; not finite where the arithmetic gave out.
        warp: where the colour image's pixels lie in it.
        fov_deg: the horizontal field of view that it guessed, if it does.
    """

    values: Float32[np.ndarray, "h w"]
    warp: Warp
    fov_deg: float | None = None


@dataclass(frozen=True)
class Estimator:
    """A loaded model.

    Attributes:
        files: where it came from.
        meaning: what its output is.
        processor, model: transformers' own objects; the model in evaluation mode on `device`.
        device: PyTorch's name of it.
    """

    files: ModelFiles
    meaning: Meaning
    processor: Any
    model: Any
    device: str

    def predict(self, images: Sequence[UInt8[np.ndarray, "h w 3"]]) -> list[Prediction]:
        """Run RGB images of one size as one batch (one by one where a batch would mix them).

        Raises ParameterError when the output is not of the size of the network's image.
        """
        if self.meaning.one_at_a_time:
            return [self._batch([image])[0] for image in images]
        return self._batch(images)

    def _batch(self, images: Sequence[UInt8[np.ndarray, "h w 3"]]) -> list[Prediction]:
        import torch

        pixels, warp = prepare(self.processor, images)
        try:
            with torch.inference_mode():
                out = self.model(pixel_values=pixels.to(self.device, self.model.dtype))
        except torch.OutOfMemoryError as error:
            hint = "a smaller batch, or device: cpu"
            raise ResourceError("the GPU's memory is too small", where=self.files.name, hint=hint) from error
        values = out.predicted_depth.to("cpu", torch.float32).numpy()
        if values.shape[1:] != warp.network:
            raise ParameterError(
                "the network's output does not fit its image, so that its pixels cannot be told",
                where=f"{self.files.name}, preprocessor_config.json", expected=f"{warp.network} pixels",
                found=values.shape[1:], hint="sizes must be multiples of the model's patch size",
            )  # fmt: skip
        angles = getattr(out, "field_of_view", None)
        fov = [None] * len(values) if angles is None else angles.float().cpu().tolist()
        return [Prediction(v, warp, f) for v, f in zip(values, fov, strict=True)]


def load_estimator(
    model: str, revision: str = "", device: Device = "auto", precision: Precision = "float32"
) -> Estimator:
    """Load a model by its hub id or folder; the last one loaded is kept while its files stay as they are.

    Weights are safetensors only, and code of the hub is never run. Raises ParameterError for a name, model
    or processor that is no depth estimator known here, ContractError for missing or damaged files, and
    ResourceError for a missing library, an unreachable hub or a GPU that is not there.
    """
    state = str(folder_state(Path(model).expanduser())) if is_folder(model) else ""
    return _load(model, revision, device, precision, state)


@lru_cache(maxsize=1)
def _load(model: str, revision: str, device: Device, precision: Precision, state: str) -> Estimator:
    try:
        import torch
        import transformers
    except ImportError as error:
        raise missing_library(error) from error
    place = _device(device)
    files = find_model(model, revision)
    config = _config(files)
    meaning = meaning_of(config, files.name)
    processor = load_processor(files.folder, config.model_type, files.name)
    transformers.utils.logging.disable_progress_bar()
    network = _weights(files, config, getattr(torch, precision))
    return Estimator(files, meaning, processor, network.eval().requires_grad_(False).to(place), place)


def _config(files: ModelFiles) -> Any:
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoConfig

    if not (files.folder / "config.json").is_file():
        raise ParameterError("not a model of transformers", where=files.name, expected="config.json")
    try:
        return AutoConfig.from_pretrained(files.folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, TypeError, KeyError, StrictDataclassError) as error:
        found = str(error).strip().split("\n")[0]
        raise ContractError("cannot read the model's configuration", where=files.name, found=found) from error


def _weights(files: ModelFiles, config: Any, dtype: torch.dtype) -> Any:
    from safetensors import SafetensorError
    from transformers import AutoModelForDepthEstimation

    if not any(files.folder.glob("*.safetensors")):
        raise ContractError(
            "the model has no safetensors weights", where=files.name, expected="model.safetensors",
            hint="other formats may run code when they are read, and are not loaded",
        )  # fmt: skip
    try:
        network, report = AutoModelForDepthEstimation.from_pretrained(
            files.folder, config=config, dtype=dtype, use_safetensors=True, local_files_only=True,
            trust_remote_code=False, output_loading_info=True,
        )  # fmt: skip
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        found = str(error).strip().split("\n")[0]
        raise ContractError("cannot load the model's weights", where=files.name, found=found) from error
    # Transformers fills what is missing with random numbers, and goes on.
    lacking = sorted(report["missing_keys"]) + sorted(str(key) for key in report["mismatched_keys"])
    if lacking:
        raise ContractError(
            "weights are missing or of another shape", where=files.name, expected="all of the model's",
            found=f"{len(lacking)} missing: {', '.join(lacking[:3])}",
        )  # fmt: skip
    return network


def _device(wanted: Device) -> str:
    import torch

    there = torch.cuda.is_available()
    if wanted == "cuda" and not there:
        raise ResourceError("PyTorch finds no GPU", where="device", expected="cuda", hint="device: auto")
    return "cuda" if there and wanted != "cpu" else "cpu"
