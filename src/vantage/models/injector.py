"""Summing a 3D position embedding into a vision-language model, for one pass at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor, nn

from vantage.core.errors import ContractError, VantageError
from vantage.core.frames import Frame, require_frame
from vantage.models.encoders import EncoderConfig, PositionEncoder, fresh_encoder
from vantage.models.encoders.normalise import normalised, rounded
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
                the frame are not those of the geometry.
            VantageError: the pass did not happen exactly once, or a binding is already open.
        """
        if geometry is None:
            yield
            return
        require_frame(geometry.frame, self.config.frame, f"geometry for {self.family.name}")
        if self._bound:
            raise VantageError("geometry is already bound", hint="close one binding before the next")
        self._bound = True
        binding = _Binding(self, geometry)
        handles = binding.attach()
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
            self._bound = False
        if binding.calls != 1:
            raise _not_once(binding.calls)

    def embedding(self, geometry: BatchGeometry, pictures: Pictures) -> Float32[Tensor, "rows c"]:
        """The vectors that are summed at the site, a row for each of its rows; zero in padding."""
        geometry = normalised(geometry, self.config.encoder)
        members = self.family.members(self.model, self.config.site, pictures)
        if members is None:
            return _embed(self.encoder, rounded(geometry.xyz, self.config.encoder), geometry.valid)
        members = members.to(geometry.xyz.device)
        xyz, valid = group_means(geometry, members)
        rows = _embed(self.encoder, rounded(xyz, self.config.encoder), valid)
        return torch.where((members >= 0).any(1, keepdim=True), rows, 0.0)


def _embed(encoder: PositionEncoder, xyz: Tensor, valid: Tensor) -> Float32[Tensor, "rows c"]:
    rows: Tensor = encoder(xyz, valid)
    return rows


def group_means(
    geometry: BatchGeometry, members: Int64[Tensor, "rows k"]
) -> tuple[Float32[Tensor, "rows 3"], Bool[Tensor, "rows"]]:
    """The mean point of the valid members of each group, and whether there is one (-1: no member)."""
    index = members.clamp(min=0)
    valid = geometry.valid[index] & (members >= 0)
    total = torch.where(valid[..., None], geometry.xyz[index].float(), 0.0).sum(1)
    return total / valid.sum(1, keepdim=True).clamp(min=1), valid.any(1)


class _Binding:
    """One pass: what its tower was shown, and how often the embedding was summed."""

    def __init__(self, injector: Injector, geometry: BatchGeometry) -> None:
        self.injector = injector
        self.geometry = geometry
        self.pictures: Pictures | None = None
        self.calls = 0

    def attach(self) -> list[Any]:
        """Set the hooks; returns their handles."""
        injector, point = self.injector, self.injector.point
        tower = injector.family.tower(injector.model)
        before = point.module.register_forward_pre_hook if point.before else None
        return [
            injector.model.register_forward_pre_hook(self._on_model, with_kwargs=True),
            tower.register_forward_pre_hook(self._on_tower, with_kwargs=True),
            before(self._on_input) if before else point.module.register_forward_hook(self._on_output),
        ]

    def _on_model(self, _module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        if kwargs.get("pixel_values") is None:
            return
        family, model = self.injector.family, self.injector.model
        self._require(family.expected(model, kwargs))
        ids = args[0] if args else kwargs.get("input_ids")
        if ids is not None:
            check_placeholders(family, model, self.geometry, ids, kwargs)

    def _on_tower(self, _module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self.pictures = self.injector.family.shown(self.injector.model, args, kwargs)
        self._require(self.pictures)

    def _on_input(self, _module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self._sum(args[0]), *args[1:])

    def _on_output(self, _module: nn.Module, _args: tuple[Any, ...], output: Tensor) -> Tensor:
        return self._sum(output)

    def _require(self, pictures: Pictures) -> None:
        if pictures.grids != self.geometry.grids:
            raise self._misfit(_told(pictures.grids), _told(self.geometry.grids))

    def _sum(self, tokens: Tensor) -> Tensor:
        """`tokens` with the embedding of the geometry; in the tokens' precision, the sum included."""
        self.calls += 1
        if self.calls > 1:
            raise _not_once(self.calls)
        point = self.injector.point
        # Without a call of the tower its features were computed before: they have no padding.
        pictures = self.pictures or Pictures.whole(self.geometry.grids)
        rows = self.injector.embedding(self.geometry.to(tokens.device), pictures)
        patches = tokens[:, point.lead :] if point.lead else tokens
        width = rows.shape[-1] * point.pack
        if patches.shape[-1] != width or patches.numel() != rows.numel():
            raise self._misfit(f"features {tuple(patches.shape)}", f"{len(rows)} rows of {rows.shape[-1]}")
        summed = patches + rows.reshape(patches.shape).to(patches.dtype)
        return torch.cat([tokens[:, : point.lead], summed], dim=1) if point.lead else summed

    def _misfit(self, expected: str, found: str) -> ContractError:
        where = f"3D position embedding, {self.injector.family.name}, {self.injector.config.site}"
        return ContractError(
            "coordinates do not fit the views", where=where, expected=expected, found=found,
            hint="give one grid of coordinates for every picture that the tower sees, in its order",
        )  # fmt: skip


def check_placeholders(
    family: Family, model: Any, geometry: BatchGeometry, ids: Tensor, inputs: Mapping[str, Any]
) -> None:
    """Every sample's prompt must hold the placeholders of its own images.

    Raises `ContractError` with the first sample that does not.
    """
    if len(ids) != len(geometry.samples):
        raise ContractError(
            "coordinates do not fit the batch", expected=f"{len(ids)} samples",
            found=f"{len(geometry.samples)} samples", hint="give the geometry of every sample",
        )  # fmt: skip
    images, picture = [], 0
    for count in geometry.images:
        images.append(geometry.grids[picture : picture + count])
        picture += count
    tokens = iter(family.image_tokens(model, images, inputs))
    for row, (own, count) in enumerate(zip(ids, geometry.samples, strict=True)):
        expected = sum(next(tokens) for _ in range(count))
        found = int((own == model.config.image_token_id).sum())
        if found != expected:
            raise ContractError(
                "a prompt and its coordinates tell of different images", where=f"sample {row} of the batch",
                expected=f"{expected} placeholders for {count} images", found=found,
            )  # fmt: skip


def _told(grids: tuple[tuple[int, int], ...]) -> str:
    shown = ", ".join(f"{rows}x{columns}" for rows, columns in grids[:8])
    return f"{len(grids)} pictures of {shown}{', ...' if len(grids) > 8 else ''} patches"


def _not_once(calls: int) -> VantageError:
    return VantageError(
        "the 3D position embedding was not used exactly once", expected="1", found=str(calls),
        hint="make one forward or generate with pixel_values inside; features computed before bypass it",
    )  # fmt: skip
