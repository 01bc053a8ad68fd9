from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from vantage.core.errors import ContractError, ParameterError
from vantage.core.hashing import digest_tree
from vantage.core.tasks import Task
from vantage.models.answering import PocketVLM
from vantage.models.checkpoint import load_base
from vantage.training import loop
from vantage.training.arm import Arm
from vantage.training.config import ArmConfig, FinetuneConfig
from vantage.training.loop import Plan, train
from vantage.training.samples import Samples
from vantage.training.stage import finetune


class Stop(Exception):  # noqa: N818 - a kill, not an error
    """A kill in the middle of training."""


class Recorder:
    """Progress that remembers, and stops the run at a step if told to."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.stop_at = stop_at
        self.steps: list[int] = []

    def step(self, done: int, total: int, note: str = "") -> None:
        self.steps.append(done)
        if done == self.stop_at:
            raise Stop

    def say(self, text: str) -> None:
        raise AssertionError(text)


def config(base: Path, **changes: object) -> FinetuneConfig:
    given = {"base": str(base), "steps": 30, "scenes": 2, "questions": 3, "warm_up": 3, "checkpoint_every": 5}
    return FinetuneConfig(**(given | {"precision": "fp32"} | changes))  # type: ignore[arg-type]


def task(folder: Path, item: str, progress: Recorder | None = None) -> Task:
    out, work = folder / "out", folder / "work"
    for path in (out, work):
        path.mkdir(parents=True, exist_ok=True)
    return Task(item, {}, out, work, seed=4, progress=progress or Recorder())


@pytest.mark.parametrize("site", ["none", "post_vit", "pre_vit", "post_projector"])
def test_one_step_changes_the_projector_and_the_encoders_last_layer_and_nothing_else(
    small_base: Path, samples: Samples, tmp_path: Path, site: str
) -> None:
    arm_config = ArmConfig(site=site)  # type: ignore[arg-type]
    arm = Arm(load_base(small_base), arm_config, samples, seed=0)
    before = {name: value.clone() for name, value in arm.state_dict().items()}
    plan = Plan(config(small_base, steps=1, weight_decay=0.0), arm_config, 0, "key")
    train(arm, samples, plan, tmp_path, Recorder())
    changed = {name for name, value in arm.state_dict().items() if not torch.equal(value, before[name])}
    expected = {
        f"base.model.multi_modal_projector.linear_{k}.{part}" for k in (1, 2) for part in ("weight", "bias")
    }
    if site != "none":
        # Behind a last layer of zeros nothing else has a gradient yet.
        expected |= {"encoder.mlp.4.weight", "encoder.mlp.4.bias", "encoder.null"}
    assert changed == expected


def test_later_the_whole_encoder_trains_and_the_loss_falls(
    small_base: Path, samples: Samples, tmp_path: Path
) -> None:
    arm = Arm(load_base(small_base), ArmConfig(), samples, seed=0)
    before = {name: p.detach().clone() for name, p in arm.trained().items()}
    losses = train(arm, samples, Plan(config(small_base), ArmConfig(), 0, "key"), tmp_path, Recorder())
    assert all(not torch.equal(p, before[name]) for name, p in arm.trained().items())
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


@pytest.mark.parametrize("item", ["embedding", "random_yaw"])
def test_a_killed_run_goes_on_to_the_same_bytes(
    small_base: Path, use_samples: Callable[[], None], tmp_path: Path, item: str
) -> None:
    use_samples()
    whole = task(tmp_path / "whole", item)
    finetune(whole, config(small_base))
    broken = task(tmp_path / "broken", item, Recorder(stop_at=20))
    with pytest.raises(Stop):
        finetune(broken, config(small_base))
    assert not list(broken.out.iterdir())
    seen = Recorder()
    resumed = task(tmp_path / "broken", item, seen)
    finetune(resumed, config(small_base))
    assert digest_tree(resumed.out) == digest_tree(whole.out)
    # It did go on: the first step told of after reading frames lies behind the checkpoint.
    assert min(step for step in seen.steps if step) == 20 or 10 not in seen.steps


def test_another_runs_checkpoint_is_not_taken_up(
    small_base: Path, use_samples: Callable[[], None], tmp_path: Path
) -> None:
    use_samples()
    with pytest.raises(Stop):
        finetune(task(tmp_path / "a", "embedding", Recorder(stop_at=20)), config(small_base, questions=1))
    finetune(task(tmp_path / "a", "embedding"), config(small_base))
    finetune(task(tmp_path / "b", "embedding"), config(small_base))
    assert digest_tree(tmp_path / "a" / "out") == digest_tree(tmp_path / "b" / "out")


def test_what_is_written_is_the_trained_part_and_what_it_fits(
    small_base: Path, use_samples: Callable[[], None], tmp_path: Path
) -> None:
    use_samples()
    facts = finetune(task(tmp_path, "random_yaw"), config(small_base, steps=2))
    out = tmp_path / "out"
    assert sorted(p.name for p in out.iterdir()) == ["config.json", "history.jsonl", "model.safetensors"]
    tensors = load_file(out / "model.safetensors")
    assert {name.split(".")[0] for name in tensors} == {"projector", "position_encoder"}
    assert sum(t.numel() for t in tensors.values()) == facts["trained_parameters"]
    described = json.loads((out / "config.json").read_text())
    assert (described["site"], described["frame"], described["coordinates"]) == (
        "post_vit",
        "ego_level",
        "random_yaw",
    )
    rows = [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2]
    assert all(set(row) == {"step", "loss"} for row in rows)


def test_an_adapter_answers_only_on_its_own_base(
    small_base: Path, use_samples: Callable[[], None], tmp_path: Path, samples: Samples
) -> None:
    from vantage.models.checkpoint import save_base
    from vantage.models.pocket import PocketShape, build

    use_samples()
    finetune(task(tmp_path, "embedding"), config(small_base, steps=3))
    vlm = PocketVLM.load(small_base, tmp_path / "out")
    views = (
        samples.images[:2],
        samples.xyz_aligned[:2].reshape(2, 8, 8, 3),
        samples.valid[:2].reshape(2, 8, 8),
    )
    assert len(vlm.answer(*views, ["is there a red chair?"] * 30)) == 30
    shape = PocketShape(
        vision_width=32, vision_layers=1, vision_heads=2, vision_mlp=48, width=96, layers=1, heads=2, mlp=64
    )
    save_base(tmp_path / "other", build(shape, seed=9), shape, {})
    with pytest.raises(ContractError, match="another base"):
        PocketVLM.load(tmp_path / "other", tmp_path / "out")


def test_an_unknown_arm_is_refused_with_the_names_there_are(small_base: Path, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="projector, embedding"):
        finetune(task(tmp_path, "embeding"), config(small_base))


def test_fused_or_not_the_cached_features_are_the_towers(small_base: Path, samples: Samples) -> None:
    """The post_vit arm keeps the frozen tower's features; its loss equals that of the plain path."""
    from vantage.training.collate import batch_at

    batch = batch_at(samples, 0, 0, scenes=2, questions=3, coordinates="true")
    arm = Arm(load_base(small_base), ArmConfig(), samples, seed=0)
    plain = arm(batch)
    arm.prepare()
    assert torch.allclose(plain, arm(batch), atol=1e-5)


def test_auto_precision_is_decided_by_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for has in (True, False):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda has=has: has)
        assert loop.use_bf16("auto") is has
    assert loop.use_bf16("bf16") and not loop.use_bf16("fp32")
