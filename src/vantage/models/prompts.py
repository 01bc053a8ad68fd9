"""Prompts and images to a model's inputs, without transformers' composite processors.

Those that know videos cannot be built without torchvision; tokenizer and image processor can. An image's
placeholder is written once in a prompt and becomes as many tokens as the model makes of the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from vantage.core.errors import ContractError, ParameterError, ResourceError
from vantage.models.families import Family, family_of
from vantage.models.loading.weights import read_json
from vantage.models.patch_geometry import Grid


@dataclass(frozen=True)
class Prepared:
    """What a model is called with, and the pictures that it will see.

    `samples` holds, for each sample and image, the grids of its pictures: the geometry has to have the same.
    """

    inputs: dict[str, Tensor]
    samples: list[list[list[Grid]]]


@dataclass(frozen=True)
class Shown:
    """The images of some samples as their model takes them.

    Attributes:
        inputs: pixels and what goes with them.
        samples: for each sample and image, the grids of its pictures.
        texts: for each sample and image, what stands in the prompt for it.
    """

    inputs: dict[str, Tensor]
    samples: list[list[list[Grid]]]
    texts: list[list[str]]


class Preparer:
    """Prompts and images to inputs of one model.

    Args:
        model: of a family in `vantage.models.families.FAMILIES`.
        tokenizer: the model's.
        image_processor: the model's, of the kind that works on Pillow images (`...Pil`).

    Raises:
        ContractError: the tokenizer's placeholder is not the model's.
    """

    def __init__(self, model: Any, tokenizer: Any, image_processor: Any) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.image_processor = image_processor
        self.family: Family = family_of(model)
        found = tokenizer.convert_tokens_to_ids(self.family.placeholder)
        if found != model.config.image_token_id:
            raise ContractError(
                "the tokenizer is not this model's", where=f"placeholder {self.family.placeholder}",
                expected=f"token {model.config.image_token_id}", found=f"token {found}",
                hint="take the tokenizer from the model's own folder",
            )  # fmt: skip

    @classmethod
    def load(cls, model: Any, folder: Path) -> Preparer:
        """With tokenizer and image processor from a model's folder (NVILA keeps them in two of its parts).

        Raises as `image_processor` does, and `ContractError` for a tokenizer that is missing or damaged.
        """
        words = folder / "llm" if (folder / "llm").is_dir() else folder
        pixels = folder / "vision_tower" if (folder / "vision_tower").is_dir() else folder
        tokenizer = _tokenizer(words)
        inner = image_processor(pixels)
        return cls(model, tokenizer, family_of(model).image_processor(model, inner))

    def __call__(
        self, texts: Sequence[str], images: Sequence[Sequence[Any]], names: Sequence[str] = ()
    ) -> Prepared:
        """Inputs of a batch, padded at the left.

        Args:
            texts: a prompt for each sample, with a placeholder for each of its images.
            images: Pillow images of each sample.
            names: of the samples, for messages.

        Raises:
            ParameterError: no image at all, as many placeholders as images in no sample, or a prompt that is
                longer than the model's context; the sample is named.
        """
        where = [f"sample {name}" for name in names or (f"{k} of the batch" for k in range(len(texts)))]
        _require_matching(texts, images, self.family.placeholder, where)
        shown = self.show(images)
        prompts = [
            self.expanded(self.family.prompt(text, self.tokenizer), own)
            for text, own in zip(texts, shown.texts, strict=True)
        ]
        encoded = self.tokenizer(
            prompts, padding=True, padding_side="left", return_tensors="pt",
            add_special_tokens=self.family.special_tokens, return_token_type_ids=False,
        )  # fmt: skip
        ids, image_id = encoded["input_ids"], int(self.model.config.image_token_id)
        tokens = {name: encoded[name] for name in ("input_ids", "attention_mask")}
        for number, length in enumerate(encoded["attention_mask"].sum(1).tolist()):
            self.require_context(length, where[number])
            self.require_known(ids[number].tolist(), where[number])
        inputs = {**tokens, **self.family.extra_inputs(ids, image_id), **shown.inputs}
        return Prepared(inputs, shown.samples)

    def show(self, images: Sequence[Sequence[Any]]) -> Shown:
        """Pillow images of each sample as the model takes them."""
        processed = self.family.process(self.image_processor, images)
        tiles = self.family.tiles(self.model, processed)
        layouts = _layouts(processed, len(tiles))
        counts = self.family.image_tokens(self.model, tiles, processed)
        written = iter(self.family.image_text(*image) for image in zip(tiles, counts, layouts, strict=True))
        left = iter(tiles)
        return Shown(
            processed,
            [[next(left) for _ in own] for own in images],
            [[next(written) for _ in own] for own in images],
        )

    def expanded(self, text: str, written: Sequence[str]) -> str:
        """A text with each placeholder replaced by what stands for that image."""
        first, *rest = text.split(self.family.placeholder)
        return first + "".join(image + part for image, part in zip(written, rest, strict=True))

    def require_known(self, ids: Sequence[int], where: str, beyond: Sequence[int] = ()) -> None:
        """Raise `ContractError`, naming `where`, for a token that the model has no row for.

        `beyond` are ids that have vectors of their own.
        """
        rows = int(self.model.get_input_embeddings().num_embeddings)
        if max(ids, default=0) < rows:
            return
        if lost := sorted({i for i in ids if i >= rows} - set(beyond)):
            words = self.tokenizer.convert_ids_to_tokens(lost[:3])
            raise ContractError(
                "the tokenizer is not this model's", where=where, expected=f"ids below {rows}",
                found=", ".join(f"{word!r}: {i}" for i, word in zip(lost, words, strict=False)),
                hint="take the tokenizer from the model's own folder",
            )  # fmt: skip

    def require_context(self, length: int, where: str) -> None:
        """Raise `ParameterError`, naming `where`, for a prompt longer than the model's context."""
        most = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        if most is not None and length > most:
            raise ParameterError(
                "a prompt is longer than the model's context", where=where,
                expected=f"at most {most} tokens", found=f"{length} tokens",
                hint="show fewer views, or smaller ones",
            )  # fmt: skip


def _tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:  # of the tokenizers library: it has no kinds
        known = sorted(path.name for path in folder.glob("*token*"))
        said = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise ContractError(
            "the tokenizer cannot be read", where=folder, expected="tokenizer.json, tokenizer_config.json",
            found=f"{', '.join(known) or 'none'} ({said})",
            hint="download the model again, its tokenizer too",
        ) from error  # fmt: skip


def image_processor(folder: Path) -> Any:
    """A folder's image processor, of the kind that works on Pillow images.

    By its class: transformers' own look-up wants torchvision in some releases.

    Raises:
        ParameterError: the installed transformers has no such class.
        ContractError: the folder describes none.
        ResourceError: the class wants torchvision, as Idefics3's and SmolVLM's did in transformers 5.17.
    """
    import transformers

    path = folder / "preprocessor_config.json"
    other = folder / "processor_config.json"
    value = read_json(other if other.is_file() and not path.is_file() else path)
    value = value.get("image_processor", value)
    name = str(value.get("image_processor_type")).removesuffix("Fast").removesuffix("Pil") + "Pil"
    kind = getattr(transformers, name, None)
    if kind is None:
        raise ParameterError(
            "no such image processor for Pillow images", where=folder, expected="image_processor_type",
            found=value.get("image_processor_type"),
        )  # fmt: skip
    try:
        return kind.from_pretrained(folder, local_files_only=True)
    except ImportError as error:
        raise ResourceError(
            "the image processor cannot be used", where=name, found=str(error).strip().splitlines()[0],
            hint="install a later transformers",
        ) from error  # fmt: skip


def _require_matching(
    texts: Sequence[str], images: Sequence[Sequence[Any]], placeholder: str, where: Sequence[str]
) -> None:
    if len(texts) != len(images) or not any(images):
        raise ParameterError(
            "a batch needs images for its prompts", expected=f"images for {len(texts)} prompts",
            found=f"{len(images)} samples, {sum(map(len, images))} images",
        )  # fmt: skip
    for name, text, own in zip(where, texts, images, strict=True):
        if text.count(placeholder) != len(own):
            raise ParameterError(
                "placeholders and images differ", where=name,
                expected=f"{len(own)} x {placeholder}", found=text.count(placeholder),
            )  # fmt: skip


def _layouts(processed: dict[str, Any], images: int) -> list[Grid]:
    """Rows and columns of each image's tiles, where the image processor tells them; takes them out."""
    rows, columns = processed.pop("rows", None), processed.pop("cols", None)
    if rows is None or columns is None:
        return [(0, 0)] * images
    flat = [[int(v) for own in values for v in own] for values in (rows, columns)]
    return list(zip(*flat, strict=True))
