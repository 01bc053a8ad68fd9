"""Layout and situation modelling of a vision-language model, beside a base that stays as it is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor, nn

from vantage.core.errors import ContractError, ParameterError, VantageError
from vantage.core.frames import require_frame
from vantage.models.drawing import drawn_from
from vantage.models.families import Family, family_of
from vantage.models.patch_geometry import BatchGeometry
from vantage.models.precision import InFloat32
from vantage.models.situated.binding import SituatedPass, Vectors
from vantage.models.situated.cameras import Cameras, CameraToken, withheld
from vantage.models.situated.config import SituatedConfig
from vantage.models.situated.gaussian import gaussian_nll
from vantage.models.situated.heads import Heads
from vantage.models.situated.orientation import orientation_kl
from vantage.models.situated.place import PlaceEstimate, place_estimates
from vantage.models.situated.targets import mean_of_samples, visual_points
from vantage.models.situated.tokens import NAMES, SituatedTokens, situation_columns


class Situated(InFloat32):
    """The tokens' vectors, the camera network and the three heads: all that the recipe adds, in float32.

    Args:
        model: the base, of a family in `vantage.models.families.FAMILIES`; not a part of this module.
        tokens: ids of the three tokens in the model's tokenizer.
        config: weights, bins, frame, widths.
        seed: of the parameters and of which training samples have their cameras withheld.

    Raises:
        ContractError: a token's id is one that the model knows under another meaning.
    """

    def __init__(self, model: Any, tokens: SituatedTokens, config: SituatedConfig, seed: int) -> None:
        super().__init__()
        self.family: Family = family_of(model)
        self.tokens = tokens
        self.config = config
        self.seed = seed
        self.width = int(model.config.get_text_config().hidden_size)
        self._base = (model,)  # in a tuple, it is no submodule
        self._bound = False
        if model.config.image_token_id in tokens.ids:
            raise ContractError(
                "the tokens of a situated model are taken", where=type(model).__name__,
                expected="ids of their own", found=dict(zip(NAMES, tokens.ids, strict=True)),
            )  # fmt: skip
        table: nn.Module = model.get_input_embeddings()
        with drawn_from(seed):
            self._draw(_scale(table))
        self.to(next(table.parameters()).device)

    def _draw(self, scale: float) -> None:
        config, width = self.config, self.width
        self.pos = nn.Parameter(torch.randn(width) * scale)
        self.ori = nn.Parameter(torch.randn(width) * scale)
        self.camera = CameraToken(config.camera_width, width, scale)
        self.heads = Heads(width, config.head_width, config.bins)

    @contextmanager
    def bind(self, cameras: Cameras, step: int | None = None) -> Iterator[SituatedPass]:
        """Put the tokens' vectors into the one pass made inside; nothing is left in the model after it.

        The pass is a forward or a `generate`. In training mode some samples' cameras are withheld, chosen by
        seed, step and sample.

        Args:
            cameras: of the images of the batch.
            step: of the training; needed in training mode where cameras are withheld.

        Raises:
            ContractError: a prompt does not hold `<Cam>` once for each of its sample's images and
                `<Pos><Ori>` once, the sample is named; cameras in another frame or of another width.
            ParameterError: no step where cameras are withheld.
            VantageError: no pass or two, or a binding is already open.
        """
        require_frame(cameras.frame, self.config.frame, "cameras of a situated model")
        if cameras.numbers.shape[1] != self.config.camera_width:
            raise ContractError(
                "cameras of another width", expected=f"{self.config.camera_width} numbers",
                found=f"{cameras.numbers.shape[1]} numbers",
            )  # fmt: skip
        if self._bound:
            raise VantageError("cameras are already bound", hint="close one binding before the next")
        self._bound = True
        own = SituatedPass(self.tokens, self._shown(cameras, step), self._vectors)
        model = self._base[0]
        handles = own.attach(model.get_input_embeddings(), self.family.decoder(model))
        try:
            yield own
        finally:
            for handle in handles:
                handle.remove()
            self._bound = False
        own.require_once()

    def losses(
        self,
        hidden: Float[Tensor, "b t d"],
        inputs: Mapping[str, Any],
        geometry: BatchGeometry | None,
        places: Float[Tensor, "b 3"],
    ) -> dict[str, Float32[Tensor, ""]]:
        """The losses `layout`, `position` (nats, without the constant) and `orientation` (nats), unweighted.

        Each is a mean over the samples that have its target (of `layout`: of each sample's mean over its
        visual tokens with a point); without any it is 0, with a gradient of 0.

        Args:
            hidden: the decoder's last hidden states, after its final norm.
            inputs: what the model was called with.
            geometry: of the batch; None: nothing is known.
            places: x, y (m), yaw (rad) in the configuration's frame; NaN where not known.

        Raises:
            ContractError: the geometry is in another frame or does not fit the inputs; a row without
                `<Pos><Ori>`.
        """
        columns = situation_columns(inputs["input_ids"], self.tokens)
        rows = torch.arange(len(hidden), device=hidden.device)
        places = places.to(hidden.device)
        at, along = places[:, :2], places[:, 2]
        has_place, has_yaw = ~at.isnan().any(1), ~along.isnan()
        position, orientation = self.heads.of_situation(hidden, columns)
        nll = gaussian_nll(position, at, has_place)
        kl = orientation_kl(orientation, along, has_yaw, math.radians(self.config.sigma_ori_deg))
        return {
            "layout": self._layout_loss(hidden, inputs, geometry),
            "position": mean_of_samples(nll, has_place, rows, len(rows)),
            "orientation": mean_of_samples(kl, has_yaw, rows, len(rows)),
        }

    def weighted(self, losses: Mapping[str, Tensor]) -> Tensor:
        """What is added to the words' cross-entropy: 0.05 layout + 0.075 (position + 3.5 orientation)."""
        config = self.config
        situation = losses["position"] + config.orientation_weight * losses["orientation"]
        return config.layout_weight * losses["layout"] + config.situation_weight * situation

    @torch.no_grad()
    def read(self, hidden: Float[Tensor, "b t d"], input_ids: Int64[Tensor, "b t"]) -> list[PlaceEstimate]:
        """Where the asker of each row stands and looks, and how sure that is.

        Raises `ContractError` for a row without `<Pos><Ori>`.
        """
        columns = situation_columns(input_ids, self.tokens)
        return place_estimates(*self.heads.of_situation(hidden, columns), self.config)

    def _shown(self, cameras: Cameras, step: int | None) -> Cameras:
        share = self.config.camera_drop
        if not self.training or not share:
            return cameras
        if step is None:
            raise ParameterError(
                "training withholds cameras by step", where="Situated.bind", expected="a step", found="none",
                hint="give the step, call eval(), or set camera_drop to 0",
            )  # fmt: skip
        return cameras.without([withheld(self.seed, step, name, share) for name in cameras.sample_ids])

    def _vectors(self, numbers: Float32[Tensor, "images c"]) -> Vectors:
        return Vectors(self.camera(numbers), self.pos, self.ori)

    def _layout_loss(
        self, hidden: Tensor, inputs: Mapping[str, Any], geometry: BatchGeometry | None
    ) -> Float32[Tensor, ""]:
        model = self._base[0]
        visual = inputs["input_ids"] == model.config.image_token_id
        sample = visual.nonzero()[:, 0]
        xy = torch.zeros(len(sample), 2, device=hidden.device)
        known = torch.zeros(len(sample), dtype=torch.bool, device=hidden.device)
        if geometry is not None:
            require_frame(geometry.frame, self.config.frame, "geometry of a situated model")
            points, valid = visual_points(self.family, model, geometry, inputs)
            xy, known = points[:, :2].to(hidden.device), valid.to(hidden.device)
        found = self.heads.of_layout(hidden[visual])
        return mean_of_samples(gaussian_nll(found, xy, known), known, sample, len(hidden))


@torch.no_grad()
def _scale(table: nn.Module) -> float:
    """Root mean square of some thousand words as a table gives them (Gemma's are not its rows)."""
    weight = next(table.parameters())
    some = torch.arange(0, len(weight), max(1, len(weight) // 4096), device=weight.device)
    return float(table(some).float().square().mean().sqrt())
