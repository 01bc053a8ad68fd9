"""The pipeline file: what the loader reads is what DVC reads, and what the code needs is what it declares."""

from __future__ import annotations

import inspect
from pathlib import Path

import grimp
import pytest

from vantage.core.errors import ParameterError
from vantage.core.names import load
from vantage.core.sections import shared_fields
from vantage.pipeline.code import closure, packages
from vantage.pipeline.contracts import contract_of
from vantage.pipeline.graph import Pipeline, load_pipeline
from vantage.pipeline.stages import STAGES

REPOSITORY = Path(__file__).resolve().parents[2]

GOOD = """\
stages:
  b:
    {desc: B., cmd: run b, deps: [out/a, src/x], outs: [out/b], meta: {group: g, unit: arm, contract: files}}
  a:
    {desc: A., cmd: run a, outs: [out/a: {cache: false}], meta: {group: g, unit: scan, contract: files}}
"""


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return load_pipeline(REPOSITORY)


def test_the_loader_and_dvc_agree(pipeline: Pipeline, tmp_path: Path) -> None:
    from dvc.repo import Repo

    for name in ("dvc.yaml", "params.yaml"):
        (tmp_path / name).write_text((REPOSITORY / name).read_text())
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\n no_scm = true\n analytics = false\n")
    with Repo(str(tmp_path)) as repo:
        found = {stage.addressing.rpartition(":")[2]: stage for stage in repo.index.stages}
        params = {name: [dep for dep in s.deps if hasattr(dep, "params")] for name, s in found.items()}
        assert set(found) == {stage.name for stage in pipeline.stages}
        for stage in pipeline.stages:
            theirs = found[stage.name]
            paths = {dep.def_path for dep in theirs.deps} - {"params.yaml"}
            assert paths == set(stage.deps)
            assert [out.def_path for out in theirs.outs] == [stage.out]
            assert theirs.outs[0].use_cache == stage.cached
            assert theirs.desc == stage.desc
            assert (theirs.cmd, theirs.cmd) == (stage.cmd, f"vantage run {stage.name}")
            assert {p for dep in params[stage.name] for p in dep.params} == set(stage.params)
            upstream = {other for other, s in found.items() if s.outs[0].def_path in paths}
            assert upstream == set(stage.upstream)


def test_stages_come_after_what_they_depend_on(pipeline: Pipeline) -> None:
    seen: set[str] = set()
    for stage in pipeline.stages:
        assert set(stage.upstream) <= seen
        seen.add(stage.name)
    assert list(seen.symmetric_difference(STAGES)) == []


@pytest.mark.parametrize("name", STAGES)
def test_code_folders_are_the_packages_that_the_body_imports(pipeline: Pipeline, name: str) -> None:
    modules = closure(STAGES[name].modules())
    needed = {f"src/vantage/{package}" for package in packages(modules)}
    assert set(pipeline.stage(name).code) == needed, "correct `deps` in dvc.yaml"


@pytest.mark.parametrize("name", STAGES)
def test_the_closure_holds_all_that_grimp_finds(name: str) -> None:
    graph = grimp.build_graph("vantage", cache_dir=None)
    for module in STAGES[name].modules():
        assert graph.find_upstream_modules(module) | {module} <= set(closure([module]))


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_the_sections_that_it_reads_and_the_seed(pipeline: Pipeline, name: str) -> None:
    stage = pipeline.stage(name)
    needed = {"seed", name} | ({"contracts"} if stage.unit == "scan" else set())
    needed |= set(shared_fields(STAGES[name].load_config()).values())
    assert set(stage.params) == needed


def test_a_base_that_moved_is_the_same_base() -> None:
    """Where its bytes are part of an item's key, its address is not."""
    known = [
        body for body in STAGES.values() if body.fingerprint == "vantage.models.model_files:base_identity"
    ]
    assert len(known) == 2
    assert all({"base.model", "base.revision"} <= set(body.listing) for body in known)


@pytest.mark.parametrize("name", STAGES)
def test_bodies_exist_and_take_what_the_runner_gives(pipeline: Pipeline, name: str) -> None:
    body = STAGES[name]
    assert list(inspect.signature(load(body.body)).parameters) == ["task", "config"]
    for optional, taken in ((body.items, 2), (body.fingerprint, 3), (body.finish, 3)):
        assert optional is None or len(inspect.signature(load(optional)).parameters) == taken
    load(contract_of(pipeline.stage(name)))


def test_metrics_lie_in_an_output(pipeline: Pipeline) -> None:
    outs = [stage.out for stage in pipeline.stages]
    assert pipeline.metrics
    assert all(any(metric.startswith(f"{out}/") for out in outs) for metric in pipeline.metrics)


def test_a_small_file_is_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text(GOOD)
    read = load_pipeline(tmp_path)
    assert [stage.name for stage in read.stages] == ["a", "b"]
    assert read.stage("b").upstream == ("a",)
    assert read.stage("b").code == ("src/x",)
    assert not read.stage("a").cached
    assert read.downstream("a") == ("b",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("unit: arm", "unit: room"), "stages.b.meta.unit"),
        (GOOD.replace("group: g, unit: scan", "unit: scan"), "stages.a.meta.group"),
        (GOOD.replace("cmd: run a", "cmd: run a, extra: 1"), "stages.a.extra"),
        (GOOD.replace("[out/b]", "[out/b, out/c]"), "one output folder"),
        (GOOD.replace("outs: [out/a: {cache: false}]", "deps: [out/b], outs: [out/a]"), "in a circle"),
        ("stages: [", "not YAML"),
    ],
)
def test_a_wrong_file_is_refused_with_the_key(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "dvc.yaml").write_text(text)
    with pytest.raises(ParameterError, match=message) as caught:
        load_pipeline(tmp_path)
    assert "dvc.yaml" in str(caught.value)


def test_an_unknown_stage_is_named_with_the_known_ones(pipeline: Pipeline) -> None:
    with pytest.raises(ParameterError, match="unknown stage 'lft'") as caught:
        pipeline.stage("lft")
    assert "lift" in str(caught.value)
