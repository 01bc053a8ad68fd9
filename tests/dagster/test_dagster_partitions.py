"""Which scans Dagster knows, and what it is told about them."""

from __future__ import annotations

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG
from dagster_project.partitions import events, sync_scans
from hypothesis import given
from hypothesis import strategies as st

from vantage.pipeline.graph import Resources, Stage
from vantage.records.index import IndexRow

STAGE = Stage(
    name="lift",
    desc="",
    cmd="vantage run lift",
    unit="scan",
    group="geometry",
    upstream=(),
    deps=(),
    code=(),
    out="data/lift",
    cached=True,
    params=(),
    resources=Resources(),
    contract="files",
)
NAMES = st.text("ab01_", min_size=1, max_size=4)
HASHES = st.sampled_from(["h0", "h1", "h2"])


@given(now=st.dictionaries(NAMES, HASHES | st.none()), known=st.dictionaries(NAMES, HASHES))
def test_told_are_new_hashes_and_every_scan_set_aside(
    now: dict[str, str | None], known: dict[str, str]
) -> None:
    rows = [
        IndexRow(scan, "set_aside", reason="no depth") if digest is None else IndexRow(scan, "done", digest)
        for scan, digest in now.items()
    ]
    told = events(STAGE, rows, known)
    made = {
        e.partition: (e.tags or {})[DATA_VERSION_TAG] for e in told if isinstance(e, dg.AssetMaterialization)
    }
    aside = {e.partition for e in told if isinstance(e, dg.AssetObservation)}
    assert aside == {scan for scan, digest in now.items() if digest is None}
    assert not aside & made.keys()
    # Having listened, one knows what holds now.
    assert {**known, **made} == {
        **known,
        **{scan: digest for scan, digest in now.items() if digest is not None},
    }
    assert all(known.get(str(scan)) != digest for scan, digest in made.items())


def test_partitions_follow_the_scans() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        for scans in (["b", "a"], ["b", "c"], []):
            sync_scans(instance, scans)
            assert set(instance.get_dynamic_partitions("scan")) == set(scans)
