"""Parameters of the `download` and `extract` stages; the defaults are the demo profile."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from vantage.scans.generated.config import GeneratedConfig
from vantage.scans.release.config import ScannetConfig


@dataclass(frozen=True)
class FolderConfig:
    """Scans of your own.

    Attributes:
        path: a folder of scan folders, or one scan folder. A scan folder holds either ScanNet's raw files
            (`<scan>.sens`, ...) or the extracted layout (`color`, `depth`, `pose`, `intrinsic`).
        scans: names of the scan folders to take; empty for all.
        label_table: ScanNet's `scannetv2-labels.combined.tsv`; empty for the built-in table.
        link: hard-link files instead of copying them. Saves the space of a copy, but then the originals must
            not be changed in place, and a tool that makes linked files read-only does so to the originals.
    """

    path: str = ""
    scans: tuple[str, ...] = ()
    label_table: str = ""
    link: bool = False


@dataclass(frozen=True)
class DownloadConfig:
    """Where scans come from: rooms made and rendered here, folders of your own, or ScanNet's server."""

    source: Literal["generated", "folder", "scannet"] = "generated"
    generated: GeneratedConfig = field(default_factory=GeneratedConfig)
    folder: FolderConfig = field(default_factory=FolderConfig)
    scannet: ScannetConfig = field(default_factory=ScannetConfig)


@dataclass(frozen=True)
class ExtractConfig:
    """Which frames are used.

    Attributes:
        stride: every so many recorded frames, counted before any is dropped.
        depth_units_per_m: of depth images in extracted folders; a `.sens` carries its own.
        min_depth_valid_share: a frame with a smaller share of measured depth pixels is dropped.
        min_blur: a frame whose Laplacian varies less, at 320 pixels on the longer side, is dropped.
        min_exposure, max_exposure: bounds of a frame's mean grey, 0 to 1.
    """

    stride: Annotated[int, Ge(1)] = 1
    depth_units_per_m: Annotated[float, Gt(0)] = 1000.0
    min_depth_valid_share: Annotated[float, Ge(0), Le(1)] = 0.1
    min_blur: Annotated[float, Ge(0)] = 10.0
    min_exposure: Annotated[float, Ge(0), Le(1)] = 0.03
    max_exposure: Annotated[float, Ge(0), Le(1)] = 0.97

    def __post_init__(self) -> None:
        if self.min_exposure > self.max_exposure:
            raise ValueError(f"min_exposure {self.min_exposure} is over max_exposure {self.max_exposure}")
