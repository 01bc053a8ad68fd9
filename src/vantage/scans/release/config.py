"""Parameters of `download.scannet`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, MinLen

FileType = Literal[
    ".sens",
    ".txt",
    ".aggregation.json",
    "_vh_clean.ply",
    "_vh_clean.segs.json",
    "_vh_clean.aggregation.json",
    "_vh_clean_2.ply",
    "_vh_clean_2.labels.ply",
    "_vh_clean_2.0.010000.segs.json",
    "_2d-instance.zip",
    "_2d-instance-filt.zip",
    "_2d-label.zip",
    "_2d-label-filt.zip",
]
"""What a file of the release is named by, after the scan's id."""

ScanList = Literal["scans", "scans_test"]
"""The release's own lists: training and validation scans, and test scans."""


@dataclass(frozen=True)
class ScannetConfig:
    """ScanNet itself; docs/scans.md tells how. A token is taken from VANTAGE_SCANNET_TOKEN alone.

    Attributes:
        accept_terms: true once the ScanNet team has given you access and you accept the ScanNet Terms of Use.
        url: the address that the release's folders `v1` and `v2` lie under; empty for that of the environment
            variable VANTAGE_SCANNET_URL, where an address with a secret in it belongs.
        lists: which of the release's lists to take: `scans` (training and validation, annotated) and
            `scans_test` (frames and meshes only).
        scans: ids of the scans to take; empty for all of `lists`.
        file_types: endings of the files to take. Test scans have no annotations.
        connections: files of one scan fetched at a time; scans at a time are the stage's workers.
        rate_limit_mb_s: megabytes a second of all processes of the workspace together; 0 for no limit.
        retries: tries in a row that bring nothing new before a file is given up.
        timeout_s: seconds without a byte after which a connection counts as broken.
    """

    accept_terms: bool = False
    url: str = ""
    lists: Annotated[tuple[ScanList, ...], MinLen(1)] = ("scans",)
    scans: tuple[str, ...] = ()
    file_types: Annotated[tuple[FileType, ...], MinLen(1)] = (
        ".sens",
        ".txt",
        ".aggregation.json",
        "_vh_clean_2.ply",
        "_vh_clean_2.labels.ply",
        "_vh_clean_2.0.010000.segs.json",
    )
    connections: Annotated[int, Ge(1), Le(16)] = 4
    rate_limit_mb_s: Annotated[float, Ge(0)] = 0.0
    retries: Annotated[int, Ge(0)] = 5
    timeout_s: Annotated[float, Gt(0)] = 60.0
