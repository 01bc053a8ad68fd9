"""Summing a 3D position embedding into a vision-language model, for one pass at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor, nn

from vantage.core.errors import ContractError, VantageError
from vantage.core.frames import Frame, require_frame
from vantage.models.binding import Binding
from vantage.models.encoders import EncoderConfig, PositionEncoder, fresh_encoder
from vantage.models.encoders.normalise import encoder_numbers, normalised, rounded
from vantage.models.families import Family, Site, family_of
from vantage.models.families.base import Point
from vantage.models.families.order import Pictures
from vantage.models.patch_geometry import BatchGeometry


@dataclass(frozen=True)
class InjectionConfig:
    """Where coordinates enter a model, in which frame, through which encoder."""

    site: Site = "post_vit"
    frame: Frame = "ego_level"
    encoder: EncoderConfig = field(default_factory=EncoderConfig)


class Injector:
    """A model, an encoder, and the place where they meet.

    The model itself is never changed: hooks are set for the pass made inside `bind` and removed after it,
    also when it fails. Whatever a pass needs lives in its binding.
    """

    def __init__(
        self,
        model: nn.Module,
        config: InjectionConfig,
        encoder: PositionEncoder,
        family: Family | None = None,
    ) -> None:
        self.model = model
        self.config = config
        self.encoder = encoder
        self.family: Family = family or family_of(model)
        self.point: Point = self.family.point(model, config.site)
        width = self.family.width(model, config.site)
        if encoder.width != width:
            raise ContractError(
                "the encoder does not fit the site", where=f"{self.family.name}, {config.site}",
                expected=f"width {width}", found=f"width {encoder.width}",
            )  # fmt: skip
        if encoder.numbers != config.encoder.numbers:
            raise ContractError(
                "the encoder is not of the configured kind", where=f"encoder {config.encoder.kind}",
                expected=f"{config.encoder.numbers} numbers a patch",
                found=f"{encoder.numbers} numbers a patch",
            )  # fmt: skip
        self._bound = False

    @classmethod
    def fresh(
        cls, model: nn.Module, config: InjectionConfig, seed: int, family: Family | None = None
    ) -> Injector:
        """With a new encoder, drawn from `seed`: the model answers bit for bit as without one.

        It stands on the device of the site. `family` is the model's own unless given.
        """
        family = family or family_of(model)
        encoder = fresh_encoder(config.encoder, family.width(model, config.site), seed)
        device = next(family.point(model, config.site).module.parameters()).device
        return cls(model, config, encoder.to(device), family)

    @contextmanager
    def bind(self, geometry: BatchGeometry | None) -> Iterator[None]:
        """Sum the embedding of `geometry` in the one pass made inside; None adds nothing.

        The pass is a forward, a `generate` or whatever runs the site's module once. It is under gradient
        checkpointing of the layers too; a caller who checkpoints the whole tower must bind inside of it.

        Raises:
            ContractError: the pictures that the tower is shown, their order, the placeholders of a sample or
                the frame are not those of the geometry, or its patches lack the numbers that the encoder
                reads beside their points, or have some that it does not read.
            VantageError: the pass did not happen exactly once, or a binding is already open.
        """
        if geometry is None:
            yield
            return
        require_frame(geometry.frame, self.config.frame, f"geometry for {self.family.name}")
        _require_beside(geometry, self.config.encoder)
        if self._bound:
            raise VantageError("geometry is already bound", hint="close one binding before the next")
        self._bound = True
        binding = Binding(self.family, self.model, self.config.site, self.point, self.embedding, geometry)
        handles = binding.attach()
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
            self._bound = False
        binding.require_once()

    def embedding(self, geometry: BatchGeometry, pictures: Pictures) -> Float32[Tensor, "rows c"]:
        """The vectors that are summed at the site, a row for each of its rows; zero in padding."""
        geometry = normalised(geometry, self.config.encoder)
        numbers = encoder_numbers(geometry, self.config.encoder)
        members = self.family.members(self.model, self.config.site, pictures)
        if members is None:
            return _embed(self.encoder, rounded(numbers, self.config.encoder), geometry.valid)
        members = members.to(geometry.xyz.device)
        numbers, valid = group_means(numbers, geometry.valid, members)
        rows = _embed(self.encoder, rounded(numbers, self.config.encoder), valid)
        return torch.where((members >= 0).any(1, keepdim=True), rows, 0.0)


def _embed(encoder: PositionEncoder, numbers: Tensor, valid: Tensor) -> Float32[Tensor, "rows c"]:
    rows: Tensor = encoder(numbers, valid)
    return rows


def _require_beside(geometry: BatchGeometry, encoder: EncoderConfig) -> None:
    found = 0 if geometry.beside is None else geometry.beside.shape[-1]
    if found == encoder.beside or (found == 0 and not geometry.valid.any()):
        return
    raise ContractError(
        "the numbers beside the points are not those that the encoder reads", where=f"encoder {encoder.kind}",
        expected=f"{encoder.beside} numbers a patch", found=f"{found} numbers a patch",
        hint="align the samples for the encoder's kind, and no other",
    )  # fmt: skip


def group_means(
    numbers: Float32[Tensor, "n c"], valid: Bool[Tensor, "n"], members: Int64[Tensor, "rows k"]
) -> tuple[Float32[Tensor, "rows c"], Bool[Tensor, "rows"]]:
    """The mean of the valid members of each group, and whether there is one (-1: no member)."""
    index = members.clamp(min=0)
    chosen = valid[index] & (members >= 0)
    total = torch.where(chosen[..., None], numbers[index], 0.0).sum(1)
    return total / chosen.sum(1, keepdim=True).clamp(min=1), chosen.any(1)
