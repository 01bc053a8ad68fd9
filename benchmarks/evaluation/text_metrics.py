"""Scoring at the size of the published splits: text metrics, CIDEr, VSI-Bench, the bootstrap.

4,675 predictions with two references each (ScanQA's validation), every metric that needs no Java; CIDEr
against pycocoevalcap's where that is installed, else against the formula written out with dictionaries, on
the same tokens, with equal results; 5,130 VSI-Bench items under every variant; 10,000 resamples of 5,000
items.
Bounds are asserted: 5 s, a factor of 3, 1 s, 2 s.
"""

from __future__ import annotations

import json
import math
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.metrics.cider import cider
from vantage.evaluation.metrics.measure import mean_of
from vantage.evaluation.metrics.ngrams import count_corpus
from vantage.evaluation.metrics.tokens import ptb_tokens
from vantage.evaluation.scoring import score
from vantage.evaluation.statistics import bootstrap_intervals

sys.path.append(str(Path(__file__).parents[1]))

from small import require, sized

ITEMS, VSI_ITEMS, RESAMPLES = sized(4675, 60), sized(5130, 60), sized(10_000, 50)
NOUNS = ["chair", "table", "window", "desk", "lamp", "trash can", "couch", "whiteboard", "door", "shelf"]
COLORS = ["brown", "white", "black", "gray", "red", "blue"]
PLACES = ["to the left of", "to the right of", "behind", "in front of", "next to", "on top of"]


def phrase(pick: random.Random) -> str:
    """A made-up answer of two to fourteen words."""
    short = f"{pick.choice(COLORS)} {pick.choice(NOUNS)}"
    if pick.random() < 0.5:
        return short
    return f"the {short} is {pick.choice(PLACES)} the {pick.choice(COLORS)} {pick.choice(NOUNS)} in the room."


def formula(said: Sequence[str], given: Sequence[Sequence[str]]) -> list[float]:
    """CIDEr-D as its authors' code goes about it: a dictionary of tuples for every text."""

    def grams(text: str) -> Counter[tuple[str, ...]]:
        words = text.split()
        return Counter(tuple(words[i : i + n]) for n in range(1, 5) for i in range(len(words) - n + 1))

    counted = [[grams(text) for text in texts] for texts in given]
    frequency = Counter(g for texts in counted for g in {g for text in texts for g in text})
    logn = math.log(len(given))

    def vectors(
        counts: Counter[tuple[str, ...]],
    ) -> tuple[list[dict[tuple[str, ...], float]], list[float], int]:
        parts: list[dict[tuple[str, ...], float]] = [{} for _ in range(4)]
        for g, k in counts.items():
            parts[len(g) - 1][g] = k * (logn - math.log(max(1, frequency[g])))
        norms = [math.sqrt(sum(x * x for x in part.values())) for part in parts]
        return parts, norms, sum(k for g, k in counts.items() if len(g) == 2)

    scores = []
    for text, references in zip(said, counted, strict=True):
        mine, norm, length = vectors(grams(text))
        total = 0.0
        for reference in references:
            other, other_norm, other_length = vectors(reference)
            penalty = math.exp(-((length - other_length) ** 2) / 72)
            for n in range(4):
                dot = sum(min(x, other[n].get(g, 0.0)) * other[n].get(g, 0.0) for g, x in mine[n].items())
                total += penalty * (dot / (norm[n] * other_norm[n]) if norm[n] and other_norm[n] else 0.0) / 4
        scores.append(10 * total / len(references))
    return scores


def published(said: Sequence[str], given: Sequence[Sequence[str]]) -> list[float]:
    """CIDEr-D by pycocoevalcap."""
    from pycocoevalcap.cider.cider import Cider

    references = {i: list(texts) for i, texts in enumerate(given)}
    _, scores = Cider().compute_score(references, {i: [text] for i, text in enumerate(said)})
    return [float(x) for x in scores]


def seconds_of(action: Callable[[], object], repeats: int = 3) -> float:
    """The least time of some calls: others use the same cores."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def text_metrics(folder: Path, pick: random.Random) -> tuple[list[str], list[list[str]]]:
    """Time every variant of ScanQA; the tokens of its texts are returned."""
    given = [
        {"scene_id": f"scene{i % 71:04d}_00", "question_id": f"q{i}", "question": "What is it?",
         "answers": [phrase(pick), phrase(pick)]}
        for i in range(ITEMS)
    ]  # fmt: skip
    said = [pick.choice([*row["answers"], phrase(pick)]) for row in given]
    (folder / "given.json").write_text(json.dumps(given))
    rows = ({"question_id": row["question_id"], "text": t} for row, t in zip(given, said, strict=True))
    (folder / "said.jsonl").write_text("\n".join(map(json.dumps, rows)))
    whole = BENCHMARKS.get("scanqa")
    variants = {name: rule for name, rule in whole.variants.items() if name != "meteor"}
    benchmark = replace(whole, variants=variants)
    seconds = seconds_of(lambda: score(benchmark, folder / "said.jsonl", folder / "given.json"), 1)
    print(f"text metrics   {ITEMS} predictions, 2 references, {len(variants)} variants: {seconds:.2f} s")
    require(seconds < 5)
    return [ptb_tokens(t) for t in said], [[ptb_tokens(t) for t in row["answers"]] for row in given]


def cider_ratio(said: Sequence[str], given: Sequence[Sequence[str]]) -> None:
    """Time CIDEr beside the published way; equal results."""
    installed = find_spec("pycocoevalcap") is not None
    slow, name = (published, "pycocoevalcap") if installed else (formula, "the formula with dictionaries")
    np.testing.assert_allclose(cider(count_corpus(said, given)), slow(said, given), rtol=0, atol=1e-9)
    ours, theirs = [], []
    for _ in range(3):  # by turns: others use the same cores
        ours.append(seconds_of(lambda: cider(count_corpus(said, given)), 1))
        theirs.append(seconds_of(lambda: slow(said, given), 1))
    ratio = min(theirs) / min(ours)
    print(f"CIDEr          {min(ours):.3f} s, {name} {min(theirs):.3f} s: {ratio:.1f} times as fast")
    require(ratio >= 3)


def vsi(folder: Path, pick: random.Random) -> None:
    """Time every variant of VSI-Bench."""
    kinds = ["object_counting", "object_abs_distance", "object_rel_distance", "object_rel_direction_hard"]
    rows, said = [], []
    for i in range(VSI_ITEMS):
        kind = kinds[i % 4]
        row = {
            "id": i,
            "dataset": "scannet",
            "scene_name": f"s{i % 288}",
            "question_type": kind,
            "question": "?",
        }
        choice = "rel" in kind
        row |= {"options": ["A. left", "B. right", "C. back"] if choice else None}
        row |= {"ground_truth": pick.choice("ABC") if choice else str(pick.randint(1, 9))}
        rows.append(row)
        said.append({"id": i, "text": pick.choice(["A", "B. right", "there are 4", "2.5 m", "7"])})
    for name, records in (("vsi.jsonl", rows), ("vsi_said.jsonl", said)):
        (folder / name).write_text("\n".join(map(json.dumps, records)))
    benchmark = BENCHMARKS.get("vsibench")
    seconds = seconds_of(lambda: score(benchmark, folder / "vsi_said.jsonl", folder / "vsi.jsonl"))
    print(
        f"VSI-Bench      {VSI_ITEMS} items, {len(benchmark.variants)} variants, files read: {seconds:.2f} s"
    )
    require(seconds < 1)


def bootstrap() -> None:
    """Time the intervals of ten measures of 5,000 items that are a cluster each."""
    values = np.random.default_rng(0).random((10, 5000))
    measures = [mean_of(row) for row in values]
    ids = np.arange(5000)
    seconds = seconds_of(lambda: bootstrap_intervals(measures, ids, np.random.default_rng(0), RESAMPLES))
    print(f"bootstrap      {RESAMPLES} resamples of 5000 items, 10 measures: {seconds:.2f} s")
    require(seconds < 2)


def main() -> None:
    """Print a line for each."""
    pick = random.Random(0)
    with tempfile.TemporaryDirectory() as name:
        cider_ratio(*text_metrics(Path(name), pick))
        vsi(Path(name), pick)
    bootstrap()


if __name__ == "__main__":
    main()
