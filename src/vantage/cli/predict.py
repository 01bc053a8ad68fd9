"""`vantage predict`: a model's answers to a benchmark, in a file that `vantage score` reads."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from vantage.core.errors import ContractError, ParameterError
from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.running.shard import Shard

if TYPE_CHECKING:
    from vantage.evaluation.benchmarks.interface import Benchmark
    from vantage.evaluation.running.ask import Answerer
    from vantage.evaluation.running.run import Builder, Estimate, Tally

_REASONS = 5


@dataclass(frozen=True)
class Model:
    """Who answers, and how; all but `name` is for vision-language models."""

    name: str
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
    builder = builder_of(rule, references, shown)
    items = rule.references(references, shown.scans)
    if not items:
        raise ContractError("there is nothing to ask", where=references, found="no item")
    _tell(f"{len(items)} items in {references}; loading {model.name}")
    run = Run(rule, items, _answerer(model, workspace), builder, out, limit)
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
    from vantage.evaluation.running.posed import FRAMES, PosedViews

    if shown.scans is not None and shown.images is not None:
        raise ParameterError("--scans and --images exclude each other", expected="one of them")
    if shown.scans is None:
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
    return PosedViews(shown.scans, shown.views, shown.stride, shown.origin, frames)


def _answerer(model: Model, workspace: Path | None) -> Answerer:
    from vantage.registry.ask_registered import MARK_FILE, RegisteredAnswerer

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

    there = torch.cuda.is_available()
    if name not in ("auto", "cpu", "cuda") or (name == "cuda" and not there):
        expected = "auto, cpu or cuda" if there else "auto or cpu: PyTorch finds no GPU"
        raise ParameterError("not a device", where="--device", expected=expected, found=name)
    return ("cuda" if there else "cpu") if name == "auto" else name


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
