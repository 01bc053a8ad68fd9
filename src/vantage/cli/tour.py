"""The end of the demo: a registered model answers recorded questions about a scan it has never seen."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

from vantage.core.errors import ContractError
from vantage.core.seeds import priority
from vantage.evaluation.running.scan_views import ScanViews
from vantage.pipeline.graph import Pipeline, load_pipeline
from vantage.pipeline.workspace import Workspace, find_workspace
from vantage.records.frames import kept_frames
from vantage.records.index import done_items
from vantage.records.questions import Question, read_questions
from vantage.records.scan import read_scan

MODEL = "models:/vantage@champion"
_ASKED = 12


def tour(folder: Path | None) -> None:
    """Ask the champion about one held-out scan and print its answers beside the right ones.

    Args:
        folder: the workspace; default: here or above.

    Raises:
        ContractError: no held-out scan has questions.
        VantageError: the registry has no champion.
    """
    workspace = find_workspace(folder)
    pipeline = load_pipeline(workspace.root)
    scan_id, questions = held_out(workspace, pipeline)
    answers = answer(workspace, pipeline, scan_id, questions)
    say = sys.stdout.write
    say(f"{MODEL} on {scan_id}, a room held out from training; each question from a frame of its own:\n\n")
    say(f"  {'question':<64}{'frame':>6}  {'answer':<12}{'right answer':<12}\n")
    for question, said in zip(questions, answers, strict=True):
        mark = "" if said == question.answer else "  <- wrong"
        part = f" ({question.slice})" if question.slice else ""
        text = f"{question.question}{part}"
        say(f"  {text:<64}{question.ego_frame_id:>6}  {said:<12}{question.answer:<12}{mark}\n")
    first = questions[0]
    say(
        f"\nask your own:\n  vantage ask {MODEL} --scan {pipeline.stage('download').out}/{scan_id} "
        f'--frame {first.ego_frame_id} "{first.question}"\n'
    )


def held_out(workspace: Workspace, pipeline: Pipeline) -> tuple[str, list[Question]]:
    """A held-out scan and some of its questions, one or two of each family, chosen by hash."""
    folder = workspace.root / pipeline.stage("synthesize").out
    for scan_id in sorted(done_items(folder), key=lambda scan: priority("tour", scan)):
        questions = [q for q in read_questions(folder / scan_id) if q.split == "heldout"]
        if questions:
            return scan_id, _one_of_each(questions)
    raise ContractError(
        "no held-out scan has questions", where=folder, hint="add rooms, or raise synthesize.held_out_share"
    )


def _one_of_each(questions: list[Question]) -> list[Question]:
    """Every family and slice once; direction, the headline, comes twice in each slice."""
    asked: Counter[tuple[str, str]] = Counter()
    chosen = []
    for question in sorted(questions, key=lambda q: priority("tour", q.question_id)):
        group = (question.family, question.slice)
        if question.learnable_by_pocket and asked[group] < (2 if question.slice else 1):
            asked[group] += 1
            chosen.append(question)
    return sorted(chosen, key=lambda q: (q.family, q.slice, q.question_id))[:_ASKED]


def answer(workspace: Workspace, pipeline: Pipeline, scan_id: str, questions: list[Question]) -> list[str]:
    """The registered model's answers, each asked from the question's own frame with its own views."""
    from vantage.registry.store import find_store, fluent
    from vantage.registry.uris import look_up

    store = find_store(workspace.root)
    raw = workspace.root / pipeline.stage("download").out / scan_id
    extracted = workspace.root / pipeline.stage("extract").out / scan_id
    meta, frames = read_scan(extracted), {frame.frame_id: frame for frame in kept_frames(extracted)}
    requests: list[dict[str, Any]] = [
        ScanViews(raw, meta, tuple(frames[view] for view in q.views)).request(q.question) for q in questions
    ]
    with fluent(store) as mlflow:
        model = mlflow.pyfunc.load_model(look_up(store, MODEL).uri)
        return [record["answer"] for request in requests for record in model.predict(request)]
