"""Run by the Python of an environment with lmms-eval: replays answers of a file through its own evaluator.

Usage: replay_lmms_eval.py TASK_FOLDER TASK ANSWERS.json LIMIT OUT.json; LIMIT 0 asks all. Tells what its
classes made of the task: the documents, what the model was given, and the final numbers.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from lmms_eval import evaluator
from lmms_eval.api.model import lmms
from lmms_eval.tasks import TaskManager


class Replay(lmms):  # type: ignore[misc]
    """Answers by question id; keeps what it was given."""

    def __init__(self, answers: dict[str, str]) -> None:
        super().__init__()
        self._answers, self.given = answers, list[dict[str, Any]]()

    def generate_until(self, requests: list[Any]) -> list[str]:
        said = []
        for request in requests:
            text, kwargs, to_visual, doc_id, task, split = request.args
            doc = self.task_dict[task][split][doc_id]
            shown = [
                [image.mode, *image.size, hashlib.sha256(image.tobytes()).hexdigest()]
                for image in to_visual(doc)
            ]
            self.given.append(
                {"id": doc["question_id"], "prompt": text, "shown": shown, "kwargs": kwargs, "task": task}
            )
            said.append(self._answers[doc["question_id"]])
        return said

    def loglikelihood(self, requests: list[Any]) -> list[Any]:
        raise NotImplementedError

    def generate_until_multi_round(self, requests: list[Any]) -> list[str]:
        raise NotImplementedError


def main(folder: str, task: str, answers: str, limit: str, out: str) -> None:
    model = Replay(json.loads(Path(answers).read_text()))
    manager = TaskManager(include_path=folder)
    found = evaluator.simple_evaluate(
        model=model, tasks=[task], task_manager=manager, limit=int(limit) or None, bootstrap_iters=0,
        log_samples=True, batch_size=1,
    )  # fmt: skip
    told = {
        "indexed": task in manager.all_tasks,
        "given": model.given,
        "results": found["results"][task],
        "targets": {s["doc"]["question_id"]: s["target"] for s in found["samples"][task]},
    }
    Path(out).write_text(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
