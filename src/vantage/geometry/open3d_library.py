"""Open3D, loaded where it is needed."""

from __future__ import annotations

from typing import Any

from vantage.core.errors import ResourceError


def open3d() -> Any:
    """The package `open3d`; ResourceError where it, or a graphics library it links to, is missing."""
    try:
        import open3d as o3d
    except (ImportError, OSError) as error:
        raise ResourceError(
            "Open3D, which casts rays and fuses depth, cannot be loaded",
            where="import open3d",
            expected="the package open3d-cpu and the system's graphics libraries",
            found=str(error),
            hint="pip install 'vantage[scans]'; "
            "apt install libgl1 libegl1 libx11-6 libusb-1.0-0 libudev1 libidn2-0",
        ) from error
    return o3d
