"""What a family tells about its models; subclasses say where they differ from a plain raster tower."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Int64
from torch import Tensor, nn

from vantage.core.errors import ContractError, ParameterError
from vantage.models.families.locate import locate
from vantage.models.families.order import Pictures, blocks, over_pictures, patch_map
from vantage.models.patch_geometry import Grid

Site = Literal["post_vit", "pre_vit", "post_projector"]
"""Where an embedding is summed.

- `pre_vit`: with the tower's 2D position embedding, before block 0 (the site published for KIST's model).
- `post_vit`: after the tower, before projector or merger (LLaVA-3D's).
- `post_projector`: on the decoder's visual tokens (Video-3D-LLM's).
"""


@dataclass(frozen=True)
class Point:
    """A place in a model where an embedding is summed.

    Attributes:
        module: whose input or output it is.
        before: its input rather than its output.
        lead: tokens before the first patch (a class token), left as they are.
        pack: patches side by side in the channels of one row.
    """

    module: nn.Module
    before: bool = False
    lead: int = 0
    pack: int = 1


class Family:
    """A family of vision-language models.

    Written for towers that give (pictures, patches, width) in raster order; `edge` x `edge` patches become
    one token in the projector.
    """

    name: ClassVar[str]
    order: ClassVar[Literal["raster", "raster_with_class", "merge_blocks"]] = "raster"
    tower_name: ClassVar[str] = "vision_tower"
    projector_name: ClassVar[str] = "multi_modal_projector"
    decoder_name: ClassVar[str] = "language_model"
    placeholder: ClassVar[str] = "<image>"
    """What stands for an image in a prompt, and, repeated, for its tokens."""
    special_tokens: ClassVar[bool] = True
    """Whether the tokenizer adds its own special tokens around a prompt."""
    marks_images: ClassVar[bool] = True
    """Whether `prompt` only puts marks around images, which holds inside a chat template too."""

    prefix_sees_question: ClassVar[bool] = False
    """Whether the decoder lets the views look ahead at the question, so that dialogs cannot share them."""

    # Where things are.

    def tower(self, model: nn.Module) -> nn.Module:
        """The vision tower."""
        return locate(model, self.tower_name)

    def projector(self, model: nn.Module) -> nn.Module:
        """What makes the decoder's tokens of the tower's output."""
        return locate(model, self.projector_name)

    def decoder(self, model: nn.Module) -> nn.Module:
        """The language model, without its head."""
        return locate(model, self.decoder_name)

    def projectors(self, model: nn.Module) -> dict[str, nn.Module]:
        """Every module between tower and decoder, by a stable name: what "projector only" trains."""
        return {"projector": self.projector(model)}

    def point(self, model: nn.Module, site: Site) -> Point:
        """Where the embedding of `site` is summed."""
        if site == "pre_vit":
            return Point(locate(self.tower(model), "embeddings"))
        return Point(self.projector(model), before=site == "post_vit")

    def width(self, model: Any, site: Site) -> int:
        """Width of the embedding at `site`."""
        config = model.config
        return int((config.text_config if site == "post_projector" else config.vision_config).hidden_size)

    def edge(self, model: Any) -> int:
        """Edge, in patches, of what becomes one token."""
        return 1

    def logit_cap(self, model: Any) -> float | None:
        """c where the model keeps its logits within (-c, c) by c tanh(logit / c); None: it does not."""
        return None

    def hidden_states(self, model: Any) -> tuple[int, ...]:
        """Numbers of the tower's hidden states that the projector reads; empty: its last hidden state."""
        return ()

    # Which pictures a model is shown.

    def shown(self, model: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Pictures:
        """The pictures of a call of the tower."""
        pixels = args[0] if args else kwargs["pixel_values"]
        return self.of_pixels(model, pixels)

    def expected(self, model: Any, inputs: Mapping[str, Any]) -> Pictures:
        """The pictures that the tower will be shown when the model is called with `inputs`."""
        return self.of_pixels(model, inputs["pixel_values"])

    def of_pixels(self, model: Any, pixels: Tensor) -> Pictures:
        """Pictures of equal size, (pictures, channels, height, width)."""
        patch = patch_edge(model)
        grid = (pixels.shape[-2] // patch, pixels.shape[-1] // patch)
        return Pictures.whole([grid] * len(pixels))

    # Which patches stand where.

    def members(self, model: Any, site: Site, pictures: Pictures) -> Int64[Tensor, "rows k"] | None:
        """The patches of each row at `site`, numbered through the batch; -1: none. None: one by one, as they
        are."""
        edge = self.edge(model) if site == "post_projector" else 1
        if edge == 1 and pictures.grids == pictures.canvas:
            return None
        return over_pictures(pictures, lambda grid, canvas: blocks(patch_map(grid, canvas), edge))

    def token_members(self, model: Any, inputs: Mapping[str, Any]) -> Int64[Tensor, "tokens k"]:
        """The patches of each placeholder's token in the decoder, for a call with `inputs`.

        Numbered through the batch; -1: none. A token of -1 alone is no part of a picture (a row end, a class
        token, padding). Not the same as `members` where the model sorts, cuts or adds tokens after
        projecting.
        """
        pictures = self.expected(model, inputs)
        members = self.members(model, "post_projector", pictures)
        if members is None:
            return torch.arange(sum(rows * columns for rows, columns in pictures.grids))[:, None]
        return members

    def image_tokens(
        self, model: Any, images: Sequence[Sequence[Grid]], inputs: Mapping[str, Any]
    ) -> list[int]:
        """Tokens of each image (its pictures' grids) in the decoder, placeholders only.

        `inputs` are the model's other inputs, for families in which they decide.
        """
        edge = self.edge(model)
        return [sum(-(-rows // edge) * -(-columns // edge) for rows, columns in image) for image in images]

    # Prompts, where transformers' own processors cannot be built without torchvision.

    def image_processor(self, model: Any, inner: Any) -> Any:
        """What makes a model's pictures, from the image processor in its folder."""
        return inner

    def process(self, processor: Any, samples: Sequence[Sequence[Any]]) -> dict[str, Any]:
        """What the family's image processor makes of the images of all samples."""
        return dict(processor(images=[image for images in samples for image in images], return_tensors="pt"))

    def tiles(self, model: Any, processed: dict[str, Any]) -> list[list[Grid]]:
        """The grids of each image's pictures; takes out of `processed` what the model is not called with."""
        return [[grid] for grid in self.expected(model, processed).grids]

    def image_text(self, image: Sequence[Grid], tokens: int, layout: Grid) -> str:
        """What is put into the prompt for an image of so many tokens, its tiles in a layout of (rows,
        columns), (0, 0) without any."""
        return self.placeholder * tokens

    def prompt(self, text: str, tokenizer: Any) -> str:
        """A prompt with its placeholders, as the family is trained with it."""
        return text

    def positions(
        self, model: Any, ids: Tensor, mask: Tensor, inputs: Mapping[str, Any]
    ) -> Int64[Tensor, "a b t"] | None:
        """Positions of the tokens that `mask` is True at, on each axis; None: they are counted, on one.

        `inputs` are those of the images.
        """
        return None

    def extra_inputs(self, ids: Tensor, image_id: int) -> dict[str, Tensor]:
        """Further inputs that follow from the token ids."""
        return {}


def patch_edge(model: Any) -> int:
    """Edge of the tower's patches, pixels."""
    size = model.config.vision_config.patch_size
    return int(size[0] if isinstance(size, list | tuple) else size)


def class_tokens(model: Any) -> int:
    """Class tokens that the tower puts before the patches."""
    known = {"siglip_vision_model": 0, "clip_vision_model": 1, "internvl_vision": 1}
    kind = model.config.vision_config.model_type
    if kind not in known:
        raise ParameterError(
            "the token order of this vision tower is not known", where=type(model).__name__,
            expected=f"one of {', '.join(known)}", found=kind,
        )  # fmt: skip
    return known[kind]


def require_square(pictures: Pictures, why: str) -> None:
    """Raise `ContractError` for a canvas that is not square, which some projectors take for one that is."""
    if bad := [canvas for canvas in pictures.canvas if canvas[0] != canvas[1]]:
        raise ContractError(
            f"{why} reads every picture as a square", expected="as many rows as columns of patches",
            found=f"{bad[0][0]}x{bad[0][1]}", hint="let the image processor make square pictures or tiles",
        )  # fmt: skip
