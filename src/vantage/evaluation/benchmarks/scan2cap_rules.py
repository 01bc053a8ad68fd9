"""The two protocols of Scan2Cap and how later papers score it, by name.

All wrap texts in `sos` and `eos`, which match even in a caption that was refused: `sos eos` earns ROUGE-L.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from vantage.evaluation.benchmarks.boxes import published_iou, stacked
from vantage.evaluation.benchmarks.captions import caption_measures
from vantage.evaluation.benchmarks.interface import Item, Variant
from vantage.evaluation.metrics.bleu import bleu_columns, bleu_of_sums
from vantage.evaluation.metrics.cider import cider
from vantage.evaluation.metrics.measure import Measure, mean_of, over
from vantage.evaluation.metrics.ngrams import MAX_ORDER, count_corpus
from vantage.evaluation.metrics.rouge import rouge_l
from vantage.evaluation.metrics.tokens import ptb_tokens

REFUSED = "sos eos"
_LEGACY_TOKENS = 30


@dataclass(frozen=True)
class Rule:
    """How texts are prepared before they are wrapped, captions and references, and how boxes are gated."""

    said: Callable[[str], str]
    given: Callable[[str], str]
    strictly: bool
    cut: int | None = None


def _wrapped(text: str) -> str:
    return " ".join(["sos", *text.split(), "eos"])


def _spaced(text: str) -> str:
    return text.lower().replace(".", " . ").replace(",", " , ")


_RULES: Mapping[str, tuple[str, Rule]] = {
    "legacy": (
        "lib/eval_helper.py: IoU > k, tokens as they are, references cut to 30, refused ones are 'sos eos'",
        Rule(str, str, strictly=True, cut=_LEGACY_TOKENS),
    ),
    "llava3d": (
        "3D-LLaVA, PoseAlign3D: IoU >= k, ptb=py on both sides, refused ones are 'sos eos'",
        Rule(ptb_tokens, ptb_tokens, strictly=False),
    ),
    "video3dllm": (
        "Video-3D-LLM: IoU >= k, lower case, full stops and commas are tokens, no PTB",
        Rule(_spaced, _spaced, strictly=False),
    ),
    "leo": (
        "LEO: IoU >= k, full stops at the ends of a caption's words are tokens, references as they are",
        Rule(lambda text: f"{text} ".replace(". ", " . "), str, strictly=False),
    ),
}


def _iou(items: Sequence[Item[Any]], said: Sequence[Any]) -> Float64[np.ndarray, " n"]:
    """IoU of each object's box with its caption's; -1 where there is no caption, or none with a box."""
    iou = np.full(len(items), -1.0)
    rows = [i for i, caption in enumerate(said) if caption is not None and caption.box is not None]
    truth = stacked([items[i].content.box for i in rows])
    iou[rows] = published_iou(truth, stacked([said[i].box for i in rows]))
    return iou


def _gated(rule: Rule) -> Callable[[Sequence[Item[Any]], Sequence[Any]], dict[str, Measure]]:
    def score(items: Sequence[Item[Any]], said: Sequence[Any]) -> dict[str, Measure]:
        iou = _iou(items, said)
        given = [[_reference(text, rule) for text in item.content.captions] for item in items]
        texts = [REFUSED if c is None else _wrapped(rule.said(c.text)) for c in said]
        found: dict[str, Measure] = {}
        for k in (0.25, 0.5):
            kept = iou > k if rule.strictly else iou >= k
            passed = [text if ok else REFUSED for text, ok in zip(texts, kept, strict=True)]
            found |= {f"{name}@{k}": m for name, m in caption_measures(passed, given).items()}
            found[f"kept@{k}"] = mean_of(kept.astype(np.float64))
        return found

    return score


def _reference(text: str, rule: Rule) -> str:
    words = rule.given(text).split()
    return _wrapped(" ".join(words if rule.cut is None else words[: rule.cut]))


def _benchmark(items: Sequence[Item[Any]], said: Sequence[Any]) -> dict[str, Measure]:
    iou = _iou(items, said)
    given = [[_wrapped(text) for text in item.content.captions] for item in items]
    corpus = count_corpus([REFUSED if c is None else _wrapped(c.text) for c in said], given)
    texts = [REFUSED if c is None else _wrapped(c.text) for c in said]
    bleus = bleu_of_sums(bleu_columns(corpus))
    scores = {f"bleu_{n + 1}": bleus[:, n] for n in range(MAX_ORDER)}
    scores |= {"rouge_l": rouge_l(texts, given), "cider": cider(corpus)}
    proposed = np.array([0 if c is None else (c.box is not None) + c.spare for c in said], dtype=np.float64)
    found: dict[str, Measure] = {}
    for k in (0.0, 0.25, 0.5):
        mask = iou >= k
        for name, values in scores.items():
            found |= _recall_precision_f1(f"{name}@{k:g}", values * mask, proposed)
    return found


def _recall_precision_f1(
    name: str, values: Float64[np.ndarray, " n"], proposed: Float64[np.ndarray, " n"]
) -> dict[str, Measure]:
    columns = np.stack([values, np.ones(len(values)), proposed], axis=1)
    n = len(values)
    return {
        f"{name}.recall": Measure(columns, lambda s: over(s[..., 0], s[..., 1]), values, n),
        f"{name}.precision": Measure(columns, lambda s: over(s[..., 0], s[..., 2]), None, n),
        f"{name}.f1": Measure(columns, lambda s: over(2 * s[..., 0], s[..., 1] + s[..., 2]), None, n),
    }


VARIANTS: Mapping[str, Variant[Any, Any]] = {
    **{name: Variant(summary, _gated(rule)) for name, (summary, rule) in _RULES.items()},
    "benchmark": Variant(
        "benchmark/eval.py (2022): IoU >= k, score times mask over objects and proposals, sentence BLEU",
        _benchmark,
    ),
}
