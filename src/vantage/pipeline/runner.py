"""Runs one stage: the same way from the command line, from DVC and from Dagster.

Parameters, items and keys; what the store has is reused, the rest is processed by child processes straight
into the store; the output folder is then assembled afresh by link and put in place in one move. A kill at any
time loses the items under way and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from vantage.core.errors import ContractError, ParameterError, SetAsideError, VantageError
from vantage.core.names import load
from vantage.core.tasks import Facts, Task
from vantage.pipeline import link
from vantage.pipeline.ahead import look_ahead, require_room, some, tell_dry
from vantage.pipeline.assemble import Assembled, assemble
from vantage.pipeline.contracts import contract_of
from vantage.pipeline.estimate import duration, worker_count
from vantage.pipeline.graph import Pipeline, load_pipeline
from vantage.pipeline.locks import stage_lock
from vantage.pipeline.outputs import Verifier
from vantage.pipeline.params import Params, load_params
from vantage.pipeline.plan import Item, Plan, make_plan
from vantage.pipeline.pool import Pool
from vantage.pipeline.process import Result, process
from vantage.pipeline.stages import STAGES, Table
from vantage.pipeline.store import Manifest
from vantage.pipeline.together import Others, others, seen_by
from vantage.pipeline.watch import PlainWatcher, Watcher
from vantage.pipeline.worker import Finished, Job, disk_full, is_disk_full, thread_environment
from vantage.pipeline.workspace import Workspace

_SHOWN = 10


@dataclass(frozen=True)
class StageReport:
    """What a run of a stage did.

    Attributes:
        stage: the stage.
        folder: the assembled folder; None after a dry run, and when only some items were asked for and others
            are not current.
        digest: the output's digest; empty without a folder.
        items: how many items the stage has.
        processed: names of the items processed now; none in a dry run.
        reused: how many came from the store.
        set_aside: reasons by item.
        facts: what the finishing step reported.
        seconds: how long it took.
    """

    stage: str
    folder: Path | None
    digest: str
    items: int
    processed: tuple[str, ...]
    reused: int
    set_aside: Mapping[str, str]
    facts: Facts = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Request:
    """What to run.

    Attributes:
        items: only these; all when empty.
        strict: end with an error when items were set aside.
        overrides: texts `section.key=value`; they need `out`.
        out: a folder instead of the stage's own.
        workers: items at a time; see `estimate.worker_count`.
        dry: tell what would be processed, and do nothing.
    """

    items: Sequence[str] = ()
    strict: bool = False
    overrides: Sequence[str] = ()
    out: Path | None = None
    workers: int | None = None
    dry: bool = False


def run_stage(
    workspace: Workspace,
    name: str,
    request: Request | None = None,
    *,
    watcher: Watcher | None = None,
    table: Table = STAGES,
) -> StageReport:
    """Bring one stage's output up to date.

    Raises:
        ParameterError: a wrong parameter, stage or item.
        ContractError: an output breaks its contract, an input is missing or changed, or too many scans were
            set aside; the output folder is then left as it was.
        SetAsideError: `strict`, and items were set aside; the output is assembled all the same.
        ResourceError: the machine cannot go on; finished items are kept.
    """
    request, watcher = request or Request(), watcher or PlainWatcher(lambda text: None)
    if request.overrides and request.out is None and not request.dry:
        raise ParameterError(
            "overrides need a folder of their own",
            expected="--out DIR beside -S",
            hint="or change params.yaml, or use `dvc exp run -S`: the stage's own folder follows params.yaml",
        )
    pipeline, started = load_pipeline(workspace.root), time.monotonic()
    pipeline.stage(name)
    params = load_params(workspace.root, request.overrides, table)
    if request.dry:
        with others(name, table[name], whole=False):
            plan = make_plan(workspace, pipeline, name, params, table)
        return _Run(workspace, pipeline, plan, params, request).preview(watcher, started)
    with others(name, table[name], whole=True) as launched:

        def begin() -> _Run:
            plan = make_plan(workspace, pipeline, name, params, table)
            return _Run(workspace, pipeline, plan, params, request, launched)

        if launched is not None and launched.rank > 0:
            return begin().follow(launched, started)
        with stage_lock(workspace, name, watcher):
            try:
                report = begin().execute(watcher, started)
            except OSError as error:
                if is_disk_full(error):
                    raise disk_full(name, error) from error
                raise
    if request.strict and report.set_aside:
        raise SetAsideError(
            f"{len(report.set_aside)} of {report.items} items of stage {name} were set aside",
            found=", ".join(sorted(report.set_aside)[:_SHOWN]),
        )
    return report


@dataclass
class _Run:
    workspace: Workspace
    pipeline: Pipeline
    plan: Plan
    params: Params
    request: Request
    others: Others | None = None

    def execute(self, watcher: Watcher, started: float) -> StageReport:
        plan, wanted = self.plan, self._wanted()
        if self.others is not None:
            self.others.agree(seen_by(plan), self.workspace.private / "work")
        plan.store.clean()
        found = plan.look_up()
        todo = self._todo(wanted, found)
        began = datetime.now(UTC).isoformat(timespec="seconds")
        workers = self._workers(todo)
        self._announce(watcher, todo, len(wanted), workers)
        with Pool(workers, self._environment()) as pool:
            found |= self._process(pool, todo, watcher)
            missing = [item.name for item in plan.items if item.name not in found]
            made = None
            if missing:
                watcher.say(f"{plan.stage.name}: {self._partial(missing)}")
            else:
                self._refuse_too_many(found)
                made = self._assemble(pool, found, watcher, began)
        report = self._report(found, todo, len(wanted), made, time.monotonic() - started)
        _tell(report, watcher)
        return report

    def follow(self, first: Others, started: float) -> StageReport:
        """Take part in what the first process of a launcher does; nothing is written here."""
        first.agree(seen_by(self.plan), self.workspace.private / "work")
        first.follow(self._environment())
        return self._report({}, [], 0, None, time.monotonic() - started)

    def preview(self, watcher: Watcher, started: float) -> StageReport:
        """Tell what `execute` would do; nothing on disk changes."""
        plan, wanted = self.plan, self._wanted()
        found = plan.look_up(verify=False)
        todo = self._todo(wanted, found)
        ahead = look_ahead(self.workspace, plan, todo, len(wanted), self._workers(todo), watcher)
        self._rehearse(todo, watcher)
        tell_dry(self.workspace, plan.stage.name, ahead, watcher)
        return self._report(found, [], len(wanted), None, time.monotonic() - started)

    def _rehearse(self, todo: Sequence[Item], watcher: Watcher) -> None:
        if self.plan.body.rehearsal is None:
            return
        for item in todo:
            for line in load(self.plan.body.rehearsal)(self._job(item).task, item.config):
                watcher.say(f"{self.plan.stage.name} {item.name}: {line}")

    def _todo(self, wanted: Sequence[Item], found: Mapping[str, Manifest]) -> list[Item]:
        return [item for item in wanted if item.name not in found or not self.plan.body.reusable]

    def _workers(self, todo: Sequence[Item]) -> int:
        if self.others is not None:
            return 1  # all processes are at one item
        return min(worker_count(self.plan.stage.resources, self.request.workers), max(1, len(todo)))

    def _wanted(self) -> list[Item]:
        asked = set(self.request.items)
        if unknown := sorted(asked - {item.name for item in self.plan.items}):
            raise ParameterError(
                f"stage {self.plan.stage.name} has no item {unknown[0]!r}",
                expected=some(item.name for item in self.plan.items),
                found=some(unknown),
            )
        return [item for item in self.plan.items if not asked or item.name in asked]

    def _environment(self) -> dict[str, str]:
        threads = thread_environment(self.plan.stage.resources.cpu)
        return threads | {"VANTAGE_WORKSPACE": str(self.workspace.root)}

    def _announce(self, watcher: Watcher, todo: Sequence[Item], wanted: int, workers: int) -> None:
        ahead = look_ahead(self.workspace, self.plan, todo, wanted, workers, watcher)
        for line in ahead.lines(self.plan.stage.name):
            watcher.say(line)
        if not todo:
            return
        require_room(self.workspace, ahead)
        for upstream, output in self.plan.upstream.items():
            each = self.plan.stage.unit == "scan" and self.pipeline.stage(upstream).unit == "scan"
            names = [item.name for item in todo] if each else sorted(output.done)
            Verifier(self.workspace, self.pipeline.stage(upstream)).check(output, names)

    def _process(self, pool: Pool, todo: Sequence[Item], watcher: Watcher) -> dict[str, Manifest]:
        jobs = {item.name: self._job(item) for item in todo}
        results = process(pool, list(jobs.values()), watcher)
        return {name: _settle(jobs[name], result) for name, result in results.items()}

    def _job(self, item: Item) -> Job:
        stage, work = self.plan.stage, self.workspace.work(self.plan.stage.name, item.key)
        return Job(
            stage=stage.name,
            key=item.key,
            body=self.plan.body.body,
            contract=contract_of(stage),
            config=item.config,
            task=Task(
                item.name,
                item.inputs,
                work / "out",
                work,
                self.params.seed,
                cache=self.workspace.cache(stage.name),
            ),
            store=self.plan.store.folder,
            may_set_aside=stage.unit == "scan",
            tracker=self.plan.body.tracker,
        )

    def _refuse_too_many(self, found: Mapping[str, Manifest]) -> None:
        aside = {name: m.reason for name, m in found.items() if m.status == "set_aside"}
        limit = self.params.contracts.max_set_aside_share
        if len(aside) > limit * len(found):
            listed = "\n    ".join(f"{name}: {aside[name]}" for name in sorted(aside)[:_SHOWN])
            raise ContractError(
                f"stage {self.plan.stage.name} set too many items aside; its output is left as it was",
                expected=f"at most {limit:.0%} (contracts.max_set_aside_share)",
                found=f"{len(aside)} of {len(found)}\n    {listed}",
                hint="mend or remove these scans, or raise contracts.max_set_aside_share",
            )

    def _assemble(self, pool: Pool, found: Mapping[str, Manifest], watcher: Watcher, began: str) -> Assembled:
        final = self.request.out or self.workspace.root / self.plan.stage.out
        link.clean(final)
        return assemble(self.workspace, self.plan, self.params, found, final.absolute(), pool, watcher, began)

    def _partial(self, missing: Sequence[str]) -> str:
        stage, total = self.plan.stage, len(self.plan.items)
        return (
            f"{total - len(missing)} of {total} items are current, so {stage.out} is left as it was; "
            f"`vantage run {stage.name}` does the rest ({some(missing)})"
        )

    def _report(
        self,
        found: Mapping[str, Manifest],
        todo: Sequence[Item],
        wanted: int,
        made: Assembled | None,
        seconds: float,
    ) -> StageReport:
        return StageReport(
            stage=self.plan.stage.name,
            folder=made.folder if made else None,
            digest=made.digest if made else "",
            items=len(self.plan.items),
            processed=tuple(item.name for item in todo),
            reused=wanted - len(todo),
            set_aside={name: m.reason for name, m in sorted(found.items()) if m.status == "set_aside"},
            facts=made.facts if made else {},
            seconds=seconds,
        )


def _tell(report: StageReport, watcher: Watcher) -> None:
    for name, reason in list(report.set_aside.items())[:_SHOWN]:
        watcher.warn(f"{report.stage} set {name} aside: {reason}")
    if len(report.set_aside) > _SHOWN:
        watcher.warn(f"{report.stage} set {len(report.set_aside) - _SHOWN} more aside; its index lists them")
    if report.folder is not None:
        counts = f"{report.items - len(report.set_aside)} of {report.items} items done"
        watcher.say(
            f"{report.stage}: {counts}, {len(report.processed)} of them now, in "
            f"{duration(report.seconds)}; output {report.digest[:12]}"
        )


def _settle(job: Job, result: Result) -> Manifest:
    if isinstance(result, Finished):
        assert result.manifest is not None
        return result.manifest
    if not job.may_set_aside:
        raise VantageError(f"stage {job.stage} cannot finish {job.task.item}", found=result.reason)
    # Not stored: a fault of native code may be the machine's, so the next run tries again.
    return Manifest(job.stage, job.task.item, "set_aside", reason=result.reason)
