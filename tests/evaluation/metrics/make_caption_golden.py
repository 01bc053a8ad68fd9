"""Recipe of caption_golden.json: made-up captions and what pycocoevalcap 1.2 makes of them.

    pip install pycocoevalcap && python tests/evaluation/metrics/make_caption_golden.py

The texts are made here, from a small vocabulary and a seed; tokens go in as they are (no tokenizer).
"""

from __future__ import annotations

import json
import random
from pathlib import Path

FILE = Path(__file__).with_name("caption_golden.json")
WORDS = [
    "the",
    "a",
    "brown",
    "white",
    "chair",
    "table",
    "is",
    "left",
    "of",
    "behind",
    "near",
    "window",
    "two",
    "and",
    "door",
]


def cases(seed: int, items: int) -> tuple[list[str], list[list[str]]]:
    """Predictions and references: some equal, some near, some empty, some far, one to four references."""
    pick = random.Random(seed)

    def text(low: int, high: int) -> str:
        return " ".join(pick.choice(WORDS) for _ in range(pick.randint(low, high)))

    said, given = [], []
    for _ in range(items):
        references = [text(1, 14) for _ in range(pick.randint(1, 4))]
        kind = pick.random()
        prediction = text(0, 12)
        if kind < 0.3:
            prediction = pick.choice(references)
        elif kind < 0.6:
            words = pick.choice(references).split()
            words[pick.randrange(len(words))] = pick.choice(WORDS)
            prediction = " ".join(words)
        said.append(prediction)
        given.append(references)
    return said, given


def published(said: list[str], given: list[list[str]]) -> dict[str, object]:
    """The scores of pycocoevalcap, corpus and per item."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    references = dict(enumerate(given))
    predictions = {i: [text] for i, text in enumerate(said)}
    bleu, bleus = Bleu(4).compute_score(references, predictions, verbose=0)
    rouge, rouges = Rouge().compute_score(references, predictions)
    cider, ciders = Cider().compute_score(references, predictions)
    return {
        "bleu": [float(x) for x in bleu],
        "bleu_of_items": [[float(x) for x in order] for order in bleus],
        "rouge_l": float(rouge),
        "rouge_l_of_items": [float(x) for x in rouges],
        "cider": float(cider),
        "cider_of_items": [float(x) for x in ciders],
    }


def main() -> None:
    corpora = []
    for seed, items in ((1, 12), (2, 5), (3, 1), (4, 30)):
        said, given = cases(seed, items)
        corpora.append({"predictions": said, "references": given, "scores": published(said, given)})
    FILE.write_text(json.dumps(corpora, indent=1) + "\n")


if __name__ == "__main__":
    main()
