"""A served release of three small scans, and a stage's cache."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fetching import Fetching

from scannet_server import Served, serving

TRAIN, SECOND, TEST = "scene0000_00", "scene0001_00", "scene0707_00"


def build_release(root: Path, writers: Any) -> Path:
    """Three scans laid out as ScanNet's server lays them out; a test scan has no annotation."""
    for scan_id in (TRAIN, SECOND, TEST):
        tree = root / ("v2/scans_test" if scan_id == TEST else "v2/scans") / scan_id
        writers.raw(tree, scan_id, 40)
        (tree / f"{scan_id}.attributes.json").unlink()
        (tree / f"{scan_id}_vh_clean_2.labels.ply").write_bytes(
            (tree / f"{scan_id}_vh_clean_2.ply").read_bytes()
        )
        if scan_id == TEST:
            for ending in (".aggregation.json", "_vh_clean_2.0.010000.segs.json", "_vh_clean_2.labels.ply"):
                (tree / f"{scan_id}{ending}").unlink()
            continue
        recordings = root / "v1/scans" / scan_id
        recordings.mkdir(parents=True)
        (tree / f"{scan_id}.sens").rename(recordings / f"{scan_id}.sens")
        # Version 1 has annotations of its own, which must never be taken.
        (recordings / f"{scan_id}.aggregation.json").write_text("of version 1")
    (root / "v2/scans.txt").write_text(f"{SECOND}\n{TRAIN}\n")
    (root / "v2/scans_test.txt").write_text(f"{TEST}\n")
    (root / "v2/tasks").mkdir()
    rows = [(1, "chair", 5, "chair"), (2, "thingamajig", 40, "otherprop"), (3, "zebra", 40, "otherprop")]
    table = ["id\traw_category\tnyu40id\tnyu40class\n", *("\t".join(map(str, row)) + "\n" for row in rows)]
    (root / "v2/tasks/scannetv2-labels.combined.tsv").write_text("".join(table))
    return root


@pytest.fixture
def release(tmp_path: Path, writers: Any) -> Path:
    return build_release(tmp_path / "served", writers)


@pytest.fixture
def served(release: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Served]:
    """The release on loopback, at the address that the environment names; the user's cache is the test's."""
    for name in ("VANTAGE_SCANNET_TOKEN", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user_cache"))
    with serving(release) as server:
        monkeypatch.setenv("VANTAGE_SCANNET_URL", server.url)
        yield server


@pytest.fixture
def fetching(served: Served, tmp_path: Path) -> Fetching:
    return Fetching(served, tmp_path / "cache", tmp_path / "tasks")
