"""The pipeline from scans to the registry, as a person runs it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny
from tiny import OUTS, STAGES, Tiny, environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

Contents = Callable[[Path], dict[str, bytes]]
SCANS = [f"room{number:04d}_00" for number in range(6)]


def test_repro_goes_from_scans_to_the_registry(finished: Tiny) -> None:
    assert {state["state"] for state in finished.state().values()} == {"fresh"}
    for stage in STAGES[:5]:
        assert {row.item: row.status for row in finished.rows(stage).values()} == dict.fromkeys(SCANS, "done")
    assert finished.registered_model()
    assert json.loads(finished.dvc("metrics", "show", "--json").stdout)[""]["data"]
    assert "up to date" in finished.dvc("status").stdout
    changed = finished.command("git", "status", "--porcelain").stdout.split()
    assert changed in ([], ["??", "dvc.lock"]), "outputs are ignored by git"


def test_a_repro_with_nothing_to_do_takes_under_ten_seconds(finished: Tiny) -> None:
    """The quickest of three: another worker's tests share the cores."""
    took: list[float] = []
    while len(took) < 3 and min(took, default=10.0) >= 10:
        started = time.perf_counter()
        done = finished.dvc("repro")
        took.append(time.perf_counter() - started)
        assert done.stdout.count("didn't change, skipping") == len(STAGES)
    assert min(took) < 10, took


def test_the_same_bytes_from_the_command_line_with_one_worker(
    finished: Tiny, tmp_path: Path, contents: Contents
) -> None:
    other = tiny.make(tmp_path / "workspace")
    for stage in STAGES[:-1]:
        other.vantage("run", stage, workers=1)
        assert contents(other.out(stage)) == contents(finished.out(stage)), stage
    again = other.dvc("repro", "--dry", "evaluate")
    assert "vantage run" in again.stdout, "DVC has no lock yet"
    other.dvc("commit", "-f", *STAGES[:-1])
    found = other.dvc("repro", "evaluate")
    assert found.stdout.count("didn't change, skipping") == len(STAGES) - 1


@pytest.mark.parametrize("stage", STAGES)
def test_kill_9_then_the_same_outputs_and_nothing_twice(
    finished: Tiny, copied: Tiny, stage: str, contents: Contents
) -> None:
    copied.forget(stage)
    victim = subprocess.Popen(
        ["vantage", "run", stage],
        cwd=copied.root,
        env=environment() | {"VANTAGE_WORKERS": "1"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    _wait_for_middle(copied, stage, victim)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    kept = copied.stored(stage)
    assert not copied.out(stage).exists(), "no half of an output"
    done = copied.vantage("run", stage)
    assert contents(copied.out(stage)) == contents(finished.out(stage))
    after = copied.stored(stage)
    assert len(after) == len(finished.rows(stage))
    if stage != "promote":
        assert {key: after[key] for key in kept} == kept, "finished items are not redone"
        assert f"{len(kept)} from the store" in done.stderr


def _wait_for_middle(workspace: Tiny, stage: str, victim: subprocess.Popen[str]) -> None:
    """Until one item is finished, or, where there is only one, until its body is at work."""
    deadline = time.monotonic() + 120
    if stage == "promote":
        assert victim.stderr is not None
        assert any("recording runs" in line for line in victim.stderr)
        return
    while not workspace.stored(stage):
        assert time.monotonic() < deadline
        assert victim.poll() is None
        time.sleep(0.01)


def test_going_back_to_former_parameters_runs_nothing(copied: Tiny, contents: Contents) -> None:
    before = contents(copied.out("lift"))
    copied.set("lift.views", 3)
    assert "Running stage 'lift'" in copied.dvc("repro", "synthesize").stdout
    assert contents(copied.out("lift")) != before
    copied.set("lift.views", 8)
    back = copied.dvc("repro").stdout
    assert "Running stage" not in back
    assert "Stage 'lift' is cached - skipping run" in back
    assert contents(copied.out("lift")) == before


def test_an_unreadable_scan_is_set_aside_and_the_rest_is_registered(
    finished: Tiny, copied: Tiny, tmp_path: Path
) -> None:
    copied.take_captures(finished.out("download"), tmp_path / "captures", unreadable="room0002_00")
    done = copied.dvc("repro")
    extracted = copied.rows("extract")
    assert extracted["room0002_00"].status == "set_aside"
    assert "room0002_00" in extracted["room0002_00"].reason
    assert str(copied.root) not in extracted["room0002_00"].reason
    assert "set room0002_00 aside" in done.stdout + done.stderr
    for stage in ("extract", "lift", "recover", "synthesize"):
        rows = copied.rows(stage)
        for scan in set(SCANS) - {"room0002_00"}:
            assert rows[scan] == finished.rows(stage)[scan], "one scan's fate touches no other"
    assert copied.state()["promote"]["state"] == "fresh"
    assert copied.registered_model() != finished.registered_model(), "trained on five rooms, not six"

    assert copied.vantage("run", "extract", "--strict", check=False).returncode == 4
    copied.set("contracts.max_set_aside_share", 0.1)
    blocked = copied.vantage("run", "extract", check=False)
    assert blocked.returncode == 3
    assert "1 of 6" in blocked.stderr and "room0002_00" in blocked.stderr


@pytest.mark.parametrize("rooms", [7, 5])
def test_a_scan_added_or_removed_changes_no_other(finished: Tiny, copied: Tiny, rooms: int) -> None:
    copied.set("download.generated.rooms", rooms)
    done = copied.dvc("repro", "synthesize")
    scans = [f"room{number:04d}_00" for number in range(rooms)]
    for stage in STAGES[:5]:
        rows = copied.rows(stage)
        assert sorted(rows) == scans
        for scan in set(scans) & set(SCANS):
            assert rows[scan] == finished.rows(stage)[scan]
    processed = 1 if rooms > 6 else 0
    assert done.stderr.count(f"{rooms} of {rooms} items done, {processed} of them now") == 5


def test_a_mistyped_parameter_is_named_and_nothing_is_lost(copied: Tiny, contents: Contents) -> None:
    before = {stage: contents(copied.out(stage)) for stage in ("lift", "synthesize")}
    path = copied.root / "params.yaml"
    path.write_text(path.read_text().replace("  voxel_m: 0.1", "  voxl_m: 0.1"))
    done = copied.vantage("run", "lift", check=False)
    assert done.returncode == 2
    assert "lift.voxl_m: unknown; did you mean voxel_m?" in done.stderr
    assert copied.dvc("repro", check=False).returncode != 0
    path.write_text(path.read_text().replace("voxl_m:", "voxel_m:"))
    assert "Running stage" not in copied.dvc("repro").stdout
    assert {stage: contents(copied.out(stage)) for stage in before} == before


def test_a_missing_scan_folder_is_named_and_nothing_is_lost(copied: Tiny, contents: Contents) -> None:
    before = contents(copied.out("download"))
    copied.set("download.source", "folder")
    copied.set("download.folder.path", str(copied.root / "no" / "captures"))
    done = copied.vantage("run", "download", check=False)
    assert done.returncode == 2
    assert "no/captures" in done.stderr
    assert "Traceback" not in done.stderr
    assert contents(copied.out("download")) == before


def test_a_full_disk_is_said_and_the_same_command_goes_on(
    finished: Tiny, tmp_path: Path, contents: Contents
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    small = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", str(disk)], check=False)
    if small.returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        workspace = tiny.make(disk / "workspace")
        shutil.copytree(finished.out("download"), workspace.out("download"))
        used = shutil.disk_usage(disk).used
        subprocess.run(["mount", "-o", f"remount,size={used + (300 << 10)}", str(disk)], check=True)
        full = workspace.vantage("run", "extract", check=False, workers=1)
        assert full.returncode == 1, full.stderr
        assert "the disk is full" in full.stderr or "no room" in full.stderr
        assert "Traceback" not in full.stderr
        assert not workspace.out("extract").exists()
        subprocess.run(["mount", "-o", "remount,size=400m", str(disk)], check=True)
        workspace.vantage("run", "extract")
        assert contents(workspace.out("extract")) == contents(finished.out("extract"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_overrides_write_elsewhere(copied: Tiny, contents: Contents) -> None:
    before = contents(copied.out("lift"))
    copied.vantage("run", "lift", "-S", "lift.views=2", "--out", "runs/two")
    views = json.loads((copied.root / "runs/two" / SCANS[0] / "views.json").read_text())
    assert len(views["frame_ids"]) == 2
    assert contents(copied.out("lift")) == before
    assert set(OUTS) == set(STAGES)


def test_a_dry_run_of_training_makes_a_step_and_leaves_no_trace(copied: Tiny) -> None:
    before = {p: p.stat().st_mtime_ns for p in copied.root.rglob("*") if ".git/" not in str(p)}
    told = copied.vantage("run", "finetune", "--dry-run", "-S", "finetune.steps=7").stderr
    assert "finetune embedding: tokens of a sample" in told and "(7 steps of" in told
    assert "a dry run, nothing was done" in told
    assert {p: p.stat().st_mtime_ns for p in copied.root.rglob("*") if ".git/" not in str(p)} == before


def test_the_end_of_the_demo(copied: Tiny) -> None:
    """Scores, then questions to the champion; four steps teach nothing, so the first try is refused."""
    shown = copied.vantage("scores").stdout
    assert "direction (unseen)" in shown and "embedding@blind" in shown and "scores.png" in shown
    refused = copied.vantage("tour", check=False)
    assert refused.returncode == 1 and "champion" in refused.stderr
    copied.set("promote.min_gain_points", -100.0)
    copied.set("promote.min_control_gain_points", -100.0)
    copied.dvc("repro", "promote")
    decision = json.loads((copied.out("promote") / "promote/decision.json").read_text())
    assert decision["outcome"] == "promoted"
    told = copied.vantage("tour").stdout
    assert "room" in told and "where is the" in told and "ask your own:" in told
    command = told.strip().splitlines()[-1].strip()
    answer = copied.command("bash", "-c", command)
    assert answer.stdout.strip() in _vocabulary()


def _vocabulary() -> set[str]:
    from vantage.questions.words import VOCABULARY

    return set(VOCABULARY)
