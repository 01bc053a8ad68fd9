"""BLEU, ROUGE-L and CIDEr: equal to pycocoevalcap and to the formulas, and true to their known oddities."""

from __future__ import annotations

import json
from typing import Any

import make_caption_golden
import naive_captions
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage.evaluation.metrics.bleu import bleu_columns, bleu_of_sums
from vantage.evaluation.metrics.cider import cider
from vantage.evaluation.metrics.ngrams import count_corpus
from vantage.evaluation.metrics.rouge import rouge_l

GOLDEN = json.loads(make_caption_golden.FILE.read_text())
TEXT = st.lists(st.sampled_from(["a", "b", "c", "chair"]), max_size=9).map(" ".join)
FILLED = st.lists(st.sampled_from(["a", "b", "c", "chair"]), min_size=1, max_size=9).map(" ".join)
CORPUS = st.lists(st.tuples(TEXT, st.lists(FILLED, min_size=1, max_size=3)), min_size=1, max_size=6)


def check(said: list[str], given: list[list[str]], scores: dict[str, Any], tolerance: float) -> None:
    corpus = count_corpus(said, given)
    columns = bleu_columns(corpus)
    np.testing.assert_allclose(bleu_of_sums(columns.sum(axis=0)), scores["bleu"], rtol=0, atol=tolerance)
    np.testing.assert_allclose(bleu_of_sums(columns).T, scores["bleu_of_items"], rtol=0, atol=tolerance)
    np.testing.assert_allclose(rouge_l(said, given), scores["rouge_l_of_items"], rtol=0, atol=tolerance)
    assert rouge_l(said, given).mean() == pytest.approx(scores["rouge_l"], abs=tolerance)
    np.testing.assert_allclose(cider(corpus), scores["cider_of_items"], rtol=0, atol=tolerance)
    assert cider(corpus).mean() == pytest.approx(scores["cider"], abs=tolerance)


@pytest.mark.parametrize("corpus", GOLDEN)
def test_equal_to_what_pycocoevalcap_gave(corpus: dict[str, Any]) -> None:
    check(corpus["predictions"], corpus["references"], corpus["scores"], 1e-9)


@pytest.mark.parametrize("seed", range(20, 26))
def test_equal_to_pycocoevalcap_where_it_is_installed(seed: int) -> None:
    pytest.importorskip("pycocoevalcap")
    said, given = make_caption_golden.cases(seed, 40)
    check(said, given, make_caption_golden.published(said, given), 1e-9)


def test_the_golden_texts_are_those_of_the_recipe() -> None:
    said, given = make_caption_golden.cases(1, 12)
    assert (GOLDEN[0]["predictions"], GOLDEN[0]["references"]) == (said, given)
    assert "" in [text for corpus in GOLDEN for text in corpus["predictions"]]


@given(CORPUS)
def test_equal_to_the_formulas(pairs: list[tuple[str, list[str]]]) -> None:
    said, references = [p for p, _ in pairs], [r for _, r in pairs]
    parts = [naive_captions.bleu_parts(a, b) for a, b in pairs]
    rouges = [naive_captions.rouge_l(a, b) for a, b in pairs]
    ciders = naive_captions.cider(said, references)
    expected = {
        "bleu": naive_captions.bleu([sum(column) for column in zip(*parts, strict=True)]),
        "bleu_of_items": np.transpose([naive_captions.bleu(p) for p in parts]),
        "rouge_l": np.mean(rouges),
        "rouge_l_of_items": rouges,
        "cider": np.mean(ciders),
        "cider_of_items": ciders,
    }
    check(said, references, expected, 1e-9)


@given(CORPUS, st.randoms())
def test_the_order_of_items_and_of_references_does_not_matter(
    pairs: list[tuple[str, list[str]]], random: Any
) -> None:
    order = list(range(len(pairs)))
    random.shuffle(order)
    shuffled = [(pairs[i][0], random.sample(pairs[i][1], len(pairs[i][1]))) for i in order]
    before = count_corpus([p for p, _ in pairs], [r for _, r in pairs])
    after = count_corpus([p for p, _ in shuffled], [r for _, r in shuffled])
    np.testing.assert_allclose(cider(before)[order], cider(after), atol=1e-12)
    np.testing.assert_array_equal(bleu_columns(before)[order], bleu_columns(after))


def test_one_word_that_is_right() -> None:
    corpus = count_corpus(["chair", "table"], [["chair"], ["table"]])
    np.testing.assert_allclose(cider(corpus), 2.5)
    sentence = bleu_of_sums(bleu_columns(corpus))[0]
    assert sentence[0] == pytest.approx(1.0)
    assert 1e-4 < sentence[1] < 1e-2
    assert 1e-6 < sentence[3] < 1e-4


def test_cider_of_a_single_item_and_of_what_every_item_has_is_nothing() -> None:
    assert cider(count_corpus(["a chair"], [["a chair"]])).tolist() == [0.0]
    wrapped = count_corpus(["sos eos", "sos eos"], [["sos a chair eos"], ["sos a table eos"]])
    assert cider(wrapped).tolist() == [0.0, 0.0]
    assert (rouge_l(["sos eos"], [["sos a chair eos"]]) > 0.5).all(), "which earns ROUGE all the same"


def test_a_score_of_a_subset_is_another_score() -> None:
    said, given = make_caption_golden.cases(4, 30)
    whole, half = cider(count_corpus(said, given)), cider(count_corpus(said[:15], given[:15]))
    assert not np.allclose(whole[:15], half)


def test_the_mean_of_sentences_is_not_the_corpus_bleu() -> None:
    said, given = make_caption_golden.cases(2, 5)
    columns = bleu_columns(count_corpus(said, given))
    assert abs(bleu_of_sums(columns)[:, 0].mean() - bleu_of_sums(columns.sum(axis=0))[0]) > 0.01


def test_nothing_to_count_and_nothing_to_compare_with() -> None:
    assert cider(count_corpus([], [])).shape == (0,)
    assert bleu_columns(count_corpus([""], [["a chair"]])).tolist() == [[0] * 8 + [0, 2]]
    with pytest.raises(ValueError, match="none empty"):
        count_corpus(["a"], [[]])
