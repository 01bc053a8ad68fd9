"""Parameters of the finetune stage; defaults are the demo profile's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from vantage.core.errors import ParameterError

Site = Literal["none", "post_vit", "pre_vit", "post_projector"]
Coordinates = Literal["true", "other_sample", "random_yaw"]


@dataclass(frozen=True)
class ArmConfig:
    """One trained variant.

    Attributes:
        recipe: what is added to the base; `multiview` trains the projector and a 3D position embedding.
        site: where the embedding enters; `none` trains the projector alone. `post_vit` is the default;
            `pre_vit` is the published site and learns more slowly: give it 700 steps or more.
        coordinates: `true`, or a control: those of a sample of another room, or turned by a random yaw.
        steps: training steps, or None for the stage's.
        lr_projector, lr_position: learning rates, or None for the site's own.
    """

    recipe: Literal["multiview"] = "multiview"
    site: Site = "post_vit"
    coordinates: Coordinates = "true"
    steps: Annotated[int, Ge(1)] | None = None
    lr_projector: Annotated[float, Gt(0)] | None = None
    lr_position: Annotated[float, Gt(0)] | None = None

    def rates(self) -> tuple[float, float]:
        """Learning rates of projector and embedding."""
        own = {"pre_vit": (2e-3, 4e-3)}.get(self.site, (5e-4, 5e-3))
        return self.lr_projector or own[0], self.lr_position or own[1]


def _arms() -> dict[str, ArmConfig]:
    return {
        "projector": ArmConfig(site="none"),
        "embedding": ArmConfig(),
        "other_sample": ArmConfig(coordinates="other_sample"),
        "random_yaw": ArmConfig(coordinates="random_yaw"),
    }


@dataclass(frozen=True)
class FinetuneConfig:
    """How every arm is trained: the same scenes and questions in the same order.

    Attributes:
        base: `shipped`, or a folder made by `python -m vantage.models.base`.
        steps: training steps.
        scenes: situations in a batch.
        questions: questions asked of each, at most.
        warm_up: steps until the full learning rate.
        threads: of torch; results are equal for equal thread counts only.
        precision: `bf16` is faster where the processor has it; `auto` uses it there and `fp32` elsewhere.
        checkpoint_every: steps between checkpoints.
        families: question families trained on.
        arms: variants by name.
    """

    base: str = "shipped"
    steps: Annotated[int, Ge(1)] = 400
    scenes: Annotated[int, Ge(1)] = 4
    questions: Annotated[int, Ge(1)] = 16
    warm_up: Annotated[int, Ge(0)] = 40
    weight_decay: Annotated[float, Ge(0), Le(1)] = 0.01
    threads: Annotated[int, Ge(1)] = 1
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    checkpoint_every: Annotated[int, Ge(1)] = 50
    families: tuple[str, ...] = ("exist", "category", "side", "direction", "distance", "nearest", "size")
    arms: dict[str, ArmConfig] = field(default_factory=_arms)

    def arm(self, name: str) -> ArmConfig:
        """The arm of that name; `ParameterError` with the names there are."""
        if name not in self.arms:
            raise ParameterError(
                "no such arm", where="finetune.arms", expected=", ".join(self.arms), found=name
            )
        return self.arms[name]
