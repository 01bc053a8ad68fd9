"""Whether the annotation files of a scan belong together, and which release of ScanNet they are from.

Nothing inside an aggregation or a segments file names the release: `appId` is the tool's version. What tells
is the label table's format, and what a mixture gets wrong: segments that do not exist, labels without a row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from vantage.core.errors import ScanError
from vantage.scans.annotations import Aggregation, Segments
from vantage.scans.labels import LabelTable
from vantage.scans.scannet import SEGMENTS

_HINT = "Take aggregation, segments, mesh and label table of one scan from one release; v1 and v2 do not mix."


def scan_named(text: str) -> str:
    """The scan that `sceneId` or `segmentsFile` names: without folder, `scannet.` and the mesh's ending."""
    name = text.rpartition("/")[2].removeprefix("scannet.")
    return re.sub(r"_vh_clean(_2)?(\.0\.010000)?(\.segs\.json)?$", "", name)


def require_one_scan(scan: str, aggregation: Aggregation, segments: Segments) -> None:
    """ScanError naming both files unless they are of `scan`, of the decimated mesh, and fit each other."""
    both = f"{aggregation.file} and {segments.file}"
    named = {
        f"sceneId of {aggregation.file}": aggregation.scene,
        f"segmentsFile of {aggregation.file}": aggregation.segments_file,
        f"sceneId of {segments.file}": segments.scene,
    }
    for what, text in named.items():
        if text and scan_named(text) != scan:
            raise ScanError(
                "annotation of another scan", where=both, expected=scan, found=f"{what}: {text[:80]}"
            )
    file = aggregation.segments_file
    if file and not file.endswith(SEGMENTS):
        hint = "Files named *_vh_clean.* go with the full mesh; the decimated one needs *.aggregation.json."
        expected, found = f"segmentsFile *{SEGMENTS}", file[:80]
        raise ScanError("annotation of another mesh", where=both, expected=expected, found=found, hint=hint)
    claimed = {segment for group in aggregation.groups for segment in group.segments}
    if missing := sorted(claimed - set(np.unique(segments.of_vertex).tolist())):
        found = f"{len(missing)} of {len(claimed)} that {segments.file} lacks, the first {missing[0]}"
        expected = f"segments of {segments.file}"
        message = "an aggregation refers to segments that do not exist"
        raise ScanError(message, where=both, expected=expected, found=found, hint=_HINT)


def require_known_labels(file: str, labels: Iterable[str], table: LabelTable, table_file: str) -> None:
    """ScanError when the table knows none of several labels: another release's, or another data set's."""
    distinct = set(labels)
    if len(distinct) > 1 and not distinct & table.rows.keys():
        message, where = "a label table of another release or data set", f"{file} and {table_file}"
        found = f"none of {', '.join(sorted(distinct)[:5])} in this {table.release} table"
        raise ScanError(message, where=where, expected="labels of the annotation", found=found, hint=_HINT)


def release_of(aggregation: Aggregation, table: LabelTable | None) -> tuple[str, str]:
    """The release ("v1", "v2" or "unknown") and what says so."""
    app = f"; annotated with {aggregation.app}" if aggregation.app else ""
    if table is None:
        return "unknown", f"no label table{app}"
    labels = {group.label for group in aggregation.groups}
    column = "raw_category" if table.release == "v2" else "category"
    known = f"{len(labels & table.rows.keys())} of {len(labels)} labels in its column {column}"
    return table.release, f"format of the label table, {known}{app}"
