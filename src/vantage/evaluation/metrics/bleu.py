"""BLEU-1 to BLEU-4, of a corpus and of each sentence, as the COCO caption tools compute them.

Counts of matching runs are clipped by the most that one reference has. The reference length is the closest
one, the shorter of two as close. Nothing is smoothed but for 1e-15 on matches and 1e-9 on guesses; a text too
short for an order therefore has almost none of it. The mean of sentences is not the corpus value.
Source: Papineni et al., ACL 2002; equal to pycocoevalcap 1.2 within 1e-9.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from vantage.evaluation.metrics.ngrams import MAX_ORDER, Corpus, Order, rows_of, summed

_TINY, _SMALL = 1e-15, 1e-9
COLUMNS = 2 * MAX_ORDER + 2


def bleu_columns(corpus: Corpus) -> Float64[np.ndarray, "n 10"]:
    """What BLEU is made of, for each item: matches of four orders, guesses of four, words said, words wanted.

    Their sums over items give the corpus value, see `bleu_of_sums`.
    """
    matches = [_matches(order, corpus) for order in corpus.orders]
    guesses = [np.maximum(corpus.said_words - n, 0) for n in range(MAX_ORDER)]
    return np.stack([*matches, *guesses, corpus.said_words, _closest(corpus)], axis=1).astype(np.float64)


def bleu_of_sums(sums: Float64[np.ndarray, "*m 10"]) -> Float64[np.ndarray, "*m 4"]:
    """BLEU-1 to BLEU-4, 0 to 1, of columns summed over any set of items (of one item: its sentence BLEU)."""
    matches, guesses = sums[..., :MAX_ORDER], sums[..., MAX_ORDER : 2 * MAX_ORDER]
    precision = np.cumprod((matches + _TINY) / (guesses + _SMALL), axis=-1)
    score = precision ** (1 / np.arange(1, MAX_ORDER + 1))
    ratio = (sums[..., -2] + _TINY) / (sums[..., -1] + _SMALL)
    brevity = np.exp(np.minimum(1 - 1 / ratio, 0.0))
    return np.asarray(score * brevity[..., None])


def _matches(order: Order, corpus: Corpus) -> Float64[np.ndarray, " n"]:
    """Runs of a prediction that a reference has, each counted at most as often as one reference has it."""
    given, said = order.given, order.said
    item = corpus.item_of[given.text]
    found, row = rows_of(said, order.kinds, item, given.gram)
    most = np.zeros(len(said.count), dtype=np.int64)
    np.maximum.at(most, row, given.count[found])
    clipped = np.minimum(most, said.count).astype(np.float64)
    return summed(said.text, clipped, corpus.items)


def _closest(corpus: Corpus) -> Float64[np.ndarray, " n"]:
    """Of each item, the length of the reference closest in length to the prediction; the shorter if tied."""
    distance = np.abs(corpus.given_words - corpus.said_words[corpus.item_of])
    order = np.lexsort((corpus.given_words, distance, corpus.item_of))
    _, first = np.unique(corpus.item_of[order], return_index=True)
    return corpus.given_words[order[first]].astype(np.float64)
