from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from changes import assert_a_step_changes_what_is_trained, changed_by_a_step
from safetensors.torch import load_file

from vantage.core.errors import ContractError, ParameterError
from vantage.core.hashing import digest_tree
from vantage.core.tasks import Task
from vantage.models.answering import PocketVLM
from vantage.models.checkpoint import load_base
from vantage.models.config import BaseConfig
from vantage.training import place
from vantage.training.arm import Arm
from vantage.training.collate import ArmBatches
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
        self.said: list[str] = []

    def step(self, done: int, total: int, note: str = "") -> None:
        self.steps.append(done)
        if done == self.stop_at:
            raise Stop

    def say(self, text: str) -> None:
        self.said.append(text)


def config(base: Path, **changes: object) -> FinetuneConfig:
    given = {"steps": 30, "scenes": 2, "questions": 3, "warm_up": 3, "checkpoint_every": 5}
    return FinetuneConfig(BaseConfig(str(base)), **(given | {"precision": "fp32"} | changes))  # type: ignore[arg-type]


def task(folder: Path, item: str, progress: Recorder | None = None) -> Task:
    out, work = folder / "out", folder / "work"
    for path in (out, work):
        path.mkdir(parents=True, exist_ok=True)
    return Task(item, {}, out, work, seed=4, progress=progress or Recorder())


def source(samples: Samples, accumulate: int = 1) -> ArmBatches:
    return ArmBatches(samples, 0, scenes=2, questions=3, coordinates="true", accumulate=accumulate)


@pytest.mark.parametrize("site", ["none", "post_vit", "pre_vit", "post_projector"])
def test_one_step_changes_the_projector_and_the_encoders_last_layer_and_nothing_else(
    small_base: Path, samples: Samples, tmp_path: Path, site: str
) -> None:
    arm = Arm(load_base(small_base), ArmConfig(site=site), samples, seed=0)  # type: ignore[arg-type]
    changed = changed_by_a_step(arm, source(samples), tmp_path)
    expected = {
        f"base.model.multi_modal_projector.linear_{k}.{part}" for k in (1, 2) for part in ("weight", "bias")
    }
    if site != "none":
        # Behind a last layer of zeros nothing else has a gradient yet.
        expected |= {"encoder.mlp.4.weight", "encoder.mlp.4.bias", "encoder.null"}
    assert changed == expected


@pytest.mark.parametrize("site", ["none", "post_vit", "pre_vit", "post_projector"])
def test_after_some_steps_exactly_the_trained_tensors_have_changed(
    small_base: Path, samples: Samples, tmp_path: Path, site: str
) -> None:
    arm = Arm(load_base(small_base), ArmConfig(site=site), samples, seed=0)  # type: ignore[arg-type]
    assert_a_step_changes_what_is_trained(arm, source(samples), tmp_path, steps=3)


def test_the_loss_falls(small_base: Path, samples: Samples, tmp_path: Path) -> None:
    arm = Arm(load_base(small_base), ArmConfig(), samples, seed=0)
    plan = Plan(30, "key", warm_up=3, precision="fp32")
    losses = train(arm, source(samples), plan, tmp_path, Recorder()).losses
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def test_the_tree_is_shown_before_training(small_base: Path, samples: Samples, tmp_path: Path) -> None:
    seen = Recorder()
    arm = Arm(load_base(small_base), ArmConfig(), samples, seed=0)
    train(arm, source(samples), Plan(1, "key", precision="fp32"), tmp_path, seen)
    table = {line.split()[0]: line.split()[1:] for line in seen.said}
    assert table["base.model.vision_tower"][1] == "0" and table["base.model.language_model"][1] == "0"
    assert table["encoder"][2] == "0" and table["base.model.multi_modal_projector"][2] == "0"
    trained = sum(p.numel() for p in arm.trained().values())
    assert table["all"][1] == f"{trained:,}"


@pytest.mark.parametrize("site", ["post_vit", "pre_vit"])
def test_micro_batches_and_recomputing_learn_the_same(
    small_base: Path, samples: Samples, tmp_path: Path, site: str
) -> None:
    losses = {}
    for name, accumulate, recompute in (("plain", 1, False), ("parts", 2, False), ("again", 1, True)):
        arm = Arm(load_base(small_base), ArmConfig(site=site), samples, seed=0)  # type: ignore[arg-type]
        passes = count_passes(arm)
        plan = Plan(6, "key", precision="fp32", gradient_checkpointing=recompute)
        given = source(samples, accumulate)
        losses[name] = train(arm, given, plan, tmp_path / name, Recorder()).losses
        assert len(passes) == 6 * (2 if recompute or accumulate == 2 else 1)
    assert losses["plain"] == pytest.approx(losses["parts"], abs=1e-4)
    assert losses["plain"] == pytest.approx(losses["again"], abs=1e-6)


def count_passes(arm: Arm) -> list[int]:
    """Grows with every pass through the decoder's layer, recomputed ones too."""
    passes: list[int] = []
    attention = arm.base.model.language_model.layers[0].self_attn
    attention.register_forward_hook(lambda *_: passes.append(1))
    return passes


@pytest.mark.parametrize("workers", [1, 2])
def test_any_number_of_workers_gives_the_same_bytes(
    small_base: Path, use_samples: Callable[[], None], tmp_path: Path, workers: int
) -> None:
    use_samples()
    finetune(task(tmp_path / "none", "random_yaw"), config(small_base, steps=8))
    facts = finetune(task(tmp_path / "some", "random_yaw"), config(small_base, steps=8, workers=workers))
    assert digest_tree(tmp_path / "none/out") == digest_tree(tmp_path / "some/out")
    assert 0 <= float(facts["data_wait_share"]) < 1


def test_rooms_kept_for_validation_choose_the_weights(
    small_base: Path, use_samples: Callable[[], None], tmp_path: Path
) -> None:
    use_samples()
    validated = {"validation_share": 0.5, "validate_every": 4, "validation_batches": 2, "keep": "best"}
    facts = finetune(task(tmp_path, "embedding"), config(small_base, steps=12, **validated))
    rows = [json.loads(line) for line in (tmp_path / "out/history.jsonl").read_text().splitlines()]
    looked = {row["step"]: row["validation_loss"] for row in rows if "validation_loss" in row}
    assert sorted(looked) == [4, 8, 12]
    assert facts["best_step"] == min(looked, key=lambda step: looked[step])
    assert facts["best_validation_loss"] == pytest.approx(min(looked.values()), abs=1e-6)
    with pytest.raises(ParameterError, match="both above 0"):
        config(small_base, validate_every=4)
    with pytest.raises(ParameterError, match="validate_every above 0"):
        config(small_base, keep="best")


@pytest.mark.parametrize("item", ["embedding", "random_yaw"])
def test_a_killed_run_goes_on_to_the_same_bytes(
    small_base: Path, use_samples: Callable[[], None], tmp_path: Path, item: str
) -> None:
    """Also where the base lies elsewhere by then."""
    use_samples()
    whole = task(tmp_path / "whole", item)
    finetune(whole, config(small_base))
    broken = task(tmp_path / "broken", item, Recorder(stop_at=20))
    with pytest.raises(Stop):
        finetune(broken, config(small_base))
    assert not list(broken.out.iterdir())
    seen = Recorder()
    resumed = task(tmp_path / "broken", item, seen)
    finetune(resumed, config(shutil.copytree(small_base, tmp_path / "moved")))
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
    (batch,) = source(samples).batch(0, 0, 1)
    arm = Arm(load_base(small_base), ArmConfig(), samples, seed=0)
    plain = arm(batch).total
    arm.prepare()
    assert torch.allclose(plain, arm(batch).total, atol=1e-5)


def test_auto_precision_is_decided_by_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for has in (True, False):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda has=has: has)
        assert place.use_bf16("auto") is has
    assert place.use_bf16("bf16") and not place.use_bf16("fp32")


def test_auto_precision_takes_no_gpu_that_only_imitates_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """As PyTorch answers on a T4 (7.5), which it lets compute in bfloat16 slowly, and on an A100 (8.0)."""
    for major, native in ((7, False), (8, True)):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
        monkeypatch.setattr(torch.cuda, "_check_bf16_tensor_supported", lambda device: True)
        found = SimpleNamespace(major=major)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device, found=found: found)
        assert place.use_bf16("auto") is native


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """NCCL would say that a GPU is there twice, in a process's log."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    with pytest.raises(ParameterError, match=r"(?s)finetune.processes.*2 at most.*3.*CUDA_VISIBLE_DEVICES"):
        place.accelerator()
