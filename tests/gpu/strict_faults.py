"""Faults that a CPU bears and a GPU does not, put in one at a time: each must be heard on the strict device.

Run by test_strict_device.py under the plugin, in a process of its own.
"""

from __future__ import annotations

import importlib
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strict_cuda
import torch
from test_models_on_a_gpu import situated
from test_training_on_a_gpu import Scaled, StopAt, toys
from tiny_prompts import preparer
from tiny_vlms import CASES
from vlm_samples import samples
from watched_sites import bare

from vantage.geometry.camera import Pinhole
from vantage.models.encoders import EncoderConfig
from vantage.models.encoders.normalise import rounded
from vantage.models.injector import InjectionConfig
from vantage.models.packing import attention_mask, pack
from vantage.models.situated.orientation import decode
from vantage.models.vlm.batch import collate
from vantage.models.vlm.model import SpatialVlm, VlmConfig
from vantage.recover.published import published_scores


def scores(_: Path) -> Any:
    camera, coord = Pinhole(64, 48, 50.0, 50.0, 32.0, 24.0), np.eye(3, dtype=np.float32) + 1
    return published_scores(coord, np.arange(3, dtype=np.int32), [np.eye(4)], [camera], 1.0, device="cuda")


def questions(_: Path) -> Any:
    packed = pack([[[1, 2], [3]]]).to(torch.device("cuda"))
    return attention_mask(torch.ones(1, 4, dtype=torch.bool, device="cuda"), packed.slot)


def voxels(_: Path) -> Any:
    return rounded(torch.zeros(5, 3, device="cuda"), EncoderConfig("voxel_index", "voxel"))


def points(_: Path) -> Any:
    case = CASES["llava"]().to(torch.device("cuda"), torch.float32)
    with bare(case.model, "post_vit").bind(case.random_geometry()):
        return case.model(**case.inputs).logits


def yaw(_: Path) -> Any:
    return decode(torch.zeros(2, 36, device="cuda"))


def places(_: Path) -> Any:
    model, batch, _prepare = situated("llava", "cuda")
    return model.train()(batch).total.backward()


def features(work: Path) -> Any:
    prepare = preparer("llava")
    model = SpatialVlm(prepare.model, VlmConfig(InjectionConfig(), "projector"), 0).to("cuda")
    model.keep_features("base", work)
    return model(collate(samples(prepare), prepare)).total


def resumed(work: Path) -> Any:
    with pytest.raises(InterruptedError):
        toys(work, kind=Scaled, progress=StopAt(10), checkpoint_every=4)
    return toys(work, kind=Scaled, checkpoint_every=4)


def dropped(work: Path) -> Any:
    """What a device draws must follow from the step: a resumed run would otherwise draw anew."""
    whole = toys(work / "whole", dropout=0.3)[1]
    with pytest.raises(InterruptedError):
        toys(work / "broken", dropout=0.3, progress=StopAt(10), checkpoint_every=4)
    if toys(work / "broken", dropout=0.3, checkpoint_every=4)[1].losses != whole.losses:
        raise RuntimeError("a resumed run is another")


@dataclass(frozen=True)
class Fault:
    """`old` of a function's source becomes `new`."""

    function: str
    old: str
    new: str
    body: Callable[[Path], Any]


FAULTS = (
    Fault("vantage.recover.with_torch:_batch", "torch.inf, dtype=torch.float64, device=device",
          "torch.inf, dtype=torch.float64", scores),
    Fault("vantage.recover.with_torch:counts_on", "each.cpu().numpy()", "each.numpy()", scores),
    Fault("vantage.models.packing:attention_mask", "dtype=torch.bool, device=slot.device).tril",
          "dtype=torch.bool).tril", questions),
    Fault("vantage.models.encoders.normalise:rounded", ", device=xyz.device", "", voxels),
    Fault("vantage.models.situated.orientation:decode", ".to(logits.device)", "", yaw),
    Fault("vantage.models.situated.cameras:Cameras.without", ".bool().to(self.numbers.device)", ".bool()",
          places),
    Fault("vantage.models.situated.module:Situated.losses", "len(hidden), device=hidden.device",
          "len(hidden)", places),
    Fault("vantage.models.binding:Binding._sum", "self.geometry.to(tokens.device)", "self.geometry", points),
    Fault("vantage.models.vlm.batch:Batch.to", "self.labels.to(device)", "self.labels", places),
    Fault("vantage.models.vlm.cross_entropy:_ChunkedLoss.forward", ", device=hidden.device", "", features),
    Fault("vantage.models.vlm.tower_calls:Call.key", ".detach().cpu()", ".detach()", features),
    Fault("vantage.models.vlm.tower_cache:TowerCache._answer", "v.to(device)", "v.cpu()", features),
    Fault("vantage.training.checkpoint:restore", 'key == "step"', "value.ndim == 0", resumed),
    Fault("vantage.training.loop:_Training.run", "torch.manual_seed(", "torch.default_generator.manual_seed(",
          dropped),
)  # fmt: skip
BODIES = {fault.body.__name__: fault.body for fault in FAULTS}


def put_in(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """The function with the fault in it, wherever it was imported to."""
    module, _, name = fault.function.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = inspect.getattr_static(found, part)
    inner = inspect.unwrap(found.__func__ if isinstance(found, staticmethod) else found)
    source = textwrap.dedent(inspect.getsource(inner))
    assert source.count(fault.old) == 1, "the source has changed: give the fault anew"
    made: dict[str, Any] = {}
    exec(
        f"from __future__ import annotations\n{source.replace(fault.old, fault.new)}", inner.__globals__, made
    )
    monkeypatch.setattr(inner, "__code__", inspect.unwrap(made[inner.__name__]).__code__)


@pytest.mark.parametrize("where", ["cuda"])
@pytest.mark.parametrize("name", BODIES)
def test_as_it_is_nothing_is_refused(name: str, where: str, tmp_path: Path) -> None:
    before = strict_cuda.calls.total()
    BODIES[name](tmp_path)
    assert strict_cuda.calls.total() > before


@pytest.mark.parametrize("where", ["cuda"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.function.partition(":")[2])
def test_a_fault_is_refused(
    fault: Fault, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in(fault, monkeypatch)
    with pytest.raises((RuntimeError, TypeError), match=r"same device|numpy|another"):
        fault.body(tmp_path)
