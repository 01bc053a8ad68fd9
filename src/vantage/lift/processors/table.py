"""From an image processor's settings and an image's size to the warp."""

from __future__ import annotations

from vantage.core.errors import ParameterError
from vantage.core.names import Names
from vantage.geometry.warp import ImageWarp, Tile
from vantage.lift.processors.settings import TYPE, Processor, Settings, read_processor

_HERE = "vantage.lift.processors."
PROCESSORS: Names[Processor] = Names(
    "image processor",
    {
        "CLIPImageProcessor": _HERE + "single:CLIP",
        "GotOcr2ImageProcessor": _HERE + "internvl:GOT_OCR2",
        "Idefics3ImageProcessor": _HERE + "idefics3:IDEFICS3",
        "LlavaImageProcessor": _HERE + "single:LLAVA",
        "LlavaOnevisionImageProcessor": _HERE + "llava_onevision:LLAVA_ONEVISION",
        "NvilaImageProcessor": _HERE + "nvila:NVILA",
        "Qwen2VLImageProcessor": _HERE + "qwen:QWEN2_VL",
        "SiglipImageProcessor": _HERE + "single:SIGLIP",
        "SmolVLMImageProcessor": _HERE + "idefics3:IDEFICS3",
    },
    group="vantage.image_processors",
)


def known(source: object, patch_size: int | None = None) -> tuple[Processor, Settings]:
    """The kind and the settings of an image processor; see `processor_warp` for arguments and errors."""
    values = read_processor(source)
    kind = str(values[TYPE]).removesuffix("Fast").removesuffix("Pil")
    processor = PROCESSORS.get(kind)
    if patch_size is not None:
        values = {**values, "patch_size": patch_size}
    settings = Settings(kind, values, processor.stock)
    if settings.value("patch_size") is None:
        raise ParameterError(
            "the image processor does not say how large the vision tower's patches are",
            where=f"{kind}, patch_size",
            expected="pixels",
            hint="take it from the model's config.json: patch_size in vision_config",
        )
    return processor, settings


def processor_warp(
    source: object, width: int, height: int, images: int = 1, patch_size: int | None = None
) -> ImageWarp:
    """What an image processor makes of a colour image of `width` x `height` pixels.

    Args:
        source: a transformers image processor, or a processor that holds one; its settings as a mapping; the
            folder of a model or the `preprocessor_config.json` in it.
        width, height: pixels of the colour image.
        images: how many images the processor is given together; some tile one alone.
        patch_size: edge (pixels) of the vision tower's patches, where the settings do not have it.

    Raises:
        ParameterError: the processor is none of those known (it lists them), a setting cannot be followed,
            the patch size is not known, or the image leaves no patch.
    """
    processor, settings = known(source, patch_size)
    size = settings.number("patch_size")
    try:
        return ImageWarp(width, height, size, tuple(processor.tiles(settings, Tile(width, height), images)))
    except ValueError as error:
        raise ParameterError(
            "the image processor leaves nothing of this image",
            where=settings.kind,
            expected=f"tiles of at least {size} pixels",
            found=f"{width}x{height} pixels: {error}",
        ) from error
