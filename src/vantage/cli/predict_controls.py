"""`vantage predict --control` and `--pose-source`: what is taken from a model, or put in the place of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from vantage.cli.predict_names import CONTROLS, OWN_MAJORITY, TRAINED_MAJORITY
from vantage.core.errors import ParameterError
from vantage.core.hashing import digest_json

if TYPE_CHECKING:
    from vantage.align.controls import ShownControl
    from vantage.evaluation.benchmarks.interface import Benchmark, Item
    from vantage.evaluation.running.ask import Answerer
    from vantage.evaluation.running.controls import Control
    from vantage.evaluation.running.run import Builder


@dataclass(frozen=True)
class Taken:
    """What is taken from a model.

    Attributes:
        control: one of `CONTROLS`; "" for none.
        seed: of draws.
        majority_from: training references of `majority`.
        pose_source: where the asker stands.
    """

    control: str = ""
    seed: int = 0
    majority_from: Path | None = None
    pose_source: str = "annotated"

    def __post_init__(self) -> None:
        if self.control and self.control not in CONTROLS:
            raise ParameterError(
                "no such control", where="--control", expected=", ".join(CONTROLS), found=self.control
            )
        if (self.control == TRAINED_MAJORITY) != (self.majority_from is not None):
            raise ParameterError(
                "a majority is learned from training references", where="--majority-from",
                expected=f"a file together with --control {TRAINED_MAJORITY}, and only then",
                found=f"--control {self.control or '(none)'}",
                hint=f"--control {OWN_MAJORITY} counts in the references that are scored: an upper bound",
            )  # fmt: skip

    @property
    def majority(self) -> bool:
        """Whether no model is asked."""
        return self.control in (TRAINED_MAJORITY, OWN_MAJORITY)


def under_control(taken: Taken, builder: Builder, items: Sequence[Item[Any]]) -> Builder:
    """A builder whose questions a control changes; itself without one. Raises as `controls.under` does."""
    if (control := _control(taken)) is None:
        return builder
    from vantage.evaluation.running.controls import under

    return under(control, builder, items)


def require_effect(taken: Taken, answerer: Answerer) -> None:
    """Raise `ParameterError` for a control that cannot change what this model says."""
    if (control := _control(taken)) is not None:
        from vantage.evaluation.running.controls import require_moved

        require_moved(control, answerer)


def _control(taken: Taken) -> Control | None:
    if not taken.control:
        return None
    from vantage.evaluation.running.controls import Control

    return Control(cast("ShownControl", taken.control), taken.seed)


def majority(
    taken: Taken, rule: Benchmark[Any, Any], references: Path, items: Sequence[Item[Any]], model: str | None
) -> tuple[Answerer, Builder]:
    """Who says the commonest answers, and a builder that shows nothing.

    Raises:
        ParameterError: a model besides; references without answers; training references that hold questions
            of the evaluated ones.
    """
    from vantage.evaluation.running.constant import Constant, Nothing

    if model is not None:
        raise ParameterError(
            "a majority asks no model", where="--model", expected="none with this control", found=model
        )
    learned, where = list(items), references
    if taken.majority_from is not None:
        learned, where = rule.references(taken.majority_from, None), taken.majority_from
        if shared := sorted(set(map(_question, learned)) & set(map(_question, items))):
            raise ParameterError(
                "the majority would be learned from the questions that are scored", where=where,
                expected="training references", found=f"{len(shared)} shared, first {' '.join(shared[0])}",
                hint=f"--control {OWN_MAJORITY} says so in the file",
            )  # fmt: skip
    digest = digest_json([[item.id, *map(str, getattr(item.content, "answers", ()))] for item in learned])
    who = Constant(learned, where, {"type": taken.control, "references": digest})
    return who, Nothing()


def _question(item: Item[Any]) -> tuple[str, str, str]:
    return item.scene, item.id, str(getattr(item.content, "question", ""))
