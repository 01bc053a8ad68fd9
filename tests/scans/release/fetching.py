"""Fetching scans in tests: waits are noted and not waited for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scannet_server import Served
from vantage.core.tasks import Task
from vantage.scans.release.config import ScannetConfig
from vantage.scans.release.scan import Fetched, fetch_scan

SCAN = "scene0000_00"
SENS = f"v1/scans/{SCAN}/{SCAN}.sens"
MESH = f"v2/scans/{SCAN}/{SCAN}_vh_clean_2.ply"


class Lines:
    """A progress that keeps what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.steps: list[tuple[int, int, str]] = []

    def step(self, done: int, total: int, note: str = "") -> None:
        self.steps.append((done, total, note))

    def say(self, text: str) -> None:
        self.said.append(text)


@dataclass
class Fetching:
    """Fetches from a server into one cache, as runs of the stage do one after the other."""

    served: Served
    cache: Path
    tasks: Path
    waits: list[float] = field(default_factory=list)
    lines: Lines = field(default_factory=Lines)

    def config(self, **fields: Any) -> ScannetConfig:
        return ScannetConfig(**{"accept_terms": True, "timeout_s": 5.0, "retries": 3, **fields})

    def task(self, scan_id: str) -> Task:
        base = self.tasks / str(len(list(self.tasks.glob("*"))))
        (base / "out").mkdir(parents=True)
        return Task(scan_id, {}, base / "out", base / "work", 0, self.lines, self.cache)

    def fetch(self, scan_id: str = SCAN, **fields: Any) -> Fetched:
        return fetch_scan(self.task(scan_id), self.config(**fields), self.waits.append)

    def sens(self, **fields: Any) -> bytes:
        """The recording alone."""
        fetched = self.fetch(file_types=(".sens",), **fields)
        return fetched.files[f"{SCAN}.sens"].read_bytes()

    def original(self, path: str = SENS) -> bytes:
        return (self.served.root / path).read_bytes()
