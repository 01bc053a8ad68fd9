"""Before training starts: the patches that `lift` wrote are those of the pictures that the model sees.

Equal numbers of patches do not say so: a crop and a squash to the same size have the same grid, and their
points belong to other places. So the recorded warp is compared with the one that the model's own image
processor makes, and what the model is really shown with both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vantage.core.errors import ContractError, ParameterError
from vantage.geometry.warp import ImageWarp, squash
from vantage.models.patch_geometry import Grid
from vantage.models.prompts import Preparer
from vantage.models.vlm.batch import geometry_of
from vantage.models.vlm.pictures import model_warp
from vantage.models.vlm.question_samples import QuestionSamples
from vantage.models.vlm.sample import Sample


def require_same_pictures(samples: QuestionSamples, prepare: Preparer) -> int:
    """Compare the first sample of every shape: size of the colour images, patches, number of views.

    Returns how many were compared; each reads its pictures.

    Raises:
        ContractError: points of other pictures than the model sees; it names the sample, and which parameter
            of `lift` to set to what.
    """
    shapes: dict[tuple[object, ...], int] = {}
    for index, listed in enumerate(samples.listed):
        shapes.setdefault((listed.size, listed.grids, len(listed.views)), index)
    for index in shapes.values():
        listed, sample = samples.listed[index], samples[index]
        wanted = model_warp(prepare, *listed.size, len(listed.views))
        recorded = samples.warp(index)
        if wanted is not None and not same_points(recorded, listed.grids, wanted):
            raise _different(sample, recorded, listed.grids, wanted, prepare)
        shown = prepare.show([[view.image() for view in sample.views]])
        geometry_of([sample], shown.samples)
    return len(shapes)


def same_points(recorded: ImageWarp | None, grids: Sequence[Grid], wanted: ImageWarp) -> bool:
    """Whether patches of a recorded warp (None: the whole image, divided evenly) are those of `wanted`."""
    if recorded == wanted:
        return True
    whole = recorded is None or recorded.whole
    return whole and wanted.whole and tuple(grids) == wanted.grids


def _different(
    sample: Sample, recorded: ImageWarp | None, grids: Sequence[Grid], wanted: ImageWarp, prepare: Preparer
) -> ContractError:
    views = len(sample.views)
    return ContractError(
        "coordinates of other pictures than the model sees",
        where=f"sample {sample.sample_id}, view {sample.views[0].name}",
        expected=f"{_told(wanted)}, as {type(prepare.image_processor).__name__} makes them of "
        f"{wanted.width}x{wanted.height} pixels, {views} views together",
        found=_told(recorded) if recorded else f"{_counted(grids)} of the whole image",
        hint=_remedy(recorded, wanted, views, prepare),
    )


def _remedy(recorded: ImageWarp | None, wanted: ImageWarp, views: int, prepare: Preparer) -> str:
    """Which parameter of `lift` to set to what."""
    for together in (1, 2):
        if recorded is not None and recorded == _together(prepare, wanted, together):
            return f"set lift.views_together to {views}, and run lift again"
    tile = wanted.tiles[0]
    if recorded is None and wanted == squash(wanted.width, wanted.height, tile.width, wanted.patch_size):
        return (
            f"set lift.image_size to {tile.width} and lift.patch_size to {wanted.patch_size}, and run lift "
            "again"
        )
    return "`vantage params --base MODEL --write` sets lift.processor to the model's; then run lift again"


def _together(prepare: Preparer, like: ImageWarp, views: int) -> ImageWarp | None:
    try:
        return model_warp(prepare, like.width, like.height, views)
    except ParameterError:
        return None


def _told(warp: ImageWarp) -> str:
    """A warp in words: its patches, and where its first picture lies in the colour image."""
    tile = warp.tiles[0]
    (x, y), (left, top) = ([float(part) for part in pair] for pair in (tile.scale, tile.shift))
    size = f"{tile.width}x{tile.height} pixels"
    place = f"colour pixels times {x:.4g} across and {y:.4g} down, moved by {left:.4g} and {top:.4g}"
    return f"{_counted(warp.grids)}, the first of {size}: {place}"


def _counted(grids: Sequence[Grid]) -> str:
    """For instance `12 x 26x26 patches and 27x27 patches`."""
    runs: list[list[Any]] = []
    for grid in grids:
        if runs and runs[-1][1] == grid:
            runs[-1][0] += 1
        else:
            runs.append([1, grid])
    return " and ".join(
        f"{f'{n} x ' if n > 1 else ''}{rows}x{columns} patches" for n, (rows, columns) in runs
    )
