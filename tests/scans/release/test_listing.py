"""Terms, the list of scans and its copy, and what fetching will cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fetching import MESH, SCAN, SENS, Fetching

from scannet_server import Handler, Script
from vantage.core.errors import ParameterError, ResourceError, ScanUnavailableError
from vantage.core.memo import Memo
from vantage.core.tasks import Task
from vantage.scans.config import DownloadConfig
from vantage.scans.release.config import ScannetConfig
from vantage.scans.release.cost import fetch_cost
from vantage.scans.release.listing import list_scannet
from vantage.scans.stage import download, list_scans, source_digest

TRAIN = ["scene0000_00", "scene0001_00"]


def plain(status: int, text: bytes = b"") -> Script:
    return lambda handler, content: handler.plain(status, text)


def test_nothing_happens_before_the_terms_are_accepted(fetching: Fetching) -> None:
    refused = DownloadConfig(source="scannet", scannet=ScannetConfig(scans=(SCAN,)))
    calls: list[Callable[[], object]] = [
        lambda: list_scans(refused, 0),
        lambda: download(fetching.task(SCAN), refused),
        lambda: fetch_cost(refused.scannet, [SCAN], fetching.cache, fetching.lines),
    ]
    for call in calls:
        with pytest.raises(ParameterError, match="Terms of Use are not accepted") as caught:
            call()
        text = str(caught.value)
        assert "download.scannet.accept_terms: true" in text and "ScanNet team" in text
    assert fetching.served.asked == []


def test_the_list_is_asked_for_once(fetching: Fetching) -> None:
    config = DownloadConfig(source="scannet", scannet=fetching.config())
    assert list_scans(config, 0) == TRAIN
    assert list_scans(config, 0) == TRAIN
    assert [one.path for one in fetching.served.asked] == ["/v2/scans.txt"]
    both = replace(config, scannet=fetching.config(lists=("scans", "scans_test")))
    assert list_scans(both, 0) == [*TRAIN, "scene0707_00"]
    assert len(fetching.served.asked) == 2


def test_another_address_has_a_list_of_its_own(fetching: Fetching, monkeypatch: pytest.MonkeyPatch) -> None:
    list_scannet(fetching.config())
    fetching.served.prefix = "/other"
    monkeypatch.setenv("VANTAGE_SCANNET_URL", f"{fetching.served.url}/other")
    list_scannet(fetching.config())
    assert len(fetching.served.asked) == 2


def test_named_scans_need_no_network(fetching: Fetching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VANTAGE_SCANNET_URL")
    assert list_scannet(fetching.config(scans=("scene0001_00", SCAN, SCAN))) == TRAIN
    assert fetching.served.asked == []
    config = DownloadConfig(source="scannet", scannet=fetching.config())
    assert source_digest(config, SCAN, Memo()) == "ScanNet v2"


@pytest.mark.parametrize("wrong", ["../../etc/passwd", "scene0000_00/..", "scene00000_0", "scene0000_00\n"])
def test_ids_of_another_form_are_refused(fetching: Fetching, wrong: str) -> None:
    with pytest.raises(ParameterError, match="no id of a ScanNet scan"):
        list_scannet(fetching.config(scans=(wrong,)))
    with pytest.raises(ParameterError, match="no id of a ScanNet scan"):
        fetching.fetch(wrong)
    (fetching.served.root / "v2/scans.txt").write_text(f"{SCAN}\n{wrong.strip()}x\n")
    with pytest.raises(ResourceError, match="not a list of scans") as caught:
        list_scannet(fetching.config())
    assert "v2/scans.txt, line 2" in str(caught.value)


@pytest.mark.parametrize(
    ("script", "kind", "text"),
    [
        (plain(404), ParameterError, "the folder above `v1` and `v2`"),
        (plain(401), ParameterError, "no access"),
        (plain(503), ResourceError, "does not deliver"),
        (plain(200, b"<html>log in</html>"), ResourceError, "not a list of scans"),
        (plain(200, b""), ResourceError, "an empty list"),
        (plain(200, b"x" * (2 << 20)), ResourceError, "the list does not end"),
    ],
)
def test_what_is_no_list_is_not_kept(fetching: Fetching, script: Script, kind: Any, text: str) -> None:
    fetching.served.always["GET", "/v2/scans.txt"] = script
    with pytest.raises(kind, match=r"(?s).*") as caught:
        list_scannet(fetching.config(), fetching.waits.append)
    assert text in str(caught.value)
    fetching.served.always.clear()
    assert list_scannet(fetching.config()) == TRAIN


def test_a_folder_that_cannot_keep_the_list_is_named(
    fetching: Fetching, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ResourceError, match="cannot be kept") as caught:
        list_scannet(fetching.config())
    assert "XDG_CACHE_HOME" in str(caught.value)


def test_the_cost_is_what_is_then_fetched(fetching: Fetching, monkeypatch: pytest.MonkeyPatch) -> None:
    config = fetching.config()
    scans = [*TRAIN, "scene0707_00"]
    before = fetch_cost(config, scans, fetching.cache, fetching.lines)
    assert not fetching.served.gets() and not (fetching.cache / "scannet").exists(), "nothing was fetched"
    assert (before.files, before.present_files, before.present, before.unknown, before.absent) == (
        *(6 + 6 + 3, 0, 0, 0),
        0,
    )
    for scan_id in scans:
        fetching.fetch(scan_id)
    table = len(fetching.original("v2/tasks/scannetv2-labels.combined.tsv"))
    assert before.size == fetching.served.sent() - table
    monkeypatch.delenv("VANTAGE_SCANNET_URL")
    after = fetch_cost(config, scans, fetching.cache, fetching.lines)
    assert (after.files, after.size, after.present_files, after.present) == (0, 0, 15, before.size)


def test_the_cost_counts_what_was_begun_and_what_nobody_knows(fetching: Fetching) -> None:
    whole = len(fetching.original())
    fetching.served.always["GET", f"/{SENS}"] = lambda handler, content: handler.serve(
        content, stop_after=7000
    )
    with pytest.raises(ScanUnavailableError):
        fetching.sens(retries=0)
    (fetching.served.root / f"v2/scans/{SCAN}/{SCAN}_vh_clean_2.labels.ply").unlink()

    def no_head(handler: Handler, content: bytes) -> None:
        handler.plain(405)

    fetching.served.script(MESH, no_head, method="HEAD")
    config = fetching.config(file_types=(".sens", "_vh_clean_2.ply", "_vh_clean_2.labels.ply"))
    cost = fetch_cost(config, [SCAN], fetching.cache, fetching.lines)
    assert (cost.files, cost.size, cost.present) == (2, whole - 7000, 7000)
    assert (cost.unknown, cost.absent) == (1, 1)


def test_a_refusal_is_told_before_anything_is_fetched(fetching: Fetching) -> None:
    fetching.served.token = "wanted"
    with pytest.raises(ParameterError, match="no access"):
        fetch_cost(fetching.config(), TRAIN, fetching.cache, fetching.lines)


def test_the_stage_links_the_scan_with_its_own_labels(fetching: Fetching) -> None:
    config = DownloadConfig(source="scannet", scannet=fetching.config())
    task: Task = fetching.task(SCAN)
    facts = download(task, config)
    assert facts["files"] == 6
    names = sorted(path.name for path in task.out.iterdir())
    assert names == sorted([*(path for path in names if path.startswith(SCAN)), "labels.tsv"])
    assert len(names) == 7
    kept = fetching.cache / "scannet/scans" / SCAN / f"{SCAN}.sens"
    assert (task.out / f"{SCAN}.sens").stat().st_ino == kept.stat().st_ino, "no second copy on the disk"
    labels = (task.out / "labels.tsv").read_text()
    assert "thingamajig" in labels and "zebra" not in labels


def test_a_task_without_a_cache_uses_its_own_folder(fetching: Fetching) -> None:
    config = DownloadConfig(source="scannet", scannet=fetching.config())
    task = replace(fetching.task(SCAN), cache=None)
    download(task, config)
    assert (task.work / "scannet/scans" / SCAN).is_dir()
