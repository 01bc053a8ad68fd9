"""`vantage judge`: verdicts on free answers, or on which items need a direction, by rules or a model."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vantage.core import atomic
from vantage.core.errors import ParameterError

if TYPE_CHECKING:
    from vantage.evaluation.judge.asking import Asker
    from vantage.evaluation.judge.cases import Case
    from vantage.evaluation.judge.rubrics import Rubric
    from vantage.evaluation.judge.verdict import Decision


@dataclass(frozen=True)
class Server:
    """Who judges: `rule`, or a model behind an address with how it is asked."""

    judge: str
    model: str
    replies: Path
    workers: int = 8
    timeout_s: float = 120.0
    max_tokens: int = 2048


@dataclass(frozen=True)
class Job:
    """What is judged; with `direction`, whether each item needs one instead of whether it is right."""

    benchmark: str
    references: Path
    predictions: Path | None
    repeats: int = 1
    seed: int = 0
    direction: bool = False
    subset: str | None = None


def judge(job: Job, server: Server, per_item: Path | None, as_json: bool, dry_run: bool) -> None:
    """Print what the judge decided; failures stand apart and are told on standard error.

    Raises:
        ParameterError: an unknown name, options that do not go together, a server that refuses the key.
        ContractError: a file that breaks its format.
        ResourceError: a server that does not answer; what it answered is kept.
    """
    from vantage.evaluation.judge.cases import read_cases
    from vantage.evaluation.judge.rubrics import DIRECTION_RUBRICS, RUBRICS

    _check(job, server, per_item)
    cases = read_cases(job.benchmark, job.references, None if job.direction else job.predictions)
    rubric = (DIRECTION_RUBRICS if job.direction else RUBRICS)[job.benchmark]
    asker = None if server.judge == "rule" else _asker(server, job.seed)
    asked = [case for case in cases if job.direction or not case.silent]
    if dry_run:
        _tell_plan(asker, rubric, asked, len(cases), job.repeats, as_json)
        return
    name = _name(job, server, rubric)
    decisions = _decide(asker, rubric, cases, asked, job)
    report = _direction if job.direction else _accuracy
    record, rows = report(job, name, cases, decisions)
    if per_item is not None:
        atomic.write_text(per_item, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    failures = [d.failure for row in decisions for d in row if d.failure]
    if failures:
        sys.stderr.write(f"{len(failures)} failures, no verdicts; the first: {failures[0]}\n")
    sys.stdout.write(json.dumps(record, indent=2) + "\n" if as_json else _text(record))


def _check(job: Job, server: Server, per_item: Path | None) -> None:
    if job.direction == (job.predictions is not None):
        raise ParameterError("give --predictions, or --direction without them", where="vantage judge")
    if job.direction and job.subset is not None:
        raise ParameterError("--direction makes a subset and takes none", where="--subset")
    if server.judge == "rule" and (server.model or job.repeats > 1):
        expected = "--judge URL with --model and --repeats"
        raise ParameterError("rules have no model and never differ", where="--judge", expected=expected)
    if server.judge != "rule" and not server.model:
        raise ParameterError("which model?", where="--model", expected="a name that the server knows")
    if per_item is not None and (per_item.is_dir() or not per_item.parent.is_dir()):
        raise ParameterError(
            "cannot write there", where="--per-item", expected="a file in a folder", found=per_item
        )


def _asker(server: Server, seed: int) -> Asker:
    from vantage.evaluation.judge.asking import Asker
    from vantage.evaluation.judge.client import ChatClient, key_for
    from vantage.evaluation.judge.replies import ReplyFile

    key = key_for(server.judge, os.environ)
    client = ChatClient(server.judge, server.model, key, server.timeout_s, server.max_tokens)
    return Asker(client, ReplyFile(server.replies), server.workers, seed=seed)


def _name(job: Job, server: Server, rubric: Rubric) -> str:
    from vantage.evaluation.judge.rules import NAME

    if server.judge != "rule":
        return f"{server.model}/{rubric.name}"
    return "words" if job.direction else NAME


def _decide(
    asker: Asker | None, rubric: Rubric, cases: list[Case], asked: list[Case], job: Job
) -> list[list[Decision]]:
    from vantage.cli.show import progress
    from vantage.evaluation.judge.rules import judge_by_rule
    from vantage.evaluation.judge.verdict import Decision
    from vantage.evaluation.subsets import by_words

    if asker is None and job.direction:
        texts = [" \n ".join([case.question, *case.references]) for case in cases]
        return [[Decision(by_words(text), "by its words")] for text in texts]
    if asker is None:
        return [[judge_by_rule(case)] for case in cases]
    with progress("judge") as shown:
        found = dict(zip(map(id, asked), asker.decide(rubric, asked, job.repeats, shown), strict=True))
    nothing = [Decision(False, "nothing was said")] * job.repeats
    return [found.get(id(case), nothing) for case in cases]


def _tell_plan(
    asker: Asker | None, rubric: Rubric, asked: list[Case], n: int, repeats: int, as_json: bool
) -> None:
    if asker is None:
        plan: dict[str, Any] = {"items": n, "questions": 0, "kept": 0, "to_ask": 0, "tokens_sent": 0}
        plan["tokens_received"] = 0
    else:
        made = asker.plan(rubric, asked, repeats)
        sent, received = made.tokens
        plan = {"items": n, "questions": made.wanted, "kept": made.wanted - len(made.missing)}
        plan |= {"to_ask": len(made.missing), "tokens_sent": sent, "tokens_received": received}
    text = (
        f"{plan['items']} items, {plan['questions']} different questions, {plan['kept']} of them kept from"
        f" before: {plan['to_ask']} to ask, about {plan['tokens_sent']} tokens sent and"
        f" {plan['tokens_received']} received (thoughts not counted)\n"
    )
    sys.stdout.write(json.dumps(plan, indent=2) + "\n" if as_json else text)


def _accuracy(
    job: Job, name: str, cases: list[Case], decisions: list[list[Decision]]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    from vantage.evaluation.judge.judged import Judged
    from vantage.evaluation.subsets import direction_subset

    judged = Judged(name, cases, decisions)
    record: dict[str, Any] = {"judge": name, **judged.record()}
    if job.subset is not None:
        texts = [" \n ".join([case.question, *case.references]) for case in cases]
        inside, outside = direction_subset(job.subset, [case.id for case in cases], texts)
        record["subsets"] = {"direction": judged.record(inside), "complement": judged.record(outside)}
    return record, judged.per_item()


def _direction(
    _job: Job, name: str, cases: list[Case], decisions: list[list[Decision]]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    for case, row in zip(cases, decisions, strict=True):
        votes = [d.value for d in row if d.value is not None]
        tied = 2 * sum(votes) == len(votes)  # also where there is none
        value = None if tied else 2 * sum(votes) > len(votes)
        rows.append({"id": case.id, "direction": value, "reasons": [d.reason or d.failure for d in row]})
    known = [row["direction"] for row in rows if row["direction"] is not None]
    record = {"judge": name, "n": len(rows), "undecided": len(rows) - len(known), "direction": sum(known)}
    return {**record, "share": sum(known) / len(known) if known else None}, rows


def _text(record: dict[str, Any]) -> str:
    if "share" in record:
        share = "-" if record["share"] is None else f"{record['share']:.4f}"
        counts = (
            f"{record['direction']} of {record['n']} items need a direction, {record['undecided']} undecided"
        )
        return f"{record['judge']}: {counts}; share {share}\n"
    lines = [f"judged by {record['judge']}", *_lines("all", record)]
    for name, part in record.get("subsets", {}).items():
        lines += _lines(name, part)
    return "\n".join(lines) + "\n"


def _lines(name: str, part: dict[str, Any]) -> list[str]:
    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:.4f}"

    low, high = part["interval"] or (None, None)
    lines = [
        f"{name}: accuracy {number(part['accuracy'])}, 95 % {number(low)} to {number(high)},"
        f" {part['judged']} of {part['n']} items judged, {part['silent']} without a word"
    ]
    if part["failures"]:
        low, high = part["accuracy_if_failures_wrong"], part["accuracy_if_failures_right"]
        lines.append(
            f"  {part['failures']} failures ({part['items_without_verdict']} items without any verdict):"
            f" {number(low)} if all were wrong, {number(high)} if all were right"
        )
    if part["repeats"] > 1:
        deviation, differ = number(part["standard_deviation"]), number(part["items_that_differ"])
        lines.append(
            f"  {part['repeats']} repeats: {', '.join(map(number, part['accuracy_by_repeat']))};"
            f" standard deviation {deviation}, they differ on a share of {differ}"
        )
    return lines
