"""All files of one scan, several at a time, into a folder that later runs take them from."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from vantage.core.errors import ScanUnavailableError
from vantage.core.patience import Patience
from vantage.core.progress import Progress
from vantage.core.tasks import Facts, Task
from vantage.scans.release.address import Address, find_address, require_terms
from vantage.scans.release.client import Client
from vantage.scans.release.config import ScannetConfig
from vantage.scans.release.files import LABEL_TABLE, NEEDED, addresses, check_scan_id, tree_of, wanted
from vantage.scans.release.meter import Meter
from vantage.scans.release.part import Part
from vantage.scans.release.rate import RateLimit
from vantage.scans.release.transfer import StoppedError, Transfer
from vantage.scans.scannet import AGGREGATION, SENS

_TELL_S = 0.5


@dataclass(frozen=True)
class Fetched:
    """A scan that is there.

    Attributes:
        files: its files by name; they stay where they are for other runs.
        label_table: the release's label table, for a scan with annotations; None where there is none.
        facts: counts.
    """

    files: dict[str, Path]
    label_table: Path | None
    facts: Facts


def home(cache: Path) -> Path:
    """Where the release is kept, laid out as ScanNet's own download lays it out."""
    return cache / "scannet"


def part_of(cache: Path, scan_id: str, ending: str) -> Part:
    """A file of a scan in that folder."""
    return Part(home(cache) / tree_of(scan_id) / scan_id / f"{scan_id}{ending}")


def fetch_scan(task: Task, config: ScannetConfig, sleep: Callable[[float], object] | None = None) -> Fetched:
    """Fetch what is missing of a scan into the stage's cache.

    Bytes that an earlier run fetched, of any code and parameters, are not fetched again. `sleep` waits
    between tries; by default a failure of another file ends the wait.

    Raises:
        ParameterError: terms not accepted, no address, no access.
        ScanUnavailableError: a file that a scan needs is not there or cannot be had whole.
        ResourceError: the server or the network fails for every file.
    """
    require_terms(config)
    scan_id, cache = check_scan_id(task.item), task.cache or task.work
    with _alone(home(cache) / tree_of(scan_id) / scan_id, task.progress):
        # The recording is the longest by far, so that it is begun first.
        endings = sorted(wanted(scan_id, config.file_types), key=lambda ending: ending != SENS)
        parts = {ending: part_of(cache, scan_id, ending) for ending in endings}
        labels = _labels(cache) if AGGREGATION in parts else None
        if all(part.finished() for part in (*parts.values(), *([] if labels is None else [labels]))):
            return _fetched(parts, labels, 0, [])  # with no need of an address
        return _fetch_missing(task, config, cache, parts, sleep)


def _fetch_missing(
    task: Task,
    config: ScannetConfig,
    cache: Path,
    parts: dict[str, Part],
    sleep: Callable[[float], object] | None,
) -> Fetched:
    address, remarks, meter = find_address(config), queue.SimpleQueue[str](), Meter()
    stop, scan_id = threading.Event(), task.item
    with _transfer(address, config, cache, meter, remarks.put, stop, sleep) as transfer:
        jobs = [_job(transfer, part, addresses(scan_id, ending)) for ending, part in parts.items()]
        found = _together(jobs, config.connections, transfer, remarks, task.progress)
        there = {ending: part for (ending, part), has in zip(parts.items(), found, strict=True) if has}
        absent = sorted(parts.keys() - there.keys())
        _require_needed(scan_id, absent)
        labels = _label_table(transfer, cache, task.progress) if AGGREGATION in there else None
    return _fetched(there, labels, meter.fetched, absent)


def _fetched(parts: dict[str, Part], labels: Part | None, received: int, absent: Sequence[str]) -> Fetched:
    facts = {"files": len(parts), "bytes": sum(part.size for part in parts.values())}
    return Fetched(
        {part.target.name: part.target for part in parts.values()},
        None if labels is None else labels.target,
        {**facts, "fetched_bytes": received, "absent": ", ".join(absent)},
    )


def _job(transfer: Transfer, part: Part, sources: tuple[str, ...]) -> Callable[[], bool]:
    return lambda: transfer.fetch(part, sources)


@contextmanager
def _transfer(
    address: Address,
    config: ScannetConfig,
    cache: Path,
    meter: Meter,
    tell: Callable[[str], object],
    stop: threading.Event,
    sleep: Callable[[float], object] | None,
) -> Iterator[Transfer]:
    rate = RateLimit(home(cache) / ".rate", config.rate_limit_mb_s * 1e6)
    patience = Patience(config.retries, sleep or stop.wait)
    with Client(address, config.timeout_s, config.connections) as client:
        yield Transfer(client, patience, rate, meter, tell, stop)


@contextmanager
def _alone(folder: Path, progress: Progress) -> Iterator[None]:
    """Hold the folder for this process; the system frees it when the process dies."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    with suppress(Timeout):
        lock.acquire(timeout=0)
    if not lock.is_locked:
        progress.say("another process is fetching this; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _together(
    jobs: Sequence[Callable[[], bool]],
    connections: int,
    transfer: Transfer,
    remarks: queue.SimpleQueue[str],
    progress: Progress,
) -> list[bool]:
    """Results of all jobs; at the first error the others stop where they are, and it is raised.

    Only this thread speaks to `progress`, which is not made for several.
    """
    with ThreadPoolExecutor(connections, thread_name_prefix="fetch") as pool:
        futures = [pool.submit(job) for job in jobs]
        try:
            pending: set[Future[bool]] = set(futures)
            while pending:
                done, pending = wait(pending, _TELL_S, FIRST_EXCEPTION)
                _report(transfer.meter, remarks, progress)
                if any(future.exception() is not None for future in done):
                    break
        finally:
            transfer.stop.set()
            for future in futures:
                future.cancel()
    errors = [error for future in futures if not future.cancelled() and (error := future.exception())]
    if first := next((error for error in errors if not isinstance(error, StoppedError)), None):
        raise first
    transfer.stop.clear()
    _report(transfer.meter, remarks, progress)
    return [future.result() for future in futures]


def _report(meter: Meter, remarks: queue.SimpleQueue[str], progress: Progress) -> None:
    with suppress(queue.Empty):
        while True:
            progress.say(remarks.get_nowait())
    done, total, note = meter.state()
    if total:
        progress.step(min(done, total - 1), total, note)


def _require_needed(scan_id: str, absent: Sequence[str]) -> None:
    if lacking := [ending for ending in absent if ending in NEEDED]:
        raise ScanUnavailableError(
            "the release lacks files that the scan needs",
            where=scan_id,
            expected=", ".join(addresses(scan_id, lacking[0])),
            found=f"the answer 404 for {', '.join(lacking)}",
            hint="check the address and the scan's id; the next run tries again",
        )


def _labels(cache: Path) -> Part:
    return Part(home(cache) / Path(LABEL_TABLE).name)


def _label_table(transfer: Transfer, cache: Path, progress: Progress) -> Part | None:
    with _alone(home(cache) / ".labels", progress):
        part = _labels(cache)
        if not transfer.fetch(part, (LABEL_TABLE,)):
            progress.say(f"the server has no {LABEL_TABLE}: the built-in label table is used")
            return None
    return part
