"""The runner on small real bodies: reuse, setting aside, crashes, locks, overrides, kills."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from small_workspace import Small

from vantage.core.errors import (
    ContractError,
    ParameterError,
    ResourceError,
    SetAsideError,
    VantageError,
)
from vantage.pipeline.provenance import recorded
from vantage.records.index import read_index

Contents = Callable[[Path], dict[str, bytes]]


def test_stages_follow_each_other_and_finished_items_are_reused(small: Small) -> None:
    report = small.run("make", "double", "total")
    assert report.facts == {"arms": 2}
    numbers = [json.loads(p.read_text()) for p in sorted((small.root / "data/numbers").glob("*/deep/*.json"))]
    totals = json.loads((small.root / "reports/total/summary.json").read_text())
    doubled = [2 * number for number in numbers]
    assert totals == {"plain": sum(doubled), "square": sum(n**2 for n in doubled)}
    again = small.run("make")
    assert (again.processed, again.reused) == ((), 4)


def test_outputs_do_not_depend_on_the_number_of_workers(small: Small, contents: Contents) -> None:
    outputs = []
    for workers in (1, 2):
        out = small.root / f"with{workers}"
        small.run("make", workers=workers, overrides=["make.scale=2.0"], out=out)
        outputs.append(contents(out))
        for entry in (small.root / ".vantage/store/make").iterdir():
            for path in sorted(entry.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            entry.rmdir()
    assert outputs[0] == outputs[1]
    assert len(outputs[0]) == 9


def test_another_scan_costs_one_scan_and_a_removed_one_leaves_nothing(small: Small) -> None:
    small.run("make", "double")
    before = read_index(small.root / "data/doubled")
    small.params(make={"count": 5})
    assert small.run("make").processed == ("scan4",)
    assert small.run("double").processed == ("scan4",)
    assert read_index(small.root / "data/doubled")[:4] == before
    small.params(make={"count": 2})
    assert small.run("make").processed == ()
    assert small.run("double").processed == ()
    assert sorted(p.name for p in (small.root / "data/doubled").iterdir()) == [
        "index.jsonl",
        "scan0",
        "scan1",
    ]
    assert read_index(small.root / "data/doubled") == before[:2]


def test_a_changed_scan_costs_that_scan(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = small.root / "outside"
    outside.mkdir()
    monkeypatch.setenv("SMALL_OUTSIDE", str(outside))
    small.run("make", "double")
    (outside / "scan2").write_text("changed")
    assert small.run("make").processed == ("scan2",)
    assert small.run("double").processed == ("scan2",)


def test_going_back_to_former_parameters_costs_nothing(small: Small, contents: Contents) -> None:
    small.run("make", "double")
    first = contents(small.root / "data/doubled")
    small.params(double={"factor": 3})
    assert len(small.run("double").processed) == 4
    small.params()
    assert small.run("double").processed == ()
    assert contents(small.root / "data/doubled") == first


def test_an_added_arm_costs_that_arm(small: Small) -> None:
    small.run("make", "double", "total")
    small.params(total={"arms": {"plain": {}, "square": {"power": 2}, "cube": {"power": 3}}})
    assert small.run("total").processed == ("cube",)


def test_a_bad_scan_is_set_aside_and_named(small: Small) -> None:
    small.params(make={"bad": ["scan1"]}, contracts={"max_set_aside_share": 0.25})
    report = small.run("make")
    rows = {row.item: row for row in read_index(small.root / "data/numbers")}
    assert rows["scan1"].status == "set_aside"
    assert "the number is bad" in rows["scan1"].reason
    assert str(small.root) not in rows["scan1"].reason, "a path of this machine would be hashed"
    assert not (small.root / "data/numbers/scan1").exists()
    assert any("scan1" in line and "the number is bad" in line for line in small.lines)
    assert list(report.set_aside) == ["scan1"]
    assert small.run("double").items == 3
    again = small.run("make")
    assert (again.processed, list(again.set_aside)) == ((), ["scan1"])


def test_strict_ends_with_an_error_after_assembling(small: Small) -> None:
    small.params(make={"bad": ["scan1"]}, contracts={"max_set_aside_share": 0.25})
    with pytest.raises(SetAsideError, match="1 of 4") as caught:
        small.run("make", strict=True)
    assert caught.value.exit_code == 4
    assert (small.root / "data/numbers/index.jsonl").is_file()


def test_too_many_set_aside_block_and_leave_the_output(small: Small, contents: Contents) -> None:
    small.run("make")
    before = contents(small.root / "data/numbers")
    small.params(make={"bad": ["scan1", "scan2"]}, contracts={"max_set_aside_share": 0.25})
    with pytest.raises(ContractError, match="too many") as caught:
        small.run("make")
    assert "2 of 4" in str(caught.value)
    assert contents(small.root / "data/numbers") == before


def test_a_scan_whose_process_crashes_is_set_aside_with_the_signal(small: Small) -> None:
    small.params(double={"misdeeds": {"scan0": "segv"}}, contracts={"max_set_aside_share": 0.5})
    small.run("make")
    report = small.run("double")
    assert list(report.set_aside) == ["scan0"]
    assert "SIGSEGV" in report.set_aside["scan0"]
    assert len(list((small.root / "data/doubled").glob("scan*"))) == 3


def test_a_process_that_crashes_once_is_tried_again(small: Small) -> None:
    small.params(double={"misdeeds": {"scan0": "segv once"}})
    small.run("make")
    assert small.run("double").set_aside == {}


def test_a_killed_process_stops_the_stage_and_finished_items_are_kept(small: Small) -> None:
    small.params(double={"misdeeds": {"scan3": "killed"}})
    small.run("make")
    with pytest.raises(ResourceError, match="scan3 was killed"):
        small.run("double", workers=1)
    small.params(double={"misdeeds": {}})
    with pytest.raises(ParameterError, match="no item"):
        small.run("double", items=["scan9"])


def test_an_error_in_the_code_stops_the_stage_and_shows_where(small: Small) -> None:
    small.params(double={"misdeeds": {"scan2": "bug"}})
    small.run("make")
    with pytest.raises(VantageError, match="ZeroDivisionError: a bug") as caught:
        small.run("double", workers=1)
    assert "small_stages.py" in str(caught.value)
    assert "Traceback" in caught.value.__notes__[0]
    assert not (small.root / "data/doubled").exists()
    assert len(list((small.root / ".vantage/store/double").iterdir())) == 2, "scan0 and scan1 are kept"


def test_some_scans_go_to_the_store_and_the_last_ones_assemble(small: Small) -> None:
    small.run("make")
    report = small.run("double", items=["scan0", "scan1"])
    assert report.folder is None
    assert not (small.root / "data/doubled").exists()
    assert any("2 of 4 items are current" in line for line in small.lines)
    assert small.run("double", items=["scan2", "scan3"]).folder == small.root / "data/doubled"


def test_overrides_need_a_folder_and_leave_the_output(small: Small, contents: Contents) -> None:
    small.run("make", "double")
    before = contents(small.root / "data/doubled")
    with pytest.raises(ParameterError, match="folder of their own"):
        small.run("double", overrides=["double.factor=5"])
    small.run("double", overrides=["double.factor=5"], out=small.root / "runs/five")
    assert contents(small.root / "data/doubled") == before
    assert contents(small.root / "runs/five") != before


def test_an_item_changed_in_place_is_made_again(small: Small, contents: Contents) -> None:
    small.run("make")
    before = contents(small.root / "data/numbers")
    victim = small.root / "data/numbers/scan1/name.txt"
    victim.chmod(0o644)
    victim.write_text("spoilt")
    assert small.run("make").processed == ("scan1",)
    assert contents(small.root / "data/numbers") == before


def test_an_input_changed_by_hand_is_refused(small: Small) -> None:
    small.run("make")
    victim = small.root / "data/numbers/scan1/name.txt"
    victim.unlink()
    victim.write_text("spoilt")
    with pytest.raises(ContractError, match="changed by hand") as caught:
        small.run("double")
    assert "data/numbers/scan1" in str(caught.value)


def test_an_input_restored_elsewhere_with_other_times_is_accepted(small: Small) -> None:
    small.run("make")
    for path in (small.root / "data/numbers").rglob("*.json"):
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
        os.utime(path, ns=(1, 1))
    assert len(small.run("double").processed) == 4


def test_a_missing_input_says_what_to_run(small: Small) -> None:
    with pytest.raises(ContractError, match="output of stage make is missing") as caught:
        small.run("double")
    assert "dvc repro make" in str(caught.value)


def test_a_stage_without_items_is_refused(small: Small) -> None:
    small.params(make={"count": 0})
    with pytest.raises(ContractError, match="nothing to do"):
        small.run("make")


def test_provenance_lies_beside_the_data_under_the_digest(small: Small, contents: Contents) -> None:
    report = small.run("make", "double")
    found = recorded(small.workspace, report.digest)
    assert found is not None
    assert found["params"]["factor"] == 2
    assert found["items"]["scan0"]["facts"]["doubled"] > 0
    assert set(found["inputs"]) == {"make"}
    assert "numpy" in found["versions"]
    assert not any("provenance" in name for name in contents(small.root / "data/doubled"))


def test_files_are_links_to_the_store_and_read_only(small: Small) -> None:
    small.run("make")
    state = (small.root / "data/numbers/scan0/name.txt").stat()
    assert state.st_nlink == 2
    assert state.st_mode & 0o222 == 0


def test_threads_follow_the_stage_and_not_the_machine(small: Small) -> None:
    report = small.run("make", "double", "total")
    found = recorded(small.workspace, report.digest)
    assert found is not None
    assert found["items"]["plain"]["facts"]["threads"] == "2"


def test_a_second_run_waits_and_then_says_who_holds_the_stage(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VANTAGE_LOCK_SECONDS", "0.3")
    path = small.workspace.lock("make")
    path.parent.mkdir(parents=True)
    with FileLock(path), pytest.raises(ResourceError, match="still under way"):
        small.run("make")
    assert any("waiting for it" in line for line in small.lines)
    assert small.run("make").items == 4


def test_kill_9_in_the_middle_then_the_same_outputs_and_nothing_twice(
    small: Small, contents: Contents
) -> None:
    small.params(double={"pause": 0.6})
    small.run("make")
    log = small.root / "log.txt"
    code = f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        import small_stages
        from vantage.pipeline.runner import Request, run_stage
        from vantage.pipeline.workspace import Workspace
        if __name__ == "__main__":
            workspace = Workspace(Path({str(small.root)!r}))
            run_stage(workspace, "double", Request(workers=1), table=small_stages.TABLE)
    """
    script = small.root / "victim.py"
    script.write_text(textwrap.dedent(code))
    store = small.root / ".vantage/store/double"
    victim = subprocess.Popen(
        [sys.executable, str(script)], env={**os.environ, "SMALL_LOG": str(log)}, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while len(log.read_text().splitlines() if log.exists() else ()) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    time.sleep(0.3)
    _assert_no_survivor(victim.pid)
    kept = [path.name for path in store.iterdir() if not path.name.startswith(".")]
    assert len(kept) == 2
    assert not (small.root / "data/doubled").exists()
    again = small.run("double")
    assert again.processed == ("scan2", "scan3")
    assert not list(store.glob(".tmp-*")), "what the kill left is cleaned"
    killed = contents(small.root / "data/doubled")
    small.run("double", overrides=["double.pause=0.0"], out=small.root / "whole")
    assert contents(small.root / "whole") == killed


def _assert_no_survivor(session: int) -> None:
    """The children of a killed run end with it."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        alive = subprocess.run(
            ["ps", "-s", str(session), "-o", "stat="], capture_output=True, text=True, check=False
        ).stdout
        if not [line for line in alive.split() if not line.startswith("Z")]:
            return
        time.sleep(0.1)
    raise AssertionError(f"processes of the killed run live on: {alive}")


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_said_and_nothing_is_lost(small: Small, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr}")
    try:
        small.params(double={"misdeeds": {"scan3": "big"}})
        small.run("make")
        root = disk / "small"
        subprocess.run(["cp", "-a", str(small.root), str(root)], check=True)
        full = Small(type(small.workspace)(root))
        with pytest.raises(ResourceError, match="the disk is full") as caught:
            full.run("double", workers=1)
        assert "scan3" in str(caught.value)
        assert not (root / "data/doubled").exists()
        assert not list((root / ".vantage/store/double").glob(".tmp-*")), "the space is free again"
        full.params(double={"misdeeds": {}})
        assert len(full.run("double").processed) == 4
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_dry_run_tells_what_would_be_processed_and_does_nothing(small: Small) -> None:
    report = small.run("make", dry=True)
    assert report.processed == () and report.folder is None
    assert not (small.root / "data").exists() and not (small.root / ".vantage").exists()
    assert small.lines[-2:] == [
        "make: would process scan0, scan1, scan2, scan3",
        "make: a dry run, nothing was done",
    ]
    assert "4 to process" in small.lines[0]
    small.run("make", items=["scan1"])
    small.lines.clear()
    small.run("make", dry=True, overrides=["make.count=3"])
    assert "2 to process, 1 from the store" in small.lines[0] and "scan0, scan2" in small.lines[1]
    small.run("make")
    small.lines.clear()
    small.run("make", dry=True)
    assert small.lines[0] == "make: all 4 items are in the store"


def test_a_dry_run_needs_what_the_stage_needs(small: Small) -> None:
    with pytest.raises(ContractError, match="missing"):
        small.run("double", dry=True)
    with pytest.raises(ParameterError, match="no item"):
        small.run("make", dry=True, items=["scan9"])
