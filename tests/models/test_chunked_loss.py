"""The chunked loss against `F.cross_entropy` over whole logits: value, gradients, memory."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from transformers import Qwen2Config, Qwen2ForCausalLM

from vantage.models.vlm.batch import NOT_LEARNED
from vantage.models.vlm.cross_entropy import LossSum, next_token_loss
from vantage.models.vlm.head import OutputHead

VOCABULARY, WIDTH = 97, 12


def drawn(seed: int, rows: int, length: int, share: float, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Hidden states, and labels of which `share` are learned."""
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(rows, length, WIDTH, generator=generator).to(dtype).requires_grad_(True)
    labels = torch.randint(0, VOCABULARY, (rows, length), generator=generator)
    labels[torch.rand(rows, length, generator=generator) >= share] = NOT_LEARNED
    return hidden, labels


def layer(seed: int, bias: bool = True, dtype: torch.dtype = torch.float32) -> nn.Linear:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Linear(WIDTH, VOCABULARY, bias=bias).to(dtype)


def whole(hidden: Tensor, labels: Tensor, head: OutputHead) -> Tensor:
    logits = head(hidden[:, :-1]).float().flatten(0, 1)
    targets = labels[:, 1:].flatten()
    return nn.functional.cross_entropy(logits, targets, reduction="sum", ignore_index=NOT_LEARNED)


def gradients(loss: Tensor, hidden: Tensor, head: OutputHead) -> list[Tensor]:
    trained = [p for p in head.module.parameters() if p.requires_grad]
    return list(torch.autograd.grad(loss, [hidden, *trained]))


def require_equal(ours: LossSum, hidden: Tensor, labels: Tensor, head: OutputHead, tolerance: float) -> None:
    theirs = whole(hidden, labels, head)
    assert torch.allclose(ours.total, theirs, rtol=tolerance, atol=tolerance)
    assert ours.tokens == int((labels[:, 1:] != NOT_LEARNED).sum())
    pairs = zip(gradients(ours.total, hidden, head), gradients(theirs, hidden, head), strict=True)
    for mine, other in pairs:
        assert mine.dtype == other.dtype
        scale = max(1.0, float(other.abs().max()))
        assert (mine - other).abs().max() <= tolerance * scale


@settings(max_examples=60)
@given(
    st.integers(0, 2**16), st.integers(1, 4), st.integers(1, 9), st.sampled_from([0.0, 0.3, 1.0]),
    st.booleans(), st.sampled_from([None, 0.5, 30.0]), st.integers(1, 9),
)  # fmt: skip
def test_value_and_gradients_are_those_of_whole_logits(
    seed: int, rows: int, length: int, share: float, bias: bool, cap: float | None, chunk: int
) -> None:
    hidden, labels = drawn(seed, rows, length, share, torch.float32)
    head = OutputHead(layer(seed, bias), VOCABULARY, cap)
    ours = next_token_loss(hidden, labels, head, chunk_logits=chunk * VOCABULARY)
    require_equal(ours, hidden, labels, head, 1e-6)


def test_bfloat16_states_have_a_float32_softmax_and_equal_gradients() -> None:
    hidden, labels = drawn(3, 3, 40, 0.7, torch.bfloat16)
    head = OutputHead(layer(4, dtype=torch.bfloat16), VOCABULARY)
    ours = next_token_loss(hidden, labels, head, chunk_logits=11 * VOCABULARY)
    assert ours.total.dtype == torch.float32
    # A softmax in bfloat16 would be off by a percent; logits may round otherwise in another chunk.
    assert torch.allclose(ours.total, whole(hidden, labels, head), rtol=1e-4)
    exact = OutputHead(layer(4, dtype=torch.bfloat16).float(), VOCABULARY)
    sharp = hidden.detach().float().requires_grad_(True)
    true = gradients(whole(sharp, labels, exact), sharp, exact)
    mine = gradients(ours.total, hidden, head)
    theirs = gradients(whole(hidden, labels, head), hidden, head)
    for own, other, best in zip(mine, theirs, true, strict=True):
        assert own.dtype == torch.bfloat16
        # No further from the float32 gradient than the gradient of whole bfloat16 logits is.
        assert (own.float() - best).norm() <= 1.05 * (other.float() - best).norm() + 1e-3 * best.norm()


def test_under_autocast_the_head_runs_as_it_would_in_the_model() -> None:
    hidden, labels = drawn(5, 2, 30, 0.8, torch.float32)
    head = OutputHead(layer(6), VOCABULARY)
    with torch.autocast("cpu", torch.bfloat16):
        ours = next_token_loss(hidden, labels, head, chunk_logits=7 * VOCABULARY)
        assert head(hidden).dtype == torch.bfloat16
        theirs = whole(hidden, labels, head)
    assert torch.allclose(ours.total, theirs, rtol=1e-4)
    for mine, other in zip(gradients(ours.total, hidden, head), gradients(theirs, hidden, head), strict=True):
        assert mine.dtype == torch.float32
        assert (mine - other).norm() <= 1e-2 * other.norm()


@pytest.mark.parametrize("trained", [False, True])
def test_only_what_requires_a_gradient_gets_one(trained: bool) -> None:
    hidden, labels = drawn(7, 2, 12, 0.5, torch.float32)
    linear = layer(8).requires_grad_(trained)
    next_token_loss(hidden, labels, OutputHead(linear, VOCABULARY)).total.backward()
    assert hidden.grad is not None
    assert all((p.grad is not None) == trained for p in linear.parameters())
    frozen = hidden.detach()
    loss = next_token_loss(frozen, labels, OutputHead(linear, VOCABULARY)).total
    assert loss.requires_grad == trained
    with torch.no_grad():
        assert not next_token_loss(hidden, labels, OutputHead(linear, VOCABULARY)).total.requires_grad


def test_the_gradient_is_scaled_by_what_comes_after() -> None:
    hidden, labels = drawn(9, 2, 12, 0.5, torch.float32)
    head = OutputHead(layer(10), VOCABULARY)
    ours = next_token_loss(hidden, labels, head)
    scaled = gradients(ours.total / ours.tokens * 3, hidden, head)
    plain = gradients(whole(hidden, labels, head), hidden, head)
    for mine, other in zip(scaled, plain, strict=True):
        assert torch.allclose(mine, other * 3 / ours.tokens, atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 6), (2, 1)])
def test_nothing_learned_is_zero_with_a_gradient_path(shape: tuple[int, int]) -> None:
    hidden = torch.full((*shape, WIDTH), float("inf"), requires_grad=True)
    linear = layer(11)
    ours = next_token_loss(hidden, torch.full(shape, NOT_LEARNED), OutputHead(linear, VOCABULARY))
    assert (ours.tokens, float(ours.total.detach())) == (0, 0.0)
    ours.total.backward()
    for leaf in (hidden, linear.weight, linear.bias):
        assert leaf.grad is not None and torch.equal(leaf.grad, torch.zeros_like(leaf))


def decoder(tied: bool) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Qwen2ForCausalLM(
            Qwen2Config(
                vocab_size=VOCABULARY, hidden_size=WIDTH, num_hidden_layers=1, num_attention_heads=2,
                num_key_value_heads=1, intermediate_size=16, tie_word_embeddings=tied,
            )
        )  # fmt: skip


def require_equal_to_the_models_own(model: Any, score: Any, names: list[str]) -> None:
    """Gradients of our loss and of the model's own, for all parameters trained."""
    ids = torch.randint(0, VOCABULARY, (2, 11), generator=torch.Generator().manual_seed(1))
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    assert any(any(part in name for name in trained) for part in names)
    theirs = model(input_ids=ids, labels=ids).loss
    states = score.model(input_ids=ids).last_hidden_state
    head = OutputHead(score.get_output_embeddings(), VOCABULARY)
    ours = next_token_loss(states, ids, head, chunk_logits=3 * VOCABULARY)
    mean = ours.total / ours.tokens
    assert torch.allclose(mean, theirs, atol=1e-6)
    pairs = zip(
        torch.autograd.grad(mean, trained.values()), torch.autograd.grad(theirs, trained.values()),
        strict=True,
    )  # fmt: skip
    for name, (mine, other) in zip(trained, pairs, strict=True):
        assert torch.allclose(mine, other, atol=1e-6), name


@pytest.mark.parametrize("tied", [False, True])
def test_a_tied_head_shares_its_gradient_with_the_embedding(tied: bool) -> None:
    model = decoder(tied)
    assert (model.lm_head.weight is model.model.embed_tokens.weight) == tied
    require_equal_to_the_models_own(model, model, ["embed_tokens"])


@pytest.mark.parametrize("kind", ["lora", "copy"])
def test_a_head_that_peft_wraps_is_used_and_trained_as_wrapped(kind: str) -> None:
    config = (
        LoraConfig(r=2, target_modules=["lm_head", "q_proj"], init_lora_weights=False)
        if kind == "lora"
        else LoraConfig(r=2, target_modules=["q_proj"], modules_to_save=["lm_head"], init_lora_weights=False)
    )
    model = get_peft_model(decoder(False), config)
    require_equal_to_the_models_own(model, model.get_base_model(), ["lm_head"])


MEASURED = """
import sys, torch
from pathlib import Path
from torch import nn
from vantage.models.vlm.cross_entropy import next_token_loss
from vantage.models.vlm.head import OutputHead

torch.set_num_threads(1)
tokens, kind = int(sys.argv[1]), sys.argv[2]
vocabulary, width = 50_000, 32
linear = nn.Linear(width, vocabulary, bias=False)

def step(tokens):
    hidden = torch.randn(1, tokens, width, requires_grad=True)
    labels = torch.randint(0, vocabulary, (1, tokens))
    if kind == "ours":
        next_token_loss(hidden, labels, OutputHead(linear, vocabulary)).total.backward()
    else:
        logits = linear(hidden[:, :-1]).flatten(0, 1)
        nn.functional.cross_entropy(logits, labels[:, 1:].flatten(), reduction="sum").backward()

def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024

step(2)
Path("/proc/self/clear_refs").write_text("5")  # sets the peak back to what is held now
before = peak()
step(tokens)
print(peak() - before)
"""


def growth_mib(tokens: int, kind: str) -> float:
    """How much the peak memory of a process grows with a step of so many tokens of 50,000 words, MiB.

    Large arrays go back to the system when they are freed: arrays of just under 32 MiB would else lie in
    glibc's heap, whose holes are none of ours.
    """
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(tokens), kind], capture_output=True, text=True, check=True,
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": str(2**20)},
    )  # fmt: skip
    return float(done.stdout)


def test_memory_does_not_grow_with_tokens_times_vocabulary() -> None:
    logits_mib = 4096 * 50_000 * 4 / 2**20
    assert growth_mib(4096, "whole") > 2 * logits_mib
    few, many = growth_mib(512, "ours"), growth_mib(4096, "ours")
    assert many < 0.25 * logits_mib
    assert many - few < 0.1 * logits_mib
