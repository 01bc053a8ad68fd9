"""The small files that lmms-eval reads: a task's YAML, its `utils.py`, and a page for a person."""

from __future__ import annotations

import json
from collections.abc import Sequence

Metrics = Sequence[tuple[str, str]]
"""Variant and metric of each number."""


def task_yaml(task: str, metrics: Metrics, max_new_tokens: int, stop: Sequence[str]) -> str:
    """The task: its questions, how a model is asked, and every number."""
    # Without `until`, lmms-eval ends answers at an empty line.
    head = f"""\
task: {task}
dataset_path: json
dataset_kwargs:
  data_files:
    test: questions.jsonl
test_split: test
output_type: generate_until
doc_to_visual: !function utils.doc_to_visual
doc_to_text: !function utils.doc_to_text
doc_to_target: !function utils.doc_to_target
process_results: !function utils.process_results
generation_kwargs:
  max_new_tokens: {max_new_tokens}
  temperature: 0
  do_sample: false
  num_beams: 1
  until: {json.dumps(stop)}
metadata:
  version: 1
metric_list:
"""
    return head + "".join(
        f"  - metric: {json.dumps(f'{variant}.{metric}')}\n"
        f"    aggregation: !function utils.{_function(variant, metric)}\n"
        "    higher_is_better: true\n"
        for variant, metric in metrics
    )


def utils(task: str, benchmark: str, references: str, metrics: Metrics) -> str:
    """The functions that the YAML names; the work is done in the package `task` beside them."""
    names = [f"{variant}.{metric}" for variant, metric in metrics]
    head = f'''\
"""Functions of {task}.yaml. Scores are those of `vantage score {benchmark}`."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

from {task}.evaluation.benchmarks.{benchmark} import BENCHMARK  # noqa: E402
from {task}.evaluation.lmms_task import Task  # noqa: E402

TASK = Task.of(HERE, BENCHMARK, {references!r})
METRICS = {json.dumps(names, indent=4)}


def doc_to_visual(doc):
    return TASK.visual(doc)


def doc_to_text(doc):
    return doc["prompt"]


def doc_to_target(doc):
    return list(doc["answers"])


def process_results(doc, results):
    said = {{"id": doc["question_id"], "text": results[0]}}
    return dict.fromkeys(METRICS, said)
'''
    return head + "".join(
        f"\n\ndef {_function(variant, metric)}(said):\n    return TASK.score(said, {variant!r}, {metric!r})\n"
        for variant, metric in metrics
    )


def readme(task: str, about: str) -> str:
    """How to run it."""
    return f"""\
# {task}

{about[0].upper()}{about[1:]}, as a task of lmms-eval, scored by Vantage's own rules.

```
pip install -r requirements.txt        # beside lmms-eval
lmms-eval --include_path . --tasks {task} --model qwen2_5_vl --model_args pretrained=... --batch_size 1
```

- `questions.jsonl`: what is asked and shown; `set_aside.jsonl`: questions without pictures, and why. They
  count as wrong once all others were asked.
- `references/`: the official files; `frames/`: JPEG pictures; `{task}/`: the scorers.
- A metric's name is the rule's and the number's, as `vantage score` prints them. lmms-eval strips white space
  around an answer before it is scored.
"""


def _function(variant: str, metric: str) -> str:
    return f"{variant}__{metric}".replace(".", "__")
