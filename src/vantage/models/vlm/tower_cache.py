"""A frozen vision tower's features, computed once for each picture and read from then on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

from vantage.core.errors import ParameterError
from vantage.core.hashing import digest_json
from vantage.models.families import Family
from vantage.models.injector import InjectionConfig
from vantage.models.vlm.feature_store import FeatureStore
from vantage.models.vlm.tower_calls import Call, States, standing_in, tower_calls

_DROPOUTS = ("attention_dropout", "hidden_dropout_prob", "projection_dropout", "drop_path_rate", "dropout")


class TowerCache:
    """Stands in for a model's tower during a pass.

    A picture is known by the bytes that the tower is given for it (with its mask or grid), so that neither
    names nor views, crops or tiles can be mistaken; the folder by the base, and by all else that its features
    follow from. A picture that is not known yet is computed alone, without gradients and in evaluation mode:
    what is kept does not depend on what it was shown beside, and a run that goes on after a kill sees the
    same.

    Args:
        model: of `family`, its tower frozen.
        family: of the model.
        injection: where coordinates enter; None: nowhere.
        base: fingerprint of the model's weights.
        folder: where features are kept; what other bases left there is not touched.
        say: hears of kept features that are damaged, and so computed again.

    Attributes:
        computed, reused: pictures so far.

    Raises:
        ParameterError: features that are not the same in every pass: coordinates enter before the tower's
            blocks, the tower is trained, or it has dropout.
    """

    def __init__(
        self,
        model: nn.Module,
        family: Family,
        injection: InjectionConfig | None,
        base: str,
        folder: Path,
        say: Callable[[str], None] = lambda _line: None,
    ) -> None:
        _require_fixed(model, family, injection)
        self.calls = tower_calls(family, model)
        self.computed = self.reused = 0
        self._base, self._folder, self._say = base, folder, say

    @contextmanager
    def serve(self) -> Iterator[None]:
        """Answer for the tower in the passes made inside; its hooks are called as ever."""
        tower = self.calls.tower
        _require_whole(tower)
        with standing_in(tower, self._answer):
            yield

    def _answer(self, inner: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        call = self.calls.call(args, kwargs)
        device = call.tensors[self.calls.pixels].device
        store = FeatureStore(self._folder / self._name(device), self._say)
        pictures = [self._states(store, one, inner) for one in self.calls.alone(call)]
        return self.calls.joined(call, [{k: v.to(device) for k, v in own.items()} for own in pictures])

    def _states(self, store: FeatureStore, call: Call, inner: Callable[..., Any]) -> States:
        key = call.key()
        found = store.get(key)
        if found is not None and set(found) == set(self.calls.kept):
            self.reused += 1
            return found
        with _still(self.calls.tower), torch.no_grad():
            found = self.calls.states(call, inner)
        store.put(key, found)
        self.computed += 1
        return found

    def _name(self, device: torch.device) -> str:
        """Digest of all that the features of given pixels follow from."""
        kind, tower = device.type, self.calls.tower
        cast = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
        config = self.calls.model.config
        return digest_json(
            {
                "base": self._base,
                "family": self.calls.family.name,
                "kept": self.calls.kept,
                "precision": [str(next(tower.parameters()).dtype), str(cast)],
                "attention": str(getattr(config, "_attn_implementation", None)),
                "device": torch.cuda.get_device_name(device) if kind == "cuda" else kind,
                "libraries": [torch.__version__, transformers.__version__],
            }
        )[:32]


@contextmanager
def _still(tower: nn.Module) -> Iterator[None]:
    """The tower in evaluation mode, and every part of it as it was after."""
    before = [(part, part.training) for part in tower.modules()]
    tower.eval()
    try:
        yield
    finally:
        for part, was in before:
            part.training = was


def _require_fixed(model: nn.Module, family: Family, injection: InjectionConfig | None) -> None:
    if injection is not None and injection.site == "pre_vit":
        raise _refused(
            "coordinates enter before its blocks, through an encoder that is trained", "site",
            "post_vit, post_projector or none", "pre_vit",
        )  # fmt: skip
    tower: Any = family.tower(model)
    mergers = {id(p) for part in family.projectors(model).values() for p in part.parameters()}
    trained = [name for name, p in tower.named_parameters() if p.requires_grad and id(p) not in mergers]
    if trained:
        raise _refused("the vision tower is trained", "options.tower", "false", f"{trained[0]} is trained")
    rates = {name: getattr(tower.config, name, 0.0) or 0.0 for name in _DROPOUTS}
    if drawn := [f"{name} {rate}" for name, rate in rates.items() if rate]:
        raise _refused("the vision tower draws anew in every pass", "vision_config", "no dropout", drawn[0])


def _require_whole(tower: nn.Module) -> None:
    """A sharded tower runs on all processes together, but each of them misses other pictures."""
    if any(hasattr(parameter, "full_tensor") for parameter in tower.parameters()):
        raise _refused("the vision tower is sharded over processes", "processes", "a whole tower in each",
                       "shards")  # fmt: skip


def _refused(why: str, where: str, expected: str, found: str) -> ParameterError:
    return ParameterError(
        f"features of the tower cannot be kept: {why}", where=f"finetune.vlm.cache_features, {where}",
        expected=expected, found=found, hint="set finetune.vlm.cache_features to false",
    )  # fmt: skip
