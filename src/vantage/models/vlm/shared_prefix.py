"""Several dialogs about one set of views: the views are computed once, each dialog as if it were alone.

A row is [prefix][dialog 1][dialog 2]...: what all dialogs begin with (views, situation), then what each goes
on with. A dialog sees the prefix and itself, and its positions go on where the prefix ends. Tokens of a
decoder hear of one another by attention and positions alone, so loss and gradients equal those of single
dialogs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from vantage.core.errors import ContractError
from vantage.models.vlm.dialog import NOT_LEARNED

PREFIX, PADDING = -1, -2
"""Values of `PrefixRows.slot` beside the numbers of dialogs."""

Dialog = tuple[Int64[Tensor, "_"], Bool[Tensor, "_"]]
"""Token ids of a dialog from its first view on, and which of them are learned; see `batch.encoded`."""


@dataclass(frozen=True)
class PrefixRows:
    """Dialogs of a batch of samples behind their prefixes, a row for each sample, padded at the right.

    Attributes:
        input_ids: prefix and dialogs.
        labels: ids to be learned at their own places, -100 elsewhere; the token before a learned one in
            its row is the one before it in its dialog.
        slot: number of the dialog that a token belongs to, `PREFIX` or `PADDING`.
        offset: place of the token in its dialog, counted with the prefix.
    """

    input_ids: Int64[Tensor, "b t"]
    labels: Int64[Tensor, "b t"]
    slot: Int64[Tensor, "b t"]
    offset: Int64[Tensor, "b t"]

    def to(self, device: torch.device) -> PrefixRows:
        """The same on another device."""
        return PrefixRows(*(t.to(device) for t in (self.input_ids, self.labels, self.slot, self.offset)))

    def sees(self, window: int | None = None) -> Bool[Tensor, "b 1 t t"]:
        """True where a token (row) may look at another (column), back to `window` tokens of its own dialog
        if that is given. Padding sees itself alone, so that no row is empty."""
        one, other = self.slot[:, :, None], self.slot[:, None, :]
        mask = ((one == other) | (other == PREFIX)) & (one != PADDING) & (other != PADDING)
        length = self.slot.shape[1]
        mask &= torch.ones(length, length, dtype=torch.bool, device=mask.device).tril()
        if window is not None:
            mask &= self.offset[:, None, :] > self.offset[:, :, None] - window
        mask |= torch.eye(length, dtype=torch.bool, device=mask.device)
        return mask[:, None]


def pack_dialogs(samples: Sequence[Sequence[Dialog]], image_id: int, pad_id: int) -> PrefixRows:
    """Lay the dialogs of each sample behind what they have in common.

    Args:
        samples: the dialogs of each sample, all about its views.
        image_id: token of the image placeholder.
        pad_id: token of the padding.

    Raises:
        ContractError: dialogs of a sample that part before their last image, or learn what stands there.
    """
    rows = [
        _row(dialogs, image_id, f"sample {number} of the batch") for number, dialogs in enumerate(samples)
    ]
    length = max(len(slot) for _, _, slot, _ in rows)
    fills = (pad_id, NOT_LEARNED, PADDING, 0)
    return PrefixRows(
        *(
            torch.stack([torch.nn.functional.pad(t, (0, length - len(t)), value=fill) for t in column])
            for column, fill in zip(zip(*rows, strict=True), fills, strict=True)
        )
    )


def shared_length(dialogs: Sequence[Dialog]) -> int:
    """How many ids the dialogs begin with in common.

    At least one more token is left to each, and one before its first learned one: the token that predicts it
    has to stand right before it.
    """
    first = dialogs[0][0]
    most = min(int(learned.nonzero()[0]) - 1 if learned.any() else len(ids) - 1 for ids, learned in dialogs)
    for ids, _ in dialogs[1:]:
        same = ids[:most] == first[:most]
        most = len(same) if bool(same.all()) else int((~same).nonzero()[0])
    return max(most, 0)


def _row(
    dialogs: Sequence[Dialog], image_id: int, where: str
) -> tuple[Int64[Tensor, "t"], Int64[Tensor, "t"], Int64[Tensor, "t"], Int64[Tensor, "t"]]:
    """Ids, labels, slots and offsets of a sample."""
    shared = shared_length(dialogs)
    if any(bool((ids[shared:] == image_id).any()) for ids, _ in dialogs):
        raise ContractError(
            "dialogs of one sample part before their last image", where=where,
            expected="the same views in the same order, nothing learned among them",
            found=f"{shared} tokens in common", hint="give each set of views a sample of its own",
        )  # fmt: skip
    first = dialogs[0][0]
    ids, labels = [first[:shared]], [torch.full((shared,), NOT_LEARNED)]
    slots, offsets = [torch.full((shared,), PREFIX)], [torch.arange(shared)]
    for number, (own, learned) in enumerate(dialogs):
        rest = own[shared:]
        ids.append(rest)
        labels.append(torch.where(learned[shared:], rest, NOT_LEARNED))
        # Without anything in common this is the dialog's first token, which nothing of it predicts.
        labels[-1][0] = NOT_LEARNED
        slots.append(torch.full_like(rest, number))
        offsets.append(torch.arange(shared, len(own)))
    return torch.cat(ids), torch.cat(labels), torch.cat(slots), torch.cat(offsets)
