"""A few held-out questions that an arm is asked at every validation, for a person who watches it learn.

Answers and pictures lie in the arm's work, so that a run that goes on after a kill shows each answer once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from vantage.core import atomic
from vantage.core.seeds import priority
from vantage.core.tracking import OpenRun
from vantage.figures.views import views_picture
from vantage.models.question_answers import answers_to
from vantage.models.vlm.generate import Decoding
from vantage.models.vlm.question_samples import QuestionSamples
from vantage.models.vlm.request import Generated, Refused
from vantage.models.vlm.showing import shown_sample
from vantage.models.vlm.trained import TrainedVlm
from vantage.training.config import ArmConfig

TABLE = "samples/answers.json"
_FILE = "answers.json"
_NEW_TOKENS = {"single": 32, "grounded": 256}  # boxes and steps take more than a word


@dataclass(frozen=True)
class Row:
    """One answer; `picture` names a file beside the answers."""

    step: int
    question_id: str
    question: str
    truth: str
    answer: str
    arm: str
    recipe: str
    picture: str


@dataclass(frozen=True)
class AskedQuestions:
    """Questions of rooms that the arm is not trained on, and how it is asked.

    Attributes:
        vlm: the arm that is being trained, with how it is asked.
        samples: each question a turn.
        chosen: question ids by the number of their sample.
        name: of the arm.
        arm: its configuration.
        seed: of controls and perturbations.
        folder: keeps answers and pictures.
    """

    vlm: TrainedVlm
    samples: QuestionSamples
    chosen: dict[int, frozenset[str]]
    name: str
    arm: ArmConfig
    seed: int
    folder: Path

    def ask(self, step: int, run: OpenRun) -> None:
        """Ask after some steps, with the model in evaluation mode, and show what was said so far."""
        before = [row for row in self._kept() if row.step < step]
        with self.vlm.model.mixed():
            found = [row for index in sorted(self.chosen) for row in self._answers(step, index)]
        rows = before + found
        self.folder.mkdir(parents=True, exist_ok=True)
        atomic.write_json(self.folder / _FILE, [asdict(row) for row in rows])
        self._show(rows, run)

    def show(self, steps: int, run: OpenRun) -> None:
        """Show what was said in the first steps: a run that goes on may have been killed before it did."""
        if rows := [row for row in self._kept() if row.step <= steps]:
            self._show(rows, run)

    def _answers(self, step: int, index: int) -> list[Row]:
        control = "" if self.arm.coordinates == "true" else self.arm.coordinates
        sample = shown_sample(self.samples, index, self.vlm.align, control, self.seed)
        generator = self.vlm.generator(Decoding(_NEW_TOKENS[self.vlm.dialogs]))
        pairs = zip(self.samples.questions(index), sample.dialogs, strict=True)
        some = [(question, turns) for question, turns in pairs if question.question_id in self.chosen[index]]
        sample = replace(sample, dialogs=tuple(turns for _, turns in some))
        camera, size = self.samples.pose(index).camera, self.samples.listed[index].size
        asked = [question for question, _ in some]
        answers = list(answers_to(self.vlm, generator, sample, asked, camera, size))
        refused = any(isinstance(answer, Refused) for _, answer in answers)
        picture = "" if refused else self._picture(index, sample.views)
        return [
            Row(
                step, question.question_id, question.question, question.answer, _said(answer), self.name,
                self.arm.recipe, picture,
            )
            for question, answer in answers
        ]  # fmt: skip

    def _picture(self, index: int, views: Sequence[Any]) -> str:
        path = self.folder / f"views{index:06d}.png"
        if not path.is_file():
            atomic.write_bytes(path, views_picture([view.image() for view in views]))
        return path.name

    def _show(self, rows: Sequence[Row], run: OpenRun) -> None:
        ordered = sorted(rows, key=lambda row: (row.question_id, row.step))
        pictures = {row.picture: self.folder / row.picture for row in ordered if row.picture}
        run.table(TABLE, list(Row.__annotations__), [list(asdict(r).values()) for r in ordered], pictures)

    def _kept(self) -> list[Row]:
        path = self.folder / _FILE
        return [Row(**row) for row in json.loads(path.read_text())] if path.is_file() else []


def choose(
    samples: QuestionSamples, aside: Sequence[int], count: int, seed: int
) -> dict[int, frozenset[str]]:
    """Question ids by sample: as many as asked for, families in turn, drawn by a hash of their ids.

    Args:
        samples: of the run.
        aside: numbers of those that are not trained on.
        count: of questions, at most.
        seed: of the draw.
    """
    by_family: dict[str, list[tuple[int, str, int]]] = {}
    for index in aside:
        for question in samples.questions(index):
            drawn = (priority(seed, "asked", question.question_id), question.question_id, index)
            by_family.setdefault(question.family, []).append(drawn)
    in_turn = sorted(
        (place, *drawn) for rows in by_family.values() for place, drawn in enumerate(sorted(rows))
    )
    found: dict[int, frozenset[str]] = {}
    for _, _, question_id, index in in_turn[:count]:
        found[index] = found.get(index, frozenset()) | {question_id}
    return found


def _said(answer: Generated | Refused | str) -> str:
    if isinstance(answer, Refused):
        return f"(cannot be asked: {answer.reason})"
    return answer.text if isinstance(answer, Generated) else answer
