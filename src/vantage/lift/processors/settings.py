"""The settings of an image processor, as a model's `preprocessor_config.json` holds them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vantage.core.errors import ParameterError
from vantage.geometry.warp import Tile

TYPE = "image_processor_type"
_FILES = ("preprocessor_config.json", "processor_config.json")
_HINT = "give the folder of a model, its preprocessor_config.json, or what stands in it"


@dataclass(frozen=True)
class Processor:
    """A kind of image processor.

    Attributes:
        stock: the settings it has unless told otherwise.
        tiles: what it makes of an image (a tile that is the image itself), being shown so many images
            together.
    """

    stock: Mapping[str, Any]
    tiles: Callable[[Settings, Tile, int], list[Tile]]


@dataclass(frozen=True)
class Settings:
    """What a processor is told; a setting that is absent or null has the stock value of its kind.

    Attributes:
        kind: the processor's class in transformers, without `Fast` or `Pil`.
        given: its settings.
        stock: the stock values of its kind.
    """

    kind: str
    given: Mapping[str, Any]
    stock: Mapping[str, Any]

    def value(self, name: str) -> Any:
        """A setting, or its stock value; None where there is neither."""
        given = self.given.get(name)
        return self.stock.get(name) if given is None else given

    def flag(self, name: str) -> bool:
        """A setting that is on or off."""
        return bool(self.value(name))

    def number(self, name: str) -> int:
        """A setting that is a positive whole number."""
        value = self.value(name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise self.error(name, "a positive whole number", value)
        return value

    def size(self, name: str) -> dict[str, int]:
        """A size by its edges (`height` and `width`, `shortest_edge`, ...), pixels.

        One number is a square for a crop or with `default_to_square`, else the shortest edge; two are height
        and width.
        """
        value = self.value(name)
        if isinstance(value, int) and not isinstance(value, bool):
            square = name == "crop_size" or self.flag("default_to_square")
            value = {"height": value, "width": value} if square else {"shortest_edge": value}
        elif isinstance(value, list | tuple) and len(value) == 2:
            value = {"height": value[0], "width": value[1]}
        fits = isinstance(value, Mapping) and all(v is None or isinstance(v, int) for v in value.values())
        if not fits:
            raise self.error(name, "edges and their pixels", value)
        return {edge: pixels for edge, pixels in value.items() if pixels is not None}

    def error(self, name: str, expected: str, found: object) -> ParameterError:
        """The error that says that a setting cannot be followed."""
        return ParameterError(
            "this setting of the image processor cannot be followed",
            where=f"{self.kind}, {name}",
            expected=expected,
            found=found,
        )


def read_processor(source: object) -> dict[str, Any]:
    """A processor's settings as plain values: `image_processor_type`, and what it is told.

    Args:
        source: a transformers image processor, or a processor that holds one; a mapping; the folder of a
            model or the file in it. There `patch_size` comes from the model's own `config.json` if the
            processor has none.

    Raises:
        ParameterError: there are no settings, or they do not name their processor.
    """
    where = "the image processor"
    if isinstance(source, str | Path):
        where, values = str(source), _from_folder(Path(source))
    elif isinstance(source, Mapping):
        values = dict(source)
    else:
        inner = getattr(source, "image_processor", source)
        to_dict = getattr(inner, "to_dict", None)
        if to_dict is None:
            raise ParameterError("this is no image processor", found=type(source).__name__, hint=_HINT)
        values = dict(to_dict())
    if isinstance(values.get("image_processor"), Mapping):  # a processor_config.json
        values = dict(values["image_processor"])
    if not isinstance(values.get(TYPE), str):
        raise ParameterError(
            "the settings do not name their image processor",
            where=where,
            expected=f"{TYPE}",
            found=", ".join(sorted(map(str, values))) or "nothing",
            hint=_HINT,
        )
    return values


def _from_folder(path: Path) -> dict[str, Any]:
    if (path / "vision_tower").is_dir():  # NVILA keeps its parts in folders of their own
        return _from_folder(path / "vision_tower") | _tiling(path / "config.json")
    folder = path if path.is_dir() else path.parent
    candidates = [path / name for name in _FILES] if path.is_dir() else [path]
    found = next((file for file in candidates if file.is_file()), None)
    if found is None:
        raise ParameterError("no image processor", where=path, expected=" or ".join(_FILES), hint=_HINT)
    values = _read_json(found)
    values = dict(values.get("image_processor", values))
    model = folder / "config.json"
    if values.get("patch_size") is None and model.is_file():
        config = _read_json(model)
        values["patch_size"] = _edge(config.get("vision_config", config).get("patch_size"))
    return values | _tiling(model)


def _tiling(model: Path) -> dict[str, Any]:
    """What a model's own configuration says of tiles, in the place of its image processor's: NVILA's."""
    config = _read_json(model) if model.is_file() else {}
    if config.get("image_aspect_ratio") != "dynamic":
        return {}
    told = {name: config[name] for name in ("min_tiles", "max_tiles") if config.get(name) is not None}
    return {TYPE: "NvilaImageProcessor", **told}


def _edge(patch_size: Any) -> Any:
    """Of patches that a configuration gives as height and width (InternVL's), which are equal."""
    pair = isinstance(patch_size, list | tuple) and len(set(patch_size)) == 1
    return patch_size[0] if pair else patch_size


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ParameterError("not JSON", where=path, found=error) from error
    if not isinstance(value, dict):
        raise ParameterError("not settings", where=path, expected="a JSON object", found=type(value).__name__)
    return value
