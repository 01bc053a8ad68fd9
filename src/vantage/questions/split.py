"""Which rooms train and which are held out: by lists of scans, or by the room's id alone."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from vantage.core import seeds
from vantage.core.errors import ParameterError, ScanError
from vantage.core.memo import Memo
from vantage.questions.config import SplitLists, SynthesizeConfig
from vantage.records.scan import room_of

Split = Literal["train", "heldout"]
SPLITS: Final[tuple[Split, ...]] = ("train", "heldout")

_SCAN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_KEY = "synthesize.splits"


def split_of(room_id: str, held_out_share: float) -> Split:
    """The split of a room: `scene0000` for the scans `scene0000_00` and `scene0000_01`.

    Nothing else matters, so a new scan moves no other; the share holds on average.
    """
    return "heldout" if seeds.fraction("split", room_id) < held_out_share else "train"


def scan_split(room_id: str, config: SynthesizeConfig) -> Split:
    """The split of a room by the lists of `config`, or by `split_of` where it names none.

    A scan that the lists do not name follows the scans of its room. ScanError when they name none of those.
    """
    if not config.splits.train:
        return split_of(room_id, config.held_out_share)
    rooms = listed_rooms(config.splits)
    if room_id not in rooms:
        raise ScanError(
            "a scan in no split list",
            where=room_id,
            expected="a scan of its room in the lists of train or heldout",
            found=f"{len(rooms)} other rooms",
            hint=f"Add it to a list of {_KEY}, or leave it out of the scans that are taken.",
        )
    return rooms[room_id]


def listed_split(config: SynthesizeConfig, scan_id: str, memo: Memo) -> str:
    """What the lists say of a scan: all that its questions depend on of them. Empty without lists."""
    return scan_split(room_of(scan_id), config) if config.splits.train else ""


def listed_rooms(lists: SplitLists) -> Mapping[str, Split]:
    """The split of every room with a scan in a list.

    Raises ParameterError naming key and line for a damaged list, or for a room in both.
    """
    paths = [Path(getattr(lists, split)).expanduser() for split in SPLITS]
    try:
        return _rooms(*((path, path.stat().st_mtime_ns, path.stat().st_size) for path in paths))
    except OSError as error:
        raise ParameterError(
            f"cannot read a split list: {error.strerror}", where=_KEY, found=error
        ) from error


@functools.lru_cache(maxsize=4)
def _rooms(*lists: tuple[Path, int, int]) -> Mapping[str, Split]:
    """Read once for as long as time and size of the files stay."""
    rooms: dict[str, Split] = {}
    for split, (path, _, _) in zip(SPLITS, lists, strict=True):
        for scan in read_split_list(path, f"{_KEY}.{split}"):
            if rooms.setdefault(room_of(scan), split) != split:
                where, expected = f"{_KEY}.{split}", "all scans of a room in one list"
                found = f"{scan}, and its room in the list of {rooms[room_of(scan)]}"
                raise ParameterError("a room in two splits", where=where, expected=expected, found=found)
    return rooms


def read_split_list(path: Path, where: str) -> list[str]:
    """The scan ids of a list, one a line as in ScanNet's `scannetv2_train.txt`; blank lines do not count.

    Raises ParameterError naming `where` and the line: not a scan id, one that occurs twice, or no id at all.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ParameterError(
            "not a split list", where=where, expected="text in UTF-8", found=error
        ) from error
    scans: dict[str, int] = {}
    for number, line in enumerate((text.strip() for text in lines), start=1):
        if not line:
            continue
        at = f"{where}, line {number}"
        if not _SCAN.fullmatch(line):
            raise ParameterError("bad split list", where=at, expected="one scan id", found=repr(line[:60]))
        if line in scans:
            expected, found = "each scan once", f"{line} as in line {scans[line]}"
            raise ParameterError("bad split list", where=at, expected=expected, found=found)
        scans[line] = number
    if not scans:
        raise ParameterError(
            "an empty split list", where=where, expected="one scan id a line", found=path.name
        )
    return list(scans)
