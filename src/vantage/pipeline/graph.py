"""The pipeline as typed records, read from `dvc.yaml`, from which commands and assets are made."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from vantage.core.errors import ParameterError
from vantage.pipeline.workspace import PIPELINE_FILE

Unit = Literal["scan", "arm", "run"]
CODE_FOLDER = "src/"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Resources(_Strict):
    """What one item of a stage needs."""

    cpu: int = Field(default=1, ge=1)
    memory_gb: float = Field(default=1.0, gt=0)
    gpu: int = Field(default=0, ge=0)
    image: str | None = None


class _Meta(_Strict):
    group: str
    unit: Unit
    resources: Resources = Resources()
    contract: str


def _plain_outs(outs: Any) -> Any:
    return [{out: {}} if isinstance(out, str) else out for out in outs] if isinstance(outs, list) else outs


class _OutFlags(_Strict):
    cache: bool = True


class _StageFile(_Strict):
    desc: str
    cmd: str
    deps: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    outs: Annotated[tuple[dict[str, _OutFlags], ...], BeforeValidator(_plain_outs)]
    meta: _Meta


class _PipelineFile(_Strict):
    stages: dict[str, _StageFile]
    metrics: tuple[Any, ...] = ()
    plots: tuple[Any, ...] = ()


class Stage(_Strict):
    """One step of the pipeline.

    Attributes:
        name: the stage's name, which is also the name of its section in the parameters.
        desc: what it makes, in a sentence.
        cmd: the command line that runs it.
        unit: `scan` and `arm`: work for each of them; `run`: work done once.
        group: the part of the pipeline it belongs to.
        upstream: stages whose outputs it reads, in the order of `deps`.
        deps: every path it depends on, as written.
        code: those of `deps` that are the project's own code.
        out: its output folder, relative to the workspace.
        cached: whether DVC keeps a copy of the output.
        params: parameter keys it depends on.
        resources: what one item needs.
        contract: the name of the check that each item's output passes.
    """

    name: str
    desc: str
    cmd: str
    unit: Unit
    group: str
    upstream: tuple[str, ...]
    deps: tuple[str, ...]
    code: tuple[str, ...]
    out: str
    cached: bool
    params: tuple[str, ...]
    resources: Resources
    contract: str


class Pipeline(_Strict):
    """All stages, each after those it depends on."""

    stages: tuple[Stage, ...]
    metrics: tuple[str, ...] = ()

    def stage(self, name: str) -> Stage:
        """The stage called `name`; an unknown name is a `ParameterError`."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise ParameterError(
            f"unknown stage {name!r}",
            where=PIPELINE_FILE,
            expected=f"one of {', '.join(s.name for s in self.stages)}",
        )

    def downstream(self, name: str) -> tuple[str, ...]:
        """Stages that read the output of `name`."""
        return tuple(stage.name for stage in self.stages if name in stage.upstream)


def load_pipeline(workspace: Path) -> Pipeline:
    """Read `dvc.yaml` of a workspace.

    Raises:
        ParameterError: the file is missing, is not YAML, or does not have the shape that DVC and this
            loader agree on; the message names the key.
    """
    path = workspace / PIPELINE_FILE
    parsed = _parse(path)
    stages = _order(path, {name: _stage(path, name, file, parsed) for name, file in parsed.stages.items()})
    return Pipeline(stages=stages, metrics=tuple(m for m in parsed.metrics if isinstance(m, str)))


def _parse(path: Path) -> _PipelineFile:
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        return _PipelineFile.model_validate(raw)
    except FileNotFoundError as error:
        raise ParameterError("the pipeline file is missing", where=path) from error
    except yaml.YAMLError as error:
        raise ParameterError("the pipeline file is not YAML", where=path, found=error) from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ParameterError(
            f"the pipeline file is wrong at {key}", where=path, expected=first["msg"], found=first["input"]
        ) from error


def _stage(path: Path, name: str, file: _StageFile, pipeline: _PipelineFile) -> Stage:
    outs = {out: flags for entry in file.outs for out, flags in entry.items()}
    if len(outs) != 1:
        raise ParameterError(
            f"stage {name!r} must have one output folder", where=path, expected="one entry", found=list(outs)
        )
    (out, flags), makers = next(iter(outs.items())), _makers(pipeline)
    return Stage(
        name=name,
        desc=file.desc,
        cmd=file.cmd,
        unit=file.meta.unit,
        group=file.meta.group,
        upstream=tuple(makers[dep] for dep in file.deps if dep in makers),
        deps=file.deps,
        code=tuple(dep for dep in file.deps if dep.startswith(CODE_FOLDER)),
        out=out,
        cached=flags.cache,
        params=file.params,
        resources=file.meta.resources,
        contract=file.meta.contract,
    )


def _makers(pipeline: _PipelineFile) -> Mapping[str, str]:
    return {out: name for name, file in pipeline.stages.items() for entry in file.outs for out in entry}


def _order(path: Path, stages: Mapping[str, Stage]) -> tuple[Stage, ...]:
    sorter = TopologicalSorter({name: stage.upstream for name, stage in stages.items()})
    try:
        return tuple(stages[name] for name in sorter.static_order())
    except CycleError as error:
        raise ParameterError(
            "the stages depend on each other in a circle", where=path, found=error.args[1]
        ) from error
