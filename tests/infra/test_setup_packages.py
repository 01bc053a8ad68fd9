"""`make` for a user who may install nothing, on a machine that lacks system packages."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
WANTS = ("pyproject.toml", "constraints.txt", "infra/setup.sh")
# A mount namespace in which files can be hidden, and in it a user who is not root.
NAMESPACE = ["unshare", "--map-root-user", "--mount", "bash", "-c"]
HIDE = 'while read -r over hidden; do mount --bind "$over" "$hidden"; done; '
DEMO = "exec setpriv --no-new-privs unshare --user --map-user=1000 --map-group=1000 make demo"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What setting up reads, in a folder that says it is set up already: what follows would not be needed."""
    root = tmp_path / "clone"
    for name in (*WANTS, "Makefile"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, root / name)
    (root / "infra/demo.sh").write_text("#!/bin/sh\necho the demo runs\n")
    (root / "infra/demo.sh").chmod(0o755)
    digest = hashlib.sha256(b"".join((root / name).read_bytes() for name in WANTS)).hexdigest()
    (root / ".venv").mkdir()
    (root / ".venv/.vantage-installed").write_text(f"all {digest}")
    return root


def demo(clone: Path, *hidden: Path) -> subprocess.CompletedProcess[str]:
    """`make demo` of an ordinary user for whom the hidden files are empty and cannot be run."""
    empty_folder, empty_file = clone.parent / "no_folder", clone.parent / "no_file"
    empty_folder.mkdir()
    empty_file.touch(mode=0o644)
    pairs = "".join(f"{empty_folder if path.is_dir() else empty_file} {path}\n" for path in hidden)
    return subprocess.run(
        [*NAMESPACE, HIDE + DEMO],
        cwd=clone,
        # Not what `make test` tells the makes below it: they would name their folders.
        env={k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
        | {"VANTAGE_PYTHON": sys.executable},
        input=pairs,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(autouse=True, scope="module")
def namespaces() -> None:
    if subprocess.run([*NAMESPACE, "unshare --user true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody make namespaces, so no file can be hidden")


def libraries(name: str) -> list[Path]:
    """Where the loader finds a shared library."""
    listed = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    lines = [line.split() for line in listed.splitlines()]
    return sorted({Path(words[-1]).resolve() for words in lines if words and words[0] == name})


def programs(*names: str) -> list[Path]:
    """Every program of these names on the path."""
    folders = [Path(folder) for folder in os.environ["PATH"].split(os.pathsep)]
    found = [folder / name for folder in folders for name in names if os.access(folder / name, os.X_OK)]
    return sorted({path.resolve() for path in found})


def test_with_everything_there_it_goes_on(clone: Path) -> None:
    done = demo(clone)
    assert (done.returncode, done.stdout, done.stderr) == (0, "the demo runs\n", "")


def test_all_missing_packages_are_named_in_one_command(clone: Path) -> None:
    ensurepip = Path(sys.base_prefix) / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/ensurepip"
    done = demo(clone, *programs("git"), ensurepip, *libraries("libusb-1.0.so.0"), *libraries("libEGL.so.1"))
    assert done.returncode != 0
    venv = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    assert f"run  sudo apt-get install git {venv} libegl1 libusb-1.0-0" in done.stderr
    assert "the demo runs" not in done.stdout


@pytest.mark.parametrize(
    ("library", "package"), [("libGL.so.1", "libgl1"), ("libusb-1.0.so.0", "libusb-1.0-0")]
)
def test_a_library_of_open3d_is_named(clone: Path, library: str, package: str) -> None:
    hidden = libraries(library)
    assert hidden
    done = demo(clone, *hidden)
    assert done.returncode != 0
    assert done.stderr.splitlines()[0].endswith(f"; run  sudo apt-get install {package}")


def test_without_python_the_packages_are_named(clone: Path) -> None:
    done = demo(clone, *programs("python3", "python3.11", "python3.12"), Path(sys.executable).resolve())
    assert done.returncode != 0
    assert "Python 3.11 or 3.12 is needed" in done.stderr
    assert "sudo apt-get install python3 python3-venv" in done.stderr
