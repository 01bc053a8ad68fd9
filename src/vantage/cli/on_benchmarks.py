"""Commands on public benchmarks: `score`, `predict`, `judge`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vantage.cli import predict_names
from vantage.cli.called import WorkspaceOption, called

app = typer.Typer()


@app.command()
def score(
    benchmark: Annotated[
        str,
        typer.Argument(help="For instance scanqa, sqa3d, scan2cap or vsibench; an unknown name lists all."),
    ],
    predictions: Annotated[Path, typer.Option(help="JSON lines, or the benchmark's upload format.")],
    references: Annotated[Path, typer.Option(help="The official file; companions are found beside it.")],
    variant: Annotated[str | None, typer.Option(help="Only this variant of the score.")] = None,
    scans: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Scans, where boxes are not in the references.")
    ] = None,
    subset: Annotated[
        str | None,
        typer.Option(metavar="words|substring|FILE", help="Also the direction-critical items and the rest."),
    ] = None,
    per_item: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write each item's values, JSON lines.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Other predictions: show the paired differences.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Score a benchmark's predictions under every published variant, by name; no model is needed."""
    files = (benchmark, predictions, references)
    called("score").score(*files, variant, scans, subset, per_item, json, against)


@app.command()
def predict(
    benchmark: Annotated[str, typer.Argument(help="scanqa, sqa3d, msqa, vsibench, muirbench, cv_bench, ...")],
    references: Annotated[Path, typer.Option(help="The official file; companions are found beside it.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Predictions, JSON lines; goes on where it was.")],
    model: Annotated[
        str | None,
        typer.Option(help="models:/NAME@ALIAS, a packaged model's folder, or a VLM's folder or hub name."),
    ] = None,
    scans: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Raw scans, each in a folder of its name.")
    ] = None,
    adapter: Annotated[
        Path | None, typer.Option(metavar="DIR", help="What was trained on a VLM: weights and coordinates.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Pictures that the references name.")
    ] = None,
    shard: Annotated[str, typer.Option(metavar="K/N", help="Part K of N; parts run at a time.")] = "1/1",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many items.")] = None,
    views: Annotated[int, typer.Option(min=1, help="Frames of a scan shown with a question.")] = 8,
    stride: Annotated[int, typer.Option(min=1, help="Every so many frames of a scan are considered.")] = 1,
    origin: Annotated[
        str, typer.Option(help="Of SQA3D's positions: aligned_centre, raw_middle or aligned.")
    ] = "aligned_centre",
    frames: Annotated[
        str, typer.Option(help="coverage, or path: evenly, in order; auto: path for vsibench.")
    ] = "auto",
    control: Annotated[
        str, typer.Option(help=f"Take something from the model: {', '.join(predict_names.CONTROLS)}.")
    ] = "",
    majority_from: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Training references, for --control majority.")
    ] = None,
    pose_source: Annotated[
        str, typer.Option(help=f"Where the asker stands: {', '.join(predict_names.POSE_SOURCES)}.")
    ] = "annotated",
    seed: Annotated[int, typer.Option(min=0, help="Of controls and of poses that are drawn.")] = 0,
    proposals: Annotated[
        Path | None, typer.Option(metavar="FILE", help="scan2cap: boxes of a detector, not those annotated.")
    ] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Of an answer.")] = 64,
    stop: Annotated[list[str] | None, typer.Option(help="Ends an answer; repeatable.")] = None,
    token_budget: Annotated[int, typer.Option(min=1, help="Of a batch, padding and answers too.")] = 16384,
    revision: Annotated[str | None, typer.Option(help="Of a VLM on the hub.")] = None,
    precision: Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Ask a few items, keep nothing, tell what all would take.")
    ] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Ask a model about a benchmark's items; `vantage score` reads what it says."""
    command = called("predict")
    stops = tuple(stop or ())
    who = command.Model(
        model, revision, precision, device, max_new_tokens, stops, token_budget, adapter
    )  # fmt: skip
    taken = command.Taken(control, seed, majority_from, pose_source)
    shown = command.Shown(scans, images, views, stride, origin, frames, taken, proposals)
    command.predict(benchmark, references, who, shown, out, shard, limit, dry_run, workspace)


@app.command()
def judge(
    benchmark: Annotated[str, typer.Argument(help="scanqa, sqa3d or scan2cap.")],
    references: Annotated[Path, typer.Option(help="The official file; companions are found beside it.")],
    predictions: Annotated[Path | None, typer.Option(help="JSON lines; not for --direction.")] = None,
    judge: Annotated[
        str, typer.Option(metavar="rule|URL", help="rule needs no model; a URL is OpenAI-compatible.")
    ] = "rule",
    model: Annotated[str, typer.Option(metavar="NAME", help="As the server calls it.")] = "",
    repeats: Annotated[int, typer.Option(min=1, max=100, help="Verdicts for each item.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Of the first repeat.")] = 0,
    direction: Annotated[
        bool, typer.Option("--direction", help="Decide instead which items need a direction.")
    ] = False,
    subset: Annotated[
        str | None,
        typer.Option(metavar="words|substring|FILE", help="Also the direction-critical items and the rest."),
    ] = None,
    per_item: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write each item's verdicts and reasons, JSON lines.")
    ] = None,
    replies: Annotated[Path, typer.Option(metavar="FILE", help="Where replies are kept.")] = Path(
        ".vantage/cache/judge.jsonl"
    ),
    workers: Annotated[int, typer.Option(min=1, max=256, help="Questions at a time.")] = 8,
    timeout_s: Annotated[float, typer.Option(min=0.1, help="For a whole reply.")] = 120.0,
    max_tokens: Annotated[int, typer.Option(min=1, help="Of a reply, thoughts included.")] = 2048,
    json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Tell what would be asked and about how many tokens; ask nothing."),
    ] = False,
) -> None:
    """Judge free answers and captions by rules or a language model; the key comes from VANTAGE_JUDGE_KEY."""
    command = called("judge")
    server = command.Server(judge, model, replies, workers, timeout_s, max_tokens)
    job = command.Job(benchmark, references, predictions, repeats, seed, direction, subset)
    command.judge(job, server, per_item, json, dry_run)
