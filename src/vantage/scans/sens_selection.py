"""What to take from a `.sens`: which frames, at which size, which parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from vantage.core.errors import ParameterError, ScanError
from vantage.geometry.camera import Pinhole
from vantage.scans.codecs import decode_color, decode_resized, encode_color, image_size
from vantage.scans.raw import pinhole
from vantage.scans.sens import SensFrame, SensReader

PARTS = ("color", "depth", "pose")
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Selection:
    """What an export takes. No image of a frame that is left out is read.

    Attributes:
        stride: every how many recorded frames; counted before `first` and `stop`, so that frames 0, 10, 20
            and so on are taken whatever the range is.
        first, stop: ids of the first frame, and of the first that is not taken any more; None: to the end.
        color_size: width and height (pixels) of the colour images; None: as recorded.
        parts: of `PARTS`.
        workers: threads.
    """

    stride: int = 1
    first: int = 0
    stop: int | None = None
    color_size: tuple[int, int] | None = None
    parts: tuple[str, ...] = PARTS
    workers: int = 1

    def __post_init__(self) -> None:
        wrong = [name for name in self.parts if name not in PARTS]
        if wrong or not self.parts:
            raise ParameterError(
                "no such part of a frame", expected=f"some of {', '.join(PARTS)}", found=wrong or "none"
            )
        if self.stride < 1 or self.workers < 1 or self.first < 0:
            found = f"stride {self.stride}, workers {self.workers}, first frame {self.first}"
            raise ParameterError("stride and workers start at 1, frames at 0", found=found)
        if self.color_size is not None and min(self.color_size) < 1:
            raise ParameterError("an image has at least one pixel", found=self.color_size)

    def indices(self, sens: SensReader) -> list[int]:
        """The frames to take, as indices of the file; ParameterError when there are none."""
        ids = sens.frame_ids()[:: self.stride].tolist()
        stop = self.stop if self.stop is not None else (ids[-1] + 1 if ids else 0)
        found = [k * self.stride for k, frame_id in enumerate(ids) if self.first <= frame_id < stop]
        if not len(sens):
            raise ScanError("the .sens file has no frames", where=sens.path.name, expected="at least one")
        if not found:
            raise ParameterError(
                "no frames in this range",
                where="--frames",
                expected=f"some of {ids[0]} to {ids[-1]}",
                found=f"{self.first}:{'' if self.stop is None else self.stop}",
            )
        return found

    def resizes(self, sens: SensReader) -> bool:
        """Whether the colour images change their size."""
        head = sens.header
        return self.color_size not in (None, (head.color_width, head.color_height))

    def cameras(self, sens: SensReader) -> tuple[Pinhole, Pinhole]:
        """Colour camera, at the size taken, and depth camera."""
        head, file = sens.header, sens.path.name
        color = pinhole(head.color_width, head.color_height, head.intrinsic_color, f"{file}, intrinsic_color")
        depth = pinhole(head.depth_width, head.depth_height, head.intrinsic_depth, f"{file}, intrinsic_depth")
        return (color if self.color_size is None else color.resized(*self.color_size)), depth

    def color_encoding(self, sens: SensReader) -> str:
        """How colour is written: as recorded, but what was raw becomes png: lossless stays lossless."""
        return "jpeg" if sens.header.color_compression == "jpeg" else "png"

    def color(self, sens: SensReader, frame: SensFrame) -> bytes:
        """The colour image to write. It is copied, not decoded, when neither form nor size changes.

        Raises ScanError when it is unreadable or not of the header's size.
        """
        head, data = sens.header, sens.color_blob(frame)
        shape, where = (head.color_height, head.color_width), sens.where(frame, frame.color_offset)
        if self.color_size is not None and self.resizes(sens):
            rgb = decode_resized(data, head.color_compression, shape, where, self.color_size)
            return encode_color(rgb, self.color_encoding(sens))
        if head.color_compression == "raw":
            return encode_color(decode_color(data, "raw", shape, where), "png")
        if (found := image_size(data, where)) != shape:
            expected = f"{shape[1]}x{shape[0]} pixels"
            raise ScanError(
                "an image of the wrong size", where=where, expected=expected, found=f"{found[1]}x{found[0]}"
            )
        return data


def in_order(work: Callable[[_Item], _Result], items: Iterable[_Item], workers: int) -> Iterator[_Result]:
    """`work` of every item, in order, by threads, with few items under way at a time: memory stays bounded.

    Decoding, packing and writing let other threads run. What a worker raises is raised here.
    """
    waiting = iter(items)
    with ThreadPoolExecutor(workers, thread_name_prefix="sens") as pool:
        running: list[Future[_Result]] = [pool.submit(work, item) for item in islice(waiting, 2 * workers)]
        try:
            while running:
                yield running.pop(0).result()
                running += [pool.submit(work, item) for item in islice(waiting, 1)]
        finally:
            for future in running:
                future.cancel()
