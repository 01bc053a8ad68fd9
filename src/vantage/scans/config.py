"""Parameters of the `download` and `extract` stages; the defaults are the demo profile."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from vantage.records.frames import Intrinsics
from vantage.scans.conventions import CameraAxes, PoseDirection, Up
from vantage.scans.generated.config import GeneratedConfig
from vantage.scans.release.config import ScannetConfig


@dataclass(frozen=True)
class FolderConfig:
    """Scans of your own.

    Attributes:
        path: a folder of scan folders, or one scan folder. A scan folder holds ScanNet's raw files
            (`<scan>.sens`, ...) or a posed RGB-D recording in one of the layouts of docs/scans.md.
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
class CaptureConfig:
    """What a capture is, where its layout does not say so or says it wrong; see `vantage doctor scan`.

    Attributes:
        poses: which way stored poses map: `camera_to_world`, `world_to_camera`, or as the layout has it.
        camera_axes: the camera's axes in stored poses: `opencv` (x right, y down, z forward),
            `opengl` (x right, y up, z back), `left_up` (x left, y up, z forward), `mirrored` (x right, y up,
            z forward, in a left-handed world), or as the layout has it.
        depth_units_per_m: stored depth units per metre; 0 for the layout's, or the one a `.sens` carries.
        up: the axis of the world that points up, where no axisAlignment says so: x, -x, y, -y, z, -z, or as
            the layout has it.
        color_intrinsics, depth_intrinsics: fx, fy, cx, cy in pixels, in place of the files'; empty to go by
            them.
        pose_delay_s: seconds added to the time stamps of poses before they are paired with images.
    """

    poses: Literal["layout"] | PoseDirection = "layout"
    camera_axes: Literal["layout"] | CameraAxes = "layout"
    depth_units_per_m: Annotated[float, Ge(0)] = 0.0
    up: Literal["layout"] | Up = "layout"
    color_intrinsics: tuple[float, ...] = ()
    depth_intrinsics: tuple[float, ...] = ()
    pose_delay_s: float = 0.0

    def __post_init__(self) -> None:
        for name, value in self._intrinsics().items():
            if value and (len(value) != 4 or min(value[:2]) <= 0):
                raise ValueError(
                    f"{name} must be fx, fy, cx, cy with fx and fy above 0, or empty; found {value}"
                )

    def color(self) -> Intrinsics | None:
        """Intrinsics of the colour camera, if given."""
        return _four(self.color_intrinsics)

    def depth(self) -> Intrinsics | None:
        """Intrinsics of the depth camera, if given."""
        return _four(self.depth_intrinsics)

    def _intrinsics(self) -> dict[str, tuple[float, ...]]:
        return {"color_intrinsics": self.color_intrinsics, "depth_intrinsics": self.depth_intrinsics}


def _four(values: tuple[float, ...]) -> Intrinsics | None:
    if not values:
        return None
    fx, fy, cx, cy = values
    return fx, fy, cx, cy


@dataclass(frozen=True)
class FusionConfig:
    """How depth becomes the points of a scan that has no mesh.

    Attributes:
        enabled: fuse such scans; else they have no points. A scan with a mesh is never fused.
        voxel_m: edge (m) of the voxels; doubled for a scan too large for memory, which is said.
        truncation_m: how far (m) a measured depth reaches in front of and behind its surface. Larger fills
            more, and thickens what is thinner.
        far_m: depth beyond is left out: sensors measure far surfaces badly.
        stride: every so many kept frames are fused.
        min_frames: a surface counts where so many frames saw it. 1 keeps what one frame alone saw, a quarter
            of a capture of few frames; 2 or 3 leave out strays where frames follow each other closely.
        max_points: points of a scan at most, thinned evenly.
        mesh: also write the surface, as `mesh.ply`: `lift.depth.source: mesh` needs it.
    """

    enabled: bool = True
    voxel_m: Annotated[float, Gt(0)] = 0.02
    truncation_m: Annotated[float, Gt(0)] = 0.06
    far_m: Annotated[float, Gt(0)] = 5.0
    stride: Annotated[int, Ge(1)] = 1
    min_frames: Annotated[int, Ge(1)] = 1
    max_points: Annotated[int, Ge(1)] = 200_000
    mesh: bool = False

    def __post_init__(self) -> None:
        if self.truncation_m < 2 * self.voxel_m:
            raise ValueError(f"truncation_m {self.truncation_m} is under two voxels of {self.voxel_m}")


@dataclass(frozen=True)
class ExtractConfig:
    """Which frames are used, and how depth becomes points where there is no mesh.

    Attributes:
        stride: every so many recorded frames, counted before any is dropped.
        capture: what the capture is, where its layout does not say so.
        require_depth: whether a frame needs a depth image; false for lift.depth.source `estimator`, in the
            layouts `extracted` and `posed_images`. `recover` and questions still rest on recorded depth.
        min_depth_valid_share: a frame with a smaller share of measured depth pixels is dropped, if depth is
            required.
        fusion: depth fused into points, for scans without a mesh.
        min_blur: a frame whose Laplacian varies less, at 320 pixels on the longer side, is dropped.
        min_exposure, max_exposure: bounds of a frame's mean grey, 0 to 1.
        min_depth_agreement: a scan is set aside when no convention fits its poses and its frames agree, at
            best, on a smaller share of the points they share (within 5 cm); 0 for never. A scan in which no
            frames share surface is not measured and passes.
        max_jump_m, max_jump_deg: a frame whose camera moved or turned more since the frame before is dropped;
            0 for no bound. Depends on `stride` and the speed of recording.
    """

    stride: Annotated[int, Ge(1)] = 1
    capture: CaptureConfig = field(default_factory=CaptureConfig)
    require_depth: bool = True
    fusion: FusionConfig = field(default_factory=FusionConfig)
    min_depth_valid_share: Annotated[float, Ge(0), Le(1)] = 0.1
    min_blur: Annotated[float, Ge(0)] = 10.0
    min_exposure: Annotated[float, Ge(0), Le(1)] = 0.03
    max_exposure: Annotated[float, Ge(0), Le(1)] = 0.97
    min_depth_agreement: Annotated[float, Ge(0), Le(1)] = 0.3
    max_jump_m: Annotated[float, Ge(0)] = 0.0
    max_jump_deg: Annotated[float, Ge(0), Le(180)] = 0.0

    def __post_init__(self) -> None:
        if self.min_exposure > self.max_exposure:
            raise ValueError(f"min_exposure {self.min_exposure} is over max_exposure {self.max_exposure}")
