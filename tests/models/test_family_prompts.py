"""Prompts and images to inputs: equal to transformers' own processors wherever those can be built."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_prompts import PROCESSORS, preparer, processor, tokenizer
from tiny_vlms import CASES, IMAGE_ID
from transformers import (
    Idefics3Processor,
    InternVLProcessor,
    LlavaOnevisionProcessor,
    LlavaProcessor,
    PaliGemmaProcessor,
    Qwen2_5_VLProcessor,
    Qwen3VLProcessor,
    SmolVLMProcessor,
)

from vantage.core.errors import ContractError, ParameterError
from vantage.models.encoders import EncoderConfig
from vantage.models.families import FAMILIES
from vantage.models.injector import InjectionConfig, Injector
from vantage.models.loading import load_vlm
from vantage.models.patch_geometry import BatchGeometry, PatchGrid
from vantage.models.prompts import Preparer, image_processor


def pictures() -> list[list[Any]]:
    """Two samples of two and one images of three sizes."""
    rng = np.random.default_rng(3)
    sizes = [[(30, 20), (16, 16)], [(32, 24)]]
    return [
        [Image.fromarray(rng.integers(1, 255, (h, w, 3), dtype=np.uint8)) for w, h in sample]
        for sample in sizes
    ]


def texts(placeholder: str) -> list[str]:
    return [
        f"{placeholder} {placeholder} where is the chair ?",
        f"from here : {placeholder} answer briefly",
    ]


def composite(name: str, maker: Preparer) -> Any:
    """transformers' own processor, where it can be built without torchvision."""
    words, image = tokenizer(maker.family.placeholder), processor(name)
    if name == "idefics3":
        return Idefics3Processor(image, words, image_seq_len=4)
    if name == "paligemma":
        return PaliGemmaProcessor(image, words)
    clip = name == "llava_clip"
    strategy = "default" if clip else "full"
    return LlavaProcessor(
        image, words, patch_size=4, vision_feature_select_strategy=strategy,
        num_additional_image_tokens=int(clip),
    )  # fmt: skip


@pytest.mark.parametrize("name", ["llava", "llava_clip", "paligemma", "idefics3"])
def test_inputs_are_those_of_the_processors_that_can_be_built(name: str) -> None:
    maker = preparer(name)
    asked, shown = texts(maker.family.placeholder), pictures()
    theirs = composite(name, maker)(text=asked, images=shown, return_tensors="pt", padding=True)
    ours = maker(asked, shown).inputs
    assert set(ours) == set(theirs) - {"labels"}
    for key, value in ours.items():
        assert torch.equal(value, theirs[key]), key


@pytest.mark.parametrize("name", ["smolvlm", "internvl", "qwen2_5_vl", "qwen3_vl", "llava_onevision"])
def test_an_image_is_expanded_as_the_processors_that_cannot_be_built_would(name: str) -> None:
    maker = preparer(name)
    placeholder, shown = maker.family.placeholder, pictures()
    processed = maker.family.process(maker.image_processor, shown)
    kinds = {
        "smolvlm": SmolVLMProcessor, "internvl": InternVLProcessor, "qwen2_5_vl": Qwen2_5_VLProcessor,
        "qwen3_vl": Qwen3VLProcessor, "llava_onevision": LlavaOnevisionProcessor,
    }  # fmt: skip
    theirs = object.__new__(kinds[name])
    theirs.image_processor, theirs.image_token = maker.image_processor, placeholder
    theirs.image_seq_len = theirs.image_seq_length = 4
    theirs.fake_image_token, theirs.global_image_token = "<fake_token_around_image>", "<global-img>"
    theirs.start_image_token, theirs.end_image_token = "<img>", "</img>"
    theirs.num_image_tokens, theirs.vision_feature_select_strategy = 16, "full"
    theirs.vision_aspect_ratio = "anyres_max_9"
    expected = [theirs.replace_image_token(processed, number) for number in range(3)]
    asked = texts(placeholder)
    marked = f"<|vision_start|>{placeholder}<|vision_end|>" if "qwen" in name else placeholder
    whole = [text.replace(placeholder, marked) for text in asked]
    filled = [
        _filled(whole[0], placeholder, expected[:2]),
        _filled(whole[1], placeholder, expected[2:]),
    ]
    words = maker.tokenizer(filled, padding=True, return_tensors="pt")
    assert torch.equal(maker(whole, shown).inputs["input_ids"], words["input_ids"])
    ours = maker(asked, shown).inputs
    assert torch.equal(ours["input_ids"], words["input_ids"])
    assert torch.equal(ours["attention_mask"], words["attention_mask"])
    if "qwen" in name:
        assert torch.equal(ours["mm_token_type_ids"], (words["input_ids"] == IMAGE_ID).long())


def _filled(text: str, placeholder: str, images: list[str]) -> str:
    parts = text.split(placeholder)
    return parts[0] + "".join(image + part for image, part in zip(images, parts[1:], strict=True))


@pytest.mark.parametrize("name", list(PROCESSORS))
def test_a_model_takes_the_inputs_and_the_geometry_of_their_pictures(name: str) -> None:
    maker = preparer(name)
    made = maker(texts(maker.family.placeholder), pictures())
    samples = [
        [[PatchGrid(torch.ones(*g, 3), torch.ones(g, dtype=torch.bool)) for g in image] for image in sample]
        for sample in made.samples
    ]
    injector = Injector.fresh(maker.model, InjectionConfig("pre_vit", encoder=EncoderConfig("mlp")), seed=0)
    with torch.no_grad():
        plain = maker.model(**made.inputs).logits
        with injector.bind(BatchGeometry.of(samples)):
            assert torch.equal(maker.model(**made.inputs).logits, plain)
    assert [len(sample) for sample in made.samples] == [2, 1]


@pytest.mark.parametrize("name", ["internvl", "idefics3", "smolvlm", "llava_onevision"])
def test_tiles_are_there_where_the_family_tiles(name: str) -> None:
    maker = preparer(name)
    made = maker(texts(maker.family.placeholder), pictures())
    assert max(len(image) for sample in made.samples for image in sample) > 1


@pytest.mark.parametrize("name", ["llava", "qwen2_5_vl", "smolvlm"])
def test_tokenizer_and_image_processor_come_from_the_models_folder(name: str, tmp_path: Path) -> None:
    maker = preparer(name)
    maker.model.save_pretrained(tmp_path)
    maker.tokenizer.save_pretrained(tmp_path)
    maker.image_processor.save_pretrained(tmp_path)
    loaded = Preparer.load(load_vlm(tmp_path).model, tmp_path)
    assert type(loaded.image_processor) is type(maker.image_processor)
    asked, shown = texts(maker.family.placeholder), pictures()
    first, second = maker(asked, shown).inputs, loaded(asked, shown).inputs
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_a_folder_without_an_image_processor_or_with_an_unknown_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="missing"):
        image_processor(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text('{"image_processor_type": "FovealImageProcessor"}')
    with pytest.raises(ParameterError, match="no such image processor"):
        image_processor(tmp_path)


def test_tokens_of_an_image_at_the_sizes_of_released_models() -> None:
    def tokens(name: str, side: int, tiles: int = 1, **config: Any) -> int:
        model = SimpleNamespace(config=SimpleNamespace(**config))
        pixels = torch.empty(1, 1, 1, side * 14, side * 14, device="meta")
        family = FAMILIES.get(name)
        inputs = {"pixel_values": pixels, "image_sizes": [(480, 640)]}
        return family.image_tokens(model, [[(side, side)] * tiles], inputs)[0]

    vision = SimpleNamespace(
        model_type="siglip_vision_model", patch_size=14, image_size=384, spatial_merge_size=2
    )
    full = {"vision_config": vision, "vision_feature_select_strategy": "full"}
    assert tokens("nvila_lite", 32, mm_projector_type="mlp_downsample_3x3_fix", **full) == 121
    assert tokens("nvila_lite", 32, mm_projector_type="mlp_downsample", **full) == 256
    assert tokens("llava_onevision", 27, **full) == 730
    assert tokens("internvl", 32, downsample_ratio=0.5) == 256
    assert tokens("qwen2_5_vl", 32, vision_config=vision) == 256
    assert tokens("smolvlm", 32, scale_factor=4, vision_config=vision) == 64


def test_a_tokenizer_of_another_model_is_refused() -> None:
    case = CASES["llava"]()
    case.model.config.image_token_id = 7
    with pytest.raises(ContractError, match="not this model's"):
        Preparer(case.model, tokenizer("<image>"), PROCESSORS["llava"]())


def test_a_folder_without_a_tokenizer_or_with_a_damaged_one_is_named(tmp_path: Path) -> None:
    maker = preparer("llava")
    for part in (maker.model, maker.tokenizer, maker.image_processor):
        part.save_pretrained(tmp_path)
    file = tmp_path / "tokenizer.json"
    for damage in (lambda: file.write_bytes(file.read_bytes()[:-40]), file.unlink):
        damage()
        with pytest.raises(ContractError, match="tokenizer cannot be read") as refused:
            Preparer.load(maker.model, tmp_path)
        assert refused.value.where == str(tmp_path)


def test_words_that_the_model_has_no_rows_for_are_named() -> None:
    maker = preparer("llava")
    asked, shown = texts(maker.family.placeholder), pictures()
    maker.tokenizer.add_tokens([f"beyond{number}" for number in range(200)])
    lost = maker.tokenizer.convert_tokens_to_ids("beyond199")
    assert lost >= maker.model.get_input_embeddings().num_embeddings
    maker(asked, shown)  # unused words harm nobody
    with pytest.raises(ContractError, match="not this model's") as refused:
        maker([asked[0], f"{asked[1]} beyond199"], shown)
    assert "beyond199" in str(refused.value.found) and "sample 1" in str(refused.value.where)


def test_prompts_that_do_not_fit_their_images_are_refused() -> None:
    maker = preparer("llava")
    asked, shown = texts("<image>"), pictures()
    with pytest.raises(ParameterError, match="placeholders and images differ") as caught:
        maker(asked, [shown[0][:1], shown[1]])
    assert "sample 0" in str(caught.value)
    with pytest.raises(ParameterError, match="needs images"):
        maker(asked, shown[:1])
    with pytest.raises(ParameterError, match="needs images"):
        maker(["where is the chair"], [[]])


def test_more_views_than_the_context_holds_are_refused() -> None:
    maker = preparer("llava")
    maker.model.config.text_config.max_position_embeddings = 36
    with pytest.raises(ParameterError, match="context") as caught:
        maker(texts("<image>"), pictures())
    assert "sample 0" in str(caught.value)
    with pytest.raises(ParameterError, match="context") as caught:
        maker(texts("<image>"), pictures(), names=["room0/3/3-0", "room1/0/0"])
    assert "sample room0/3/3-0" in str(caught.value)
