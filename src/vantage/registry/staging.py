"""What of an arm and its base goes into a registered model, and the answers of one that was registered."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vantage.core.errors import ContractError
from vantage.core.tasks import Task
from vantage.models.checkpoint import CONFIG_FILE, WEIGHTS_FILE
from vantage.models.model_files import RECIPE_FILE, SHIPPED_BASE, is_pocket
from vantage.records.predictions import Prediction
from vantage.registry.config import PromoteConfig
from vantage.registry.packaging import VLM, ModelFiles
from vantage.registry.served_base import SERVED_FILE, ServedBase, copy_model_files, identified

_VLM_RECORD = "spatial_vlm"


def stage_weights(into: Path, adapter: Path, config: PromoteConfig) -> ModelFiles:
    """Copies of the files that make the model, without histories and the like, as `base` and `adapter`.

    Raises:
        ContractError: a file is missing, or the arm was trained on another base.
        ResourceError: the hub cannot give the base.
    """
    base = into / "base"
    _copy(adapter, into / "adapter", (WEIGHTS_FILE, CONFIG_FILE))
    described = json.loads((into / "adapter" / CONFIG_FILE).read_text(encoding="utf-8"))
    pocket = is_pocket(config.base.model)
    if pocket == (described.get("record") == _VLM_RECORD):
        _refuse(adapter, "a pocket model" if pocket else "a vision-language model", described.get("record"))
    if pocket:
        source = SHIPPED_BASE if config.base.model == "shipped" else Path(config.base.model)
        _copy(source, base, (WEIGHTS_FILE, RECIPE_FILE))
        return ModelFiles(base, into / "adapter", "", {})
    base.mkdir()
    return _stage_vlm(base, into / "adapter", adapter, config, described)


def _stage_vlm(
    base: Path, adapter: Path, source: Path, config: PromoteConfig, described: dict[str, Any]
) -> ModelFiles:
    own, answering = config.base, config.answering
    folder, name, commit, fingerprint = identified(own.model, own.revision or None)
    if described["base"]["fingerprint"] != fingerprint:
        found = f"{name} {commit} ({fingerprint[:12]})"
        _refuse(source, f"the base of fingerprint {described['base']['fingerprint'][:12]}", found)
    served = ServedBase(name, commit, fingerprint, own.weights, answering.max_new_tokens, answering.tokens)
    if name == "local":
        copy_model_files(folder, base)
    served.write(base)
    unused = () if described["config"]["tune"] == "lora" else ("peft",)
    return ModelFiles(base, adapter, "", {}, VLM, served.digest, unused)


def _copy(source: Path, into: Path, files: Sequence[str]) -> None:
    into.mkdir()
    for file in files:
        if not (source / file).is_file():
            raise ContractError("a file of the model is missing", where=source / file)
        shutil.copyfile(source / file, into / file)


def _refuse(adapter: Path, expected: str, found: object) -> None:
    raise ContractError(
        "the arm was trained on another base than base.model names", where=adapter / CONFIG_FILE,
        expected=expected, found=found, hint="run finetune and evaluate again, with this base",
    )  # fmt: skip


def answers_with(task: Task, base: Path, adapter: Path) -> Sequence[Prediction]:
    """A registered model's answers to the held-out questions, as `evaluate` asks them.

    Raises `VantageError` when it cannot be asked these questions.
    """
    if not (base / SERVED_FILE).is_file():
        from vantage.evaluation.answers import answer_all, one_thread
        from vantage.models.answering import PocketVLM

        with one_thread():
            return answer_all(PocketVLM.load(base, adapter), task.inputs, "", task.seed, task.progress.step)
    from vantage.evaluation.vlm_answers import answer_all_with
    from vantage.models.device import best_device
    from vantage.models.vlm.generate import Decoding
    from vantage.models.vlm.trained import TrainedVlm

    served = ServedBase.read(base)
    vlm = TrainedVlm.load(str(served.folder(base)), adapter, None, served.weights)
    vlm.model.to(best_device())
    decoding = Decoding(served.max_new_tokens, token_budget=served.tokens)
    return answer_all_with(vlm, task.inputs, "", task.seed, decoding, task.progress.step).predictions
