"""The arguments of `vantage sens`; the work is imported when a command runs."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    help="Look into a .sens, ScanNet's recording, and take frames out of it.", no_args_is_help=True
)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A .sens, version 4.")]
SalvageOption = Annotated[
    bool, typer.Option("--salvage", help="Of a file that was cut, take the whole frames before the cut.")
]


@app.command()
def info(
    file: FileArgument,
    json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    salvage: SalvageOption = False,
) -> None:
    """Show what a .sens says of itself; no image is read."""
    _work().info(file, json, salvage)


@app.command()
def poses(
    file: FileArgument,
    out: Annotated[Path, typer.Option(help="A folder for K.txt, or one file NAME.npz.")],
    salvage: SalvageOption = False,
) -> None:
    """Write the camera-to-world pose of every frame; no image is read."""
    _work().poses(file, out, salvage)


@app.command()
def export(
    file: FileArgument,
    out: Annotated[Path, typer.Option(help="The folder to write to.")],
    stride: Annotated[int, typer.Option(min=1, help="Every how many frames.")] = 1,
    frames: Annotated[str, typer.Option(metavar="A:B", help="Frame ids from A up to, without, B.")] = ":",
    color_size: Annotated[
        str | None, typer.Option(metavar="WxH", help="Size of the colour images; default: as recorded.")
    ] = None,
    form: Annotated[str, typer.Option(help="files: ScanNet's folders; packed: a smaller .sens.")] = "files",
    workers: Annotated[int | None, typer.Option(min=1, help="Threads; default: one a CPU.")] = None,
    parts: Annotated[str, typer.Option(help="Which parts of a frame.")] = "color,depth,pose",
    salvage: SalvageOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written.")] = False,
) -> None:
    """Write the frames of a .sens as files, or as a smaller .sens. Run again, it goes on where it was."""
    _work().export(file, out, stride, frames, color_size, form, workers, parts, salvage, dry_run)


def _work() -> Any:
    return importlib.import_module("vantage.cli.sens")
