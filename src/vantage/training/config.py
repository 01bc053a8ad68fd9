"""Parameters of the finetune stage; defaults are the demo profile's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt

from vantage.core.errors import ParameterError
from vantage.core.sections import shared
from vantage.models.config import BaseConfig

Site = Literal["none", "post_vit", "pre_vit", "post_projector"]
Coordinates = Literal["true", "other_sample", "random_yaw"]


@dataclass(frozen=True)
class ArmConfig:
    """One trained variant.

    Attributes:
        recipe: what is added to the base: `multiview` trains the projector and a 3D position embedding; the
            pocket model knows this one alone, other bases also `situated`, `grounded` and `posealign`.
        site: where the embedding enters, `none` for nowhere; None: as the recipe has it (for the pocket model
            `post_vit`). `pre_vit` is the published site of `multiview` and learns more slowly: give it 700
            steps or more.
        coordinates: `true`, or a control: those of a sample of another room, or turned by a random yaw.
        steps: training steps, or None for the stage's.
        lr_projector, lr_position: the pocket model's learning rates, or None for the site's own.
        options: what is done otherwise than the recipe has it (`tune`, `lora`, `encoder`, `align`, ...), see
            `vantage.models.recipes.RecipeOptions`; not for the pocket model.
    """

    recipe: Literal["multiview", "situated", "grounded", "posealign"] = "multiview"
    site: Site | None = None
    coordinates: Coordinates = "true"
    steps: Annotated[int, Ge(1)] | None = None
    lr_projector: Annotated[float, Gt(0)] | None = None
    lr_position: Annotated[float, Gt(0)] | None = None
    options: dict[str, Any] | None = None

    @property
    def entry(self) -> Site:
        """The pocket model's site."""
        return self.site or "post_vit"

    def rates(self) -> tuple[float, float]:
        """Learning rates of projector and embedding."""
        own = {"pre_vit": (2e-3, 4e-3)}.get(self.entry, (5e-4, 5e-3))
        return self.lr_projector or own[0], self.lr_position or own[1]


def _arms() -> dict[str, ArmConfig]:
    return {
        "projector": ArmConfig(site="none"),
        "embedding": ArmConfig(site="post_vit"),
        "other_sample": ArmConfig(site="post_vit", coordinates="other_sample"),
        "random_yaw": ArmConfig(site="post_vit", coordinates="random_yaw"),
    }


@dataclass(frozen=True)
class VlmTraining:
    """How a base that is not the pocket model is trained.

    Attributes:
        tokens: of a micro batch at most, padding counted.
        samples: of a micro batch at most.
        micro_batches: of a step, over all processes, whose number has to divide it.
        cache_features: compute the frozen vision tower's features once for each picture and keep them on disk
            until the arm is trained; not where coordinates enter before the tower's blocks (`pre_vit`) or the
            tower is trained.
        asked: questions of rooms that are not trained on, which the arm answers at each validation where a
            tracker shows its run; 0 for none. They change nothing that is learned.
    """

    tokens: Annotated[int, Ge(1)] = 16384
    samples: Annotated[int, Ge(1)] = 16
    micro_batches: Annotated[int, Ge(1)] = 1
    cache_features: bool = False
    asked: Annotated[int, Ge(0)] = 4


@dataclass(frozen=True)
class FinetuneConfig:
    """How every arm is trained: the same scenes and questions in the same order.

    Attributes:
        base: what is trained.
        steps: training steps.
        scenes: situations in a batch, over all processes; of the pocket model (others: `vlm.micro_batches`).
        questions: questions asked of each, at most.
        warm_up: steps until the full learning rate.
        threads: of torch; results are equal for equal thread counts only.
        precision: `bf16` is faster where the processor has it; `auto` uses it there and `fp32` elsewhere.
        checkpoint_every: steps between checkpoints.
        accumulate: micro batches that each process divides its share of a step's situations into; the losses
            are the same but for rounding, the memory is less. Of the pocket model (others:
            `vlm.micro_batches`).
        gradient_checkpointing: compute activations again in the backward pass instead of keeping them.
        workers: threads that prepare batches ahead; results are the same for any number.
        processes: how many processes of this machine train an arm together, each on its own GPU if any;
            losses differ by rounding from those of another number.
        resume: go on from the checkpoint of a killed run; false begins anew.
        validation_share: share of the training rooms, by a hash of their names, that are validated on and not
            trained on.
        validate_every: steps between validations; 0 for none.
        validation_batches: batches that each validation looks at, always the same.
        patience: validations without a lower loss after which an arm's training ends; 0 for never.
        keep: what is kept of a run with validations: its `last` weights, or those of the `best` loss.
        families: question families trained on.
        vlm: for a base that is not the pocket model.
        arms: variants by name.
    """

    base: BaseConfig = field(default_factory=BaseConfig, metadata=shared("base"))
    steps: Annotated[int, Ge(1)] = 400
    scenes: Annotated[int, Ge(1)] = 4
    questions: Annotated[int, Ge(1)] = 16
    warm_up: Annotated[int, Ge(0)] = 40
    weight_decay: Annotated[float, Ge(0), Le(1)] = 0.01
    threads: Annotated[int, Ge(1)] = 1
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    checkpoint_every: Annotated[int, Ge(1)] = 50
    accumulate: Annotated[int, Ge(1)] = 1
    gradient_checkpointing: bool = False
    workers: Annotated[int, Ge(0)] = 0
    processes: Annotated[int, Ge(1)] = 1
    resume: bool = True
    validation_share: Annotated[float, Ge(0), Lt(1)] = 0.0
    validate_every: Annotated[int, Ge(0)] = 0
    validation_batches: Annotated[int, Ge(1)] = 8
    patience: Annotated[int, Ge(0)] = 0
    keep: Literal["last", "best"] = "last"
    families: tuple[str, ...] = ("exist", "category", "side", "direction", "distance", "nearest", "size")
    vlm: VlmTraining = field(default_factory=VlmTraining)
    arms: dict[str, ArmConfig] = field(default_factory=_arms)

    def __post_init__(self) -> None:
        if (self.validate_every > 0) != (self.validation_share > 0):
            raise ParameterError(
                "validation needs rooms and times", where="finetune.validation_share, validate_every",
                expected="both above 0, or both 0",
                found=f"{self.validation_share}, {self.validate_every}",
            )  # fmt: skip
        if self.validate_every == 0 and (self.patience > 0 or self.keep == "best"):
            raise ParameterError(
                "nothing is validated", where="finetune.patience, finetune.keep",
                expected="finetune.validate_every above 0", found="0",
            )  # fmt: skip
        for name, arm in self.arms.items():
            if arm.recipe != "multiview" or arm.options is not None:
                _require_recipe(name, arm)

    def arm(self, name: str) -> ArmConfig:
        """The arm of that name; `ParameterError` with the names there are."""
        if name not in self.arms:
            raise ParameterError(
                "no such arm", where="finetune.arms", expected=", ".join(self.arms), found=name
            )
        return self.arms[name]


def _require_recipe(name: str, arm: ArmConfig) -> None:
    """Raise `ParameterError`, naming the arm, for parts that do not go together: before any is trained."""
    from vantage.models.recipes import read_options, recipe

    try:
        recipe(arm.recipe, arm.site, read_options(arm.options or {}, "options"))
    except ParameterError as error:
        raise ParameterError(
            error.message, where=f"finetune.arms.{name}: {error.where}", expected=error.expected,
            found=error.found, hint=error.hint,
        ) from error  # fmt: skip
