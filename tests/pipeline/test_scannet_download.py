"""Source `scannet` through the real runner: from a server on loopback to extracted scans."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import tiny
from tiny import Tiny, environment

from scannet_server import Handler, Served, serving
from vantage.scans.generated.config import GeneratedConfig
from vantage.scans.generated.scan import generate_scan, write_scan

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SCANS = ["scene0000_00", "scene0001_00", "scene0707_00"]
SENS = "v1/scans/scene0000_00/scene0000_00.sens"
TOKEN = "n0t-to-be-seen"
_ANNOTATIONS = (".aggregation.json", "_vh_clean_2.0.010000.segs.json")
_SMALL = GeneratedConfig(
    rooms=3, frames_per_scan=8, color_width=160, color_height=120, depth_width=128, depth_height=96,
    mesh_edge=0.12,
)  # fmt: skip


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generated rooms under ScanNet's names, laid out as on its server."""
    root = tmp_path_factory.mktemp("release")
    for scan_id in SCANS:
        tree = root / ("v2/scans_test" if scan_id == SCANS[2] else "v2/scans") / scan_id
        tree.mkdir(parents=True)
        made = generate_scan(scan_id.replace("scene", "room"), 0, _SMALL)
        write_scan(replace(made, scan_id=scan_id), tree)
        for path in [*tree.glob("*.attributes.json"), *(tree.glob("*json") if scan_id == SCANS[2] else ())]:
            path.unlink(missing_ok=True)
    for scan_id in SCANS[:2]:
        (root / "v1/scans" / scan_id).mkdir(parents=True)
        name = f"{scan_id}.sens"
        (root / "v2/scans" / scan_id / name).rename(root / "v1/scans" / scan_id / name)
    (root / "v2/scans.txt").write_text("\n".join(SCANS[:2]) + "\n")
    (root / "v2/scans_test.txt").write_text(f"{SCANS[2]}\n")
    return root


@pytest.fixture
def served(rooms: Path) -> Iterator[Served]:
    with serving(rooms) as server:
        server.token = TOKEN
        yield server


class Run:
    """Commands in a workspace whose scans come from the server."""

    def __init__(self, workspace: Tiny, served: Served, base: Path) -> None:
        self.workspace = workspace
        self.environment = environment() | {
            "VANTAGE_SCANNET_URL": served.url,
            "VANTAGE_SCANNET_TOKEN": TOKEN,
            "XDG_CACHE_HOME": str(base / "user_cache"),
            "VANTAGE_WORKERS": "2",
        }
        workspace.set("download.source", "scannet")
        workspace.set("download.scannet.accept_terms", True)

    def __call__(self, *words: str, code: int = 0) -> str:
        done = self.start(*words)
        out, errors = done.communicate()
        assert done.returncode == code, out + errors
        assert TOKEN not in out + errors and "Traceback" not in errors
        return out + errors

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            words,
            cwd=self.workspace.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


@pytest.fixture
def run(served: Served, tmp_path: Path) -> Run:
    return Run(tiny.make(tmp_path / "workspace"), served, tmp_path)


def test_from_the_server_to_extracted_scans(run: Run, served: Served) -> None:
    workspace = run.workspace
    workspace.set("download.scannet.lists", ["scans", "scans_test"])
    dry = run("vantage", "run", "download", "--dry-run")
    assert "3 to process" in dry and "files to fetch" in dry and "scene0707_00" in dry
    assert not served.gets("sens") and not (workspace.root / "data").exists()

    shown = run("vantage", "run", "download")
    assert shown.index("files to fetch") < shown.index("items done"), "the estimate comes first"
    assert {name: row.status for name, row in workspace.rows("download").items()} == dict.fromkeys(
        SCANS, "done"
    )
    run("vantage", "run", "extract")
    assert {row.status for row in workspace.rows("extract").values()} == {"done"}
    asked = len(served.asked)
    assert "all 3 items are in the store" in run("vantage", "run", "download", "--dry-run")
    assert "all 3 items are in the store" in run("vantage", "run", "download")
    assert '"state": "fresh"' in run("vantage", "ls", "--json")
    assert len(served.asked) == asked, "listing, freshness and a run with nothing to do use no network"

    # Another parameter of the stage, as another version of its code, makes other items of the same files.
    workspace.set("download.scannet.file_types", [".sens", ".txt"])
    before = served.sent()
    run("vantage", "run", "download")
    assert served.sent() == before
    kept = [path for path in workspace.root.rglob("*") if path.is_file() and ".git" not in path.parts]
    assert not [path for path in kept if TOKEN.encode() in path.read_bytes()]


def test_kill_9_in_the_middle_of_a_file_costs_nothing_twice(run: Run, served: Served) -> None:
    run.workspace.set("download.scannet.scans", [SCANS[0]])
    whole = (served.root / SENS).stat().st_size

    def slow(handler: Handler, content: bytes) -> None:
        handler.serve(content, pace_s=0.2)

    served.script(SENS, slow)
    victim = run.start("vantage", "run", "download")
    part = run.workspace.root / f".vantage/cache/download/scannet/scans/{SCANS[0]}/.{SCANS[0]}.sens.part"
    deadline = time.monotonic() + 60
    while not (part.is_file() and part.stat().st_size > whole // 4):
        assert time.monotonic() < deadline and victim.poll() is None
        time.sleep(0.02)
    victim.send_signal(signal.SIGKILL)
    victim.communicate()  # until its children, who hold the pipes, are gone too
    have = part.stat().st_size
    assert whole // 4 < have < whole
    others = served.sent() - served.sent(SENS)
    assert not run.workspace.out("download").exists()

    run("vantage", "run", "download")
    last = served.gets(SENS)[-1]
    assert last.range == f"bytes={have}-" and last.sent == whole - have
    assert served.sent() - served.sent(SENS) - others == len(_again(served)), "only what was not there"
    name = f"{SCANS[0]}/{SCANS[0]}.sens"
    assert (run.workspace.out("download") / name).read_bytes() == (served.root / SENS).read_bytes()


def _again(served: Served) -> bytes:
    """What the second run fetched besides the recording: the paths asked for after it first asked."""
    times = [k for k, one in enumerate(served.asked) if one.method == "GET" and one.path == f"/{SENS}"]
    later = {one.path for one in served.asked[times[1] :] if one.method == "GET"} - {f"/{SENS}"}
    found = [served.root / path.lstrip("/") for path in sorted(later)]
    return b"".join(path.read_bytes() for path in found if path.is_file())


def test_two_processes_at_the_same_scan(run: Run, served: Served) -> None:
    """Two workspaces' worth of processes on one cache: one fetches, the other finds it there."""
    code = (
        "import sys; from pathlib import Path; from vantage.core.tasks import Task; "
        "from vantage.scans.release.config import ScannetConfig; "
        "from vantage.scans.release.scan import fetch_scan; base = Path(sys.argv[1]); "
        "config = ScannetConfig(accept_terms=True); "
        f"task = Task('{SCANS[0]}', {{}}, base, base, 0, cache=base); "
        "print(fetch_scan(task, config).facts['fetched_bytes'])"
    )
    served.pace_s = 0.02
    base = run.workspace.root.parent / "shared"
    base.mkdir()
    both = [run.start("python", "-c", code, str(base)) for _ in range(2)]
    told = [one.communicate() for one in both]
    assert [one.returncode for one in both] == [0, 0], told
    assert min(int(out) for out, _ in told) == 0 and served.sent() == max(int(out) for out, _ in told)
    found = base / "scannet/scans" / SCANS[0] / f"{SCANS[0]}.sens"
    assert found.read_bytes() == (served.root / SENS).read_bytes()


def test_a_scan_that_cannot_be_had_is_set_aside_for_this_run_only(run: Run, served: Served) -> None:
    run.workspace.set("contracts.max_set_aside_share", 0.5)
    run.workspace.set("download.scannet.retries", 0)
    served.script(SENS, lambda handler, content: handler.serve(content, stop_after=1000))
    shown = run("vantage", "run", "download")
    assert f"set {SCANS[0]} aside" in shown and SENS in shown
    assert run.workspace.rows("download")[SCANS[1]].status == "done"
    shown = run("vantage", "run", "download")
    assert "1 to process" in shown and "aside" not in shown
    assert served.gets(SENS)[-1].range == "bytes=1000-"
    assert run.workspace.rows("download")[SCANS[0]].status == "done"


def test_no_access_stops_before_anything_is_fetched(run: Run, served: Served) -> None:
    run.environment.pop("VANTAGE_SCANNET_TOKEN")
    shown = run("vantage", "run", "download", code=2)
    assert "the server gives no access" in shown and "401" in shown
    run.workspace.set("download.scannet.accept_terms", False)
    for words in (("run", "download"), ("run", "download", "--dry-run"), ("ls",)):
        assert "Terms of Use are not accepted" in run("vantage", *words, code=2)


def test_a_full_disk(served: Served, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        run = Run(tiny.make(disk / "workspace"), served, tmp_path)
        run.workspace.set("download.scannet.scans", [SCANS[0]])
        used = shutil.disk_usage(disk).used
        subprocess.run(["mount", "-o", f"remount,size={used + (128 << 10)}", str(disk)], check=True)
        assert "no room" in run("vantage", "run", "download", "--dry-run")
        assert "the disk has no room for the outputs" in run("vantage", "run", "download", code=1)
        served.always["HEAD", f"/{SENS}"] = lambda handler, content: handler.plain(405)  # its size is unknown
        served.always["HEAD", f"/v2/scans/{SCANS[0]}/{SCANS[0]}_vh_clean_2.ply"] = served.always[
            "HEAD", f"/{SENS}"
        ]
        assert "the disk is full" in run("vantage", "run", "download", code=1)
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        run("vantage", "run", "download")
        assert served.sent(SENS) <= (served.root / SENS).stat().st_size + (1 << 20)
        found = run.workspace.out("download") / SCANS[0] / f"{SCANS[0]}.sens"
        assert found.read_bytes() == (served.root / SENS).read_bytes()
    finally:
        subprocess.run(["umount", str(disk)], check=True)
