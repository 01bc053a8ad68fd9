"""Which folders hold scans, names that would leave their folder, and errors that name the parameter."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from vantage.core.errors import ParameterError, ResourceError, ScanError
from vantage.core.tasks import Task
from vantage.scans.config import DownloadConfig, FolderConfig
from vantage.scans.layout import check_name, scan_files, scan_folder, scan_folders
from vantage.scans.scannet import find, require_own_files, stem
from vantage.scans.stage import download, list_scans


def test_finds_scans_of_both_layouts_and_passes_over_the_rest(raw_scan: Path, extracted_scan: Path) -> None:
    root = raw_scan.parent
    (root / ".cache").mkdir()
    (root / "mac").mkdir()
    (root / "mac" / "._scene0000_00.sens").write_bytes(b"")
    (root / "notes").mkdir()
    (root / "readme.txt").write_text("hello")
    assert list(scan_folders(FolderConfig(path=str(root)))) == ["kitchen", "scene0000_00"]
    assert list(scan_folders(FolderConfig(path=str(root), scans=("kitchen",)))) == ["kitchen"]
    config = DownloadConfig(source="folder", folder=FolderConfig(path=str(root)))
    assert list_scans(config, 0) == ["kitchen", "scene0000_00"]


@pytest.mark.parametrize(
    "name", ["../x", "..", "a/b", "/etc", "", ".hidden", "a..b", "x y", "a\n", "é", "-rf"]
)
def test_names_that_could_escape_are_refused(tmp_path: Path, raw_scan: Path, name: str) -> None:
    with pytest.raises(ParameterError, match="not a safe name"):
        check_name(name)
    with pytest.raises(ParameterError, match="not a safe name"):
        scan_folders(FolderConfig(path=str(raw_scan.parent), scans=(name,)))
    with pytest.raises(ParameterError, match="not a safe name"):
        scan_folder(FolderConfig(path=str(raw_scan.parent)), name)


def test_a_scan_folder_with_an_unsafe_name_is_refused_not_skipped(raw_scan: Path) -> None:
    raw_scan.rename(raw_scan.parent / "living room")
    with pytest.raises(ParameterError, match="'living room'"):
        scan_folders(FolderConfig(path=str(raw_scan.parent)))


def test_missing_paths_name_the_key(tmp_path: Path, raw_scan: Path) -> None:
    with pytest.raises(ParameterError, match=r"download\.folder\.path") as caught:
        scan_folders(FolderConfig(path=str(tmp_path / "none")))
    assert caught.value.found == "nothing there" and caught.value.hint is not None
    with pytest.raises(ParameterError, match="not set"):
        scan_folders(FolderConfig())
    with pytest.raises(ParameterError, match=r"download\.folder\.scans") as caught:
        scan_folders(FolderConfig(path=str(raw_scan.parent), scans=("scene0000_01",)))
    assert caught.value.found == "scene0000_00"
    (tmp_path / "empty").mkdir()
    with pytest.raises(ParameterError, match="no scans in the folder"):
        scan_folders(FolderConfig(path=str(tmp_path / "empty")))


def test_a_scan_that_went_away_is_that_scans_error(raw_scan: Path) -> None:
    with pytest.raises(ScanError, match="gone"):
        scan_folder(FolderConfig(path=str(raw_scan.parent)), "scene0000_01")
    (raw_scan.parent / "hollow").mkdir()
    with pytest.raises(ScanError, match="no files of a scan"):
        scan_files(raw_scan.parent / "hollow", "hollow")


def test_an_unreadable_scan_is_set_aside_not_overlooked(
    raw_scan: Path, extracted_scan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the root user of a container reads everything, the refusal is made here."""
    listing = Path.iterdir

    def refusing(self: Path) -> Iterator[Path]:
        if self == raw_scan:
            raise PermissionError(13, "Permission denied", str(self))
        return listing(self)

    monkeypatch.setattr(Path, "iterdir", refusing)
    assert list(scan_folders(FolderConfig(path=str(raw_scan.parent)))) == ["kitchen", "scene0000_00"]
    with pytest.raises(ScanError, match=r"cannot read the scan's folder[\s\S]*Permission denied"):
        scan_files(raw_scan, "scene0000_00")


def test_files_are_found_after_the_folder_was_renamed(raw_scan: Path) -> None:
    moved = raw_scan.rename(raw_scan.parent / "0123abcd")
    assert stem(moved, "0123abcd") == "scene0000_00"
    assert find(moved, "0123abcd", ".txt") == moved / "scene0000_00.txt"
    assert find(moved, "0123abcd", "_vh_clean_2.labels.ply") is None


def test_two_scans_in_one_folder_are_an_error(raw_scan: Path) -> None:
    (raw_scan / "scene0000_01.sens").write_bytes(b"")
    with pytest.raises(ScanError, match=r"scene0000_00\.sens, scene0000_01\.sens"):
        stem(raw_scan, "scene0000_00")


def test_a_target_that_cannot_be_written_is_not_the_scans_fault(raw_scan: Path, tmp_path: Path) -> None:
    """Nobody may make files in /proc, root neither: like a read-only disk."""
    from vantage.scans.layout import take

    files = scan_files(raw_scan, "scene0000_00")
    for out in (Path("/proc/self/fdinfo"), Path("/proc/none/here")):
        with pytest.raises(ResourceError, match="cannot write"):
            take(files, out, link=False)
    (tmp_path / "out").write_text("a file")
    with pytest.raises(ResourceError, match="cannot write"):
        take(files, tmp_path / "out", link=False)
    gone = {"a.txt": raw_scan / "none.txt"}
    with pytest.raises(ScanError, match="gone"):
        take(gone, tmp_path / "fresh", link=False)


def test_a_full_disk_and_a_read_only_one(
    raw_scan: Path, tmp_path: Path, make_task: Callable[..., Task]
) -> None:
    """What does not fit is the disk's fault, not the scan's: the stage stops, the scan is not set aside."""
    disk = tmp_path / "disk"
    disk.mkdir()
    (raw_scan / "scene0000_00.sens").open("ab").truncate(2 << 20)
    config = DownloadConfig(source="folder", folder=FolderConfig(path=str(raw_scan.parent)))
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        task = replace(make_task("scene0000_00"), out=disk / "out")
        with pytest.raises(ResourceError, match="cannot write") as caught:
            download(task, config)
        assert "No space left" in str(caught.value) and caught.value.hint is not None
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(ResourceError, match="Read-only file system"):
            download(replace(task, out=disk / "other"), config)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_link_out_of_a_raw_scan_is_refused(raw_scan: Path, tmp_path: Path) -> None:
    require_own_files(raw_scan, "scene0000_00")
    (raw_scan / "again.sens").symlink_to(raw_scan / "scene0000_00.sens")
    require_own_files(raw_scan, "scene0000_00")  # inside
    moved = tmp_path / "elsewhere"
    moved.symlink_to(raw_scan)
    require_own_files(moved, "scene0000_00")  # the folder itself may be a link
    (raw_scan / "color").mkdir()
    (raw_scan / "color" / "0.jpg").symlink_to(tmp_path / "secret")
    for folder in (raw_scan, moved):
        with pytest.raises(ScanError, match=r"scene0000_00, color/0\.jpg") as caught:
            require_own_files(folder, "scene0000_00")
        assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("name", ["../scene0000_00", "/etc/passwd", "a/../b", ".."])
def test_a_scan_id_that_leaves_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "scene0000_00.txt").write_text("a = 1")
    (tmp_path / "in").mkdir()
    with pytest.raises(ScanError, match="not a scan's id"):
        find(tmp_path / "in", name, ".txt")


def test_links_inside_a_scan_are_followed(raw_scan: Path, tmp_path: Path) -> None:
    """Data sets are often symbolic links into a store: their content is what counts."""
    from vantage.scans.layout import take

    real = tmp_path / "store.bin"
    (raw_scan / "scene0000_00.sens").rename(real)
    (raw_scan / "scene0000_00.sens").symlink_to(real)
    for link in (False, True):
        out = tmp_path / f"out{link}"
        take(scan_files(raw_scan, "scene0000_00"), out, link=link)
        assert not (out / "scene0000_00.sens").is_symlink()
        assert (out / "scene0000_00.sens").read_bytes() == real.read_bytes()
