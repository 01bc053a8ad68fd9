"""`vantage export`: what other programs read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(name="export", help="Write what other programs read.", no_args_is_help=True)


@app.command("lmms-eval")
def lmms_eval(
    benchmark: Annotated[str, typer.Option(help="scanqa or sqa3d.")],
    references: Annotated[Path, typer.Option(help="The official file; companions are found beside it.")],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder for --include_path; an export is replaced.")
    ],
    scans: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Raw scans, each in a folder of its name.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Pictures that the references name.")
    ] = None,
    task: Annotated[str, typer.Option(help="As lmms-eval calls it; default: vantage_BENCHMARK.")] = "",
    views: Annotated[int, typer.Option(min=1, help="Frames of a scan shown with a question.")] = 8,
    stride: Annotated[int, typer.Option(min=1, help="Every so many frames of a scan are considered.")] = 1,
    origin: Annotated[
        str, typer.Option(help="Of SQA3D's positions: aligned_centre, raw_middle or aligned.")
    ] = "aligned_centre",
    frames: Annotated[str, typer.Option(help="coverage, or path: evenly, in order.")] = "coverage",
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Of an answer.")] = 64,
    stop: Annotated[list[str] | None, typer.Option(help="Ends an answer; repeatable.")] = None,
) -> None:
    """Write a task for lmms-eval: questions, frames, and this project's own scores."""
    from vantage.cli.predict import Shown, builder_of
    from vantage.cli.show import progress
    from vantage.registry.lmms_eval import Decoding, export, plug_in

    plug = plug_in(
        benchmark, references, task or f"vantage_{benchmark}", Decoding(max_new_tokens, stop or ())
    )
    builder = builder_of(plug.benchmark, references, Shown(scans, images, views, stride, origin, frames))
    with progress("export") as told:
        made = export(plug, builder, out, told)
    typer.echo(f"{out}: {made.asked} of {made.items} questions, {made.pictures} pictures")
    for reason, count in made.reasons.most_common():
        typer.echo(f"  {count} x set aside: {reason}")
    typer.echo(f"run it: lmms-eval --include_path {out} --tasks {plug.task} --model ... --batch_size 1")


@app.command("merged")
def merged(
    base: Annotated[str, typer.Option(help="The model that the arm was trained on: its folder or hub name.")],
    adapter: Annotated[
        Path, typer.Option(metavar="DIR", help="The arm's folder, for instance models/arms/A.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="A new folder.")],
    revision: Annotated[str, typer.Option(help="Of a base on the hub.")] = "",
) -> None:
    """Write a stock model's folder with everything that an arm learned folded in where it has a place.

    What a stock model has no place for (position encoder, situated parts) is in its folder `spatial`.
    """
    from vantage.core.errors import ParameterError
    from vantage.models.vlm.trained import merge_arm

    if out.exists() and any(out.iterdir()):
        raise ParameterError("there is something already", where="--out", expected="a new folder", found=out)
    made = merge_arm(base, adapter, out, revision or None)
    typer.echo(f"{out}: a {made.family.name} model; load it with vantage.models.vlm.checkpoint.load_merged")
