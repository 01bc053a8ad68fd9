"""What models answer, lose and learn on a GPU is what they do on a CPU."""

from __future__ import annotations

from dataclasses import astuple, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("annotated_types", reason="no annotated-types, which models' configurations need")

import torch
from asked_vlms import answered, requests
from asked_vlms import preparer as speaking
from tiny_prompts import preparer
from tiny_vlms import CASES, FAMILY_CASES, Case
from vlm_samples import SMALL, samples
from watched_sites import bare

from vantage.core.errors import ResourceError
from vantage.models.answering import PocketVLM
from vantage.models.drawing import drawn_from
from vantage.models.families import Site
from vantage.models.injector import InjectionConfig
from vantage.models.pocket import PocketShape, build, fresh_injector
from vantage.models.situated import SituatedConfig, add_tokens
from vantage.models.vlm.batch import collate
from vantage.models.vlm.generate import Decoding, Generator
from vantage.models.vlm.model import SpatialVlm, VlmConfig
from vantage.models.vlm.request import Refused, Request

FEW = ("llava", "llava_onevision", "smolvlm", "qwen2_5_vl")
"""One of each way of dividing pictures into tiles and rows."""


def alike(found: dict[str, list[Any]], device: str) -> bool:
    pairs = zip(found[device], found["cpu"], strict=True)
    return all(torch.allclose(mine, theirs, rtol=1e-3, atol=1e-4) for mine, theirs in pairs)


@pytest.mark.parametrize("name", FAMILY_CASES)
def test_points_are_summed_at_every_site_as_on_a_cpu(name: str, device: str) -> None:
    found: dict[str, list[Any]] = {}
    for where in ("cpu", device):
        case: Case = CASES[name]().to(torch.device(where), torch.float32)
        with torch.no_grad():
            plain = case.model(**case.inputs).logits
        rows = []
        for site in get_args(Site):
            with bare(case.model, site).bind(case.random_geometry()), torch.no_grad():
                rows.append(case.model(**case.inputs).logits)
            assert rows[-1].device.type == where and not torch.allclose(rows[-1], plain, atol=1e-2), site
        found[where] = [row.cpu() for row in rows]
    assert alike(found, device)


@pytest.mark.parametrize("name", FAMILY_CASES)
def test_answers_are_those_of_a_cpu(name: str, device: str) -> None:
    """In a batch, some stopped by a string; the models are drawn so that no word is a close call."""
    found = {}
    for where in ("cpu", device):
        maker = speaking(name)
        maker.model.to(where)
        said = answered(maker, requests(maker.family.placeholder, 4), stop=(" w2",))
        found[where] = {key: (one.text, one.finish, one.tokens) for key, one in said.items()}
    assert found[device] == found["cpu"]


def test_a_batch_that_is_too_large_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def large(**_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    maker = speaking("llava")
    monkeypatch.setattr(maker.model, "generate", large)
    with pytest.raises(ResourceError, match=r"(?s)4 requests.*2\.00 GiB.*answering\.tokens.*token-budget"):
        answered(maker, requests(maker.family.placeholder, 4))


def situated(name: str, where: str) -> tuple[SpatialVlm, Any, Any]:
    prepare = preparer(name)
    config = VlmConfig(
        InjectionConfig("post_vit", "aligned"), "lora", lora=SMALL,
        situated=SituatedConfig("aligned", head_width=16, camera_drop=0.5),
    )  # fmt: skip
    model = SpatialVlm(prepare.model, config, 0, add_tokens(prepare.tokenizer)).to(where)
    shown = [replace(sample, frame="aligned") for sample in samples(prepare)]
    return model, collate(shown, prepare, config.head, draw=3), prepare


@pytest.mark.parametrize("name", FEW)
def test_a_situated_model_learns_and_reads_places_as_on_a_cpu(name: str, device: str) -> None:
    pytest.importorskip("peft", reason="no peft: adapters were not tested")
    found, places = {}, {}
    for where in ("cpu", device):
        model, batch, prepare = situated(name, where)
        losses = model.train()(batch)
        losses.total.backward()
        grads = [p.grad for p in model.trained().values() if p.grad is not None]
        assert losses.total.device.type == where and {g.device.type for g in grads} == {where}
        found[where] = [value.detach().cpu() for value in (losses.total, *losses.parts.values(), *grads)]
        model.eval()
        views = samples(prepare)[0].views
        size = [view.image().size for view in views]
        shown = tuple(replace(view, pictures=None) for view in views)
        head = model.config.head(replace(samples(prepare)[0], frame="aligned"), prepare.family)
        asked = Request("q", f"{head}where is the chair", shown, tuple(size), "aligned")
        speaker = Generator(prepare, Decoding(3), model.injector, model.situated)
        (said,) = next(iter(speaker.answers([asked])))
        assert not isinstance(said, Refused)
        rows = [*model.places(batch), said.place]
        places[where] = [list(astuple(row)[:7]) for row in rows]
    assert alike(found, device)
    assert np.allclose(places[device], places["cpu"], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", FEW)
def test_kept_features_stand_in_for_the_tower(name: str, device: str, tmp_path: Path) -> None:
    pytest.importorskip("peft", reason="no peft: adapters were not tested")
    prepare = preparer(name)
    model = SpatialVlm(prepare.model, VlmConfig(InjectionConfig("post_vit"), "lora", lora=SMALL), 0)
    model.to(device).train()
    batch = collate(samples(prepare), prepare)
    plain = model(batch).total
    model.keep_features("base", tmp_path)
    first, again = model(batch).total, model(batch).total
    assert model.features is not None and model.features.reused == model.features.computed > 0
    assert torch.equal(first, again) and torch.allclose(first, plain, rtol=1e-4)


def test_the_pocket_model_says_what_it_says_on_a_cpu(device: str) -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 255, (4, 64, 64, 3)).astype(np.uint8)
    xyz = random.normal(size=(4, 8, 8, 3)).astype(np.float32)
    valid = random.random((4, 8, 8)) < 0.8
    said = {}
    for where in ("cpu", device):
        model = build(PocketShape(), seed=1).to(where)
        injector = fresh_injector(model, "pre_vit", seed=2)
        with drawn_from(3), torch.no_grad():
            for parameter in injector.encoder.parameters():
                parameter.copy_(torch.randn(parameter.shape) * 0.1)
        ask = ["is the chair left of the table ?"] * 2
        said[where] = PocketVLM(model, injector).answer(images, xyz, valid, ask)
    assert said[device] == said["cpu"]


def test_what_is_drawn_from_a_seed_leaves_the_devices_random_numbers_alone(device: str) -> None:
    pytest.importorskip("peft", reason="no peft: adapters were not tested")
    before = [torch.get_rng_state(), *torch.cuda.get_rng_state_all()]
    situated("llava", device)
    build(PocketShape(), seed=1)
    after = [torch.get_rng_state(), *torch.cuda.get_rng_state_all()]
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


def test_a_registered_model_answers_on_the_gpu(tmp_path: Path, device: str) -> None:
    if device == "cpu" and torch.cuda.is_available():
        pytest.skip("it takes the GPU that is here")
    pytest.importorskip("pydantic", reason="no pydantic, which an adapter's description needs")
    from vantage.models.loading import load_vlm
    from vantage.models.vlm.checkpoint import save_adapter
    from vantage.registry.served_base import ServedBase
    from vantage.registry.vlm_serving import VlmAnswerer

    prepare, folder, adapter = preparer("llava"), tmp_path / "base", tmp_path / "adapter"
    for part in (prepare.model, prepare.tokenizer, prepare.image_processor):
        part.save_pretrained(folder)
    base = load_vlm(folder)
    model = SpatialVlm(base.model, VlmConfig(InjectionConfig("post_vit")), 0)
    save_adapter(adapter, model, base.identity, {"recipe": "multiview", "dialogs": "single", "align": None})
    ServedBase("local", "", base.identity.fingerprint).write(folder)
    served = VlmAnswerer.load(folder, adapter)
    assert {p.device.type for p in served._vlm.model.parameters()} == {device}
