"""A layout as another package would bring it: one recording inside a folder of its own."""

from dataclasses import replace
from pathlib import Path

from vantage.scans.conventions import Convention
from vantage.scans.layouts import extracted
from vantage.scans.layouts.base import Reading
from vantage.scans.raw import RawScan


class Mine:
    name = "mine"
    example = "mine.txt, inner/"
    convention = Convention()

    def recognises(self, folder: Path) -> bool:
        return (folder / "mine.txt").is_file()

    def files(self, folder: Path, scan_id: str) -> dict[str, Path]:
        inner = extracted.LAYOUT.files(folder / "inner", scan_id)
        return {f"inner/{name}": path for name, path in inner.items()}

    def read(self, folder: Path, scan_id: str, reading: Reading) -> RawScan:
        return replace(extracted.LAYOUT.read(folder / "inner", scan_id, reading), layout=self.name)


LAYOUT = Mine()
