"""The `vantage` command: its subcommands, and errors as text with an exit code."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from vantage.cli import export, on_benchmarks, on_files, sens
from vantage.cli.called import WorkspaceOption, called
from vantage.core.errors import VantageError

app = typer.Typer(
    name="vantage",
    help="From raw RGB-D scans to a registered, direction-aware 3D vision-language model.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(on_files.app)
app.add_typer(on_benchmarks.app)
app.add_typer(sens.app)
app.add_typer(export.app)


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
    called("run").run(stage, scan or [], strict, override or [], out, workers, dry_run, workspace)


@app.command("ls")
def list_stages(
    json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Show every stage: items done, set aside and pending, and whether its output is fresh."""
    called("ls").list_stages(json, workspace)


doctor_app = typer.Typer(invoke_without_command=True)
app.add_typer(doctor_app, name="doctor")


@doctor_app.callback()
def doctor(context: typer.Context, workspace: WorkspaceOption = None) -> None:
    """Check the environment: packages, known traps, disk, GPU, ports. `doctor scan` checks a capture."""
    if context.invoked_subcommand is None:
        called("doctor").doctor(workspace)


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
    called("doctor_scan").scan(folder, json, pairs, frames, picture)


@app.command()
def params(
    profile: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Lay profiles/NAME.yaml over params.yaml; several in turn."),
    ] = None,
    base: Annotated[
        str, typer.Option(metavar="ID_OR_DIR", help="Set the base model, and lift to its image processor.")
    ] = "",
    revision: Annotated[str, typer.Option(help="Of a base on the hub: a commit, tag or branch.")] = "",
    defaults: Annotated[bool, typer.Option("--defaults", help="The demo's, whatever the file says.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Write params.yaml instead of printing.")] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Print or write the parameters: with profiles laid over them, or fitted to a base model."""
    called("params").show(profile or [], base, revision, defaults, write, workspace)


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
    called("ask").ask(model, question, scan, frame, pose, workspace)


@app.command(hidden=True)
def scores(workspace: WorkspaceOption = None) -> None:
    """Print the last evaluation: every arm with intervals, and the controls."""
    called("scores").scores(workspace)


@app.command(hidden=True)
def tour(workspace: WorkspaceOption = None) -> None:
    """Let the champion answer recorded questions about a held-out scan (the end of the demo)."""
    called("tour").tour(workspace)


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
