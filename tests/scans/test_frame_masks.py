"""Instance masks beside frames: where they lie, what their values mean, what names their objects."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vantage.core.errors import ScanError
from vantage.scans.annotations import Group, write_aggregation
from vantage.scans.codecs import decode_ids, encode_png16
from vantage.scans.frame_masks import find_masks, mask_labels

VALUES = np.arange(12, dtype=np.uint8).reshape(3, 4)


def save(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


@pytest.mark.parametrize(
    ("folder", "name", "offset"),
    [
        ("instance-filt", "7.png", 1),
        ("instance", "7.png", 1),
        ("semantic_instance", "semantic_instance_7.png", 0),
    ],
)
def test_each_kind(tmp_path: Path, folder: str, name: str, offset: int) -> None:
    save(tmp_path / folder / name, VALUES)
    save(tmp_path / folder / "notes.png", VALUES)
    masks = find_masks(tmp_path)
    assert masks is not None and list(masks.files) == [7]
    expected = VALUES.astype(int) - offset
    expected[0, 0] = -1
    np.testing.assert_array_equal(masks.ids(7), expected)


def test_the_cleaned_masks_go_first_and_none_is_none(tmp_path: Path) -> None:
    assert find_masks(tmp_path) is None
    (tmp_path / "instance-filt").mkdir()
    save(tmp_path / "instance" / "3.png", VALUES)
    masks = find_masks(tmp_path)
    assert masks is not None and masks.kind.folder == "instance"
    save(tmp_path / "instance-filt" / "4.png", VALUES)
    masks = find_masks(tmp_path)
    assert masks is not None and list(masks.files) == [4]


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def test_eight_and_sixteen_bits_and_palettes() -> None:
    deep = np.array([[0, 300], [65535, 1]], dtype=np.uint16)
    np.testing.assert_array_equal(decode_ids(encode_png16(deep), "x"), deep)
    np.testing.assert_array_equal(decode_ids(png(Image.fromarray(VALUES)), "x"), VALUES)
    palette = Image.fromarray(VALUES, mode="P")
    palette.putpalette(list(range(256)) * 3)
    np.testing.assert_array_equal(decode_ids(png(palette), "x"), VALUES)
    with pytest.raises(ScanError, match=r"one channel(.|\n)*mode RGB"):
        decode_ids(png(Image.new("RGB", (4, 3))), "instance/3.png")
    with pytest.raises(ScanError, match=r"unreadable(.|\n)*instance/3.png"):
        decode_ids(png(Image.fromarray(VALUES))[:40], "instance/3.png")


def test_labels_by_pixel_value_by_aggregation_or_by_replicas_list(tmp_path: Path) -> None:
    save(tmp_path / "instance" / "3.png", VALUES)
    masks = find_masks(tmp_path)
    assert masks is not None
    assert mask_labels(tmp_path, "a", masks.kind) == {}
    (tmp_path / "info_semantic.json").write_text(json.dumps({"objects": [{"id": 4, "class_name": "sofa"}]}))
    assert mask_labels(tmp_path, "a", masks.kind) == {4: "sofa"}
    write_aggregation(tmp_path / "a.aggregation.json", "a", [Group(2, "chair", (1,))])
    assert mask_labels(tmp_path, "a", masks.kind) == {2: "chair"}
    (tmp_path / "instance_labels.json").write_text(json.dumps({"version": 1, "labels": {"3": "bed"}}))
    assert mask_labels(tmp_path, "a", masks.kind) == {2: "bed"}  # a pixel of 3 is object 2


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ({"labels": {}}, "version"),
        ({"version": 1, "labels": []}, "labels of type dict"),
        ({"version": 1, "labels": {"0": "chair"}}, "pixel values of 1 and more"),
        ({"version": 1, "labels": {"chair": "1"}}, "pixel values of 1 and more"),
        ({"version": 1, "labels": {"1": 5}}, "1 of type str"),
    ],
)
def test_a_bad_file_of_labels_is_named(tmp_path: Path, value: object, at: str) -> None:
    save(tmp_path / "instance" / "3.png", VALUES)
    (tmp_path / "instance_labels.json").write_text(json.dumps(value))
    masks = find_masks(tmp_path)
    assert masks is not None
    with pytest.raises(ScanError, match=rf"instance_labels.json(.|\n)*{at}"):
        mask_labels(tmp_path, "a", masks.kind)
