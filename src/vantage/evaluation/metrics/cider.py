"""CIDEr-D of each item, as the COCO caption tools compute it: raw, 0 to 10 (papers print it times 100).

Runs of 1 to 4 words weigh by how few items' references have them, so the value depends on which items are
scored together: with one item everything is 0, a run that every item has weighs nothing, and a score of a
subset cannot be compared with one of the whole. A prediction of one word reaches at most 2.5.
Source: Vedantam et al., CVPR 2015; equal to pycocoevalcap 1.2 within 1e-9.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from vantage.evaluation.metrics.ngrams import MAX_ORDER, Corpus, Counts, Order, rows_of, summed

_SIGMA = 6.0


def cider(corpus: Corpus) -> Float64[np.ndarray, " n"]:
    """CIDEr-D of each item, 0 to 10; the corpus value is their mean.

    The document frequencies are those of the items given: an n-gram's number of items with it in a reference.
    """
    if corpus.items == 0:
        return np.zeros(0)
    alike = np.sum([_alike(order, corpus) for order in corpus.orders], axis=0)
    bigrams = np.maximum(corpus.said_words - 1, 0)[corpus.item_of] - np.maximum(corpus.given_words - 1, 0)
    penalty = np.exp(-(bigrams.astype(np.float64) ** 2) / (2 * _SIGMA**2))
    per_reference = alike * penalty / MAX_ORDER
    total = summed(corpus.item_of, per_reference, corpus.items)
    return 10.0 * total / np.bincount(corpus.item_of, minlength=corpus.items)


def _alike(order: Order, corpus: Corpus) -> Float64[np.ndarray, " r"]:
    """For each reference, the clipped cosine of its weighted runs of one length with its prediction's."""
    said, given = order.said, order.given
    item = corpus.item_of[given.text]
    frequency = np.bincount(np.unique(item * max(order.kinds, 1) + given.gram) % max(order.kinds, 1))
    frequency = np.pad(frequency, (0, order.kinds - len(frequency)))
    weight = np.log(corpus.items) - np.log(np.maximum(frequency, 1))
    w_said, w_given = said.count * weight[said.gram], given.count * weight[given.gram]
    found, row = rows_of(said, order.kinds, item, given.gram)
    shared = np.minimum(w_said[row], w_given[found]) * w_given[found]
    references = len(corpus.item_of)
    dot = summed(given.text[found], shared, references)
    norms = _norm(said, w_said, corpus.items)[corpus.item_of] * _norm(given, w_given, references)
    return np.asarray(np.divide(dot, norms, out=np.zeros(references), where=norms > 0))


def _norm(counts: Counts, weight: Float64[np.ndarray, " k"], texts: int) -> Float64[np.ndarray, " t"]:
    return np.asarray(np.sqrt(summed(counts.text, weight**2, texts)))
