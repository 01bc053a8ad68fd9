"""Hidden states and head of every family against the logits and the loss of the family's own forward pass."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from tiny_vlms import CASES, FAMILY_CASES, IMAGE_ID, PAD_ID, VOCABULARY, Inputs, seeded
from torch import Tensor
from transformers import (
    LlavaConfig,
    LlavaForConditionalGeneration,
    PaliGemmaConfig,
    PaliGemmaForConditionalGeneration,
)

from vantage.core.errors import ContractError, ParameterError
from vantage.models.injector import InjectionConfig, Injector
from vantage.models.vlm.batch import NOT_LEARNED
from vantage.models.vlm.cross_entropy import next_token_loss
from vantage.models.vlm.head import last_hidden, output_head


def labels_of(inputs: Inputs) -> Tensor:
    """Every token of text is learned."""
    ids = inputs["input_ids"]
    return torch.where((ids == IMAGE_ID) | (ids == PAD_ID), NOT_LEARNED, ids)


def require_the_models_own(model: Any, inputs: Inputs) -> None:
    """Logits bit for bit, the mean loss to rounding."""
    with torch.no_grad():
        theirs = model(**inputs, labels=labels_of(inputs))
        states = last_hidden(model, inputs)
        head = output_head(model)
        assert torch.equal(head(states), theirs.logits)
        assert head.vocabulary == theirs.logits.shape[-1]
        ours = next_token_loss(states, labels_of(inputs), head, chunk_logits=5 * VOCABULARY)
    assert torch.allclose(ours.total / ours.tokens, theirs.loss, rtol=1e-6)


@pytest.mark.parametrize("name", list(CASES))
def test_head_and_hidden_states_give_the_models_logits_and_loss(name: str) -> None:
    case = CASES[name]()
    require_the_models_own(case.model, case.inputs)


@pytest.mark.parametrize("name", ["llava", "qwen3_vl", "smolvlm"])
def test_gradients_are_those_of_the_models_own_loss(name: str) -> None:
    case = CASES[name]()
    trained = {n: p for n, p in case.model.named_parameters() if p.requires_grad}

    def gradients(loss: Tensor) -> dict[str, Tensor]:
        found = torch.autograd.grad(loss, trained.values(), allow_unused=True)
        return {n: g for n, g in zip(trained, found, strict=True) if g is not None}

    labels = labels_of(case.inputs)
    theirs = gradients(case.model(**case.inputs, labels=labels).loss)
    ours = next_token_loss(last_hidden(case.model, case.inputs), labels, output_head(case.model))
    mine = gradients(ours.total / ours.tokens)
    assert mine.keys() == theirs.keys()
    largest = max(float(value.abs().max()) for value in theirs.values())
    for key, value in mine.items():
        assert torch.allclose(value, theirs[key], rtol=1e-4, atol=1e-6 * largest), key


@pytest.mark.parametrize("name", ["llava", "qwen2_5_vl", "idefics3"])
def test_peft_may_wrap_the_model_and_its_head(name: str) -> None:
    case = CASES[name]()
    config = LoraConfig(r=2, target_modules=["q_proj", "lm_head"], init_lora_weights=False)
    model = get_peft_model(case.model, config)
    require_the_models_own(model, case.inputs)


def test_a_capped_head_is_capped_as_the_model_caps_it() -> None:
    case = CASES["paligemma"]()
    text = {"model_type": "gemma2", "vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2,
            "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16, "intermediate_size": 48,
            "final_logit_softcapping": 0.5}  # fmt: skip
    config = PaliGemmaConfig(
        vision_config=case.model.config.vision_config, text_config=text, image_token_index=IMAGE_ID,
        projection_dim=32,
    )  # fmt: skip
    capped = seeded(lambda: PaliGemmaForConditionalGeneration(config))
    require_the_models_own(capped, case.inputs)
    with torch.no_grad():
        largest = capped(**case.inputs).logits.abs().max()
    # Not in every release of transformers.
    assert output_head(capped).cap == (0.5 if largest <= 0.5 else None)


def test_a_decoder_that_scales_its_logits_is_refused() -> None:
    case = CASES["llava"]()
    text = {"model_type": "granite", "vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 1,
            "num_attention_heads": 2, "intermediate_size": 32, "logits_scaling": 8.0}  # fmt: skip
    config = LlavaConfig(vision_config=case.model.config.vision_config, text_config=text)
    with pytest.raises(ParameterError, match="logits_scaling"):
        output_head(LlavaForConditionalGeneration(config))


@pytest.mark.parametrize("name", FAMILY_CASES)
def test_coordinates_are_checked_in_a_pass_without_logits_too(name: str) -> None:
    case = CASES[name]()
    injector = Injector.fresh(case.model, InjectionConfig(), seed=0)
    geometry = case.random_geometry()
    with torch.no_grad(), injector.bind(geometry):
        states = last_hidden(case.model, case.inputs)
    with torch.no_grad():
        assert torch.equal(states, last_hidden(case.model, case.inputs))
    moved = replace(geometry, samples=tuple(reversed(geometry.samples)))
    if moved.samples != geometry.samples:
        with pytest.raises(ContractError, match="different images"), injector.bind(moved):
            last_hidden(case.model, case.inputs)
