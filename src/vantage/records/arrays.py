"""Arrays in one `.npz` file whose bytes depend on the arrays alone."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Shaped


def write_arrays(path: Path, arrays: Mapping[str, Shaped[np.ndarray, "..."]]) -> None:
    """Write arrays uncompressed, under their names and in their order; `numpy.load` reads them.

    `numpy.savez` announces no sizes beforehand, and what zipfile then writes into the headers differs between
    Python 3.11.2 (Debian 12's) and 3.11.4 and later, so that the same scan would have two digests.
    """
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue())
