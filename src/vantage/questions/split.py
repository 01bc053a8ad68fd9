"""Which rooms train and which are held out: a property of the room's id alone."""

from __future__ import annotations

import re
from typing import Final, Literal

from vantage.core import seeds

Split = Literal["train", "heldout"]
SPLITS: Final[tuple[Split, ...]] = ("train", "heldout")

_VISIT = re.compile(r"_\d\d$")


def room_of(scan_id: str) -> str:
    """The room of a scan: the id without its `_NN` visit number (`scene0000_01` -> `scene0000`)."""
    return _VISIT.sub("", scan_id)


def split_of(room_id: str, held_out_share: float) -> Split:
    """The split of a room. Nothing else matters, so a new scan moves no other; the share holds on average."""
    return "heldout" if seeds.fraction("split", room_id) < held_out_share else "train"
