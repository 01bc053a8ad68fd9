"""What stands at a site and what the decoder is given, with coordinates that can be read there."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float32
from tiny_vlms import Case, Inputs
from torch import Tensor

from vantage.models.encoders import EncoderConfig, PositionEncoder
from vantage.models.families import Site, family_of
from vantage.models.injector import InjectionConfig, Injector
from vantage.models.patch_geometry import BatchGeometry

PATCHES = 14


class Bare(PositionEncoder):
    """x, y, z over and over: what is summed is what was given."""

    def embed(self, xyz: Float32[Tensor, "*n 3"]) -> Float32[Tensor, "*n c"]:
        return xyz.repeat_interleave(-(-self.width // 3), dim=-1)[..., : self.width]


def bare(model: Any, site: Site) -> Injector:
    encoder = Bare(family_of(model).width(model, site)).to(model.device)
    return Injector(model, InjectionConfig(site, encoder=EncoderConfig("mlp")), encoder)


class _Enough(Exception):  # noqa: N818
    """Ends a forward once the decoder is reached."""


class Watch:
    """What stands at a site, in rows of the embedding's width, and what the decoder is given."""

    def __init__(self, injector: Injector) -> None:
        self.injector = injector
        self.site = self.decoder = torch.empty(0)

    @torch.no_grad()
    def run(self, case: Case, pixels: Inputs, geometry: BatchGeometry) -> tuple[Tensor, Tensor]:
        """Rows (n, width) at the site and (b, t, d) decoder inputs with `geometry` bound."""
        point, model = self.injector.point, case.model
        with self.injector.bind(geometry):
            # Set after the injector's own, so that they see the sum.
            handles = [
                model.get_decoder().register_forward_pre_hook(self._on_decoder, with_kwargs=True),
                point.module.register_forward_pre_hook(lambda _m, args: self._on_site(args[0]))
                if point.before
                else point.module.register_forward_hook(lambda _m, _a, out: self._on_site(out)),
            ]
            with contextlib.suppress(_Enough):
                model(**case.text, **pixels)
            for handle in handles:
                handle.remove()
        return self.site, self.decoder

    def _on_site(self, tokens: Tensor) -> None:
        lead = self.injector.point.lead
        patches = tokens[:, lead:] if lead else tokens
        self.site = patches.reshape(-1, self.injector.encoder.width).clone()

    def _on_decoder(self, _module: Any, _args: Any, kwargs: dict[str, Any]) -> None:
        self.decoder = kwargs["inputs_embeds"].clone()
        raise _Enough


def moved(before: Tensor, after: Tensor) -> set[tuple[int, ...]]:
    """Rows that differ by more than rounding."""
    changed = (before - after).abs().amax(-1) > 1e-5
    return {tuple(row) for row in changed.nonzero().tolist()}


def chosen(case: Case, seed: int) -> list[tuple[int, int, int]]:
    """Corners of the first and last picture, and patches at random."""
    places = [(n, r, c) for n, grid in enumerate(case.grids) for r in range(grid[0]) for c in range(grid[1])]
    (rows, columns), last = case.grids[0], len(case.grids) - 1
    corners = [(0, 0, columns - 1), (0, rows - 1, 0), (last, case.grids[-1][0] - 1, case.grids[-1][1] - 1)]
    return corners + random.Random(seed).sample(places, PATCHES - len(corners))


def alone(place: tuple[int, int, int]) -> Callable[[int, int, int], tuple[float, float, float]]:
    """Coordinates that are zero but at one place."""
    return lambda *at: (5.0, -3.0, 4.0) if at == place else (0.0, 0.0, 0.0)
