"""Whether each stage's output is what the present parameters, code and inputs would give, and why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from vantage.core.errors import ContractError
from vantage.core.names import load
from vantage.pipeline.graph import Pipeline, Stage, load_pipeline
from vantage.pipeline.outputs import describe_output
from vantage.pipeline.params import Params, load_params, plain
from vantage.pipeline.plan import Plan, make_plan
from vantage.pipeline.provenance import records
from vantage.pipeline.stages import STAGES, Table
from vantage.pipeline.workspace import Workspace

State = Literal["fresh", "stale", "missing", "unknown"]


@dataclass(frozen=True)
class StageStatus:
    """The state of one stage.

    Attributes:
        stage: the stage.
        state: `unknown`: the output is there, but no record of how it was made.
        why: the reason, when not fresh.
        done, set_aside: items of the output folder.
        pending: items that a run would process; None where that cannot be told yet.
        ended: when the output was made (ISO 8601, UTC); empty when unknown.
        digest: the output's digest; empty when missing.
    """

    stage: Stage
    state: State
    why: str = ""
    done: int = 0
    set_aside: int = 0
    pending: int | None = None
    ended: str = ""
    digest: str = ""


def pipeline_status(workspace: Workspace, table: Table = STAGES) -> list[StageStatus]:
    """The state of every stage, upstream first.

    Raises:
        ParameterError: wrong parameters or a wrong pipeline file.
    """
    pipeline, params = load_pipeline(workspace.root), load_params(workspace.root, table=table)
    found: dict[str, StageStatus] = {}
    for stage in pipeline.stages:
        found[stage.name] = _status(workspace, pipeline, stage, params, table, found)
    return list(found.values())


def _status(
    workspace: Workspace,
    pipeline: Pipeline,
    stage: Stage,
    params: Params,
    table: Table,
    upstream: Mapping[str, StageStatus],
) -> StageStatus:
    folder = workspace.root / stage.out
    try:
        plan = make_plan(workspace, pipeline, stage.name, params, table)
        pending = len(plan.items) - len(plan.look_up(verify=False))
    except ContractError as error:
        plan, pending, broken = None, None, error.message
    if not folder.is_dir():
        return StageStatus(stage, "missing", "never run here" if plan else broken, pending=pending)
    try:
        output = describe_output(folder)
    except ContractError as error:
        return StageStatus(stage, "stale", error.message, pending=pending)
    known = records(workspace, output.digest)
    same = [one for one in known if plan is not None and one["plan"] == plan.digest]
    record = (same or known)[-1] if known else None
    state, why = _judge(workspace, stage, plan, record, table, upstream)
    return StageStatus(
        stage,
        state,
        why or ("" if plan else broken),
        len(output.done),
        len(output.set_aside),
        pending,
        str(record["ended"]) if record else "",
        output.digest,
    )


def _judge(
    workspace: Workspace,
    stage: Stage,
    plan: Plan | None,
    record: Mapping[str, Any] | None,
    table: Table,
    upstream: Mapping[str, StageStatus],
) -> tuple[State, str]:
    waits = [name for name in stage.upstream if upstream[name].state in ("stale", "missing")]
    if plan is None:
        return "stale", f"waits for {waits[0]}" if waits else ""
    if record is None:
        return "unknown", "no record of how it was made: `vantage run` or `dvc status` tells"
    if record["plan"] != plan.digest:
        return "stale", _difference(plan, record)
    if waits:
        return "stale", f"waits for {', '.join(waits)}"
    outside = table[stage.name].outside
    if outside is not None and (why := str(load(outside)(workspace.root / stage.out, plan.config))):
        return "stale", why
    return "fresh", ""


def _difference(plan: Plan, record: Mapping[str, Any]) -> str:
    if record["params"] != plain(plan.config):
        former = record["params"]
        changed = [key for key, value in plain(plan.config).items() if former.get(key) != value]
        return f"parameters changed: {', '.join(changed)}"
    if record["code"] != plan.code:
        return "code changed"
    inputs = {name: output.digest for name, output in plan.upstream.items()}
    if changed := [name for name, digest in inputs.items() if record["inputs"].get(name) != digest]:
        return f"input changed: {', '.join(changed)}"
    names = {item.name for item in plan.items}
    if names != set(record["items"]):
        return "other items"
    return "seed or source changed"
