"""Questions about pictures of their own: files beside the references, or pictures inside their parquet."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vantage.core.errors import ParameterError, VantageError
from vantage.core.hashing import digest_bytes, digest_json
from vantage.evaluation.benchmarks.files import Record, load, records, unique
from vantage.evaluation.benchmarks.interface import Benchmark, Item
from vantage.evaluation.running.ask import Ask, SetAside
from vantage.evaluation.running.outlines import RED, outlined, rectangle, thickness_px
from vantage.evaluation.running.own_depth import measured
from vantage.evaluation.running.parquet_images import ParquetImages

DEPTH = "depth"
"""Where a record of a benchmark of boxes names the depth image beside its picture."""
FIELDS = ("image_list", "images", "image", "image_info")
"""Where a record names its pictures: a name, a list of names, or an object with `file_path` or `path`."""


@dataclass(frozen=True)
class Encoded:
    """A picture as it lies in a file: its name for messages, its bytes, and regions to be marked on it."""

    name: str
    data: bytes
    regions: tuple[tuple[float, float, float, float], ...] = ()


class OwnImages:
    """The pictures that items name.

    Args:
        benchmark: whose references.
        references: the official file; pictures inside parquet files are taken from there.
        images: else the folder that names in the references are below.

    Raises:
        ParameterError: no such folder, or none given where one is needed.
    """

    def __init__(self, benchmark: Benchmark[Any, Any], references: Path, images: Path | None) -> None:
        self._inside = ParquetImages(references, benchmark.key)
        self._images, self._boxes = images, benchmark.boxes is not None
        if images is None and not self._inside:
            raise ParameterError(
                "nothing to show", expected="--scans DIR, or --images DIR for pictures of the items' own",
                found="neither",
            )  # fmt: skip
        if images is not None and not images.is_dir():
            raise ParameterError("there is no such folder", where="--images", found=images)
        self._rows: dict[str, Record] = {}
        if not self._inside:
            self._rows = unique(records(references, load(references)), benchmark.key)

    def settings(self) -> Mapping[str, Any]:
        """Nothing: the pictures are the item's."""
        return {}

    def asks(self, items: Sequence[Item[Any]], prompts: Mapping[str, str]) -> list[Ask | SetAside]:
        """Each item with its pictures; one that lacks a picture is set aside."""
        found: list[Ask | SetAside] = []
        for item in items:
            try:
                ask = _ask(item.id, prompts[item.id], self._of(item))
                depth = self._depth(item)
                found.append(ask if depth is None else measured(ask, depth.name, depth.data))
            except VantageError as error:
                found.append(SetAside(item.id, error.one_line()))
        return found

    def _of(self, item: Item[Any]) -> list[Encoded]:
        if self._inside:
            return [Encoded(name, data) for name, data in self._inside.of(item.id)]
        row = self._rows[item.id]
        names = image_names(row)
        regions = _regions(row)
        if not names:
            raise row.error(f"a picture's name in {' or '.join(FIELDS)}", ", ".join(map(str, row.fields)))
        return [Encoded(name, self._read(name), regions if k == 0 else ()) for k, name in enumerate(names)]

    def _depth(self, item: Item[Any]) -> Encoded | None:
        """The depth image beside an item's picture, where its record names one for a benchmark of boxes."""
        row = self._rows.get(item.id)
        if row is None or not self._boxes or not row.has(DEPTH):
            return None
        name = _name(row, DEPTH, row.get(DEPTH))
        return Encoded(name, self._read(name))

    def _read(self, name: str) -> bytes:
        """A file below the folder; `ParameterError` for one outside of it, or that is not there."""
        folder = Path() if self._images is None else self._images
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ParameterError("a picture outside its folder", where=name, expected="a name below --images")
        try:
            return path.read_bytes()
        except OSError as error:
            raise ParameterError("a picture is missing", where=name, found=error.strerror) from error


def image_names(row: Record) -> list[str]:
    """The files that a record names, in order."""
    for field in FIELDS:
        if row.has(field):
            value = row.get(field)
            listed = value if isinstance(value, list) else [value]
            return [_name(row, field, one) for one in listed]
    return []


def _name(row: Record, field: str, value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("file_path") or value.get("path")
    if not isinstance(value, str) or not value:
        raise row.error(f"names of files in {field!r}", repr(value)[:80])
    return value


def _regions(row: Record) -> tuple[tuple[float, float, float, float], ...]:
    """SpatialRGPT-Bench's regions, left, top, right, bottom in pixels."""
    value = row.fields.get("bbox") if isinstance(row.fields.get("qa_info"), dict) else None
    if value is None:
        return ()
    try:
        left_top = [tuple(float(number) for number in box) for box in value]
        return tuple((a, b, c, d) for a, b, c, d in left_top)
    except (TypeError, ValueError) as error:
        raise row.error("boxes of four numbers in bbox", repr(value)[:80]) from error


def _ask(name: str, prompt: str, pictures: Sequence[Encoded]) -> Ask:
    from vantage.models.vlm.sample import View

    sizes = tuple(_opened(picture).size for picture in pictures)
    views = tuple(View(picture.name, _decoder(picture)) for picture in pictures)
    digest = digest_json([[digest_bytes(p.data), p.regions] for p in pictures])
    return Ask(name, prompt, views, sizes, digest)


def _decoder(picture: Encoded) -> Callable[[], Any]:
    def decode() -> Any:
        try:
            image = _opened(picture).convert("RGB")
        except OSError as error:
            raise ParameterError("a picture is damaged", where=picture.name, found=error) from error
        return _marked(image, picture)

    return decode


def _opened(picture: Encoded) -> Any:
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(io.BytesIO(picture.data))
    except (UnidentifiedImageError, OSError) as error:
        raise ParameterError(
            "this is not a picture", where=picture.name, expected="JPEG or PNG", found="other bytes"
        ) from error


def _marked(image: Any, picture: Encoded) -> Any:
    """The picture with each region outlined and numbered, for models that are given no masks."""
    from PIL import Image, ImageDraw

    if not picture.regions:
        return image
    pixels = np.asarray(image)
    for box in picture.regions:
        pixels = outlined(pixels, rectangle(*box))
    marked = Image.fromarray(pixels)
    draw, line = ImageDraw.Draw(marked), thickness_px(*marked.size)
    for number, (left, top, _, _) in enumerate(picture.regions):
        draw.text((left + line + 1, top + line - 1), str(number), fill=RED)
    return marked
