"""Where each stage's body, configuration and items are found; nothing here is imported before it is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vantage.core.names import load


@dataclass(frozen=True)
class StageBody:
    """The code behind a stage, each given as `"module:attribute"`.

    Attributes:
        body: `(task, config) -> facts`, run once for each item in a process of its own.
        config: the stage's configuration class, a frozen dataclass.
        items: lists the items, for stages whose items do not follow from an upstream index:
            `(config, seed) -> names` without upstream arms, `(config, arms) -> names` with them.
        finish: `(task, config, rows)`, run once on the assembled folder; it may only add files.
        fingerprint: `(config, item, memo) -> text`, what the item looks like outside the workspace, for
            sources that the pipeline does not own; part of the item's key. `memo` remembers what costs
            much to find. A `ScanError` counts as such a text: the body will meet it again.
        cost: `(config, items, cache, progress) -> Cost or None`, what some items will bring in from outside;
            asked before any work.
        rehearsal: `(task, config) -> lines`, what a dry run tells beyond the cost, writing nothing.
        tracker: `(workspace, warn) -> Tracker or None`, where an item's run is shown while it goes on.
        listing: keys of the configuration (`"generated.rooms"`) that do not shape an item's output: which
            items there are, where they are found; not part of an item's key, so another room costs one room.
        per_item: a mapping field of which an item sees only its own entry.
        follows: an upstream stage of which an item, `arm` or `arm@control`, reads only what belongs to `arm`.
        reusable: whether a finished item may be taken from the store; not so where the body acts on
            something outside the workspace's outputs.
        together: `() -> pipeline.together.Others`, for a stage that processes of a launcher may run together.
        outside: `(output folder, config) -> text`, why that something makes the output stale, or empty.
    """

    body: str
    config: str
    items: str | None = None
    finish: str | None = None
    fingerprint: str | None = None
    cost: str | None = None
    rehearsal: str | None = None
    tracker: str | None = None
    listing: tuple[str, ...] = ()
    per_item: str | None = None
    follows: str | None = None
    reusable: bool = True
    together: str | None = None
    outside: str | None = None

    def modules(self) -> tuple[str, ...]:
        """Modules whose import closure is the stage's code."""
        names = (self.body, self.finish)
        return tuple(sorted({name.partition(":")[0] for name in names if name is not None}))

    def load_config(self) -> type[Any]:
        """Import the configuration class."""
        kind: type[Any] = load(self.config)
        return kind


Table = Mapping[str, StageBody]

STAGES: Table = {
    "download": StageBody(
        body="vantage.scans.stage:download",
        config="vantage.scans.config:DownloadConfig",
        items="vantage.scans.stage:list_scans",
        fingerprint="vantage.scans.stage:source_digest",
        cost="vantage.scans.stage:download_cost",
        listing=(
            "generated.rooms",
            "generated.second_scan_every",
            "folder.path",
            "folder.scans",
            "folder.link",
            "scannet.accept_terms",
            "scannet.url",
            "scannet.lists",
            "scannet.scans",
            "scannet.connections",
            "scannet.rate_limit_mb_s",
            "scannet.retries",
            "scannet.timeout_s",
        ),
    ),
    "extract": StageBody("vantage.scans.stage:extract", "vantage.scans.config:ExtractConfig"),
    "lift": StageBody(
        body="vantage.lift.stage:lift",
        config="vantage.lift.config:LiftConfig",
        fingerprint="vantage.lift.depth_source:model_fingerprint",
        cost="vantage.lift.depth_source:model_cost",
        listing=("depth.model", "depth.revision"),
    ),
    "recover": StageBody("vantage.recover.stage:recover", "vantage.recover.config:RecoverConfig"),
    "synthesize": StageBody(
        body="vantage.questions.stage:synthesize",
        config="vantage.questions.config:SynthesizeConfig",
        finish="vantage.questions.stage:summarize",
        fingerprint="vantage.questions.split:listed_split",
        listing=("splits.train", "splits.heldout"),
    ),
    "finetune": StageBody(
        body="vantage.training.stage:finetune",
        config="vantage.training.config:FinetuneConfig",
        fingerprint="vantage.models.model_files:base_identity",
        rehearsal="vantage.training.rehearsal:rehearse",
        tracker="vantage.registry.tracking:training_tracker",
        listing=("base.model", "base.revision", "checkpoint_every", "workers", "resume", "vlm.asked"),
        per_item="arms",
        together="vantage.training.processes:join",
    ),
    "evaluate": StageBody(
        body="vantage.evaluation.stage:predict",
        config="vantage.evaluation.config:EvaluateConfig",
        fingerprint="vantage.models.model_files:base_identity",
        items="vantage.evaluation.stage:list_items",
        finish="vantage.evaluation.stage:report",
        listing=("base.model", "base.revision"),
        follows="finetune",
    ),
    "promote": StageBody(
        body="vantage.registry.stage:promote",
        config="vantage.registry.config:PromoteConfig",
        reusable=False,
        outside="vantage.pipeline.registered:what_is_missing",
    ),
}
"""The bodies of the stages in `dvc.yaml`, by stage name."""
