"""`vantage predict`: a model's answers to a benchmark, in a file that `vantage score` reads."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from vantage.cli.predict_controls import Taken, majority, require_effect, under_control
from vantage.core.errors import ContractError, ParameterError
from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.running.shard import Shard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vantage.evaluation.benchmarks.interface import Benchmark, Item
    from vantage.evaluation.running.ask import Answerer
    from vantage.evaluation.running.run import Builder, Estimate, Tally

_REASONS = 5


@dataclass(frozen=True)
class Model:
    """Who answers, and how; all but `name` is for vision-language models. None: nobody, for a majority."""

    name: str | None
    revision: str | None = None
    precision: str = "auto"
    device: str = "auto"
    max_new_tokens: int = 64
    stop: tuple[str, ...] = ()
    token_budget: int = 16384
    adapter: Path | None = None


@dataclass(frozen=True)
class Shown:
    """What is shown with a question: views of raw scans, or pictures of its own."""

    scans: Path | None = None
    images: Path | None = None
    views: int = 8
    stride: int = 1
    origin: str = "aligned_centre"
    frames: str = "auto"
    taken: Taken = field(default_factory=Taken)
    proposals: Path | None = None


def predict(
    benchmark: str,
    references: Path,
    model: Model,
    shown: Shown,
    out: Path,
    shard: str,
    limit: int | None,
    dry_run: bool,
    workspace: Path | None,
) -> None:
    """Ask what has no answer yet, and tell what became of it.

    Args:
        benchmark: its name.
        references: the official file.
        model: who answers.
        shown: what is shown.
        out: the file of predictions; goes on where an earlier run of the same model stopped.
        shard: "K/N".
        limit: only the first so many items.
        dry_run: ask a few items, keep nothing, and tell what all would take.
        workspace: the folder whose registry is asked; default: here or above.

    Raises:
        ParameterError: unknown names, options that do not go together, no such file or folder.
        ContractError: files that break their format, or predictions of another run in `out`.
        VantageError: the registry has no such model.
        ResourceError: another process is at the same file.
    """
    from vantage.cli.show import progress
    from vantage.evaluation.running.run import Run

    part, rule = Shard.parse(shard), BENCHMARKS.get(benchmark)
    captions = rule.answered_with == "caption"
    builder = None
    if not (shown.taken.majority or captions):
        builder = builder_of(rule, references, shown)
    items = rule.references(references, shown.scans)
    if not items:
        raise ContractError("there is nothing to ask", where=references, found="no item")
    if captions and not shown.taken.majority:
        builder = outlining(items, shown)
    _tell(f"{len(items)} items in {references}; {f'loading {model.name}' if model.name else 'no model'}")
    if builder is None:
        answerer, builder = majority(shown.taken, rule, references, items, model.name)
    else:
        builder = under_control(shown.taken, builder, items)
        answerer = _answerer(model, workspace)
        require_effect(shown.taken, answerer)
    run = Run(rule, items, answerer, builder, out, limit)
    if dry_run:
        sys.stdout.write(_planned(run.estimate(part), rule, part))
        return
    with progress("predict") as told:
        tally = run.go(part, told)
    sys.stdout.write(_told(tally, part, out))
    if tally.complete:
        _tell(f"score it: vantage score {benchmark} --predictions {out} --references {references}")


def builder_of(rule: Benchmark[Any, Any], references: Path, shown: Shown) -> Builder:
    """What puts a benchmark's questions together with their pictures.

    Raises `ParameterError` for options that do not go together, and where there is no such file or folder.
    """
    from vantage.evaluation.running.annotated import ORIGINS
    from vantage.evaluation.running.own_images import OwnImages
    from vantage.evaluation.running.pose_source import POSE_SOURCES, PosedElsewhere
    from vantage.evaluation.running.posed import FRAMES, PosedViews

    if shown.proposals is not None:
        raise ParameterError("nothing is captioned", where="--proposals", expected="for scan2cap alone")
    if shown.scans is not None and shown.images is not None:
        raise ParameterError("--scans and --images exclude each other", expected="one of them")
    source = shown.taken.pose_source
    if source not in POSE_SOURCES:
        expected = ", ".join(POSE_SOURCES)
        raise ParameterError("not a source of poses", where="--pose-source", expected=expected, found=source)
    if shown.scans is None:
        if source != "annotated":
            raise ParameterError(
                "pictures without poses", where="--pose-source", expected="--scans", found=source
            )
        return OwnImages(rule, references, shown.images)
    if shown.origin not in ORIGINS:
        expected = f"one of {', '.join(ORIGINS)}"
        raise ParameterError("not an origin", where="--origin", expected=expected, found=shown.origin)
    frames = shown.frames
    if frames == "auto":
        frames = "path" if rule.name == "vsibench" else "coverage"
    if frames not in FRAMES:
        expected = f"auto, {', '.join(FRAMES)}"
        raise ParameterError("not a choice of frames", where="--frames", expected=expected, found=frames)
    views = (shown.scans, shown.views, shown.stride, shown.origin, frames)
    return PosedViews(*views) if source == "annotated" else PosedElsewhere(*views, source, shown.taken.seed)


def outlining(items: Sequence[Item[Any]], shown: Shown) -> Builder:
    """What puts objects that are to be described together with pictures in which they are marked.

    Raises `ParameterError` for options that do not go together, and where there is no such file or folder.
    """
    from vantage.evaluation.running.described import Boxes
    from vantage.evaluation.running.outlined_views import OutlinedViews

    if shown.scans is None or shown.images is not None:
        raise ParameterError("objects are shown in views of their scans", expected="--scans DIR alone")
    if shown.frames not in ("auto", "coverage"):
        raise ParameterError(
            "the frames that show an object are chosen", where="--frames", expected="auto or coverage",
            found=shown.frames,
        )  # fmt: skip
    boxes = Boxes.annotated(items) if shown.proposals is None else Boxes.proposals(shown.proposals, items)
    if boxes.elsewhere:
        _tell(f"{shown.proposals}: {boxes.elsewhere} proposals are in scenes that the references do not have")
    return OutlinedViews(shown.scans, shown.views, shown.stride, boxes=boxes)


def _answerer(model: Model, workspace: Path | None) -> Answerer:
    from vantage.registry.ask_registered import MARK_FILE, RegisteredAnswerer

    if model.name is None:
        raise ParameterError("nobody is asked", where="--model", expected="a model, or --control majority")
    if model.name.startswith(("models:/", "runs:/")) or (Path(model.name) / MARK_FILE).is_file():
        from vantage.registry.store import find_store

        if model.adapter is not None:
            raise ParameterError(
                "a registered model is whole", where="--adapter", expected="none, or a VLM as --model",
                found=model.adapter,
            )  # fmt: skip

        start = workspace or Path(os.environ.get("VANTAGE_WORKSPACE") or Path.cwd())
        return RegisteredAnswerer.load(find_store(start), model.name)
    from vantage.evaluation.running.ask_vlm import VlmAnswerer
    from vantage.models.loading.load import Precision
    from vantage.models.vlm.generate import Decoding

    device = _device(model.device)
    wanted = model.precision
    if wanted == "auto":
        wanted = "bfloat16" if device == "cuda" else "float32"
    if wanted not in get_args(Precision):
        expected = f"auto, {', '.join(get_args(Precision))}"
        raise ParameterError("not a precision", where="--precision", expected=expected, found=wanted)
    decoding = Decoding(model.max_new_tokens, model.stop, model.token_budget)
    precision = cast("Precision", wanted)
    return VlmAnswerer.load(model.name, model.revision, precision, device, decoding, model.adapter)


def _device(name: str) -> str:
    import torch

    from vantage.models.device import best_device

    there = torch.cuda.is_available()
    if name not in ("auto", "cpu", "cuda") or (name == "cuda" and not there):
        expected = "auto, cpu or cuda" if there else "auto or cpu: PyTorch finds no GPU"
        raise ParameterError("not a device", where="--device", expected=expected, found=name)
    return best_device() if name == "auto" else name


def _planned(made: Estimate, rule: Benchmark[Any, Any], part: Shard) -> str:
    from vantage.evaluation.running.run import duration

    which = f", part {part.number} of {part.of}" if part.of > 1 else ""
    lines = [
        f"{rule.name}{which}: {made.items} items, {made.kept} of them answered before, {made.to_ask} to ask,"
        f" in {made.scenes} groups that share their pictures"
    ]
    if made.tried:
        lines.append(f"about {duration(made.seconds)}, from {made.tried} items asked on trial and not kept")
    elif made.to_ask:
        lines.append("no estimate: the first items would all be set aside")
    return "\n".join(lines) + "\n"


def _told(tally: Tally, part: Shard, out: Path) -> str:
    from vantage.evaluation.running.run import duration

    aside = tally.reasons.total()
    lines = [
        f"{part.file(out)}: {tally.kept + tally.asked} of {tally.items} items answered,"
        f" {tally.asked} of them now in {duration(tally.seconds)}; {aside} set aside"
    ]
    for reason, count in sorted(tally.reasons.items(), key=lambda pair: (-pair[1], pair[0]))[:_REASONS]:
        lines.append(f"  {count} x {reason}")
    if len(tally.reasons) > _REASONS:
        lines.append(f"  and {len(tally.reasons) - _REASONS} more reasons, each in its item's line")
    if part.of > 1:
        done = "all parts are done and put together in" if tally.complete else "other parts are missing for"
        lines.append(f"{done} {out}")
    return "\n".join(lines) + "\n"


def _tell(text: str) -> None:
    sys.stderr.write(text + "\n")
