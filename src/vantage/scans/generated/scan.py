"""A whole scan of a generated room, and its folder in ScanNet's own formats."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, UInt8, UInt16

from vantage.core.errors import ParameterError
from vantage.core.seeds import rng as make_rng
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import from_yaw, invert
from vantage.scans import scannet
from vantage.scans.codecs import encode_jpeg
from vantage.scans.generated.cameras import color_camera, depth_camera
from vantage.scans.generated.config import GeneratedConfig
from vantage.scans.generated.layout import sample_room
from vantage.scans.generated.mesh import ScanMesh, scan_mesh
from vantage.scans.generated.path import camera_path
from vantage.scans.generated.render import Scene
from vantage.scans.generated.room import Room
from vantage.scans.generated.sensor import lost_tracking, measured_color, measured_depth, noise_tile
from vantage.scans.layouts.base import Recording
from vantage.scans.scannet import Group
from vantage.scans.sens import SensWriter

_BATCH = 4
"""Frames rendered at a time: their rays fit in the cache."""
_FRAME_US = 500_000
_SCENE_TYPE = {
    "bedroom": "Bedroom / Hotel",
    "living": "Living room / Lounge",
    "office": "Office",
    "kitchen": "Kitchen",
}


@dataclass(frozen=True, eq=False)
class GeneratedScan:
    """What a hand-held sensor recorded of a room, and its annotated reconstruction.

    Colour sRGB; depth uint16 millimetres, 0 for holes; poses `T_raw_cam`, all -inf where tracking was lost.
    The room and its objects are in the aligned world, the mesh in the raw world.
    """

    scan_id: str
    room: Room
    color_camera: Pinhole
    depth_camera: Pinhole
    color: UInt8[np.ndarray, "N H W 3"]
    depth: UInt16[np.ndarray, "N h w"]
    T_raw_cam: Float64[np.ndarray, "N 4 4"]
    T_aligned_raw: Float64[np.ndarray, "4 4"]
    mesh: ScanMesh

    @property
    def color_names(self) -> dict[int, str]:
        """The colour word of each object that has one."""
        return {item.object_id: item.color for item in self.room.items}


def recording_of(scan: GeneratedScan) -> Recording:
    """The frames of a scan in the raw world, to be written in any layout; half a second apart."""
    seconds = np.arange(len(scan.color)) * (_FRAME_US / 1e6)
    return Recording(
        scan.color_camera, scan.depth_camera, scan.color, scan.depth, scan.T_raw_cam, 1000.0 + seconds
    )


def room_id_of(scan_id: str) -> str:
    """`room0003` of `room0003_01`."""
    room_id, _, number = scan_id.rpartition("_")
    if not room_id or not number.isdigit():
        raise ParameterError(
            "not the name of a generated scan", where=scan_id, expected="room0000_00", found=scan_id
        )
    return room_id


def generate_scan(scan_id: str, seed: int, config: GeneratedConfig) -> GeneratedScan:
    """Make the room, walk through it, and record it. Follows from `seed`, `scan_id` and `config` alone."""
    room_id = room_id_of(scan_id)
    room = sample_room(seed, room_id, smallest=config.smallest_side, largest=config.largest_side)
    scene = Scene(room, seed)
    poses = camera_path(room, seed, scan_id, config.frames_per_scan)
    T_raw_aligned = _raw_world(seed, scan_id)
    color_eye, depth_eye = color_camera(config), depth_camera(config)
    rng = make_rng(seed, "sensor", scan_id)
    T_raw_cam = T_raw_aligned @ poses
    T_raw_cam[lost_tracking(len(poses), config.noise, rng)] = -np.inf
    tile = noise_tile((color_eye.height, color_eye.width, 3), config.noise, rng)
    color = np.empty((len(poses), color_eye.height, color_eye.width, 3), np.uint8)
    depth = np.empty((len(poses), depth_eye.height, depth_eye.width), np.uint16)
    for k in range(0, len(poses), _BATCH):
        batch = slice(k, k + _BATCH)
        clean = scene.views(poses[batch], color_eye).color
        color[batch] = np.stack([measured_color(c, tile, config.noise, rng) for c in clean])
        depth[batch] = measured_depth(scene.depth_views(poses[batch], depth_eye), config.noise, rng)
    mesh = scan_mesh(scene.surfaces, T_raw_aligned, config.mesh_edge, seed, scan_id)
    return GeneratedScan(
        scan_id, room, color_eye, depth_eye, color, depth, T_raw_cam, invert(T_raw_aligned), mesh
    )


def _raw_world(seed: int, scan_id: str) -> Float64[np.ndarray, "4 4"]:
    """Where the aligned world lies in the raw one: scanners start anywhere, facing anywhere."""
    rng = make_rng(seed, "raw", scan_id)
    x, y, z = rng.uniform((1.5, 1.5, -0.3), (4.5, 4.5, 0.3)).tolist()
    return from_yaw(rng.uniform(-math.pi, math.pi), (x, y, z))


def write_scan(scan: GeneratedScan, folder: Path) -> None:
    """Write the scan's files into an existing folder, named as ScanNet names them."""
    name = scan.scan_id
    with SensWriter(folder / f"{name}{scannet.SENS}", scan.color_camera, scan.depth_camera) as sens:
        for k, (color, depth, pose) in enumerate(zip(scan.color, scan.depth, scan.T_raw_cam, strict=True)):
            sens.add(encode_jpeg(color), depth, pose, k * _FRAME_US)
    mesh = scan.mesh
    scannet.write_ply(folder / f"{name}{scannet.MESH}", scannet.Mesh(mesh.vertices, mesh.colors, mesh.faces))
    scannet.write_segments(folder / f"{name}{scannet.SEGMENTS}", name, mesh.segment)
    scannet.write_aggregation(folder / f"{name}{scannet.AGGREGATION}", name, _groups(scan))
    scannet.write_attributes(folder / f"{name}{scannet.ATTRIBUTES}", scan.color_names)
    scannet.write_scan_txt(
        folder / f"{name}{scannet.TXT}",
        scan.color_camera,
        scan.depth_camera,
        len(scan.color),
        T_aligned_raw=scan.T_aligned_raw,
        scene_type=_SCENE_TYPE[scan.room.style],
    )


def _groups(scan: GeneratedScan) -> list[Group]:
    segments, first = np.unique(scan.mesh.segment, return_index=True)
    owner = scan.mesh.object_id[first]
    return [
        Group(item.object_id, item.label, tuple(segments[owner == item.object_id].tolist()))
        for item in scan.room.objects
    ]
