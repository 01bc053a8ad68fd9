"""`make ui` in a real browser: one click on "Materialize all" does what `dvc repro` does."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
sys.path[:0] = [str(REPOSITORY), str(HERE.parent / "dagster"), str(HERE.parent / "pipeline")]

from dvc_small import SECTIONS, prepared  # noqa: E402

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def skip_loudly(missing: str) -> None:
    message = f"NO BROWSER TEST: {missing}"
    warnings.warn(message, stacklevel=1)
    pytest.skip(message)


@pytest.fixture(scope="module")
def chromium() -> str:
    """Debian's chromium; node and playwright-core are there too."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None or shutil.which("node") is None:
        skip_loudly("chromium and node are needed: apt-get install chromium nodejs npm")
    if not (HERE / "node_modules" / "playwright-core").is_dir():
        command = ["npm", "ci", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != 0:
            skip_loudly(f"playwright-core cannot be installed: {done.stderr[-300:]}")
    return str(found)


@dataclass
class Ui:
    """The running programs."""

    root: Path
    dagster: str
    mlflow: str
    process: subprocess.Popen[str]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_ui(root: Path, dagster: int, mlflow: int) -> subprocess.Popen[str]:
    env = {
        name: value for name, value in os.environ.items() if name not in ("DAGSTER_HOME", "VANTAGE_WORKSPACE")
    }
    ports = ["--dagster-port", str(dagster), "--mlflow-port", str(mlflow)]
    return subprocess.Popen(
        [sys.executable, str(REPOSITORY / "infra" / "ui.py"), "--workspace", str(root), *ports],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def descendants(pid: int) -> set[int]:
    """Every process below `pid`, whatever its group."""
    table: dict[int, list[int]] = {}
    for line in subprocess.run(
        ["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True
    ).stdout.splitlines()[1:]:
        child, parent = map(int, line.split())
        table.setdefault(parent, []).append(child)
    found, waiting = set(), [pid]
    while waiting:
        for child in table.get(waiting.pop(), []):
            found.add(child)
            waiting.append(child)
    return found


@pytest.fixture
def ui(tmp_path: Path) -> Iterator[Ui]:
    root = prepared(tmp_path / "small")
    params = {"contracts": {"max_set_aside_share": 0.5}, "double": {"misdeeds": {"scan2": "aside"}}}
    (root / "params.yaml").write_text(yaml.safe_dump({"seed": 0, **SECTIONS, **params}))
    dagster, mlflow = free_port(), free_port()
    process = start_ui(root, dagster, mlflow)
    try:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Ctrl-C"):
                break
        assert process.poll() is None, "".join(lines)
        text = "".join(lines)
        yield Ui(root, f"http://127.0.0.1:{dagster}", f"http://127.0.0.1:{mlflow}", process)
        assert f"http://127.0.0.1:{dagster}" in text
        assert f"http://127.0.0.1:{mlflow}" in text
    finally:
        below = descendants(process.pid)
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        finally:
            left = still_there(below)
            for pid in [process.pid, *left]:
                if pid in left or process.poll() is None:
                    os.kill(pid, signal.SIGKILL)
    assert not left, "Ctrl-C left processes behind"
    assert process.returncode == 0


def still_there(pids: set[int], patience_s: float = 10.0) -> list[int]:
    """Those of some processes that do not go away."""
    deadline = time.monotonic() + patience_s
    while True:
        left = [pid for pid in pids if Path(f"/proc/{pid}").exists()]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.2)


@pytest.mark.timeout(400)
def test_one_click_materialises_the_pipeline(chromium: str, ui: Ui, tmp_path: Path) -> None:
    pictures = Path(os.environ.get("VANTAGE_TEST_PICTURES") or tmp_path)
    command = ["node", "materialize.mjs", chromium, ui.dagster, ui.mlflow, str(pictures), "double"]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    seen = json.loads(done.stdout)
    assert seen["label"].startswith("Materialize all (3)")
    assert seen["status"] == "SUCCESS"
    assert seen["tags"]["dagster/from_ui"] == "true"
    assert seen["errors"] == []
    assert "scan2" in seen["check"]
    assert "scan0" in seen["partitions"]
    assert "MLflow" in seen["title"]
    for name in ("run", "check", "partitions", "mlflow"):
        assert (pictures / f"{name}.png").stat().st_size > 20_000, f"{name}.png is almost empty"

    status = subprocess.run(
        [sys.executable, "-m", "dvc", "status"], cwd=ui.root, capture_output=True, text=True, check=True
    )
    assert "up to date" in status.stdout
    assert (ui.root / "reports" / "total" / "summary.json").is_file()
