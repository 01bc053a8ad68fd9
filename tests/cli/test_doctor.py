"""The doctor's checks, each with what it should complain about."""

from __future__ import annotations

import socket
from collections import namedtuple
from pathlib import Path

import pytest

from vantage.cli import checks
from vantage.cli.doctor import line

REPOSITORY = Path(__file__).resolve().parents[2]


def test_every_check_says_what_it_found(monkeypatch: pytest.MonkeyPatch) -> None:
    found = list(checks.every_check(REPOSITORY))
    assert len({finding.name for finding in found}) == len(found)
    for finding in found:
        assert finding.text
        assert finding.level == "ok" or finding.todo
        assert finding.name in line(finding)
    by_name = {finding.name: finding for finding in found}
    for name in ("python", "antlr", "open3d libs", "workspace"):
        assert by_name[name].level == "ok", by_name[name]


@pytest.mark.parametrize(
    ("version", "level"), [((3, 10), "fail"), ((3, 11), "ok"), ((3, 12), "ok"), ((3, 13), "fail")]
)
def test_python(version: tuple[int, int], level: str) -> None:
    assert checks.check_python(version).level == level


@pytest.mark.parametrize(
    ("antlr", "hydra", "level", "text"),
    [
        ("4.9.3", "1.3.8", "fail", "selections in Dagster"),
        ("4.13.2", "1.3.8", "fail", "exp run -S"),
        ("4.13.2", "1.4.0rc3", "ok", "4.13.2"),
    ],
)
def test_the_pair_that_breaks_silently(antlr: str, hydra: str, level: str, text: str) -> None:
    installed = {"antlr4-python3-runtime": antlr, "hydra-core": hydra}
    found = checks.check_antlr(installed.get)
    assert found.level == level
    assert text in found.text
    assert level == "ok" or "hydra-core>=1.4" in found.todo


def test_missing_libraries_are_named_as_packages() -> None:
    found = checks.check_open3d_libraries(lambda library: library != "libusb-1.0.so.0")
    assert (found.level, found.todo) == ("fail", "apt-get install libusb-1.0-0")


def test_a_missing_package_says_what_is_lost_and_how_to_get_it() -> None:
    found = checks.check_package("no-such", "no_such_module", "train", "training")
    assert (found.level, found.todo) == ("warn", 'pip install "vantage[train]"')
    assert checks.check_package("no-such", "no_such_module", "", "everything").level == "fail"


def test_mlflow_file_stores_are_refused() -> None:
    assert checks.check_mlflow_store("./mlruns", None).level == "fail"
    assert checks.check_mlflow_store(None, "true").level == "warn"
    assert checks.check_mlflow_store("sqlite:////a/b.db", None).level == "ok"
    assert checks.check_mlflow_store(None, None).level == "ok"


def test_disk_and_chromium() -> None:
    assert [checks.check_disk(gib << 30).level for gib in (0, 2, 50)] == ["fail", "warn", "ok"]
    assert "apt-get install chromium" in checks.check_chromium(lambda name: None).text


def test_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = namedtuple("pages", "size count")(4096, 1 << 20)
    monkeypatch.setattr("os.sysconf", lambda name: pages.size if name == "SC_PAGE_SIZE" else pages.count)
    assert checks.check_memory().level == "warn"


def test_a_taken_port_is_seen() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert checks.check_port(port, "Dagster").level == "warn"
    assert checks.check_port(port, "Dagster").level == "ok"


def test_a_wrong_workspace_is_a_failure(tmp_path: Path) -> None:
    assert checks.check_workspace(tmp_path).level == "fail"
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "params.yaml").write_text("sed: 1\n")
    assert "did you mean seed" in checks.check_workspace(tmp_path).text
