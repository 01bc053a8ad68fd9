"""`vantage sens`: what a `.sens` holds, its poses, and its frames as files."""

from __future__ import annotations

import json as json_module
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from vantage.core.errors import ParameterError

if TYPE_CHECKING:
    from vantage.scans.export import Selection
    from vantage.scans.sens import SensReader

app = typer.Typer(name="sens", help="Read ScanNet's .sens files.", no_args_is_help=True)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A .sens file.")]
SalvageOption = Annotated[
    bool,
    typer.Option("--salvage", help="Of a file cut short, take the whole frames before the cut."),
]


@app.command()
def info(
    file: FileArgument,
    json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    salvage: SalvageOption = False,
) -> None:
    """Show cameras, frames and poses; no image is read."""
    from vantage.scans.sens import SensReader

    with SensReader(file, salvage) as sens:
        facts = _facts(sens)
    if json:
        typer.echo(json_module.dumps(facts, indent=2))
        return
    for name, value in facts.items():
        typer.echo(f"{name.replace('_', ' '):18} {value}")


@app.command()
def poses(
    file: FileArgument,
    out: Annotated[Path, typer.Option(help="A folder for K.txt, or a file ending in .npz.")],
    salvage: SalvageOption = False,
) -> None:
    """Write the pose of every frame (camera to world), lost ones as -inf; no image is read."""
    from vantage.scans.export import write_poses
    from vantage.scans.sens import SensReader

    with SensReader(file, salvage) as sens:
        typer.echo(f"{write_poses(sens, out)} poses written to {out}")


@app.command()
def export(
    file: FileArgument,
    out: Annotated[Path, typer.Option(help="A folder; a .sens file with --form packed.")],
    stride: Annotated[int, typer.Option(min=1, help="Every so many frames.")] = 1,
    frames: Annotated[str, typer.Option(metavar="A:B", help="From frame A up to, not including, B.")] = ":",
    color_size: Annotated[str, typer.Option(metavar="WxH", help="Size of the colour images.")] = "",
    parts: Annotated[str, typer.Option(help="Of color, depth, pose.")] = "color,depth,pose",
    form: Annotated[str, typer.Option(help="files (ScanNet's extracted layout) or packed.")] = "files",
    workers: Annotated[int, typer.Option(min=1, help="Frames at a time.")] = 2,
    salvage: SalvageOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it costs; write nothing.")] = False,
) -> None:
    """Write frames as files, or as a smaller .sens. Stopped halfway, files go on where they were."""
    from vantage.cli.show import progress
    from vantage.scans.export import Selection, export_files, export_packed
    from vantage.scans.sens import SensReader

    first, last = _range(frames)
    selection = Selection(stride, first, last, _size(color_size), _parts(parts))
    if dry_run:
        with SensReader(file, salvage) as sens:
            typer.echo(_estimated(sens, out, selection, _form(form), workers))
        return
    with SensReader(file, salvage) as sens, progress("export") as shown:
        if _form(form) == "packed":
            typer.echo(f"{export_packed(sens, out, selection, shown)} frames written to {out}")
        else:
            typer.echo(f"{export_files(sens, out, selection, shown, workers)} files written to {out}")
        if sens.damage is not None:
            typer.echo(f"warning: {sens.damage}", err=True)


def _estimated(sens: SensReader, out: Path, selection: Selection, form: str, workers: int) -> str:
    from vantage.pipeline.ahead import size_text
    from vantage.scans.export_estimate import estimate_files, estimate_packed

    if form == "packed":
        cost = estimate_packed(sens, selection)
    else:
        cost = estimate_files(sens, out, selection, workers)
    there = next(folder for folder in (out, *out.absolute().parents) if folder.is_dir())
    free = size_text(shutil.disk_usage(there).free)
    what = "files" if cost.files != 1 else "file"
    return (
        f"{cost.frames:,} frames: {cost.files:,} {what} to write, about {size_text(cost.size)} in about "
        f"{cost.seconds:.0f} s; {free} free on the disk"
    )


def _facts(sens: SensReader) -> dict[str, Any]:
    import numpy as np

    head, T_raw_cam = sens.header, sens.poses()
    times = [frame.timestamp_color for frame in sens.frames()]
    K, D = head.intrinsic_color, head.intrinsic_depth
    facts: dict[str, Any] = {
        "sensor": head.sensor_name,
        "frames": len(T_raw_cam),
        "poses": int(np.isfinite(T_raw_cam).all(axis=(1, 2)).sum()),
        "seconds": round((times[-1] - times[0]) / 1e6, 3) if times else 0.0,
        "color": f"{head.color_width}x{head.color_height} {head.color_compression}",
        "color_intrinsics": [round(float(v), 4) for v in (K[0, 0], K[1, 1], K[0, 2], K[1, 2])],
        "depth": f"{head.depth_width}x{head.depth_height} {head.depth_compression}",
        "depth_intrinsics": [round(float(v), 4) for v in (D[0, 0], D[1, 1], D[0, 2], D[1, 2])],
        "depth_units_per_m": head.depth_shift,
        "bytes": sens.path.stat().st_size,
    }
    return facts | ({} if sens.damage is None else {"damage": sens.damage.one_line()})


def _range(text: str) -> tuple[int, int | None]:
    match = re.fullmatch(r"(\d*):(\d*)", text)
    if match is None:
        raise ParameterError("not a range of frames", where="--frames", expected="A:B, A: or :B", found=text)
    first, last = match.groups()
    return int(first or 0), int(last) if last else None


def _size(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if match is None:
        raise ParameterError("not a size", where="--color-size", expected="WxH, as 640x480", found=text)
    return int(match[1]), int(match[2])


def _parts(text: str) -> tuple[str, ...]:
    from vantage.scans.export import PARTS

    parts = tuple(part.strip() for part in text.split(","))
    if unknown := [part for part in parts if part not in PARTS]:
        raise ParameterError("unknown part", where="--parts", expected=", ".join(PARTS), found=unknown[0])
    return parts


def _form(text: str) -> Literal["files", "packed"]:
    if text == "packed":
        return "packed"
    if text != "files":
        raise ParameterError("unknown form", where="--form", expected="files or packed", found=text)
    return "files"
