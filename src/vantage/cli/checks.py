"""What can be wrong with an environment: each check says what it found and what to do."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

_GIBIBYTE = 1 << 30
_NEEDED_GIB = 5.0
# Distribution, import name, the extra that brings it, and what misses it.
_PACKAGES = (
    ("numpy", "numpy", "", "everything"),
    ("pyarrow", "pyarrow", "", "everything"),
    ("open3d-cpu", "open3d", "scans", "generated scans"),
    ("numba", "numba", "scans", "fast projection"),
    ("torch", "torch", "train", "training and evaluation"),
    ("transformers", "transformers", "train", "training and evaluation"),
    ("accelerate", "accelerate", "train", "training"),
    ("dvc", "dvc", "pipeline", "`dvc repro`"),
    ("dagster", "dagster", "pipeline", "Dagster's UI"),
    ("mlflow", "mlflow", "pipeline", "the registry"),
)
_OPEN3D_LIBRARIES = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libX11.so.6": "libx11-6",
    "libusb-1.0.so.0": "libusb-1.0-0",
    "libudev.so.1": "libudev1",
    "libidn2.so.0": "libidn2-0",
}


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        level: `warn` leaves something out, `fail` stops the pipeline.
        name: what was looked at.
        text: what was found.
        todo: what to do about it.
    """

    level: Literal["ok", "warn", "fail"]
    name: str
    text: str
    todo: str = ""


def every_check(folder: Path) -> Iterator[Finding]:
    """All checks, for a workspace at `folder`."""
    yield check_python(sys.version_info[:2])
    yield from (check_package(*package) for package in _PACKAGES)
    yield check_antlr(_version)
    yield check_open3d_libraries(_loads)
    yield from check_torch()
    yield check_gpu()
    yield check_disk(shutil.disk_usage(folder).free)
    yield check_memory()
    yield check_mlflow_store(os.environ.get("MLFLOW_TRACKING_URI"), os.environ.get("MLFLOW_ALLOW_FILE_STORE"))
    yield check_port(3000, "Dagster")
    yield check_port(5000, "MLflow")
    yield check_chromium(shutil.which)
    yield check_workspace(folder)


def check_python(found: tuple[int, int]) -> Finding:
    """The interpreter's version."""
    text = f"{found[0]}.{found[1]} on {platform.system()} {platform.machine()}"
    if (3, 11) <= found < (3, 13):
        return Finding("ok", "python", text)
    return Finding("fail", "python", text, "use Python 3.11 or 3.12")


def check_package(distribution: str, module: str, extra: str, needed_for: str) -> Finding:
    """Whether a package is installed."""
    if find_spec(module) is not None:
        return Finding("ok", module, _version(distribution) or _version(module) or "installed")
    target = f"vantage[{extra}]" if extra else "vantage"
    return Finding(
        "warn" if extra else "fail", module, f"missing: no {needed_for}", f'pip install "{target}"'
    )


def check_antlr(installed: Callable[[str], str | None]) -> Finding:
    """The pair that lets Dagster and DVC share an environment."""
    antlr, hydra = installed("antlr4-python3-runtime"), installed("hydra-core")
    text = f"antlr {antlr}, hydra {hydra}"
    cure = 'pip install "hydra-core>=1.4.0rc1,<1.5" "antlr4-python3-runtime>=4.13,<4.14"'
    if antlr is not None and not antlr.startswith("4.13."):
        return Finding("fail", "antlr", f"{text}: string selections in Dagster fail", cure)
    if hydra is not None and tuple(int(part) for part in hydra.split(".")[:2]) < (1, 4):
        return Finding("fail", "antlr", f"{text}: `dvc exp run -S` fails", cure)
    return Finding("ok", "antlr", text)


def check_open3d_libraries(loads: Callable[[str], bool]) -> Finding:
    """The system libraries that Open3D's wheel leaves to the system."""
    missing = [package for library, package in _OPEN3D_LIBRARIES.items() if not loads(library)]
    if missing:
        todo = f"apt-get install {' '.join(missing)}"
        return Finding("fail", "open3d libs", f"missing: {', '.join(missing)}", todo)
    return Finding("ok", "open3d libs", "found")


def check_torch() -> Iterator[Finding]:
    """Which build of torch is installed, by its version alone."""
    found = _version("torch")
    if found is None:
        return
    gpu = Path("/dev/nvidiactl").exists()
    if "+cpu" in found and gpu:
        yield Finding(
            "warn", "torch build", f"{found}, but this machine has an NVIDIA GPU", "pip install torch"
        )
    elif "+cpu" not in found and not gpu:
        text = f"{found}: the CUDA build on a machine without a GPU works, at several GB"
        yield Finding("ok", "torch build", text)
    else:
        yield Finding("ok", "torch build", found)


def check_gpu() -> Finding:
    """Whether there is a GPU."""
    if Path("/dev/nvidiactl").exists():
        return Finding("ok", "gpu", "NVIDIA")
    return Finding("ok", "gpu", "none: the pocket model trains on the CPU")


def check_disk(free: int) -> Finding:
    """Free space in the workspace, bytes."""
    text = f"{free / _GIBIBYTE:.1f} GiB free"
    if free / _GIBIBYTE < 1:
        return Finding("fail", "disk", text, f"free space: the demo needs about {_NEEDED_GIB:.0f} GiB")
    if free / _GIBIBYTE < _NEEDED_GIB:
        return Finding("warn", "disk", text, f"the demo needs about {_NEEDED_GIB:.0f} GiB")
    return Finding("ok", "disk", text)


def check_memory() -> Finding:
    """Memory and CPUs."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIBIBYTE
    text = f"{memory:.1f} GiB, {len(os.sched_getaffinity(0))} CPUs"
    if memory < 5:
        return Finding("warn", "memory", text, "training may not fit: the demo is meant for 8 GB")
    return Finding("ok", "memory", text)


def check_mlflow_store(uri: str | None, allow_files: str | None) -> Finding:
    """Where MLflow is told to keep runs."""
    if uri and not uri.startswith(("http://", "https://", "sqlite:", "postgresql", "mysql")):
        text = f"MLFLOW_TRACKING_URI={uri}: MLflow 3.13 and later refuse a folder of files"
        return Finding("fail", "mlflow store", text, "unset it: the workspace's own sqlite database is used")
    if allow_files:
        text = "MLFLOW_ALLOW_FILE_STORE is set"
        return Finding("warn", "mlflow store", text, "unset it: the pipeline needs the database")
    return Finding("ok", "mlflow store", uri or "sqlite in mlruns/")


def check_port(port: int, what: str) -> Finding:
    """Whether a port on loopback is free."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        taken = probe.connect_ex(("127.0.0.1", port)) == 0
    if taken:
        todo = f"if it is not {what} itself, choose another port"
        return Finding("warn", f"port {port}", f"in use; {what} would like it", todo)
    return Finding("ok", f"port {port}", f"free for {what}")


def check_chromium(which: Callable[[str], str | None]) -> Finding:
    """A browser for the tests of the user interface."""
    if which("chromium") or which("chromium-browser"):
        return Finding("ok", "chromium", "found")
    return Finding("ok", "chromium", "not found; only the browser tests need it (apt-get install chromium)")


def check_workspace(folder: Path) -> Finding:
    """Whether the parameters of the workspace are right."""
    from vantage.core.errors import VantageError
    from vantage.pipeline.params import load_params
    from vantage.pipeline.workspace import find_workspace

    try:
        root = find_workspace(folder).root
        load_params(root)
    except VantageError as error:
        return Finding("fail", "workspace", error.one_line(), error.hint or "correct it")
    return Finding("ok", "workspace", str(root))


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
