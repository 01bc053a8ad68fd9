"""A trained arm ready to be asked: base and adapter loaded, prompts as it was trained with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float64

from vantage.align.alignment import Pose
from vantage.align.config import AlignConfig
from vantage.align.ego import ego_of_camera
from vantage.align.perturbation import Perturbation
from vantage.core.errors import ContractError
from vantage.geometry.camera import Pinhole
from vantage.models.loading import load_vlm
from vantage.models.loading.load import LoadedBase, Precision
from vantage.models.prompts import Preparer
from vantage.models.situated import SituatedTokens, add_tokens
from vantage.models.vlm.checkpoint import CONFIG_FILE, Described, export_merged, load_adapter, read_described
from vantage.models.vlm.dialog import Dialogs
from vantage.models.vlm.generate import Decoding, Generator
from vantage.models.vlm.model import SpatialVlm
from vantage.models.vlm.pose_align import aligned
from vantage.models.vlm.request import Generated, Refused, Request, Size
from vantage.models.vlm.sample import Sample, Turn
from vantage.records.jsonfile import validated


@dataclass(frozen=True)
class TrainedVlm:
    """A model with what its training says of how it is to be asked.

    Attributes:
        model: in evaluation mode.
        prepare: its prompts.
        align: how the ego pose reaches it; None: not at all.
        dialogs: `single` or `grounded`.
    """

    model: SpatialVlm
    prepare: Preparer
    align: AlignConfig | None
    dialogs: str

    @classmethod
    def load(
        cls, base: str, adapter: Path, revision: str | None = None, precision: Precision = "float32"
    ) -> TrainedVlm:
        """From a base (folder or hub name) and the folder of an adapter.

        Raises as `load_vlm`, `Preparer.load` and `load_adapter` do.
        """
        _told(adapter)  # what is wrong with the adapter is told before a large base is loaded
        return cls.on(load_vlm(base, revision, precision), adapter)

    @classmethod
    def on(cls, loaded: LoadedBase, adapter: Path) -> TrainedVlm:
        """From a loaded base, which becomes part of the model, and the folder of an adapter.

        Raises as `Preparer.load` and `load_adapter` do.
        """
        described, align, dialogs = _told(adapter)
        prepare = Preparer.load(loaded.model, loaded.folder)
        tokens = add_tokens(prepare.tokenizer) if described.config.situated else None
        model = load_adapter(adapter, loaded, None, tokens)
        return cls(model, prepare, align, dialogs)

    @property
    def plain(self) -> bool:
        """Whether it is asked as its base is: no pose is told, no place is told of, one turn."""
        return self.align is None and self.model.situated is None and self.dialogs == "single"

    @property
    def frame(self) -> Literal["ego_level", "aligned"]:
        """Of a sample before a pose is told."""
        return "ego_level" if self.align is None and self.model.situated is None else "aligned"

    def asked_from(
        self, sample: Sample, T_aligned_me: Float64[np.ndarray, "4 4"], camera: Pinhole | None
    ) -> Sample:
        """The sample with the pose that it is asked from told as in training.

        Training disturbs poses so that a model bears it; one that is given is the one that is meant.

        Args:
            sample: in `frame`.
            T_aligned_me: the asker's camera to the aligned world, metres.
            camera: of the first view.

        Raises `ContractError` as `aligned` does.
        """
        if self.align is None:
            return sample
        pose = Pose(ego_of_camera(T_aligned_me, "aligned", "ego_camera"), sample.sample_id, camera)
        return aligned(sample, pose, replace(self.align, perturbation=Perturbation()), seed=0)

    def generator(self, decoding: Decoding) -> Generator:
        """What answers requests."""
        return Generator(self.prepare, decoding, self.model.injector, self.model.situated)

    def request(self, name: str, sample: Sample, turns: Sequence[Turn], sizes: Sequence[Size]) -> Request:
        """A request as training has it: the last turn is open, the head stands before the first.

        What a model spelled itself is taken out of placeholders: one would stand for an image.
        """
        head = self.model.config.head(sample, self.prepare.family)
        placeholder = self.prepare.family.placeholder
        said = [Turn(t.question, t.answer.replace(placeholder, " ").strip()) for t in turns]
        said[0] = Turn(head + said[0].question, said[0].answer)
        *before, last = said
        return Request(name, last.question, sample.views, tuple(sizes), sample.frame, tuple(before))


def merge_arm(base: str, adapter: Path, out: Path, revision: str | None = None) -> SpatialVlm:
    """Write an arm as a stock model's folder, see `export_merged`; returns the model, merged.

    Raises as `load_vlm` and `load_adapter` do.
    """
    described = read_described(adapter)
    loaded = load_vlm(base, revision)
    model = load_adapter(adapter, loaded, None, _tokens_for(described, loaded))
    export_merged(out, model, loaded, described.about)
    return model


def _tokens_for(described: Described, base: LoadedBase) -> SituatedTokens | None:
    if not described.config.situated:
        return None
    return add_tokens(Preparer.load(base.model, base.folder).tokenizer)


def _told(adapter: Path) -> tuple[Described, AlignConfig | None, str]:
    """What an adapter says of itself, how a pose reaches it, and its dialogs; `ContractError` if damaged."""
    described = read_described(adapter)
    dialogs = described.about.get("dialogs", "single")
    if dialogs not in get_args(Dialogs):
        raise ContractError(
            "not the settings of a trained model", where=f"{adapter / CONFIG_FILE}, about.dialogs",
            expected=" or ".join(get_args(Dialogs)), found=repr(dialogs)[:80],
        )  # fmt: skip
    return described, _align(adapter, described.about.get("align")), dialogs


def _align(adapter: Path, value: Any) -> AlignConfig | None:
    if value is None:
        return None
    where = f"{adapter / CONFIG_FILE}, about.align"
    return validated(AlignConfig, value, "not the settings of a trained model", where)


def by_id(found: Sequence[Generated | Refused]) -> dict[str, Generated | Refused]:
    """Answers by the id of their request."""
    return {one.id: one for one in found}
