"""Reference files with pictures of their own, and a tiny model's folder to ask about them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from asked_vlms import preparer
from PIL import Image

COLORS = ("red", "green", "blue", "white")


def picture(seed: int) -> bytes:
    """A PNG of noise, of a size of its own."""
    rng = np.random.default_rng(seed)
    width, height = (int(v) for v in rng.integers(14, 34, 2))
    data = io.BytesIO()
    Image.fromarray(rng.integers(1, 255, (height, width, 3), dtype=np.uint8)).save(data, "PNG")
    return data.getvalue()


def muirbench(folder: Path, n: int = 12) -> Path:
    """References with one to three pictures each, at places of their own in question and options."""
    images = folder / "images"
    images.mkdir(parents=True)
    rows: list[dict[str, Any]] = []
    for k in range(n):
        names = [f"{k}-{i}.png" for i in range(1 + k % 3)]
        for i, name in enumerate(names):
            (images / name).write_bytes(picture(10 * k + i))
        marks = " and ".join("<image>" for _ in names)
        question = f"where is the chair {'here ' * k} in {marks} ?"
        rows.append(
            {
                "idx": f"m{k}", "task": "Counting", "question": question,
                "options": ["the chair", "here"], "answer": "A", "image_list": names, "counterpart_idx": "-1",
            }
        )  # fmt: skip
    path = folder / "muirbench.json"
    path.write_text(json.dumps(rows))
    return path


def model(folder: Path, name: str = "nvila_3x3", seed: int | None = None) -> Path:
    """A tiny model with tokenizer and image processor, as it is published."""
    maker = preparer(name, seed)
    for part in (maker.model, maker.tokenizer, maker.image_processor):
        part.save_pretrained(folder)
    return folder
