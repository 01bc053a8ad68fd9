"""Sharing the views is an optimisation: it may change neither loss nor gradients. The oracle is the library's
own forward pass and loss, a dialog at a time, with neither packing nor a mask of ours."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from shared_rows import dialogs_of, one_by_one, pixels_of, require_exact, together
from tiny_vlms import CASES, IMAGE_ID, PAD_ID, Case, seeded

from vantage.core.errors import ContractError, ParameterError
from vantage.models.encoders import EncoderConfig
from vantage.models.families import family_of
from vantage.models.families.nvila import NvilaForConditionalGeneration
from vantage.models.injector import InjectionConfig, Injector
from vantage.models.patch_geometry import BatchGeometry, Grid, PatchGrid
from vantage.models.vlm.batch import NOT_LEARNED
from vantage.models.vlm.prefix_inputs import prefix_inputs, shares_prefix
from vantage.models.vlm.shared_prefix import PADDING, PREFIX, Dialog, pack_dialogs, shared_length

SHARING = [name for name in CASES if name != "paligemma"]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("name", SHARING)
def test_loss_and_gradients_are_those_of_dialogs_one_by_one(name: str, attention: str) -> None:
    case = CASES[name]()
    case.model.set_attn_implementation(attention)
    assert shares_prefix(case.model).possible
    require_exact(case)


@pytest.mark.parametrize("name", ["llava", "qwen2_5_vl", "qwen3_vl", "smolvlm"])
@pytest.mark.parametrize("reentrant", [False, True])
def test_gradient_checkpointing_changes_nothing(name: str, reentrant: bool) -> None:
    case = CASES[name]()
    case.model.train()
    case.model.gradient_checkpointing_enable({"use_reentrant": reentrant})
    case.model.enable_input_require_grads()
    require_exact(case)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("kind", ["bfloat16", "autocast"])
def test_masks_suit_lower_precision(kind: str, attention: str) -> None:
    case = CASES["llava"]()
    dialogs = dialogs_of(case)
    exact, tokens = one_by_one(case, dialogs)
    case.model.set_attn_implementation(attention)
    if kind == "bfloat16":
        case.model.to(torch.bfloat16)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=kind == "autocast"):
        found, _ = together(case, dialogs)
    assert abs(float(found - exact.detach())) / tokens < 0.05


def geometry_of(case: Case, sample: int | None = None) -> BatchGeometry:
    """Points of all samples' pictures, or of one's."""
    number = iter(range(len(case.grids)))
    points = [[[patch_grid(grid, next(number)) for grid in image] for image in own] for own in case.samples]
    return BatchGeometry.of(points if sample is None else points[sample : sample + 1])


def patch_grid(grid: Grid, seed: int) -> PatchGrid:
    generator = torch.Generator().manual_seed(seed)
    return PatchGrid(torch.randn(*grid, 3, generator=generator), torch.ones(grid, dtype=torch.bool))


@pytest.mark.parametrize("name", ["llava", "internvl", "smolvlm", "qwen3_vl"])
def test_coordinates_reach_shared_views_as_they_reach_single_ones(name: str) -> None:
    case = CASES[name]()
    config = InjectionConfig("post_projector", encoder=EncoderConfig("mlp", "metres"))
    injector = Injector.fresh(case.model, config, seed=0)
    for parameter in injector.encoder.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    dialogs = dialogs_of(case)
    with torch.no_grad():
        with injector.bind(geometry_of(case)):
            shared, _ = together(case, dialogs)
        alone = torch.zeros(())
        for number, own in enumerate(dialogs):
            for dialog in own:
                only: list[list[Dialog]] = [[] for _ in dialogs]
                only[number] = [dialog]
                with injector.bind(geometry_of(case, number)):
                    alone = alone + one_by_one(case, only)[0]
        plain, _ = together(case, dialogs)
    assert torch.allclose(shared, alone, rtol=1e-5)
    assert (shared - plain).abs() > 1e-3


def test_peft_may_wrap_the_model() -> None:
    case = CASES["qwen3_vl"]()
    config = LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    case.model = get_peft_model(case.model, config)
    require_exact(case)


@pytest.mark.parametrize("name", SHARING)
def test_the_images_of_a_sample_are_encoded_once(name: str) -> None:
    case = CASES[name]()
    family, shown = family_of(case.model), []

    def hear(_module: Any, args: Any, kwargs: Any) -> None:
        shown.append(family.shown(case.model, args, kwargs).grids)

    handle = family.tower(case.model).register_forward_pre_hook(hear, with_kwargs=True)
    together(case, dialogs_of(case))
    handle.remove()
    assert shown == [tuple(case.grids)]


@pytest.mark.parametrize("name", ["qwen2_5_vl", "qwen3_vl"])
def test_positions_are_those_that_the_model_gives_each_dialog_alone(name: str) -> None:
    case = CASES[name]()
    dialogs = dialogs_of(case)
    rows = pack_dialogs(dialogs, IMAGE_ID, PAD_ID)
    found = prefix_inputs(case.model, rows, case.pixels)["position_ids"]
    for row, own in enumerate(dialogs):
        for number, (ids, _) in enumerate(own):
            alone, _ = case.model.model.get_rope_index(
                ids[None], mm_token_type_ids=(ids == IMAGE_ID).int()[None],
                image_grid_thw=pixels_of(case, row)["image_grid_thw"],
            )  # fmt: skip
            slot = rows.slot[row]
            assert torch.equal(found[:, row, (slot == PREFIX) | (slot == number)], alone[:, 0])


def test_a_sliding_window_counts_in_the_dialog_and_not_in_the_row() -> None:
    case = CASES["nvila_3x3"]()
    config = case.model.config
    text = {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1}
    config.text_config = type(config.text_config)(
        **{**config.text_config.to_dict(), **text, "layer_types": None}
    )
    assert config.text_config.layer_types == ["full_attention", "sliding_attention"]
    case.model = seeded(lambda: NvilaForConditionalGeneration(config))
    require_exact(case)


def test_a_decoder_all_of_whose_layers_slide_is_windowed_too() -> None:
    case = CASES["llava"]()
    text = {"model_type": "mistral", "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2,
            "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16, "intermediate_size": 48,
            "sliding_window": 6}  # fmt: skip
    config = type(case.model.config)(
        vision_config=case.model.config.vision_config, text_config=text, image_token_index=IMAGE_ID,
        vision_feature_select_strategy="full", vision_feature_layer=-1,
    )  # fmt: skip
    case.model = seeded(lambda: type(case.model)(config))
    require_exact(case)


def test_models_that_cannot_share_say_why() -> None:
    case = CASES["paligemma"]()
    assert "both directions" in shares_prefix(case.model).reason
    rows = pack_dialogs(dialogs_of(case), IMAGE_ID, PAD_ID)
    with pytest.raises(ParameterError, match="cannot share"):
        prefix_inputs(case.model, rows, case.pixels)
    for change, reason in (
        ({"_attn_implementation_internal": "flash_attention_2"}, "takes no mask"),
        ({"layer_types": ["full_attention", "linear_attention"]}, "linear_attention"),
    ):
        model = CASES["llava"]().model
        for key, value in change.items():
            setattr(model.config.text_config, key, value)
        assert not shares_prefix(model).possible
        assert reason in shares_prefix(model).reason


def test_dialogs_about_other_views_are_refused() -> None:
    first = torch.tensor([7, IMAGE_ID, IMAGE_ID, 20, 21])
    other = torch.tensor([7, IMAGE_ID, 20, 21, 22])
    answer = torch.tensor([False, False, False, False, True])
    with pytest.raises(ContractError, match="part before their last image") as caught:
        pack_dialogs([[(first, answer)], [(first, answer), (other, answer)]], IMAGE_ID, PAD_ID)
    assert "sample 1" in str(caught.value)


@st.composite
def batches(draw: st.DrawFn) -> list[list[Dialog]]:
    samples = []
    for _ in range(draw(st.integers(1, 3))):
        prefix = draw(st.lists(st.sampled_from([IMAGE_ID, 20]), max_size=4))
        dialogs = []
        for _ in range(draw(st.integers(1, 4))):
            tail = draw(st.lists(st.tuples(st.integers(21, 22), st.booleans()), min_size=2, max_size=5))
            ids = [*prefix, *(i for i, _ in tail)]
            # As in any dialog something is asked before something is answered.
            learned = [False] * (len(prefix) + 1) + [kept for _, kept in tail[1:]]
            dialogs.append((torch.tensor(ids), torch.tensor(learned)))
        samples.append(dialogs)
    return samples


@given(batches())
def test_a_row_holds_its_dialogs_and_each_token_sees_what_it_would_alone(samples: list[list[Dialog]]) -> None:
    rows = pack_dialogs(samples, IMAGE_ID, PAD_ID)
    sees = rows.sees()[:, 0]
    for row, dialogs in enumerate(samples):
        slot = rows.slot[row]
        assert int((slot != PADDING).sum()) == shared_length(dialogs) + sum(
            len(ids) - shared_length(dialogs) for ids, _ in dialogs
        )
        for number, (ids, learned) in enumerate(dialogs):
            at = ((slot == PREFIX) | (slot == number)).nonzero()[:, 0]
            assert torch.equal(rows.input_ids[row, at], ids)
            assert torch.equal(rows.offset[row, at], torch.arange(len(ids)))
            labels = rows.labels[row, at]
            assert torch.equal(labels, torch.where(learned, ids, NOT_LEARNED))
            alone = torch.ones(len(ids), len(ids), dtype=torch.bool).tril()
            assert torch.equal(sees[row][at][:, at], alone)
            # Nothing beside them; and the loss, which shifts by one in the row, shifts by one in the dialog.
            assert int(sees[row][at[-1]].sum()) == len(ids)
            for place in (labels != NOT_LEARNED).nonzero()[:, 0].tolist():
                assert at[place] - 1 == at[place - 1]
        padding = (slot == PADDING).nonzero()[:, 0].tolist()
        assert all(sees[row, place].nonzero()[:, 0].tolist() == [place] for place in padding)
        assert all((rows.labels[row, padding] == NOT_LEARNED).tolist())


@given(st.integers(1, 7), st.integers(1, 6), st.lists(st.integers(2, 6), min_size=1, max_size=3))
def test_a_window_reaches_back_in_the_dialog(window: int, prefix: int, lengths: list[int]) -> None:
    dialogs = [
        (torch.tensor([20] * prefix + [30 + k] * n), torch.arange(prefix + n) >= prefix + n - 1)
        for k, n in enumerate(lengths)
    ]
    rows = pack_dialogs([dialogs], IMAGE_ID, PAD_ID)
    sees = rows.sees(window)[0, 0]
    for number, (ids, _) in enumerate(dialogs):
        at = ((rows.slot[0] == PREFIX) | (rows.slot[0] == number)).nonzero()[:, 0]
        place = torch.arange(len(ids))
        near = (place[None] <= place[:, None]) & (place[None] > place[:, None] - window)
        assert torch.equal(sees[at][:, at], near)
