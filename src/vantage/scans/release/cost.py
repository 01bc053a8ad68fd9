"""What fetching some scans will cost, from the sizes that the server tells: nothing is fetched."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vantage.core.errors import ResourceError
from vantage.core.patience import FaultError, Patience
from vantage.core.progress import Progress
from vantage.core.tasks import Cost
from vantage.scans.release.address import find_address, require_terms
from vantage.scans.release.client import Client, is_absent
from vantage.scans.release.config import ScannetConfig
from vantage.scans.release.files import addresses, wanted
from vantage.scans.release.headers import content_length
from vantage.scans.release.part import Part
from vantage.scans.release.patience import persist
from vantage.scans.release.scan import part_of

_ASKING = 8


@dataclass(frozen=True)
class _File:
    """One file: whether it is there, bytes of it that are there, and its size if the server tells."""

    finished: bool
    present: int
    size: int | None
    absent: bool = False


def fetch_cost(
    config: ScannetConfig,
    scans: Sequence[str],
    cache: Path,
    progress: Progress,
    sleep: Callable[[float], object] = time.sleep,
) -> Cost:
    """Files and bytes to fetch of some scans, beside those that are there.

    Only files that are not there are asked for, by HEAD; with none missing, no address is needed. Raises
    what `fetch_scan` raises for no access or no server.
    """
    require_terms(config)
    names = [(scan_id, ending) for scan_id in scans for ending in wanted(scan_id, config.file_types)]
    parts = {name: part_of(cache, *name) for name in names}
    files = [_File(True, part.size, part.size) for part in parts.values() if part.finished()]
    asked = {name: part for name, part in parts.items() if not part.finished()}
    if asked:
        files += _ask(config, asked, progress, sleep)
    missing = [file for file in files if not file.finished and not file.absent]
    return Cost(
        files=len(missing),
        size=sum(max(0, file.size - file.present) for file in missing if file.size is not None),
        present_files=sum(file.finished for file in files),
        present=sum(file.present for file in files),
        unknown=sum(file.size is None for file in missing),
        absent=sum(file.absent for file in files),
    )


def _ask(
    config: ScannetConfig,
    parts: Mapping[tuple[str, str], Part],
    progress: Progress,
    sleep: Callable[[float], object],
) -> list[_File]:
    files: list[_File] = []
    with (
        Client(find_address(config), config.timeout_s, _ASKING) as client,
        ThreadPoolExecutor(_ASKING, thread_name_prefix="head") as pool,
    ):
        look = partial(_look, client, Patience(config.retries, sleep))
        try:
            for file in pool.map(look, parts, parts.values()):
                files.append(file)
                progress.step(len(files), len(parts), "files: asking for their sizes")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return files


def _look(client: Client, patience: Patience, name: tuple[str, str], part: Part) -> _File:
    for source in addresses(*name):
        head = partial(_head, client, source)
        there, size = persist(head, source, patience, error=ResourceError)
        if there:
            return _File(False, part.begun(source), size)
    return _File(False, 0, None, absent=True)


def _head(client: Client, source: str) -> tuple[bool, int | None]:
    """Whether a file is there, and its size if told; a server that knows no HEAD tells nothing."""
    with client.request("HEAD", source) as answer:
        if is_absent(answer):
            return False, None
        if answer.status == 200:
            return True, content_length(answer.headers.get("Content-Length"))
        if answer.status in (405, 501):
            return True, None
        raise FaultError(f"the server answers {answer.status}", expected="200", found=answer.status)
