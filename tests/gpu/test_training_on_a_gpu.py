"""The training loop where it runs: accumulation, adapters, going on after a stop, all GPUs that are there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("accelerate", reason="no accelerate: the loop was not tested")
pytest.importorskip("annotated_types", reason="no annotated-types, which the configuration needs")

import torch
from toy import Toy, ToySource
from toy_process import SHARDED, result, toy, trained

from vantage.core.errors import ResourceError
from vantage.core.progress import Silent
from vantage.training.checkpoint import LAST, read
from vantage.training.loop import Outcome, Plan, train

STEPS = 12


class StopAt(Silent):
    def __init__(self, step: int) -> None:
        self.at = step

    def step(self, done: int, total: int, note: str = "") -> None:
        if done == self.at:
            raise InterruptedError


class Scaled(Toy):
    """One of the trained tensors is a single number, as the scale of a sinusoid is."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__(dropout)
        self.scale = torch.nn.Parameter(torch.ones(()))

    def forward(self, batch: Any) -> Any:
        losses = super().forward(batch)
        return replace(losses, total=losses.total * self.scale)


def toys(
    work: Path, accumulate: int = 1, progress: Silent | None = None, **changes: Any
) -> tuple[Toy, Outcome]:
    model = changes.pop("kind", Toy)(changes.pop("dropout", 0.0))
    given = {"steps": STEPS, "key": "key", "precision": "fp32", "checkpoint_every": 5} | changes
    return model, train(model, ToySource(accumulate=accumulate), Plan(**given), work, progress or Silent())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_step_does_not_depend_on_how_it_is_accumulated(tmp_path: Path, precision: str, place: str) -> None:
    model, whole = toys(tmp_path / "whole", precision=precision)
    assert model.head.weight.device.type == place
    parts = toys(tmp_path / "parts", accumulate=4, precision=precision)[1]
    assert whole.losses[0] > whole.losses[-1]
    assert np.allclose(whole.losses, parts.losses, atol=1e-5 if precision == "fp32" else 2e-2)


def test_losses_are_those_of_a_cpu(tmp_path: Path, place: str) -> None:
    """Against a process that sees no GPU."""
    here = toys(tmp_path / "here")[1].losses
    done = toy(tmp_path / "cpu", {"steps": STEPS, "checkpoint_every": 5})
    assert done.returncode == 0, done.stderr
    assert np.allclose(here, result(tmp_path / "cpu")["losses"], atol=1e-5)


@pytest.mark.parametrize("kind", [Toy, Scaled])
def test_after_a_stop_the_losses_are_those_of_an_unbroken_run(
    tmp_path: Path, kind: type[Toy], place: str
) -> None:
    """Dropout included, bit for bit."""
    given = {"dropout": 0.3, "kind": kind}
    model, whole = toys(tmp_path / "whole", **given)
    with pytest.raises(InterruptedError):
        toys(tmp_path / "broken", progress=StopAt(10), checkpoint_every=4, **given)
    assert len(read(tmp_path / "broken" / LAST).losses) == 8
    resumed, again = toys(tmp_path / "broken", checkpoint_every=4, **given)
    assert again.losses == whole.losses
    assert all(torch.equal(v, resumed.trained()[k]) for k, v in model.trained().items())


def test_training_leaves_the_devices_random_numbers_alone(tmp_path: Path, place: str) -> None:
    """Whoever draws on the same device besides is not disturbed."""
    before = [torch.get_rng_state(), *torch.cuda.get_rng_state_all()]
    toys(tmp_path, dropout=0.3)
    after = [torch.get_rng_state(), *torch.cuda.get_rng_state_all()]
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


def test_a_gpu_that_is_too_small_is_said_with_what_to_do(tmp_path: Path) -> None:
    class Large(Toy):
        def forward(self, batch: Any) -> Any:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has")

    with pytest.raises(
        ResourceError, match=r"(?s)too small.*step 1.*2\.00 GiB.*gradient_checkpointing"
    ) as found:
        toys(tmp_path, kind=Large)
    assert "GPU 0 has" not in str(found.value)


@pytest.mark.parametrize("site", ["pre_vit", "post_vit"])
def test_an_arm_of_the_pocket_model_learns(tmp_path: Path, site: str, place: str) -> None:
    from pocket_samples import SMALL, noise_rooms

    from vantage.models.pocket import build
    from vantage.training.arm import Arm
    from vantage.training.collate import ArmBatches
    from vantage.training.config import ArmConfig

    rooms = noise_rooms()
    losses = {}
    for accumulate in (1, 2):
        arm = Arm(build(SMALL, seed=1), ArmConfig(site=site), rooms, seed=0)  # type: ignore[arg-type]
        source = ArmBatches(rooms, 0, scenes=2, questions=3, coordinates="true", accumulate=accumulate)
        plan = Plan(30, "key", warm_up=3, precision="fp32")
        losses[accumulate] = train(arm, source, plan, tmp_path / str(accumulate), Silent()).losses
        assert {p.device.type for p in arm.parameters()} == {place}
    assert sum(losses[1][-5:]) < 0.8 * sum(losses[1][:5])
    assert np.allclose(losses[1], losses[2], atol=1e-4)


def test_features_of_a_model_that_moves_afterwards_are_found(device: str) -> None:
    """A sharded model is moved by its wrapper."""
    from pocket_samples import SMALL, noise_rooms

    from vantage.models.pocket import build
    from vantage.training.arm import Arm
    from vantage.training.collate import ArmBatches
    from vantage.training.config import ArmConfig

    rooms = noise_rooms()
    arm = Arm(build(SMALL, seed=1), ArmConfig(site="post_vit"), rooms, seed=0)
    (batch,) = ArmBatches(rooms, 0, scenes=2, questions=3, coordinates="true").batch(0, 0, 1)
    arm.prepare()
    before = arm(batch).total
    assert torch.allclose(arm.to(device)(batch).total.cpu(), before, rtol=1e-4)


@pytest.mark.parametrize("name", ["llava", "qwen2_5_vl"])
@pytest.mark.parametrize("tune", ["projector", "lora"])
def test_a_stock_model_learns_in_bfloat16(tmp_path: Path, name: str, tune: str, place: str) -> None:
    """Samples together and apart; in bfloat16 as near as its rounding lets them be."""
    if tune == "lora":
        pytest.importorskip("peft", reason="no peft: adapters were not tested")
    from tiny_prompts import preparer
    from vlm_samples import SMALL, samples

    from vantage.models.vlm.batch import collate
    from vantage.models.vlm.model import SpatialVlm, VlmConfig

    losses = {}
    for together in (True, False):
        prepare = preparer(name)
        both = samples(prepare)
        parts = [both] if together else [[sample] for sample in both]

        class Rooms:
            def batch(self, step: int, rank: int, world: int, parts: Any = parts, how: Any = prepare) -> Any:
                return [collate(part, how) for part in parts]

            def digest(self) -> str:
                return "rooms"

        model = SpatialVlm(prepare.model, VlmConfig(tune=tune, lora=SMALL), 0)  # type: ignore[arg-type]
        plan = Plan(6, "key", precision="bf16", gradient_checkpointing=not together)
        losses[together] = train(model, Rooms(), plan, tmp_path / str(together), Silent()).losses
        assert {p.device.type for p in model.parameters()} == {place}
    assert losses[True][-1] < losses[True][0]
    assert np.allclose(losses[True], losses[False], rtol=0.03)


@pytest.mark.parametrize("kind", ["DDP", "FSDP2"])
def test_many_gpus_learn_what_one_process_learns(tmp_path: Path, kind: str) -> None:
    """Over NCCL; the same over gloo is in tests/training/test_processes.py."""
    count = torch.cuda.device_count()
    if count < 2:
        pytest.skip(f"{count or 'NO'} GPU: {kind} over NCCL was not tested, it needs two")
    processes = 1 << (min(count, 8).bit_length() - 1)
    settings = {"steps": 20, "validate_every": 5, "warm_up": 3}
    shown = {"CUDA_VISIBLE_DEVICES": ",".join(map(str, range(processes)))}
    one = toy(tmp_path / "one", settings)
    many = toy(tmp_path / "many", settings, processes, **shown, **(SHARDED if kind == "FSDP2" else {}))
    assert one.returncode == many.returncode == 0, one.stderr + many.stderr
    assert result(tmp_path / "many")["sharded"] == (kind == "FSDP2")
    assert np.allclose(result(tmp_path / "one")["losses"], result(tmp_path / "many")["losses"], atol=3e-5)
    assert np.allclose(trained(tmp_path / "one"), trained(tmp_path / "many"), atol=3e-5)
