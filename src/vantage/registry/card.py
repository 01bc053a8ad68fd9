"""The model card: what the model is, how to use it, how it was measured, what it cannot do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_USE = """```python
import mlflow

model = mlflow.pyfunc.load_model("models:/{name}@champion")
model.predict({{
    "images": [first, second],        # uint8 (H, W, 3) arrays, JPEG or PNG bytes, or paths; 1 to 8
    "poses": poses,                   # (views, 4, 4) camera to world, metres; x right, y down, z forward
    "intrinsics": K,                  # 3x3, pixels of the images; (views, 3, 3) where they differ
    "depth": depth,                   # optional (views, h, w) metres, 0 for holes
    "depth_intrinsics": K_depth,      # where they differ from the images'
    "frame": "aligned",               # z up, floor at z = 0; or "raw" together with "T_aligned_raw"
    "ego": 0,                         # the view that "me" stands at
    "question": "where is the red chair from me?",
}})
```
"""


def model_card(name: str, report: dict[str, Any], decision: dict[str, Any], words: Sequence[str]) -> str:
    """Markdown, filled from an evaluation's report and a promotion's decision.

    Args:
        name: of the registered model.
        report: the `report.json` record.
        decision: the decision record.
        words: the vocabulary without specials.
    """
    head = report["headline"]
    arm, baseline = head["arm"], head["baseline"]
    parts = [
        f"# {name}: answers about a room from a few posed views\n",
        "A pocket vision-language model (SigLIP-type tower, projector, Qwen2-type decoder; 2.4 M\n"
        "parameters) with a 3D position embedding of every image patch in the frame of the person who asks.\n"
        f"It answers one word. Arm `{arm}`; weights digest `{decision['model_digest']}`.\n",
        "## Use\n",
        _USE.format(name=name),
        "The result is one record for each question: answer, ego pose (`T_aligned_ego`), order of the\n"
        "views, and the share of patches that had depth. Without depth it answers from the pictures alone.\n",
        "## Measured\n",
        f"Strict exact match on held-out rooms, per cent with 95 % intervals; `{baseline}` is the same\n"
        "model trained without coordinates. Controls marked @ take something away at test time.\n",
        _scores(report, arm, baseline),
        f"Decision: **{decision['outcome']}**. " + "; ".join(decision["reasons"]) + ".\n",
        "## Limits\n",
        "Trained on generated rooms: nothing is claimed for photographs. Free language, several words,\n"
        f"boxes and chains of thought are beyond it. {_unlearnable(report)}\n"
        "A question may hold these words only:\n",
        "> " + " ".join(words) + "\n",
    ]
    return "\n".join(parts)


def _scores(report: dict[str, Any], arm: str, baseline: str) -> str:
    items = [baseline, arm, *report["controls"]]
    items = [item for item in dict.fromkeys(items) if item in report["groups"][0]["items"]]
    lines = ["| questions | n | majority | " + " | ".join(f"`{item}`" for item in items) + " |"]
    lines.append("| --- |" + " ---: |" * (len(items) + 2))
    for group in report["groups"]:
        cells = [group["items"][item]["exact"] for item in items]
        shown = [f"{c['percent']:.1f} [{c['low']:.1f}, {c['high']:.1f}]" for c in cells]
        row = [group["name"], str(group["n"]), f"{group['majority_percent']:.1f}", *shown]
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines) + "\n"


def _unlearnable(report: dict[str, Any]) -> str:
    names = sorted({g["family"] for g in report["groups"] if not g["learnable"]})
    return f"The base has no circuit for {', '.join(names)}. " if names else ""
