"""Models of the hub: a server on loopback that speaks as much of the hub's protocol as a download needs."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import tiny_estimators as tiny

COMMIT = "c0ffee" + "0" * 34
REPOSITORY = Path(__file__).resolve().parents[2]


class Hub(ThreadingHTTPServer):
    """Serves the files of one folder as `owner/tiny` at one commit, which is also `main`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.asked: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, body: bool) -> None:
        path = self.path.split("?")[0]
        self.server.asked.append(f"{self.command} {path}")
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "models"] and parts[2:4] == ["owner", "tiny"]:
            kind, revision = parts[4], parts[5]
            if revision in ("main", COMMIT):
                self.send(json.dumps(self.info() if kind == "revision" else self.tree()).encode(), body)
                return
            self.refuse("RevisionNotFound")
        elif parts[:3] == ["owner", "tiny", "resolve"] and parts[3] in ("main", COMMIT):
            self.send((self.server.folder / parts[4]).read_bytes(), body)
        else:
            self.refuse("RepoNotFound")

    def files(self) -> list[Path]:
        return sorted(self.server.folder.iterdir())

    def info(self) -> dict[str, object]:
        return {"id": "owner/tiny", "sha": COMMIT, "siblings": [{"rfilename": p.name} for p in self.files()]}

    def tree(self) -> list[dict[str, object]]:
        return [
            {"type": "file", "path": p.name, "size": p.stat().st_size, "oid": etag(p.read_bytes())}
            for p in self.files()
        ]

    def send(self, data: bytes, body: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Type", "application/json")
        self.send_header("ETag", f'"{etag(data)}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def refuse(self, code: str) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


def etag(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    folder = tiny.depth_anything(tmp_path / "served")
    (folder / "pytorch_model.bin").write_bytes(b"a pickle that nobody asks for")
    (folder / "modeling_mine.py").write_text("raise SystemExit('code of the hub was run')")
    server = Hub(folder)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def run(hub: Hub, home: Path, code: str, **variables: str) -> str:
    """Run Python with the hub at the server; the hub's library reads its address when it is imported."""
    names = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN")
    kept = {k: v for k, v in os.environ.items() if k not in names and not k.lower().endswith("_proxy")}
    environment = kept | {
        "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}", "HF_HOME": str(home),
        "PYTHONPATH": str(REPOSITORY / "src"), "HF_HUB_DISABLE_TELEMETRY": "1", **variables,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.stdout + done.stderr


COST = """
from vantage.lift.estimators.model_files import download_cost
cost = download_cost("owner/tiny", "{revision}")
print("cost", cost.files, cost.size, cost.present_files, cost.present)
"""
LOAD = """
from vantage.lift.estimators.estimator import load_estimator
model = load_estimator("owner/tiny", "{revision}")
print("loaded", model.files.identity, model.meaning.quantity)
"""

FIND = """
from vantage.lift.estimators.model_files import find_model
print("found", find_model("owner/tiny", "{revision}").identity)
"""


def test_a_model_is_told_fetched_once_and_then_used_without_the_hub(hub: Hub, tmp_path: Path) -> None:
    home = tmp_path / "home"
    wanted = ["config.json", "model.safetensors", "preprocessor_config.json"]
    size = sum((hub.folder / name).stat().st_size for name in wanted)
    assert f"cost 3 {size} 0 0" in run(hub, home, COST.format(revision=COMMIT))
    assert not any(name.endswith((".bin", ".py")) for name in hub.asked)
    assert not any(line.startswith("GET") and "resolve" in line for line in hub.asked)  # nothing fetched yet

    assert f"loaded owner/tiny@{COMMIT} metric" in run(hub, home, LOAD.format(revision=COMMIT))
    fetched = [line.rsplit("/", 1)[1] for line in hub.asked if line.startswith("GET") and "resolve" in line]
    assert sorted(fetched) == wanted

    hub.asked.clear()
    offline = {"HF_HUB_OFFLINE": "1"}
    assert f"loaded owner/tiny@{COMMIT} metric" in run(hub, home, LOAD.format(revision=COMMIT), **offline)
    assert f"cost 0 0 3 {size}" in run(hub, home, COST.format(revision=COMMIT), **offline)
    assert not hub.asked
    assert f"cost 0 0 3 {size}" in run(hub, home, COST.format(revision=COMMIT))


def test_offline_nothing_is_asked_for(hub: Hub, tmp_path: Path) -> None:
    for code in (FIND, COST):
        told = run(hub, tmp_path / "empty", code.format(revision=COMMIT), HF_HUB_OFFLINE="1")
        assert "ResourceError: the model is not on this machine, and the hub cannot be asked" in told
    assert not hub.asked


def test_a_branch_is_resolved_to_its_commit(hub: Hub, tmp_path: Path) -> None:
    assert f"found owner/tiny@{COMMIT}" in run(hub, tmp_path / "home", FIND.format(revision="main"))


def test_unknown_names_and_revisions(hub: Hub, tmp_path: Path) -> None:
    told = run(hub, tmp_path / "home", FIND.format(revision="nonesuch"))
    assert "ParameterError: no such model or revision on the hub" in told
    told = run(hub, tmp_path / "home", FIND.format(revision="").replace("owner/tiny", "owner/other"))
    assert "ParameterError: no such model or revision on the hub" in told


@pytest.mark.slow  # the hub's library tries again for half a minute
def test_a_hub_that_is_away(hub: Hub, tmp_path: Path) -> None:
    told = run(hub, tmp_path / "home", FIND.format(revision=COMMIT), HF_ENDPOINT="http://127.0.0.1:9")
    assert "ResourceError" in told
    assert "owner/tiny, revision c0ffee" in told
