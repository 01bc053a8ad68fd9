"""The loss a few tokens at a time against whole logits; dialogs behind shared views against each alone."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("annotated_types", reason="no annotated-types, which models' configurations need")

import torch
from shared_rows import dialogs_of, one_by_one, require_exact, together
from tiny_vlms import CASES
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from vantage.models.vlm.batch import NOT_LEARNED
from vantage.models.vlm.cross_entropy import next_token_loss
from vantage.models.vlm.head import OutputHead

WORDS, WIDTH = 1_000, 64


def drawn(
    tokens: int, words: int, device: str, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor, OutputHead]:
    """Hidden states, labels of which a third are not learned, and a head."""
    generator = torch.Generator().manual_seed(1)
    hidden = torch.randn(2, tokens, WIDTH, generator=generator).to(device, dtype).requires_grad_()
    labels = torch.randint(0, words, (2, tokens), generator=generator)
    labels[torch.rand(2, tokens, generator=generator) < 0.3] = NOT_LEARNED
    layer = nn.Linear(WIDTH, words)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(words, WIDTH, generator=generator) / 8)
        layer.bias.copy_(torch.randn(words, generator=generator))
    return hidden, labels.to(device), OutputHead(layer.to(device, dtype), words)


def whole(hidden: torch.Tensor, labels: torch.Tensor, head: OutputHead) -> torch.Tensor:
    logits = head(hidden[:, :-1]).float().flatten(0, 1)
    targets = labels[:, 1:].flatten()
    return nn.functional.cross_entropy(logits, targets, reduction="sum", ignore_index=NOT_LEARNED)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-5), (torch.bfloat16, 2e-2)])
def test_value_and_gradients_are_those_of_whole_logits(
    dtype: torch.dtype, tolerance: float, device: str
) -> None:
    hidden, labels, head = drawn(400, WORDS, device, dtype)
    ours = next_token_loss(hidden, labels, head, chunk_logits=37 * WORDS)
    theirs = whole(hidden, labels, head)
    assert ours.total.dtype == torch.float32 and ours.tokens == int((labels[:, 1:] != NOT_LEARNED).sum())
    assert torch.allclose(ours.total, theirs, rtol=min(tolerance, 1e-4))
    leaves = [hidden, *head.module.parameters()]
    pairs = zip(torch.autograd.grad(ours.total, leaves), torch.autograd.grad(theirs, leaves), strict=True)
    for mine, other in pairs:
        assert mine.dtype == other.dtype == dtype
        assert (mine - other).float().norm() <= tolerance * other.float().norm()


def test_memory_does_not_grow_with_tokens_times_vocabulary() -> None:
    if not torch.cuda.is_available():
        pytest.skip("NO GPU: a CPU's memory is looked at in tests/models/test_chunked_loss.py")
    peaks = {}
    for way in ("whole", "ours"):
        hidden, labels, head = drawn(8_192, 50_000, "cuda", torch.bfloat16)
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        loss = whole(hidden, labels, head) if way == "whole" else next_token_loss(hidden, labels, head).total
        loss.backward()
        peaks[way] = (torch.cuda.max_memory_allocated() - before) / 2**20
        del hidden, labels, head, loss
    print(f"peak of a loss over 16,384 tokens of 50,000 words: {peaks}")
    assert peaks["ours"] < 0.3 * peaks["whole"]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("name", ["llava", "qwen2_5_vl", "smolvlm"])
def test_shared_views_give_the_loss_and_gradients_of_each_dialog(
    name: str, attention: str, device: str
) -> None:
    case = CASES[name]().to(torch.device(device), torch.float32)
    case.model.set_attn_implementation(attention)
    require_exact(case, tolerance=1e-5 if device == "cpu" else 1e-4)


@pytest.mark.parametrize("name", ["llava", "qwen2_5_vl"])
def test_shared_views_agree_with_flash_kernels_on_each_dialog_alone(name: str, device: str) -> None:
    """The kernels that take no mask, on rows that need none, against the mask of a shared row."""
    case = CASES[name]().to(torch.device(device), torch.bfloat16)
    case.model.set_attn_implementation("sdpa")
    dialogs = dialogs_of(case)
    with torch.no_grad():
        shared, tokens = together(case, dialogs)
        try:
            with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
                alone, count = one_by_one(case, dialogs)
        except RuntimeError as error:
            if "kernel" not in str(error).lower():
                raise
            pytest.skip(f"no flash kernel takes these shapes on this {device}: {error}")
    assert tokens == count
    assert abs(float(shared) - float(alone)) / tokens < 0.05
