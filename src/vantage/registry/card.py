"""The model card: what the model is, how to use it, how it was measured, what it cannot do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vantage.models.loading.weights import read_json
from vantage.questions.words import SPECIALS, VOCABULARY
from vantage.registry.packaging import VLM, ModelFiles
from vantage.registry.served_base import ServedBase

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


_POCKET = """A pocket vision-language model (SigLIP-type tower, projector, Qwen2-type decoder; 2.4 M
parameters) with a 3D position embedding of every image patch in the frame of the person who asks.
It answers one word."""
_RECORD = """The result is one record for each question: answer, ego pose (`T_aligned_ego`), order of the
views, and the share of patches that had depth. Without depth it answers from the pictures alone.
"""
_UNLEARNABLE = "{families without a circuit}"
_POCKET_LIMITS = (
    "Trained on generated rooms: nothing is claimed for photographs. Free language, several words,\n"
    f"boxes and chains of thought are beyond it. {_UNLEARNABLE}\n"
    "A question may hold these words only:\n"
)
_VLM_LIMITS = """It was measured on the questions above alone. A pose or depth that is wrong makes
wrong answers, and nothing tells which. The base's own licence and limits hold too.
"""


@dataclass(frozen=True)
class About:
    """What a card says of the model itself.

    Attributes:
        model: what it is.
        record: what an answer comes with.
        limits: what it cannot do.
    """

    model: str
    record: str
    limits: str

    @classmethod
    def of(cls, files: ModelFiles) -> About:
        """By the files that make the model."""
        if files.serving == VLM:
            return _vlm(ServedBase.read(files.base), read_json(files.adapter / "config.json"))
        words = " ".join(word for word in VOCABULARY if word not in SPECIALS)
        return cls(_POCKET, _RECORD, f"{_POCKET_LIMITS}\n> {words}\n")


def _vlm(served: ServedBase, adapter: dict[str, Any]) -> About:
    injection, told, config = adapter["config"]["injection"], adapter["about"], adapter["config"]
    site = "without coordinates" if injection is None else f"coordinates enter at `{injection['site']}`"
    base = "its files are part of this model"
    if served.base != "local":
        base = f"`{served.base}` at `{served.revision}`, which the hub's cache has to hold"
    model = (
        f"A vision-language model of family `{adapter['family']}`, "
        f"recipe `{told.get('recipe', '')}`, {site}.\n"
        f"Base: {base}; fingerprint `{served.fingerprint[:12]}`.\n"
        f"It answers in at most {served.max_new_tokens} tokens."
    )
    more = ["`place`, where it takes the asker to be"] if config["situated"] else []
    if told.get("dialogs") == "grounded":
        more.append("`boxes`, `reasoning` and its `checks`")
    record = _RECORD + (f" It also has {' and '.join(more)}.\n" if more else "")
    return About(model, record, _VLM_LIMITS)


def model_card(name: str, report: dict[str, Any], decision: dict[str, Any], about: About) -> str:
    """Markdown, filled from an evaluation's report and a promotion's decision.

    Args:
        name: of the registered model.
        report: the `report.json` record.
        decision: the decision record.
        about: the model itself.
    """
    head = report["headline"]
    arm, baseline = head["arm"], head["baseline"]
    parts = [
        f"# {name}: answers about a room from a few posed views\n",
        f"{about.model} Arm `{arm}`; weights digest `{decision['model_digest']}`.\n",
        "## Use\n",
        _USE.format(name=name),
        about.record,
        "## Measured\n",
        f"Strict exact match on held-out rooms, per cent with 95 % intervals; `{baseline}` is the same\n"
        "model trained without coordinates. Controls marked @ take something away at test time.\n",
        _scores(report, arm, baseline),
        f"Decision: **{decision['outcome']}**. " + "; ".join(decision["reasons"]) + ".\n",
        "## Limits\n",
        about.limits.replace(_UNLEARNABLE, _unlearnable(report)),
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
