"""The release's scans: from the parameters, or from the server's list, which is asked for once.

The list is kept in the user's cache folder and not in the workspace: it belongs to the address, every
workspace and program (`vantage ls`, DVC, Dagster) shares it, and listing needs no network from then on. The
release is frozen, so that it does not age; removing the file asks again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from vantage.core import atomic
from vantage.core.errors import ParameterError, ResourceError
from vantage.core.patience import FaultError, Patience
from vantage.scans.release.address import Address, find_address, require_terms
from vantage.scans.release.config import ScanList, ScannetConfig
from vantage.scans.release.files import check_scan_id, is_scan_id, list_address
from vantage.scans.release.patience import persist

_LARGEST = 1 << 20


def list_scannet(config: ScannetConfig, sleep: Callable[[float], object] = time.sleep) -> list[str]:
    """The scans to take, sorted.

    Raises:
        ParameterError: terms not accepted, no address, no access, or an id that is none.
        ResourceError: the server does not deliver, its list is none, or the list cannot be kept.
    """
    require_terms(config)
    if config.scans:
        return sorted({check_scan_id(scan_id) for scan_id in config.scans})
    address = find_address(config)
    listed = (_cached(address, name, config, sleep) for name in dict.fromkeys(config.lists))
    return sorted({scan_id for ids in listed for scan_id in ids})


def list_file(address: Address, name: ScanList) -> Path:
    """Where the list of an address is kept."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "vantage" / "scannet" / address.key / f"{name}.txt"


def _cached(
    address: Address, name: ScanList, config: ScannetConfig, sleep: Callable[[float], object]
) -> list[str]:
    path = list_file(address, name)
    if path.is_file():
        return _parse(path.read_bytes(), str(path), f"remove {path}, so that it is asked for again")
    where = list_address(name)
    content = _fetch(address, where, config, sleep)
    ids = _parse(content, where, "check the address: it is that of the folder above `v1` and `v2`")
    try:
        atomic.write_text(path, "".join(f"{scan_id}\n" for scan_id in ids))
    except OSError as error:
        raise ResourceError(
            "the list of scans cannot be kept",
            where=path,
            found=error.strerror,
            hint="set XDG_CACHE_HOME to a folder that can be written, or name the scans in "
            "download.scannet.scans",
        ) from error
    return ids


def _fetch(address: Address, where: str, config: ScannetConfig, sleep: Callable[[float], object]) -> bytes:
    from vantage.scans.release.client import Client, body, is_absent

    with Client(address, config.timeout_s, connections=1) as client:

        def attempt() -> bytes | None:
            content = b""
            with client.request("GET", where) as answer:
                if is_absent(answer):
                    return None
                if answer.status != 200:
                    raise FaultError(
                        f"the server answers {answer.status}", expected="200", found=answer.status
                    )
                for piece in body(answer):
                    content += piece
                    if len(content) > _LARGEST:
                        raise FaultError("the list does not end", expected=f"at most {_LARGEST} bytes")
            return content

        content = persist(attempt, where, Patience(config.retries, sleep), error=ResourceError)
    if content is None:
        raise ParameterError(
            "the server has no list of scans",
            where=where,
            found="the answer 404",
            hint="check the address: it is that of the folder above `v1` and `v2`",
        )
    return content


def _parse(content: bytes, where: str, hint: str) -> list[str]:
    """The ids of a list; what the server sends is never used as anything else."""
    lines = [line.strip() for line in content.decode("utf-8", "replace").splitlines()]
    ids = [line for line in lines if line]
    bad = next((k for k, line in enumerate(lines, 1) if line and not is_scan_id(line)), None)
    if bad is not None or not ids:
        found = repr(lines[bad - 1][:60]) if bad is not None else "an empty list"
        raise ResourceError(
            "not a list of scans",
            where=where if bad is None else f"{where}, line {bad}",
            expected="an id like scene0000_00 on each line",
            found=found,
            hint=hint,
        )
    return ids
