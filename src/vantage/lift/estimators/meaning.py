"""What the numbers of a depth estimator mean, by its configuration; what it does not say is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from vantage.core.errors import ParameterError

Quantity = Literal["metric", "canonical", "relative"]
"""What an estimator's output is.

- `metric`: depth along the optical axis, metres.
- `canonical`: inverse depth (1/m) as a camera would see it whose focal length equals its image's width.
- `relative`: inverse depth up to an unknown scale and shift.
"""


@dataclass(frozen=True)
class Meaning:
    """How to read a model.

    Attributes:
        quantity: what its output is.
        detail: the figures of its configuration that say so, for a person.
        one_at_a_time: whether the images of a batch change each other's depth.
    """

    quantity: Quantity
    detail: str
    one_at_a_time: bool = False


def meaning_of(config: Any, name: str) -> Meaning:
    """Read a transformers configuration; ParameterError for a model whose depth it does not define."""
    kind = config.model_type
    if kind == "depth_anything":
        if config.depth_estimation_type == "metric":
            return Meaning("metric", f"metric, at most {config.max_depth:g} m")
        return Meaning("relative", "relative inverse depth")
    if kind == "depth_pro":
        own = "with" if config.use_fov_model else "without"
        return Meaning("canonical", f"canonical inverse depth, {own} a field of view of its own")
    if kind == "glpn":
        return Meaning("metric", f"metric, at most {config.max_depth:g} m")
    if kind == "zoedepth":
        heads = config.bin_configurations
        limits = ", ".join(f"{head.get('name', 'one head')} to {head['max_depth']:g} m" for head in heads)
        # With several heads one is elected for the whole batch, by the votes of all its images.
        return Meaning("metric", f"metric, {limits}", one_at_a_time=len(heads) > 1)
    raise ParameterError(
        "not a depth estimator whose output is known to be metric or relative", where=name,
        expected="depth_anything, depth_pro, zoedepth or glpn", found=kind, hint=_REASONS.get(kind),
    )  # fmt: skip


_REASONS = {
    "dpt": "the configuration of a dpt model does not say whether it gives depth or inverse depth",
    "prompt_depth_anything": "it needs sensor depth as an input; lift.depth.source: sensor uses that itself",
}
