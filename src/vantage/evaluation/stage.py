"""The `evaluate` stage: what every arm and control answers, then one report over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vantage.core import atomic
from vantage.core.errors import ParameterError
from vantage.core.hashing import canonical_json
from vantage.core.tasks import Facts, Task
from vantage.evaluation.basis import basis_of
from vantage.evaluation.config import EvaluateConfig
from vantage.evaluation.opposite_questions import opposite_pairs, opposite_questions
from vantage.evaluation.page.markdown import markdown
from vantage.evaluation.pose_sources import SourceComparison, compare_sources
from vantage.evaluation.poses import RECOVERED, by_pose
from vantage.evaluation.report import Evaluation, metrics, report_record
from vantage.evaluation.scorers import HEADLINE, SCORERS
from vantage.evaluation.table import Group, Predictions, exact, headline_tests, score_groups
from vantage.records.index import IndexRow
from vantage.records.predictions import Prediction, read_predictions, write_predictions
from vantage.records.questions import Question
from vantage.records.tables import write_table

REPORT_FILE = "report.json"
METRICS_FILE = "metrics.json"
TEXT_FILE = "report.md"
PAGE_FILE = "report.html"
SCORES_FILE = "scores.png"
EXAMPLE_FILE = "example.png"
PER_QUESTION_FILE = "scores.parquet"
PLACES_FILE = "places.jsonl"
"""Of a situated model: where it took the asker of each question to be, and where that is."""


def list_items(config: EvaluateConfig, arm_names: Sequence[str]) -> list[str]:
    """What is evaluated: every arm; the headline arm under every control and from every source of poses.

    The latter as `arm@control` and `arm@source`.

    Raises:
        ParameterError: the headline arm is not trained.
    """
    if config.headline_arm not in arm_names:
        raise ParameterError(
            "the headline arm is not among the trained arms",
            where="evaluate.headline_arm",
            expected=f"one of {', '.join(arm_names)}",
            found=config.headline_arm,
        )
    conditions = (*config.controls, *config.pose_sources)
    return [*arm_names, *(f"{config.headline_arm}@{condition}" for condition in conditions)]


def predict(task: Task, config: EvaluateConfig) -> Facts:
    """Write `predictions.parquet` and `scores.parquet` of one item: an arm, or `arm@control`."""
    predictions, places = _answers(task, config)
    if places:
        rows = "".join(f"{canonical_json(row)}\n" for row in places)
        atomic.write_text(task.out / PLACES_FILE, rows)
    write_predictions(task.out, predictions)
    write_scores(task.out / PER_QUESTION_FILE, predictions)
    return {
        "questions": len(predictions),
        "rooms": len({p.room_id for p in predictions}),
        HEADLINE: float(exact(predictions).mean()),
    }


def _answers(task: Task, config: EvaluateConfig) -> tuple[list[Prediction], list[dict[str, Any]]]:
    """Predictions of an item, and the places that a situated model found."""
    from vantage.evaluation.majority import CONTROL, majority_answers

    arm, _, control = task.item.partition("@")
    if control == CONTROL:
        return majority_answers(task.inputs["synthesize"]), []
    from vantage.evaluation.answers import answer_all, one_thread
    from vantage.models.answering import PocketVLM
    from vantage.models.model_files import is_pocket

    adapter, tell = task.inputs["finetune"] / arm, task.progress.step
    if not is_pocket(config.base.model):
        return _vlm_answers(task, config, adapter, control)
    base = None if config.base.model == "shipped" else Path(config.base.model)
    vlm = PocketVLM.load(base, adapter)
    with one_thread():
        return answer_all(vlm, task.inputs, control, task.seed, tell), []


def _vlm_answers(
    task: Task, config: EvaluateConfig, adapter: Path, control: str
) -> tuple[list[Prediction], list[dict[str, Any]]]:
    from vantage.evaluation.vlm_answers import answer_all_with
    from vantage.models.device import best_device
    from vantage.models.vlm.generate import Decoding
    from vantage.models.vlm.trained import TrainedVlm

    base, answering = config.base, config.answering
    vlm = TrainedVlm.load(base.model, adapter, base.revision or None, base.weights)
    vlm.model.to(best_device())
    decoding = Decoding(answering.max_new_tokens, token_budget=answering.tokens)
    found = answer_all_with(vlm, task.inputs, control, task.seed, decoding, task.progress.step)
    for name, reason in list(found.refused.items())[:1]:
        task.progress.say(f"{len(found.refused)} questions cannot be asked, the first {name}: {reason}")
    return found.predictions, found.places


def write_scores(path: Path, predictions: Sequence[Prediction]) -> None:
    """Write every scorer's 0 or 1 for every question; the scorers' versions are in the report."""
    import pyarrow as pa

    columns: dict[str, list[str] | list[int]] = {"question_id": [p.question_id for p in predictions]}
    for name, scorer in SCORERS.items():
        columns[name] = [scorer.score(p.prediction, [p.answer]) for p in predictions]
    kinds = [("question_id", pa.string()), *((name, pa.int8()) for name in SCORERS)]
    write_table(path, "scores", 1, columns, pa.schema(kinds))


def report(task: Task, config: EvaluateConfig, rows: Sequence[IndexRow]) -> None:
    """Write report.json, metrics.json, report.md, report.html and two pictures beside the items' folders."""
    from vantage.evaluation.page.document import html_page
    from vantage.evaluation.pictures import example_picture, scores_picture
    from vantage.evaluation.situations import heldout_questions

    items = sorted(row.item for row in rows if row.status == "done")
    predictions = {item: read_predictions(task.out / item) for item in items}
    questions = [q for scan in heldout_questions(task.inputs["synthesize"]).values() for q in scan]
    unlearnable = frozenset(q.family for q in questions if not q.learnable_by_pocket)
    headline = (config.headline_family, config.headline_slice)

    def score(some: Predictions) -> list[Group]:
        return score_groups(some, unlearnable, config.baseline_arm, headline, task.seed, config.resamples)

    groups = score(predictions)
    head = (groups[0].family, groups[0].slice)
    evaluation = Evaluation(
        groups=groups,
        arms=_arms(items, config),
        controls=[item for item in items if "@" in item and item.partition("@")[2] not in RECOVERED],
        arm=config.headline_arm,
        baseline=config.baseline_arm,
        basis=basis_of(
            questions, task.inputs["finetune"], rows, task.seed, config.resamples, config.base.model
        ),
        poses=by_pose(questions, predictions, score),
        tests=headline_tests(predictions, head, config.headline_arm),
        sources=_sources(config, predictions, questions, task.seed),
        opposite=opposite_questions(
            opposite_pairs(task.inputs, questions),
            predictions,
            [arm for arm in (config.headline_arm, config.baseline_arm) if arm in predictions],
            task.seed,
            config.resamples,
        ),
    )
    atomic.write_json(task.out / REPORT_FILE, report_record(evaluation))
    atomic.write_json(task.out / METRICS_FILE, metrics(evaluation))
    atomic.write_text(task.out / TEXT_FILE, markdown(evaluation))
    atomic.write_bytes(task.out / SCORES_FILE, scores_picture(evaluation))
    picture = example_picture(task.inputs, evaluation, predictions, questions)
    atomic.write_bytes(task.out / EXAMPLE_FILE, picture)
    atomic.write_text(task.out / PAGE_FILE, html_page(task.inputs, evaluation, predictions, questions))


def _sources(
    config: EvaluateConfig, predictions: Predictions, questions: Sequence[Question], seed: int
) -> list[SourceComparison]:
    """The headline arm by the source of the pose; its blind control too, whom only a leak can help."""
    items = [config.headline_arm, f"{config.headline_arm}@blind"]
    found = [
        compare_sources(item, predictions, questions, seed, config.resamples)
        for item in items
        if item in predictions
    ]
    return [comparison for comparison in found if comparison is not None]


def _arms(items: Sequence[str], config: EvaluateConfig) -> list[str]:
    """Trained arms as they are shown: baseline, headline arm, then the others by name."""
    arms = sorted(item for item in items if "@" not in item)
    first = [arm for arm in (config.baseline_arm, config.headline_arm) if arm in arms]
    return first + [arm for arm in arms if arm not in first]
