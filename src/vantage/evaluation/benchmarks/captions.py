"""BLEU, ROUGE-L, CIDEr (and METEOR through its jar) of answers or captions, by how the texts are prepared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from vantage.evaluation.benchmarks.answers import Reply
from vantage.evaluation.benchmarks.interface import Item, Variant
from vantage.evaluation.cleaning import clean_answer
from vantage.evaluation.metrics import meteor
from vantage.evaluation.metrics.bleu import bleu_columns, bleu_of_sums
from vantage.evaluation.metrics.cider import cider
from vantage.evaluation.metrics.measure import Measure, mean_of
from vantage.evaluation.metrics.ngrams import MAX_ORDER, count_corpus
from vantage.evaluation.metrics.rouge import rouge_l
from vantage.evaluation.metrics.tokens import ptb_tokens

Prepare = Callable[[str], str]

PREPARATIONS: Mapping[str, tuple[str, Prepare, Prepare]] = {
    "captions_ptb": (
        "the texts as they are, ptb=py (ScanQA's official script, with our tokenizer for Java's)",
        ptb_tokens,
        ptb_tokens,
    ),
    "captions_clean_ptb": (
        "LEO's cleaner on both sides, then ptb=py (3D-LLaVA, PoseAlign3D): higher than captions_ptb",
        lambda text: ptb_tokens(clean_answer(text)),
        lambda text: ptb_tokens(clean_answer(text)),
    ),
    "captions_plain": (
        "no cleaner and no tokenizer, a final full stop of the reply dropped (Video-3D-LLM)",
        lambda text: text.rstrip("."),
        lambda text: text,
    ),
}


def caption_variants() -> dict[str, Variant[Any, Reply]]:
    """A variant for each way of preparing the texts; the corpus of CIDEr is the items that are scored."""
    found: dict[str, Variant[Any, Reply]] = {
        name: Variant(summary, _score(said, given)) for name, (summary, said, given) in PREPARATIONS.items()
    }
    summary = "METEOR 1.5 by its jar on ptb=py tokens: of the corpus, from pooled statistics"
    return {**found, "meteor": Variant(summary, _meteor, meteor.lacks)}


def _meteor(items: Sequence[Item[Any]], said: Sequence[Reply | None]) -> dict[str, Measure]:
    texts = [ptb_tokens(reply.text) if reply else "" for reply in said]
    references = [[ptb_tokens(text) for text in item.content.answers] for item in items]
    corpus, each = meteor.meteor(texts, references)
    nothing = np.zeros(
        (len(items), 1)
    )  # the jar pools statistics that it does not tell: no draws, no interval
    pooled = Measure(nothing, lambda s: np.full(s.shape[:-1], corpus), each, len(items))
    return {"meteor": pooled, "meteor_mean": mean_of(each)}


def _score(
    prepare_said: Prepare, prepare_given: Prepare
) -> Callable[[Sequence[Item[Any]], Sequence[Reply | None]], dict[str, Measure]]:
    def score(items: Sequence[Item[Any]], said: Sequence[Reply | None]) -> dict[str, Measure]:
        texts = [prepare_said(reply.text) if reply else "" for reply in said]
        references = [[prepare_given(text) for text in item.content.answers] for item in items]
        return caption_measures(texts, references)

    return score


def caption_measures(texts: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, Measure]:
    """BLEU-1 to 4 of the corpus (items: sentence BLEU), mean ROUGE-L and mean CIDEr (raw, up to 10).

    Args:
        texts: prepared predictions; tokens are separated by spaces.
        references: prepared references, at least one for each.
    """
    corpus = count_corpus(texts, references)
    columns = bleu_columns(corpus)
    sentences = bleu_of_sums(columns)
    found = {
        f"bleu_{n + 1}": Measure(columns, _order(n), sentences[:, n], len(texts)) for n in range(MAX_ORDER)
    }
    return {**found, "rouge_l": mean_of(rouge_l(texts, references)), "cider": mean_of(cider(corpus))}


def _order(n: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda sums: bleu_of_sums(sums)[..., n]
