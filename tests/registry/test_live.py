"""Runs that can be watched while they go on; a server that is away costs a warning and nothing else."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from vantage.core.tracking import OpenRun
from vantage.registry import live
from vantage.registry.live import KEY_TAG, LIVE_TAG
from vantage.registry.live_tables import LOGGED_TAG
from vantage.registry.store import Store
from vantage.registry.tracking import DIGEST_TAG, MlflowTracker, training_tracker

HISTORY = [{"step": float(step), "loss": 2.0 / step} for step in range(1, 41)]


def begin(store: Store, key: str = "k1", warn: Callable[[str], None] = print) -> OpenRun:
    tracker = MlflowTracker(store, warn)
    return tracker.open("embedding", key, params={"finetune.steps": "40"}, tags={"data.lift": "abc"})


def until(found: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def only_run(store: Store):  # type: ignore[no-untyped-def]
    runs = store.client().search_runs([store.experiment_id()])
    assert len(runs) <= 1
    return runs[0] if runs else None


def test_values_arrive_while_the_run_is_open_and_it_becomes_the_record(store: Store) -> None:
    run, client = begin(store), store.client()
    for row in HISTORY[:20]:
        run.log(int(row["step"]), {"loss": row["loss"]})
    until(lambda: (found := only_run(store)) is not None and "loss" in found.data.metrics)
    shown = only_run(store)
    assert shown.info.status == "RUNNING" and shown.data.params == {"finetune.steps": "40"}
    assert shown.data.tags["data.lift"] == "abc" and shown.data.tags[KEY_TAG] == "k1"
    assert "git_commit" in shown.data.tags
    for row in HISTORY[20:]:
        run.log(int(row["step"]), {"loss": row["loss"]})
    run.close("d1")
    for _ in range(2):
        made = MlflowTracker(store).record(
            "embedding", "d1", params={"finetune.steps": "forty", "adapter.site": "post_vit"},
            metrics={"steps": 40.0}, tags={"vantage.arm": "embedding"}, history=HISTORY,
        )  # fmt: skip
        assert made == shown.info.run_id
        done = only_run(store)
        assert done.info.status == "FINISHED" and done.data.tags[DIGEST_TAG] == "d1"
        assert LIVE_TAG not in done.data.tags and done.data.tags["vantage.arm"] == "embedding"
        assert done.data.params == {"finetune.steps": "40", "adapter.site": "post_vit"}
        assert len(client.get_metric_history(made, "steps")) == 1
        values = [(m.step, m.value) for m in client.get_metric_history(made, "loss")]
        assert sorted(values) == [(int(row["step"]), row["loss"]) for row in HISTORY]


def test_a_run_goes_on_after_a_kill_and_one_that_fails_says_so(store: Store) -> None:
    begin(store)  # never closed, as after a kill
    until(lambda: only_run(store) is not None)
    first = only_run(store).info.run_id
    again = begin(store)
    again.log(1, {"loss": 1.0})
    again.close(None)
    assert only_run(store).info.run_id == first and only_run(store).info.status == "FAILED"


def test_the_machine_is_watched_where_psutil_is_there(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psutil")
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "1")
    run = begin(store)
    until(
        lambda: (r := only_run(store)) is not None and "system/cpu_utilization_percentage" in r.data.metrics
    )
    run.close("d1")


def show(run: OpenRun, folder: Path, steps: int) -> None:
    picture = folder / "views.png"
    Image.new("RGB", (8, 6), "red").save(picture)
    rows = [[step, "a chair?", "views.png"] for step in range(steps)]
    run.table("samples/answers.json", ["step", "question", "picture"], rows, {"views.png": picture})


def test_a_table_replaces_the_one_before_and_mlflow_reads_it(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kept in (False, True):  # killed and begun again
        run = begin(store)
        for steps in (1, 2):
            show(run, tmp_path, steps)
        until(lambda: (found := only_run(store)) is not None and LOGGED_TAG in found.data.tags)
        run.close("d1" if kept else None)
        if not kept:
            store.client().update_run(only_run(store).info.run_id, status="RUNNING")
    found, client = only_run(store), store.client()
    run_id = found.info.run_id
    assert json.loads(found.data.tags[LOGGED_TAG]) == [{"path": "samples/answers.json", "type": "table"}]
    names = [file.path for file in client.list_artifacts(run_id, "samples")]
    assert sorted(names) == ["samples/answers.json", "samples/views.png"]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)  # part of it asks the one of the process
    table = client.load_table(store.experiment_id(), "samples/answers.json", [run_id])
    assert table["step"].tolist() == [0, 1] and table["question"].tolist() == ["a chair?"] * 2
    assert table["picture"][0]["type"] == "image" and table["picture"][0]["filepath"] == "samples/views.png"
    picture = client.download_artifacts(run_id, "samples/views.png", str(tmp_path))
    assert Image.open(picture).getpixel((0, 0)) == (255, 0, 0)


def test_a_place_for_files_that_fails_takes_no_values_away(store: Store, tmp_path: Path) -> None:
    client = store.client()
    experiment = client.get_experiment(store.experiment_id())
    blocked = Path(experiment.artifact_location.removeprefix("file://"))
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_text("a file where a folder should be")
    said: list[str] = []
    run = begin(store, warn=said.append)
    show(run, tmp_path, 2)
    run.log(1, {"loss": 1.0})
    until(lambda: (found := only_run(store)) is not None and "loss" in found.data.metrics)
    run.close("d1")
    assert only_run(store).info.status == "FINISHED"
    assert len(said) == 1 and "samples/answers.json" in said[0] and "training goes on" in said[0]


@pytest.fixture
def silent_server() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("answers", ["refused", "never"])
def test_a_server_that_is_away_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent_server: int, answers: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = closed.getsockname()[1]
    port = nobody if answers == "refused" else silent_server
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
    monkeypatch.setattr(live, "_CLOSE_S", 3.0)
    said: list[str] = []
    tracker = training_tracker(tmp_path, said.append)
    assert tracker is not None
    started = time.monotonic()
    run = tracker.open("embedding", "k1", params={}, tags={})
    for step in range(2000):
        run.log(step, {"loss": 1.0, "gradient_norm": 2.0})
    assert time.monotonic() - started < 2.0, "logging waits for nobody"
    run.close("d1")
    assert time.monotonic() - started < 10.0
    run.close("d1")
    assert len(said) == 1 and str(port) in said[0] and "training goes on" in said[0]


def test_nobody_watches_unless_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("VANTAGE_LIVE_RUNS", raising=False)
    assert training_tracker(tmp_path, print) is None
    monkeypatch.setenv("VANTAGE_LIVE_RUNS", "1")
    assert training_tracker(tmp_path, print) is not None
    assert not (tmp_path / "mlruns").exists()
