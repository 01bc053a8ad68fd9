"""The asset graph is the graph of dvc.yaml, and Dagster's string selections work beside DVC."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from dagster_project.definitions import build
from dvc.repo import Repo

from vantage.pipeline.workspace import Workspace

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build(Workspace(REPOSITORY))


def stages() -> dict[str, set[str]]:
    """Stage names and what each reads, as DVC itself sees them."""
    found = {s.addressing: s for s in Repo(str(REPOSITORY), uninitialized=True).index.stages}
    makers = {out.def_path: name for name, stage in found.items() for out in stage.outs}
    return {
        name: {makers[dep.def_path] for dep in stage.deps if dep.def_path in makers}
        for name, stage in found.items()
    }


def test_assets_are_the_stages_of_dvc(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    edges = {
        key.to_user_string(): {parent.to_user_string() for parent in graph.get(key).parent_keys}
        for key in graph.executable_asset_keys
    }
    assert edges == stages()


def test_names_groups_and_descriptions_come_from_the_file(definitions: dg.Definitions) -> None:
    spec = definitions.resolve_asset_graph().get(dg.AssetKey("lift"))
    assert spec.group_name == "geometry"
    assert spec.description.startswith("A 3D coordinate for every image patch")
    assert spec.code_version is not None
    assert spec.pools == {"dvc"}


def test_every_stage_has_a_blocking_contract_and_scan_stages_a_warning(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    checks = {(key.asset_key.to_user_string(), key.name): graph.get(key) for key in graph.asset_check_keys}
    assert {asset for asset, name in checks if name == "contract"} == set(stages())
    assert all(check.blocking == (name in ("contract", "capture")) for (_, name), check in checks.items())
    assert [asset for asset, name in checks if name == "capture"] == ["extract"]
    assert ("extract", "set_aside") in checks


def test_scans_are_partitions_and_not_materialised_by_a_click(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    partitioned = {key for key in graph.get_all_asset_keys() if graph.get(key).partitions_def is not None}
    assert partitioned == {dg.AssetKey(["scan", name]) for name in stages_per_scan()}
    assert not partitioned & graph.executable_asset_keys


def stages_per_scan() -> list[str]:
    return ["download", "extract", "lift", "recover", "synthesize"]


@pytest.mark.parametrize(
    ("selection", "chosen"),
    [
        ("synthesize", {"synthesize"}),
        ("+synthesize", {"extract", "lift", "recover", "synthesize"}),
        ("*synthesize", set(stages_per_scan())),
        ('+key:"synthesize"', set(stages_per_scan())),  # as the UI writes it, parsed by antlr
        ("group:scans", {"download", "extract"}),
        ('tag:"unit"="arm"', {"finetune", "evaluate"}),
    ],
)
def test_string_selections(definitions: dg.Definitions, selection: str, chosen: set[str]) -> None:
    graph = definitions.resolve_asset_graph()
    found = dg.AssetSelection.from_string(selection).resolve(graph)
    assert {key.to_user_string() for key in found} == chosen


def test_jobs_and_the_schedule(definitions: dg.Definitions) -> None:
    job = definitions.resolve_job_def("pipeline")
    assert {key.to_user_string() for key in job.asset_layer.selected_asset_keys} == set(stages())
    assert definitions.resolve_job_def("some_scans").partitions_def is not None
    schedule = definitions.resolve_schedule_def("weekly")
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
    assert schedule.job_name == "pipeline"
