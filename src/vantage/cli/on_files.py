"""Commands on files of any source, without a workspace: `recover`, `lift-boxes`, `depth`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vantage.cli.called import called

app = typer.Typer()


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
    called("recover").recover(points, poses, intrinsics, size, shrink, stride, mode, out)


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
    called("lift_boxes").lift_boxes(
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
    called("depth").depth(images, model, revision, intrinsics, sensor or [], shift, device, out, dry_run)
