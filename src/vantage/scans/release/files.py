"""The layout of ScanNet's release: which files a scan has, and where each lies below the address."""

from __future__ import annotations

import re
from collections.abc import Iterable

from vantage.core.errors import ParameterError
from vantage.scans.release.config import ScanList
from vantage.scans.scannet import AGGREGATION, MESH, SEGMENTS, SENS, TXT

RELEASE = "ScanNet v2"
LABEL_TABLE = "v2/tasks/scannetv2-labels.combined.tsv"
#: Without these a scan is not what `extract` expects; any other file may be missing.
NEEDED = frozenset({SENS, TXT, MESH, SEGMENTS, AGGREGATION})

_TEST_FILES = frozenset({SENS, TXT, "_vh_clean.ply", MESH})
_SCAN_ID = re.compile(r"scene(\d{4})_\d\d", re.ASCII)
_FIRST_TEST_SCENE = 707


def is_scan_id(text: str) -> bool:
    """Whether `text` is an id of ScanNet's: it can then be nothing else, a path least of all."""
    return _SCAN_ID.fullmatch(text) is not None


def check_scan_id(text: str) -> str:
    """`text` if it is a scan's id; ParameterError when not."""
    if not is_scan_id(text):
        raise ParameterError(
            "no id of a ScanNet scan",
            where="download.scannet.scans",
            expected="scene, four digits, an underscore and two digits, as in scene0000_00",
            found=repr(text),
            hint="Correct the id, or take it out of the list.",
        )
    return text


def tree_of(scan_id: str) -> ScanList:
    """The list that a scan belongs to: scenes 707 and up are test scans."""
    found = _SCAN_ID.fullmatch(scan_id)
    assert found is not None, scan_id
    return "scans_test" if int(found[1]) >= _FIRST_TEST_SCENE else "scans"


def wanted(scan_id: str, file_types: Iterable[str]) -> list[str]:
    """Those of the asked file types that the release has for a scan, each once."""
    test = tree_of(scan_id) == "scans_test"
    return [ending for ending in dict.fromkeys(file_types) if not test or ending in _TEST_FILES]


def addresses(scan_id: str, ending: str) -> tuple[str, ...]:
    """Where a file may lie below the address; the first that is there counts.

    Recordings did not change with version 2: the `.sens` of annotated scans lie under `v1`. Annotations did,
    so that they are taken from `v2` alone. Test scans came with version 2.
    """
    name = f"{scan_id}/{scan_id}{ending}"
    v1, v2, test = f"v1/scans/{name}", f"v2/scans/{name}", f"v2/scans_test/{name}"
    if tree_of(scan_id) == "scans_test":
        return (test, v2, v1) if ending == SENS else (test, v2)
    if ending == SENS:
        return v1, v2
    return (v2, v1) if ending == TXT else (v2,)


def list_address(name: ScanList) -> str:
    """Where one of the release's lists lies below the address."""
    return f"v2/{name}.txt"
