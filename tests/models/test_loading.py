"""Stock models from folders: the same answers, and errors that name the file and the tensor."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from nvila_folders import write_nvila
from safetensors.torch import load_file, save_file
from tiny_vlms import CASES, FAMILY_CASES, Case, seeded

from vantage.core.errors import ContractError, ParameterError, ResourceError, VantageError
from vantage.models.loading import load_vlm
from vantage.models.loading.weights import INDEX, SINGLE

STOCK = [name for name in FAMILY_CASES if not name.startswith("nvila")]


def logits(model: Any, case: Case) -> torch.Tensor:
    with torch.no_grad():
        out: torch.Tensor = model(**case.inputs).logits
    return out


@pytest.mark.parametrize("name", STOCK)
def test_a_sharded_stock_model_answers_as_it_did(name: str, tmp_path: Path) -> None:
    case = CASES[name]()
    case.model.save_pretrained(tmp_path, max_shard_size="40KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    base = load_vlm(tmp_path)
    assert torch.equal(logits(base.model, case), logits(case.model, case))
    assert type(base.model) is type(case.model)
    assert not any(p.requires_grad for p in base.model.parameters())
    assert not base.model.training
    assert (base.identity.base, base.identity.model_type) == ("local", case.model.config.model_type)


@pytest.mark.parametrize("name", ["llava", "qwen3_vl", "smolvlm"])
def test_tied_weights_stay_tied(name: str, tmp_path: Path) -> None:
    case = CASES[name]()
    config = case.model.config
    config.tie_word_embeddings = config.text_config.tie_word_embeddings = True
    case.model = seeded(lambda: type(case.model)(config))
    case.model.save_pretrained(tmp_path)
    assert "lm_head.weight" not in load_file(tmp_path / SINGLE)
    model: Any = load_vlm(tmp_path).model
    assert model.lm_head.weight.data_ptr() == model.get_input_embeddings().weight.data_ptr()
    assert torch.equal(logits(model, case), logits(case.model, case))


def test_weights_come_in_the_precision_asked_for(tmp_path: Path) -> None:
    case = CASES["llava"]()
    case.model.bfloat16().save_pretrained(tmp_path)
    assert {p.dtype for p in load_vlm(tmp_path).model.parameters()} == {torch.float32}
    half = load_vlm(tmp_path, precision="bfloat16").model
    assert {p.dtype for p in half.parameters()} == {torch.bfloat16}
    # Its rotary frequencies stay in float32, so that answers differ from those of a model cast as a whole.
    pairs = zip(half.parameters(), case.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("layout", ["flat", "folders"])
@pytest.mark.parametrize("name", ["nvila_3x3", "nvila_2x2"])
def test_nvila_comes_in_under_its_published_names(name: str, layout: str, tmp_path: Path) -> None:
    case = CASES[name]()
    write_nvila(tmp_path, case, layout)
    base = load_vlm(tmp_path)
    assert type(base.model) is type(case.model)
    assert torch.equal(logits(base.model, case), logits(case.model, case))


def test_nvilas_projector_groups_as_the_published_one_does() -> None:
    # Written out place by place from the published description: blocks row by row, inside a block row by row,
    # zeros beyond the border, the norm after the grouping.
    model: Any = CASES["nvila_3x3"]().model
    projector = model.model.multi_modal_projector
    features = torch.randn(2, 16, 24)
    grid = features.reshape(2, 4, 4, 24)
    tokens = []
    for top in (0, 3):
        for left in (0, 3):
            block = [
                grid[:, r, c] if r < 4 and c < 4 else torch.zeros(2, 24)
                for r in range(top, top + 3)
                for c in range(left, left + 3)
            ]
            tokens.append(torch.cat(block, dim=-1))
    expected = torch.stack(tokens, dim=1)
    for layer in projector.layers[1:]:
        expected = layer(expected)
    assert torch.equal(projector(features), expected)
    kinds = [type(layer).__name__ for layer in projector.layers]
    assert kinds == ["Downsample", "LayerNorm", "Linear", "GELU", "LayerNorm", "Linear", "GELU", "Linear"]


def test_an_nvila_of_several_scales_another_projector_or_no_placeholder_is_refused(tmp_path: Path) -> None:
    case = CASES["nvila_3x3"]()
    for number, (part, change, message) in enumerate(
        [
            ("", {"dynamic_s2": True}, "several scales"),
            ("", {"image_aspect_ratio": "dynamic_s2"}, "several scales"),
            ("mm_projector", {"mm_projector_type": "mlp_downsample_3x3_s2"}, "projector of NVILA"),
            ("llm", {"model_type": "llama"}, "qwen2 as its decoder"),
        ]
    ):
        folder = tmp_path / str(number)
        write_nvila(folder, case, "folders")
        path = folder / part / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
        with pytest.raises(ParameterError, match=message):
            load_vlm(folder)
    write_nvila(tmp_path, case, "folders")
    (tmp_path / "llm" / "added_tokens.json").unlink()
    with pytest.raises(ContractError, match="placeholder"):
        load_vlm(tmp_path)


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    CASES["llava"]().model.save_pretrained(tmp_path, max_shard_size="60KB")
    return tmp_path


def told(folder: Path) -> str:
    with pytest.raises(VantageError) as caught:
        load_vlm(folder)
    return str(caught.value)


def test_a_missing_or_shortened_shard_is_named(sharded: Path) -> None:
    shard = sorted(sharded.glob("*.safetensors"))[1]
    whole = shard.read_bytes()
    for size in (len(whole) - 4, 300, 5):
        shard.write_bytes(whole[:size])
        message = told(sharded)
        assert "cut short" in message or "not safetensors" in message
        assert shard.name in message
    shard.unlink()
    message = told(sharded)
    assert "missing" in message
    assert shard.name in message


def test_a_missing_unknown_or_misshaped_tensor_is_named(tmp_path: Path) -> None:
    CASES["llava"]().model.save_pretrained(tmp_path)
    path = tmp_path / SINGLE
    good = load_file(path)
    name = next(n for n in good if n.endswith("linear_2.bias"))
    for change, message in (
        ({k: v for k, v in good.items() if k != name}, "a tensor is missing"),
        ({**good, "multi_modal_projector.linear_9.bias": torch.zeros(3)}, "does not have"),
        ({**good, name: torch.zeros(3)}, "another shape"),
    ):
        save_file(change, path, metadata={"format": "pt"})
        text = told(tmp_path)
        assert message in text
        assert "linear_9.bias" in text or "linear_2.bias" in text


def test_an_index_that_promises_too_much_is_refused(sharded: Path) -> None:
    index = json.loads((sharded / INDEX).read_text())
    shard = next(iter(index["weight_map"].values()))
    index["weight_map"]["lm_head.extra"] = shard
    (sharded / INDEX).write_text(json.dumps(index))
    text = told(sharded)
    assert "lm_head.extra" in text
    assert shard in text
    index["weight_map"]["lm_head.extra"] = "../elsewhere.safetensors"
    (sharded / INDEX).write_text(json.dumps(index))
    assert "outside its folder" in told(sharded)


def test_pickled_weights_are_never_read(tmp_path: Path) -> None:
    model = CASES["llava"]().model
    model.config.save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    text = told(tmp_path)
    assert "no weights in safetensors" in text
    assert "pytorch_model.bin" in text


def test_code_that_comes_with_a_model_is_never_run(tmp_path: Path) -> None:
    case = CASES["llava"]()
    case.model.save_pretrained(tmp_path)
    path, proof = tmp_path / "config.json", tmp_path / "ran"
    value = json.loads(path.read_text())
    value["auto_map"] = {
        "AutoConfig": "evil.Config",
        "AutoModelForImageTextToText": "evil.Model",
    }
    path.write_text(json.dumps(value))
    (tmp_path / "evil.py").write_text(f"open({str(proof)!r}, 'w').close()\n")
    load_vlm(tmp_path)
    assert not proof.exists()


def test_an_unknown_family_is_refused_before_weights_are_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "florence2"}))
    with pytest.raises(ParameterError, match="florence2") as caught:
        load_vlm(tmp_path)
    assert "qwen3_vl" in str(caught.value) and caught.value.where == str(tmp_path / "config.json")


def test_no_folder_and_no_hub_name_is_told(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="cannot be had"):
        load_vlm(str(tmp_path / "nowhere" / "at" / "all"))
    with pytest.raises(ContractError, match="missing"):
        load_vlm(tmp_path)


def test_the_fingerprint_follows_the_weights_and_not_the_files(tmp_path: Path) -> None:
    model = CASES["llava"]().model
    model.save_pretrained(tmp_path / "one")
    model.save_pretrained(tmp_path / "many", max_shard_size="60KB")
    one, many = (load_vlm(tmp_path / name).identity for name in ("one", "many"))
    assert one == many
    with torch.no_grad():
        model.lm_head.weight[0, 0] += 1.0
    model.save_pretrained(tmp_path / "other")
    assert load_vlm(tmp_path / "other").identity.fingerprint != one.fingerprint


def test_a_header_of_absurd_length_is_refused(tmp_path: Path) -> None:
    CASES["llava"]().model.config.save_pretrained(tmp_path)
    (tmp_path / SINGLE).write_bytes(struct.pack("<Q", 2**60) + b"{}")
    assert "cut short" in told(tmp_path)


def test_no_bars_stand_between_a_stages_own_lines(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    case = CASES["llava"]()
    case.model.save_pretrained(tmp_path)
    capfd.readouterr()
    load_vlm(tmp_path)
    assert "Loading weights" not in "".join(capfd.readouterr())
