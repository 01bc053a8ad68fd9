"""Which rooms train and which are held out: a property of the room's id alone."""

from __future__ import annotations

from typing import Final, Literal

from vantage.core import seeds

Split = Literal["train", "heldout"]
SPLITS: Final[tuple[Split, ...]] = ("train", "heldout")


def split_of(room_id: str, held_out_share: float) -> Split:
    """The split of a room: `scene0000` for the scans `scene0000_00` and `scene0000_01`.

    Nothing else matters, so a new scan moves no other; the share holds on average.
    """
    return "heldout" if seeds.fraction("split", room_id) < held_out_share else "train"
