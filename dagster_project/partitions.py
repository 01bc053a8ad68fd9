"""Scans as partitions: which exist, and how the state of each reaches Dagster.

A stage is one asset, run in one batch. Beside it stands `scan/<stage>`, partitioned by scan and fed by the
stage: one event for each scan whose output changed, with the hash of that output as its data version. So a
click materialises the pipeline without asking for partitions, and the state of every scan is still seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG
from dagster._core.events import DagsterEventType

from vantage.pipeline.graph import Stage
from vantage.records.index import IndexRow

SCANS = dg.DynamicPartitionsDefinition(name="scan")
STATUS = "status"


def scan_key(stage: str) -> dg.AssetKey:
    """Key of the asset that holds a stage's state per scan."""
    return dg.AssetKey(["scan", stage])


def scan_spec(stage: Stage) -> dg.AssetSpec:
    """The per-scan companion of a scan-unit stage; it is fed by the stage, not materialised by itself."""
    return dg.AssetSpec(
        key=scan_key(stage.name),
        deps=[stage.name],
        description=(
            f"Finished scans of `{stage.name}`, a partition each; the data version is the hash of the scan's "
            "output. A scan that was set aside gets an observation with its reason instead. To run some "
            "scans only, launch the job `some_scans` for them."
        ),
        group_name="per_scan",
        partitions_def=SCANS,
        kinds={"dvc"},
    )


def sync_scans(instance: dg.DagsterInstance, scans: Iterable[str]) -> None:
    """Make the partitions those scans: new ones are added and those that are gone are removed."""
    wanted, known = set(scans), set(instance.get_dynamic_partitions("scan"))
    if new := sorted(wanted - known):
        instance.add_dynamic_partitions("scan", new)
    for gone in sorted(known - wanted):
        instance.delete_dynamic_partition("scan", gone)


def data_versions(instance: dg.DagsterInstance, stage: str) -> Mapping[str, str]:
    """Last reported output hash of each scan."""
    tags = instance.event_log_storage.get_latest_tags_by_partition(
        scan_key(stage), DagsterEventType.ASSET_MATERIALIZATION, [DATA_VERSION_TAG]
    )
    return {scan: found[DATA_VERSION_TAG] for scan, found in tags.items() if DATA_VERSION_TAG in found}


def events(
    stage: Stage, rows: Sequence[IndexRow], known: Mapping[str, str]
) -> list[dg.AssetMaterialization | dg.AssetObservation]:
    """What to tell Dagster about the scans of a stage.

    Args:
        stage: a scan-unit stage.
        rows: its index, or part of it.
        known: hashes reported before; a scan whose output has not changed gives no event.
    """
    key = scan_key(stage.name)
    told: list[dg.AssetMaterialization | dg.AssetObservation] = []
    for row in rows:
        if row.status == "set_aside":
            metadata = {STATUS: "set aside", "reason": row.reason}
            told.append(dg.AssetObservation(asset_key=key, partition=row.item, metadata=metadata))
        elif known.get(row.item) != row.digest:
            told.append(
                dg.AssetMaterialization(
                    asset_key=key,
                    partition=row.item,
                    metadata={STATUS: "done", "folder": f"{stage.out}/{row.item}"},
                    tags={DATA_VERSION_TAG: row.digest},
                )
            )
    return told
