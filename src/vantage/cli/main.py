"""The `vantage` command: its subcommands, and errors as text with an exit code."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from vantage.cli import export, sens
from vantage.core.errors import VantageError

app = typer.Typer(
    name="vantage",
    help="From raw RGB-D scans to a registered, direction-aware 3D vision-language model.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(sens.app)
app.add_typer(export.app)

WorkspaceOption = Annotated[
    Path | None,
    typer.Option("--workspace", "-w", help="Folder of dvc.yaml; default: here or above.", show_default=False),
]


@app.command()
def run(
    stage: Annotated[str, typer.Argument(help="The stage's name; `vantage ls` lists them.")],
    scan: Annotated[
        list[str] | None, typer.Option("--scan", help="Process this scan (or arm) only; repeatable.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 4 if a scan was set aside.")] = False,
    override: Annotated[
        list[str] | None,
        typer.Option("-S", metavar="SECTION.KEY=VALUE", help="Change a parameter; needs --out."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write here instead of the stage's own folder.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Items at a time; default: what fits.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would be processed and fetched; do nothing.")
    ] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Bring the output of one stage up to date."""
    _command("run").run(stage, scan or [], strict, override or [], out, workers, dry_run, workspace)


@app.command("ls")
def list_stages(
    json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Show every stage: items done, set aside and pending, and whether its output is fresh."""
    _command("ls").list_stages(json, workspace)


doctor_app = typer.Typer(invoke_without_command=True)
app.add_typer(doctor_app, name="doctor")


@doctor_app.callback()
def doctor(context: typer.Context, workspace: WorkspaceOption = None) -> None:
    """Check the environment: packages, known traps, disk, GPU, ports. `doctor scan` checks a capture."""
    if context.invoked_subcommand is None:
        _command("doctor").doctor(workspace)


@doctor_app.command("scan")
def doctor_scan(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A raw scan of any layout, a .sens included.")
    ],
    json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    pairs: Annotated[int, typer.Option(min=1, max=200, help="Pairs of frames to compare.")] = 12,
    frames: Annotated[
        str, typer.Option(metavar="ID,ID,...", help="Compare each of these frames with the next of them.")
    ] = "",
    picture: Annotated[
        Path | None, typer.Option(help="Write a PNG: depth edges on colour, a pair's agreement.")
    ] = None,
) -> None:
    """Find out what a capture really is: pose convention, depth scale, gravity, registration, delay."""
    _command("doctor_scan").scan(folder, json, pairs, frames, picture)


@app.command(hidden=True)
def params(
    profile: Annotated[str | None, typer.Option(help="Lay profiles/NAME.yaml over params.yaml.")] = None,
    defaults: Annotated[bool, typer.Option("--defaults", help="Print the defaults with comments.")] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Print parameters: the file's own, with a profile laid over it, or the defaults."""
    _command("params").show(profile, defaults, workspace)


@app.command()
def ask(
    model: Annotated[str, typer.Argument(metavar="MODEL_URI", help="For instance models:/vantage@champion.")],
    question: Annotated[str, typer.Argument(help="In the words of the model's vocabulary.")],
    scan: Annotated[Path, typer.Option(help="A raw scan: ScanNet's files, or its extracted layout.")],
    frame: Annotated[int | None, typer.Option(help="The frame that is the ego view.")] = None,
    pose: Annotated[Path | None, typer.Option(help="A file with a 4x4 ego pose instead.")] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Ask a registered model a question about a scan."""
    _command("ask").ask(model, question, scan, frame, pose, workspace)


@app.command()
def recover(
    points: Annotated[Path, typer.Option(help="An .npz file with coord (N,3), metres, and instance (N,).")],
    poses: Annotated[Path, typer.Option(help="A folder of 0.txt, 1.txt, ...: camera to world, 4x4.")],
    intrinsics: Annotated[str, typer.Option(metavar="FX,FY,CX,CY", help="Of the full image, in pixels.")],
    size: Annotated[str, typer.Option(metavar="WxH", help="Of the full image.")],
    out: Annotated[Path, typer.Option(help="The .npz file to write, with PoseRecover's published keys.")],
    shrink: Annotated[float, typer.Option(help="The depth buffer is so many times the image.")] = 0.1,
    stride: Annotated[int, typer.Option(min=1, help="Every so many poses; lost ones do not count.")] = 25,
    mode: Annotated[
        str, typer.Option(help="reference: the published scores; calibrated: the visible fraction.")
    ] = "reference",
) -> None:
    """Score which pose sees how much of which object."""
    _command("recover").recover(points, poses, intrinsics, size, shrink, stride, mode, out)


@app.command("lift-settings")
def lift_settings(
    base: Annotated[str, typer.Option(metavar="ID_OR_DIR", help="On the Hugging Face hub, or a folder.")],
    revision: Annotated[str, typer.Option(help="Of a model of the hub: a commit, tag or branch.")] = "",
    views: Annotated[int, typer.Option(min=1, help="Views that the model is shown together.")] = 4,
) -> None:
    """Print the parameters of `lift` that fit a model's own image processor."""
    _command("lift_settings").lift_settings(base, revision, views)


@app.command("lift-boxes")
def lift_boxes(
    depth: Annotated[Path, typer.Option(help="16 bit PNG, or .npy in metres; 0 for holes.")],
    color_size: Annotated[str, typer.Option(metavar="WxH", help="Of the image of the detections.")],
    intrinsics: Annotated[str, typer.Option(metavar="FX,FY,CX,CY", help="Of that image, in pixels.")],
    detections: Annotated[Path, typer.Option(help="JSON: a list of bbox or mask, label, score.")],
    out: Annotated[Path, typer.Option(help="The JSON file to write, in Omni3D's fields.")],
    depth_intrinsics: Annotated[
        str | None, typer.Option(metavar="FX,FY,CX,CY", help="Of the depth image, if not the same view.")
    ] = None,
    depth_unit_m: Annotated[float, typer.Option(help="Metres of one unit of a PNG.")] = 0.001,
    pose: Annotated[
        Path | None, typer.Option(help="4x4, camera to a world with z up; default: held level.")
    ] = None,
    fit: Annotated[str, typer.Option(help="upright: turned about the vertical alone; free.")] = "upright",
) -> None:
    """Lift 2D boxes and masks of an image with depth to oriented 3D boxes, each with a confidence."""
    _command("lift_boxes").lift_boxes(
        depth, color_size, intrinsics, depth_intrinsics, depth_unit_m, pose, detections, fit, out
    )


@app.command()
def depth(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="JPEG or PNG pictures.")],
    model: Annotated[str, typer.Option(metavar="ID_OR_DIR", help="On the Hugging Face hub, or a folder.")],
    out: Annotated[Path, typer.Option(help="Folder for a 16-bit PNG each (mm, 0: none) and residuals.json.")],
    revision: Annotated[str, typer.Option(help="Of a model of the hub: a commit, tag or branch.")] = "",
    intrinsics: Annotated[
        str, typer.Option(metavar="FX,FY,CX,CY", help="Of the pictures, in pixels; sets Depth Pro's scale.")
    ] = "",
    sensor: Annotated[
        list[Path] | None,
        typer.Option(help="16-bit PNG (mm) that sees what the picture sees, to align to; one a picture."),
    ] = None,
    shift: Annotated[
        bool, typer.Option("--shift", help="With --sensor: fit a shift beside the scale.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would be downloaded; do nothing.")
    ] = False,
) -> None:
    """Estimate depth from pictures, with a model of the transformers library."""
    _command("depth").depth(images, model, revision, intrinsics, sensor or [], shift, device, out, dry_run)


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
    _command("score").score(*files, variant, scans, subset, per_item, json, against)


@app.command()
def predict(
    benchmark: Annotated[str, typer.Argument(help="scanqa, sqa3d, vsibench, scan2cap, cv_bench, ...")],
    references: Annotated[Path, typer.Option(help="The official file; companions are found beside it.")],
    model: Annotated[
        str,
        typer.Option(help="models:/NAME@ALIAS, a packaged model's folder, or a VLM's folder or hub name."),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Predictions, JSON lines; goes on where it was.")],
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
    command = _command("predict")
    stops = tuple(stop or ())
    who = command.Model(
        model, revision, precision, device, max_new_tokens, stops, token_budget, adapter
    )  # fmt: skip
    shown = command.Shown(scans, images, views, stride, origin, frames, proposals)
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
    command = _command("judge")
    server = command.Server(judge, model, replies, workers, timeout_s, max_tokens)
    job = command.Job(benchmark, references, predictions, repeats, seed, direction, subset)
    command.judge(job, server, per_item, json, dry_run)


@app.command(hidden=True)
def scores(workspace: WorkspaceOption = None) -> None:
    """Print the last evaluation: every arm with intervals, and the controls."""
    _command("scores").scores(workspace)


@app.command(hidden=True)
def tour(workspace: WorkspaceOption = None) -> None:
    """Let the champion answer recorded questions about a held-out scan (the end of the demo)."""
    _command("tour").tour(workspace)


def _command(name: str) -> Any:
    return importlib.import_module(f"vantage.cli.{name}")


def main() -> None:
    """Run the command line; a `VantageError` becomes text on standard error and its exit code."""
    try:
        app()
    except VantageError as error:
        sys.stderr.write(_text(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; finished items are kept, the same command goes on from there\n")
        sys.exit(1)


def _text(error: VantageError) -> str:
    notes = getattr(error, "__notes__", []) if os.environ.get("VANTAGE_TRACE", "1") != "0" else []
    return "\n".join([*notes, f"error: {error}"]) + "\n"
