"""A recipe's model: what is trained, at which rate, and that it is the stock model until then."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from tiny_prompts import preparer
from vlm_samples import FAMILIES, SMALL, TUNES, samples, stepped

from vantage.core.errors import ParameterError
from vantage.models.encoders import EncoderConfig
from vantage.models.families.base import Site
from vantage.models.injector import InjectionConfig
from vantage.models.vlm.batch import Batch, collate
from vantage.models.vlm.model import Rates, SpatialVlm, VlmConfig


def made(name: str, config: VlmConfig, seed: int = 0) -> tuple[SpatialVlm, Batch]:
    prepare = preparer(name)
    batch = collate(samples(prepare), prepare)
    return SpatialVlm(prepare.model, config, seed), batch


@pytest.mark.parametrize("tune", TUNES)
@pytest.mark.parametrize("name", FAMILIES)
def test_untrained_it_answers_bit_for_bit_as_the_stock_model(name: str, tune: Any) -> None:
    prepare = preparer(name)
    batch = collate(samples(prepare), prepare)
    with torch.no_grad():
        plain = prepare.model(**batch.inputs).logits
        model = SpatialVlm(prepare.model, VlmConfig(tune=tune, lora=SMALL), 0)
        assert torch.equal(model.logits(batch), plain)
        # The loss is made of hidden states, so that logits of all tokens never stand in memory.
        head = model.base.get_output_embeddings()
        assert torch.equal(head(model.hidden(batch)), plain)
        stock = model.base(**batch.inputs, labels=batch.labels).loss
        assert torch.allclose(model(batch).total, stock, rtol=1e-6)


@pytest.mark.parametrize("tune", TUNES)
@pytest.mark.parametrize("name", FAMILIES)
def test_after_steps_exactly_what_was_to_be_trained_has_changed(name: str, tune: Any) -> None:
    model, batch = made(name, VlmConfig(tune=tune, lora=SMALL))
    family, base = model.family, model.base
    parts = [model.encoder, *family.projectors(base).values()]
    if tune == "full":
        parts += [family.decoder(base), base.get_output_embeddings()]
    chosen = {id(p) for part in parts for p in part.parameters()}
    before = stepped(model, batch)
    for key, value in model.state_dict(keep_vars=True).items():
        moved = not torch.equal(value, before[key])
        if id(value) in chosen or "lora_" in key:
            # Qwen3's last deepstack merger reaches the last layer's visual tokens only, which nobody reads.
            assert moved or not value.grad.any(), key
        else:
            assert not moved, key
    assert any(p.grad.any() for n, p in model.trained().items() if n.startswith("encoder."))


@pytest.mark.parametrize("tune", TUNES)
@pytest.mark.parametrize("name", FAMILIES)
def test_beside_a_base_in_bfloat16_what_is_trained_learns_in_float32(name: str, tune: Any) -> None:
    """Steps of 1e-6 of numbers around 0.2: bfloat16 would round every one of them away."""
    prepare = preparer(name)
    batch = collate(samples(prepare), prepare)
    with torch.no_grad():
        plain = prepare.model(**batch.inputs, labels=batch.labels).loss
    model = SpatialVlm(prepare.model.bfloat16(), VlmConfig(tune=tune, lora=SMALL), 0)
    model.train_in_float32()
    trained = model.trained()
    assert {p.dtype for p in trained.values()} == {torch.float32}
    assert {p.dtype for n, p in model.named_parameters() if n not in trained} == {torch.bfloat16}
    assert torch.allclose(model(batch).total, plain, rtol=0.05)
    before = {key: value.detach().clone() for key, value in trained.items()}
    optimiser = torch.optim.SGD(trained.values(), 1.0)
    model(batch).total.backward()
    for parameter in trained.values():
        if parameter.grad is not None:
            parameter.grad = parameter.grad.sign() * 1e-6
    optimiser.step()
    for key, parameter in trained.items():
        moved = (parameter != before[key]).flatten()
        pushed = torch.zeros_like(moved) if parameter.grad is None else (parameter.grad != 0).flatten()
        assert moved[pushed].float().mean() > 0.9 or not pushed.any(), key
    assert any(p.grad is not None and p.grad.any() for n, p in trained.items() if n.startswith("base."))


def test_a_base_in_float32_knows_of_no_second_precision() -> None:
    model, batch = made("llava", VlmConfig(tune="full"))
    plain = model(batch).total
    model.train_in_float32()
    assert torch.equal(model(batch).total, plain)
    with model.mixed():
        assert not torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize("site", get_args(Site))
@pytest.mark.parametrize("name", FAMILIES)
def test_each_part_has_its_rate(name: str, site: Any) -> None:
    rates = Rates(projector=1.0, position=2.0, decoder=3.0, tower=4.0)
    injection = InjectionConfig(site, encoder=EncoderConfig("mlp"))
    model, _ = made(name, VlmConfig(injection, "full", tower=True, rates=rates))
    projectors = [id(p) for m in model.family.projectors(model.base).values() for p in m.parameters()]
    towers = [id(p) for p in model.family.tower(model.base).parameters() if id(p) not in projectors]
    for parameter_name, parameter in model.trained().items():
        expected = 3.0
        if id(parameter) in towers:
            expected = 4.0
        elif id(parameter) in projectors:
            expected = 1.0
        elif parameter_name.startswith("encoder."):
            expected = 2.0
        assert model.rate(parameter_name) == expected, parameter_name


@pytest.mark.parametrize("name", FAMILIES)
def test_merged_adapters_answer_as_before_and_leave_a_stock_model(name: str) -> None:
    model, batch = made(name, VlmConfig(tune="lora", lora=SMALL))
    names = {key.replace(".base_layer", "") for key in model.base.state_dict() if "lora_" not in key}
    stepped(model, batch, 3)
    model.eval()
    with torch.no_grad():
        before = model.logits(batch)
        model.merge()
        assert torch.allclose(model.logits(batch), before, atol=1e-4)
    assert set(model.base.state_dict()) == names


def test_adapters_are_drawn_from_the_seed_alone() -> None:
    def drawn(seed: int) -> dict[str, torch.Tensor]:
        model, _ = made("llava", VlmConfig(tune="lora", lora=SMALL), seed)
        return {n: p.detach() for n, p in model.trained().items() if "lora_A" in n}

    torch.manual_seed(1)
    first, state = drawn(5), torch.get_rng_state()
    torch.manual_seed(2)
    second, other = drawn(5), drawn(6)
    assert all(torch.equal(first[n], second[n]) for n in first)
    assert not any(torch.equal(first[n], other[n]) for n in first)
    torch.manual_seed(1)
    drawn(5)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", FAMILIES)
def test_gradients_are_the_same_with_checkpointing(name: str) -> None:
    found = []
    for checkpointing in (False, True):
        model, batch = made(name, VlmConfig(tune="lora", lora=SMALL))
        model.train()
        if checkpointing:
            model.base.gradient_checkpointing_enable({"use_reentrant": False})
        model(batch).total.backward()
        found.append({n: p.grad for n, p in model.trained().items()})
    for key, gradient in found[0].items():
        same = found[1][key]
        assert (gradient is None and same is None) or torch.allclose(gradient, same, atol=1e-6), key


def test_a_tower_is_not_trained_beside_a_frozen_decoder() -> None:
    with pytest.raises(ParameterError, match="decoder"):
        made("llava", VlmConfig(tower=True))
