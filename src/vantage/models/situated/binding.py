"""One pass of a model with the vectors of the situated tokens put in where its table has none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor, nn

from vantage.core.errors import ContractError, VantageError
from vantage.models.situated.cameras import Cameras
from vantage.models.situated.tokens import CAM, SituatedTokens, named, situation_columns


class Vectors(NamedTuple):
    """What stands for the tokens in this pass."""

    cameras: Float32[Tensor, "images d"]
    pos: Float32[Tensor, "d"]
    ori: Float32[Tensor, "d"]


class SituatedPass:
    """What one pass of a model is given, and what it gave.

    Attributes:
        input_ids: of the prompts.
        hidden: the decoder's last hidden states of the prompts; kept only where no gradient is, since a
            training step has them anyway.
    """

    def __init__(
        self, tokens: SituatedTokens, cameras: Cameras, vectors: Callable[[Tensor], Vectors]
    ) -> None:
        self.tokens = tokens
        self.cameras = cameras
        self.vectors = vectors
        self.input_ids: Int64[Tensor, "b t"] | None = None
        self.hidden: Float[Tensor, "b t d"] | None = None
        self._numbers: Float32[Tensor, "images c"] | None = None

    def attach(self, table: nn.Module, decoder: nn.Module) -> list[Any]:
        """Set the hooks on a model's table of embeddings and on its decoder; returns their handles."""
        return [
            table.register_forward_pre_hook(self._on_ids),
            table.register_forward_hook(self._on_rows),
            decoder.register_forward_hook(self._on_decoder),
        ]

    def require_once(self) -> None:
        """Raise `VantageError` unless there was a pass."""
        if self.input_ids is None:
            raise VantageError(
                "the situated tokens were not used", expected="one forward or generate with input_ids",
                found="none", hint="embeddings computed before bypass them",
            )  # fmt: skip

    def _on_ids(self, _module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        ids: Tensor = args[0]
        marks = self._marks(ids)
        if self.input_ids is not None:
            # Words made one by one; a token of ours among them is the table's own, if it has one.
            if ids.shape[-1] == 1 or not bool(marks.any()):
                return None
            raise VantageError(
                "a second pass with situated tokens", expected="one pass in a binding", found="two",
                hint="open a binding for each forward or generate",
            )  # fmt: skip
        self.input_ids, self._numbers = ids, self._for_rows(ids)
        # Ids beyond the table: any row will do, it is overwritten.
        return (ids.masked_fill(marks, 0), *args[1:])

    def _on_rows(self, _module: nn.Module, _args: tuple[Any, ...], rows: Tensor) -> Tensor:
        ids, numbers, tokens = self.input_ids, self._numbers, self.tokens
        if ids is None or numbers is None:
            return rows
        self._numbers = None
        cameras, pos, ori = (part.to(rows.dtype) for part in self.vectors(numbers.to(rows.device)))
        rows = torch.where((ids == tokens.pos)[..., None], pos, rows)
        rows = torch.where((ids == tokens.ori)[..., None], ori, rows)
        return rows.masked_scatter((ids == tokens.cam)[..., None], cameras)

    def _on_decoder(self, _module: nn.Module, _args: tuple[Any, ...], output: Any) -> None:
        if self.hidden is None and self.input_ids is not None and not torch.is_grad_enabled():
            self.hidden = output[0]

    def _marks(self, ids: Int64[Tensor, "b t"]) -> Bool[Tensor, "b t"]:
        return torch.isin(ids, torch.tensor(self.tokens.ids, device=ids.device))

    def _for_rows(self, ids: Int64[Tensor, "b t"]) -> Float32[Tensor, "images c"]:
        """The cameras of every row, several rows of a sample (beams) included.

        Raises `ContractError`, with the sample, where a prompt does not fit its cameras.
        """
        given = self.cameras
        times, rest = divmod(len(ids), len(given.images))
        if rest or not times or not torch.equal(ids[::times].repeat_interleave(times, 0), ids):
            raise ContractError(
                "cameras do not fit the batch", expected=f"{len(ids)} samples",
                found=f"cameras of {len(given.images)} samples",
            )  # fmt: skip
        parts = [part for part in torch.split(given.numbers, list(given.images)) for _ in range(times)]
        names = tuple(name for name in given.sample_ids for _ in range(times))
        for row, (found, part) in enumerate(
            zip((ids == self.tokens.cam).sum(1).tolist(), parts, strict=True)
        ):
            if found != len(part):
                raise ContractError(
                    "a prompt and its cameras tell of different images", where=named(row, names),
                    expected=f"{len(part)} x {CAM} for {len(part)} images", found=f"{found} x {CAM}",
                )  # fmt: skip
        situation_columns(ids, self.tokens, names)
        return torch.cat(parts)
