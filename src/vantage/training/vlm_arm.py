"""An arm on a vision-language model of any supported family, from the pipeline's folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vantage.core.errors import ParameterError
from vantage.core.hashing import digest_json
from vantage.core.tasks import Task
from vantage.models.grounded.turns import GroundedTurns
from vantage.models.loading import load_vlm
from vantage.models.loading.load import LoadedBase
from vantage.models.prompts import Preparer
from vantage.models.recipes import Recipe, read_options, recipe
from vantage.models.situated import add_tokens
from vantage.models.vlm.checkpoint import save_adapter
from vantage.models.vlm.listing import Selection, one_turn
from vantage.models.vlm.model import SpatialVlm
from vantage.models.vlm.question_samples import QuestionSamples
from vantage.models.vlm.same_pictures import require_same_pictures
from vantage.models.vlm.trained import TrainedVlm
from vantage.training.asked import AskedQuestions, choose
from vantage.training.bucket_source import BucketBatches
from vantage.training.bucketing import Limits
from vantage.training.collate import Fixed
from vantage.training.config import ArmConfig, FinetuneConfig
from vantage.training.vlm_rows import ArmRows, divided


@dataclass(frozen=True)
class VlmArm:
    """An arm that is ready to train.

    Attributes:
        model: base and what the recipe adds.
        source: its batches.
        validation: those that are only looked at; None for none.
        base: as loaded.
        samples: all of the split.
        about: recipe and arm, for the adapter.
        asked: questions that it is asked while it is trained; None for none.
    """

    model: SpatialVlm
    source: BucketBatches
    validation: Fixed | None
    base: LoadedBase
    samples: QuestionSamples
    about: Mapping[str, Any]
    asked: AskedQuestions | None = None

    def digest(self) -> str:
        """Of base, data and what is trained."""
        seen = [self.source.digest(), self.validation.digest() if self.validation else ""]
        return digest_json([self.base.identity.fingerprint, asdict(self.model.config), self.about, seen])

    def save(self, folder: Path) -> None:
        """Write the adapter."""
        save_adapter(folder, self.model, self.base.identity, dict(self.about))

    def facts(self) -> dict[str, int | float | str]:
        """Counts, of what was set aside too."""
        return dict(self.samples.facts())


def recipe_of(arm: ArmConfig) -> Recipe:
    """The recipe of an arm with its own options."""
    options = None if arm.options is None else read_options(arm.options, "options")
    return recipe(arm.recipe, arm.site, options)


def selection_of(
    how: Recipe, inputs: Mapping[str, Path], split: str, families: tuple[str, ...] | None
) -> Selection:
    """Which questions a recipe is shown, and as what."""
    dialog = GroundedTurns(inputs) if how.dialogs == "grounded" else one_turn
    return Selection(split, families, how.listed_frame, dialog)


def prepare_vlm(task: Task, config: FinetuneConfig) -> VlmArm:
    """Build the arm `task.item`.

    Raises:
        ParameterError: a recipe's parts that do not go together, a setting of the pocket model's, a family
            that is not supported, a dialog that is too long.
        ContractError: nothing to train on; a base that is damaged; patches of other pictures than it sees.
        ResourceError: the hub cannot give the base.
    """
    arm, settings, inputs = config.arm(task.item), config.vlm, dict(task.inputs)
    _require_heard(config, task.item)
    how = recipe_of(arm)
    base = load_vlm(config.base.model, config.base.revision or None, config.base.weights)
    prepare = Preparer.load(base.model, base.folder)
    tokens = add_tokens(prepare.tokenizer) if how.model.situated else None
    model = SpatialVlm(base.model, how.model, task.seed, tokens)
    model.train_in_float32()
    if settings.cache_features:
        model.keep_features(base.identity.fingerprint, task.work / "features", task.progress.say)
    tell = task.progress.step
    chosen = selection_of(how, inputs, "train", config.families)
    samples = QuestionSamples(inputs, chosen, lambda d, t: tell(0, 1, f"reading scans {d}/{t}"))
    require_same_pictures(samples, prepare)
    limits = Limits(settings.tokens, settings.samples)
    shows = ArmRows(samples, prepare, how, arm.coordinates, task.seed, limits, config.questions)
    train, aside = divided(samples, config.validation_share, task.seed)

    def batches(indices: list[int]) -> BucketBatches:
        rows = shows.rows(indices, lambda d, t: tell(0, 1, f"measuring samples {d}/{t}"))
        return shows.source(rows, settings.micro_batches)

    validation = Fixed(batches(aside), config.validation_batches) if aside else None
    about = {
        "arm": task.item,
        "recipe": arm.recipe,
        "coordinates": arm.coordinates,
        "dialogs": how.dialogs,
        "align": None if how.align is None else asdict(how.align),
    }
    asked = None
    if validation is not None and settings.asked and task.tracker is not None:
        chosen_ids = choose(samples, aside, settings.asked, task.seed)
        vlm = TrainedVlm(model, prepare, how.align, how.dialogs)
        plain, folder = samples.in_one_turn(), task.work / "asked"
        asked = AskedQuestions(vlm, plain, chosen_ids, task.item, arm, task.seed, folder)
    return VlmArm(model, batches(train), validation, base, samples, about, asked)


def _require_heard(config: FinetuneConfig, item: str) -> None:
    """Raise `ParameterError` for a setting that would change nothing."""
    arm = config.arm(item)
    for name, found, unset, hint in (
        (f"arms.{item}.lr_projector", arm.lr_projector, None, f"set arms.{item}.options.rates.projector"),
        (f"arms.{item}.lr_position", arm.lr_position, None, f"set arms.{item}.options.rates.position"),
        ("accumulate", config.accumulate, 1, "set finetune.vlm.micro_batches"),
    ):
        if found != unset:
            raise ParameterError(
                "a setting of the pocket model's", where=f"finetune.{name}",
                expected="none" if unset is None else unset, found=found, hint=hint,
            )  # fmt: skip
