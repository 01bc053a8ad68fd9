"""One pass of a model with coordinates bound to it: its hooks, and the checks on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from vantage.core.errors import ContractError, VantageError
from vantage.models.families.base import Family, Point, Site
from vantage.models.families.order import Pictures
from vantage.models.patch_geometry import BatchGeometry


class Binding:
    """What its tower was shown in this pass, and how often the embedding was summed.

    Args:
        family, model, site, point: where the sum is taken.
        embedding: rows of the site for a geometry and the pictures shown.
        geometry: of this pass.
    """

    def __init__(
        self,
        family: Family,
        model: nn.Module,
        site: Site,
        point: Point,
        embedding: Callable[[BatchGeometry, Pictures], Tensor],
        geometry: BatchGeometry,
    ) -> None:
        self.family = family
        self.model = model
        self.site = site
        self.point = point
        self.embedding = embedding
        self.geometry = geometry
        self.pictures: Pictures | None = None
        self.calls = 0

    def attach(self) -> list[Any]:
        """Set the hooks; returns their handles."""
        point, tower = self.point, self.family.tower(self.model)
        before = point.module.register_forward_pre_hook if point.before else None
        return [
            _without_head(self.model).register_forward_pre_hook(self._on_model, with_kwargs=True),
            tower.register_forward_pre_hook(self._on_tower, with_kwargs=True),
            before(self._on_input) if before else point.module.register_forward_hook(self._on_output),
        ]

    def require_once(self) -> None:
        """Raise `VantageError` unless the embedding was summed exactly once."""
        if self.calls != 1:
            raise _not_once(self.calls)

    def _on_model(self, _module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        if kwargs.get("pixel_values") is None:
            return
        self._require(self.family.expected(self.model, kwargs))
        ids = args[0] if args else kwargs.get("input_ids")
        if ids is not None:
            check_placeholders(self.family, self.model, self.geometry, ids, kwargs)

    def _on_tower(self, _module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self.pictures = self.family.shown(self.model, args, kwargs)
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
        point = self.point
        # Without a call of the tower its features were computed before: they have no padding.
        pictures = self.pictures or Pictures.whole(self.geometry.grids)
        rows = self.embedding(self.geometry.to(tokens.device), pictures)
        patches = tokens[:, point.lead :] if point.lead else tokens
        width = rows.shape[-1] * point.pack
        if patches.shape[-1] != width or patches.numel() != rows.numel():
            raise self._misfit(f"features {tuple(patches.shape)}", f"{len(rows)} rows of {rows.shape[-1]}")
        summed = patches + rows.reshape(patches.shape).to(patches.dtype)
        return torch.cat([tokens[:, : point.lead], summed], dim=1) if point.lead else summed

    def _misfit(self, expected: str, found: str) -> ContractError:
        where = f"3D position embedding, {self.family.name}, {self.site}"
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
    # One question to the device for all rows: each makes the CPU wait for the device.
    placeholders = (ids == model.config.image_token_id).sum(1).tolist()
    for row, (found, count) in enumerate(zip(placeholders, geometry.samples, strict=True)):
        expected = sum(next(tokens) for _ in range(count))
        if found != expected:
            raise ContractError(
                "a prompt and its coordinates tell of different images", where=f"sample {row} of the batch",
                expected=f"{expected} placeholders for {count} images", found=found,
            )  # fmt: skip


def _without_head(model: Any) -> nn.Module:
    """What every forward pass goes through, whether logits are made of it or not."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    found: nn.Module = getattr(inner, "model", inner)
    return found


def _told(grids: tuple[tuple[int, int], ...]) -> str:
    shown = ", ".join(f"{rows}x{columns}" for rows, columns in grids[:8])
    return f"{len(grids)} pictures of {shown}{', ...' if len(grids) > 8 else ''} patches"


def _not_once(calls: int) -> VantageError:
    return VantageError(
        "the 3D position embedding was not used exactly once", expected="1", found=str(calls),
        hint="make one forward or generate with pixel_values inside; features computed before bypass it",
    )  # fmt: skip
