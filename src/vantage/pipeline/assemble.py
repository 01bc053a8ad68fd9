"""Putting a stage's output folder together: links, index, the finishing step, one move, provenance."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vantage.core import atomic
from vantage.core.errors import ContractError, VantageError
from vantage.core.tasks import Facts, Task
from vantage.pipeline import link, provenance
from vantage.pipeline.outputs import Output, Verifier, describe_output
from vantage.pipeline.params import Params, plain
from vantage.pipeline.plan import Plan
from vantage.pipeline.pool import Died, Pool
from vantage.pipeline.process import process
from vantage.pipeline.store import Manifest, intact
from vantage.pipeline.watch import Watcher
from vantage.pipeline.worker import Job
from vantage.pipeline.workspace import Workspace
from vantage.records.index import IndexRow, write_index


@dataclass(frozen=True)
class Assembled:
    """An output folder in its place."""

    folder: Path
    digest: str
    facts: Facts = field(default_factory=dict)


def assemble(
    workspace: Workspace,
    plan: Plan,
    params: Params,
    found: Mapping[str, Manifest],
    final: Path,
    pool: Pool,
    watcher: Watcher,
    began: str,
) -> Assembled:
    """Make `final` from the store; until the last move the former folder stays untouched."""
    done = {item.name: plan.store.files(item.key) for item in plan.items if found[item.name].status == "done"}
    rows = [IndexRow(m.item, m.status, m.digest, m.reason) for _, m in sorted(found.items())]
    folder = link.begin(final)
    try:
        link.link_items(done, folder)
        write_index(folder, rows)
        facts = _finish(workspace, plan, params, rows, folder, pool, watcher)
        for name in done:
            if not intact(folder / name, found[name].files):
                raise ContractError(
                    f"the finishing step of stage {plan.stage.name} changed an item",
                    where=name,
                    expected="new files beside the items only",
                )
        output = describe_output(folder)
        _record(workspace, plan, params, found, output, facts, began)
        atomic.replace_folder(folder, final)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if final == workspace.root / plan.stage.out:
        Verifier(workspace, plan.stage).remember(
            {name: (found[name].digest, found[name].files) for name in done}
        )
    return Assembled(final, output.digest, facts)


def _finish(
    workspace: Workspace,
    plan: Plan,
    params: Params,
    rows: list[IndexRow],
    folder: Path,
    pool: Pool,
    watcher: Watcher,
) -> Facts:
    if plan.body.finish is None:
        return {}
    work = workspace.work(plan.stage.name, "finish")
    work.mkdir(parents=True, exist_ok=True)
    inputs = {name: output.folder for name, output in plan.upstream.items()}
    job = Job(
        stage=plan.stage.name,
        key="finish",
        body=plan.body.finish,
        contract=None,
        config=plan.config,
        task=Task(plan.stage.name, inputs, folder, work, params.seed),
        store=plan.store.folder,
        may_set_aside=False,
        rows=tuple(rows),
    )
    result = process(pool, [job], watcher)[plan.stage.name]
    if isinstance(result, Died):
        raise VantageError(f"the finishing step of stage {plan.stage.name} crashed", found=result.reason)
    shutil.rmtree(work, ignore_errors=True)
    return result.facts


def _record(
    workspace: Workspace,
    plan: Plan,
    params: Params,
    found: Mapping[str, Manifest],
    output: Output,
    facts: Facts,
    began: str,
) -> None:
    items: dict[str, dict[str, Any]] = {}
    for item in plan.items:
        manifest = found[item.name]
        items[item.name] = {
            "key": item.key,
            "status": manifest.status,
            "digest": manifest.digest,
            "seconds": manifest.seconds,
            "bytes": manifest.size,
            "facts": dict(manifest.facts),
        }
    value = {
        "stage": plan.stage.name,
        "plan": plan.digest,
        "began": began,
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": params.seed,
        "params": plain(plan.config),
        "code": plan.code,
        "inputs": {name: upstream.digest for name, upstream in plan.upstream.items()},
        **provenance.environment(workspace.root),
    }
    provenance.record(workspace, output.digest, {**value, "facts": dict(facts), "items": items})
    if plan.stage.unit != "scan":  # The record of an arm is looked up by the arm's own digest.
        for item in plan.items:
            own = {"item": item.name, "plan": item.key, "params": plain(item.config)}
            provenance.record(workspace, found[item.name].digest, {**value, **own, **items[item.name]})
