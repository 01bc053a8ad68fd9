"""Tiny random models of the real classes through the real loading path: what is obeyed, what is refused."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tiny_estimators as tiny
from vantage.core.errors import ContractError, ParameterError, ResourceError
from vantage.lift.estimators.estimate import estimate
from vantage.lift.estimators.estimator import Prediction, load_estimator
from vantage.lift.estimators.grids import Axis, Warp
from vantage.lift.estimators.meaning import Meaning

SIZE = (60, 80)
FAMILIES: dict[str, Callable[[Path], Path]] = {
    "depth_anything metric": tiny.depth_anything,
    "depth_anything relative": lambda folder: tiny.depth_anything(folder, "relative"),
    "zoedepth": tiny.zoedepth,
    "zoedepth two heads": lambda folder: tiny.zoedepth(folder, ("nyu", "kitti")),
    "depth_pro": tiny.depth_pro,
    "glpn": tiny.glpn,
}


def pictures(count: int) -> list[np.ndarray]:
    """Smooth and different."""
    v, u = np.mgrid[: SIZE[0], : SIZE[1]]
    rng = np.random.default_rng(0)
    waves = [
        np.sin(u[..., None] / rng.uniform(4, 20, 3) + v[..., None] / rng.uniform(4, 20, 3))
        for _ in range(count)
    ]
    return [np.uint8(127 + 120 * wave) for wave in waves]


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    return request.param, FAMILIES[request.param](tmp_path_factory.mktemp("model"))


def test_every_family_gives_depth_at_the_picture_s_own_pixels(family: tuple[str, Path]) -> None:
    name, folder = family
    model = load_estimator(str(folder))
    expected = {"depth_anything relative": "relative", "depth_pro": "canonical"}.get(name, "metric")
    assert model.meaning.quantity == expected
    assert model.files.identity.startswith("sha256:")
    for prediction in model.predict(pictures(2)):
        found = estimate(prediction, model.meaning, focal_px=70.0)
        assert found.values.shape == SIZE
        assert found.values.dtype == np.float32
        assert found.relative == (expected == "relative")
        assert found.values.std() > 1e-3  # it follows the picture
        if not found.relative:
            assert np.isfinite(found.values).all()
            assert (found.values >= 0).all()


def test_the_same_pictures_the_same_numbers_in_any_batch(family: tuple[str, Path]) -> None:
    """Bit for bit in the same batch and after loading anew; within 1e-4 of the range in another batch."""
    _, folder = family
    images = pictures(3)
    first = load_estimator(str(folder)).predict(images)
    copy = folder.with_name(folder.name + "_copy")
    shutil.copytree(folder, copy, dirs_exist_ok=True)
    model = load_estimator(str(copy))
    for one, again in zip(first, model.predict(images), strict=True):
        np.testing.assert_array_equal(one.values, again.values)
    for one, image in zip(first, images, strict=True):
        (alone,) = model.predict([image])
        np.testing.assert_allclose(one.values, alone.values, rtol=0, atol=1e-4 * np.ptp(one.values))


def test_images_of_a_batch_do_not_vote_on_each_other(tmp_path: Path) -> None:
    """ZoeDepth with two heads elects one for the whole batch; here each picture elects its own."""
    import torch

    from vantage.lift.estimators.processors import prepare

    for seed in range(12):
        model = load_estimator(str(tiny.zoedepth(tmp_path / str(seed), ("nyu", "kitti"), seed)))
        images = [np.full((*SIZE, 3), grey, np.uint8) for grey in (10, 240)]
        pixels, _ = prepare(model.processor, images)
        with torch.inference_mode():
            together = model.model(pixel_values=pixels).predicted_depth.numpy()
        apart = [prediction.values for prediction in model.predict(images)]
        if np.abs(together - apart).max() > 0.05:
            return
    pytest.fail("no seed shows the election: the test says nothing")


def test_metric_depth_anything_stays_below_its_max_depth(tmp_path: Path) -> None:
    model = load_estimator(str(tiny.depth_anything(tmp_path / "m")))
    (prediction,) = model.predict(pictures(1))
    assert 0 <= prediction.values.min() < prediction.values.max() <= 20
    assert model.meaning.detail == "metric, at most 20 m"


def test_the_processor_s_settings_are_obeyed(tmp_path: Path) -> None:
    """Another size, mean or pad in the folder is another network image."""
    folder = tiny.depth_anything(tmp_path / "m")
    file = folder / "preprocessor_config.json"
    settings = json.loads(file.read_text())
    (plain,) = load_estimator(str(folder)).predict(pictures(1))
    assert plain.warp.network == (56, 70)
    file.write_text(json.dumps(settings | {"size": {"height": 84, "width": 84}, "keep_aspect_ratio": False}))
    (larger,) = load_estimator(str(folder)).predict(pictures(1))
    assert larger.warp.network == (84, 84)
    file.write_text(json.dumps(settings | {"image_mean": [0.0, 0.0, 0.0]}))
    (brighter,) = load_estimator(str(folder)).predict(pictures(1))
    assert np.abs(brighter.values - plain.values).max() > 1e-3
    file.write_text(json.dumps(settings | {"ensure_multiple_of": 1, "keep_aspect_ratio": False,
                                           "size": {"height": 60, "width": 60}}))  # fmt: skip
    with pytest.raises(ParameterError, match="output does not fit its image"):
        load_estimator(str(folder)).predict(pictures(1))


def test_depth_pro_is_scaled_to_the_camera_s_focal_length(tmp_path: Path) -> None:
    """Twice the focal length, twice the depth; the network's own guess only where the camera's is unknown."""
    model = load_estimator(str(tiny.depth_pro(tmp_path / "m")))
    (prediction,) = model.predict(pictures(1))
    near, far = (estimate(prediction, model.meaning, f).values for f in (50.0, 100.0))
    both = (near > 0) & (far > 0) & (far < 5000)
    np.testing.assert_allclose(far[both], 2 * near[both], rtol=1e-5)
    inverse = np.full((4, 6), 0.5, np.float32)
    warp = Warp((8, 12), (4, 6), Axis.by_edges(8, 4), Axis.by_edges(12, 6))
    flat = Prediction(inverse, warp, fov_deg=90.0)
    meaning = Meaning("canonical", "")
    known = estimate(flat, meaning, 24.0)  # z = f / (width * inverse) = 24 / (12 * 0.5)
    np.testing.assert_allclose(known.values, 4.0)
    assert known.focal_ratio == pytest.approx(6 / 24)  # 90 degrees over 12 pixels: 6 pixels
    np.testing.assert_allclose(estimate(flat, meaning, None).values, 1.0)
    for fov in (None, -1.3, 180.0, float("nan")):
        with pytest.raises(ParameterError, match="needs the camera's focal length"):
            estimate(replace(flat, fov_deg=fov), meaning, None)
    sky = replace(flat, values=np.zeros((4, 6), np.float32))
    assert not estimate(sky, meaning, 24.0).values.any()


def test_depth_pro_reads_the_processor_file_that_is_published_with_it(tmp_path: Path) -> None:
    folder = tiny.depth_pro(tmp_path / "m", fov=False)
    file = folder / "preprocessor_config.json"
    settings = json.loads(file.read_text()) | {
        "image_processor_type": "DepthProImageProcessorFast", "antialias": False, "crop_size": None,
        "device": None, "do_center_crop": None, "do_convert_rgb": None, "return_tensors": None,
    }  # fmt: skip
    file.write_text(json.dumps(settings))
    (prediction,) = load_estimator(str(folder)).predict(pictures(1))
    assert prediction.warp.network == (128, 128)
    assert prediction.fov_deg is None


def refusals(folder: Path) -> dict[str, tuple[Callable[[], object], type[Exception], str]]:
    weights = folder / "model.safetensors"
    config, processor = folder / "config.json", folder / "preprocessor_config.json"
    unreadable = "cannot load the model's weights"

    def edit(**changes: object) -> Callable[[], object]:
        return lambda: config.write_text(json.dumps(json.loads(config.read_text()) | changes))

    def cut() -> None:
        weights.write_bytes(weights.read_bytes()[:-1000])

    def drop_one() -> None:
        from safetensors.torch import load_file, save_file

        state = load_file(weights)
        state.pop("head.conv3.weight")
        save_file(state, weights, metadata={"format": "pt"})

    def as_pickle() -> None:
        import torch
        from safetensors.torch import load_file

        torch.save(load_file(weights), folder / "pytorch_model.bin")
        weights.unlink()

    return {
        "no config": (config.unlink, ParameterError, "not a model of transformers"),
        "damaged config": (lambda: config.write_text("{"), ContractError, "configuration"),
        "no processor": (processor.unlink, ContractError, "no image processor"),
        "damaged processor": (lambda: processor.write_text("["), ContractError, "processor"),
        "no weights": (weights.unlink, ContractError, "no safetensors"),
        "a pickle": (as_pickle, ContractError, "may run code"),
        "cut short": (cut, ContractError, unreadable),
        "an empty file": (lambda: weights.write_bytes(b""), ContractError, unreadable),
        "one missing": (drop_one, ContractError, r"(?s)missing.*1 missing: head.conv3.weight"),
        "another shape": (edit(head_hidden_size=4), ContractError, "weights"),
        "dpt": (edit(model_type="dpt", backbone_config=None), ParameterError, r"(?s)metric or.*found: dpt"),
        "no depth model": (edit(model_type="bert"), ParameterError, r"(?s)metric or.*found: bert"),
        "unknown kind": (edit(model_type="nonesuch"), ContractError, "configuration"),
        "a type of depth nobody knows": (edit(depth_estimation_type="other"), ContractError, "configuration"),
    }  # fmt: skip


@pytest.mark.parametrize("case", refusals(Path()))
def test_damaged_and_foreign_models_are_refused_by_name(case: str, tmp_path: Path) -> None:
    folder = tiny.depth_anything(tmp_path / "my_model")
    damage, kind, match = refusals(folder)[case]
    damage()
    with pytest.raises(kind, match=match) as caught:
        load_estimator(str(folder))
    assert "my_model" in str(caught.value)


def test_code_in_a_model_folder_is_not_run(tmp_path: Path) -> None:
    folder = tiny.depth_anything(tmp_path / "m")
    ran = tmp_path / "ran"
    (folder / "evil.py").write_text(f"open({str(ran)!r}, 'w')\nclass C: pass\n")
    config = folder / "config.json"
    foreign = {
        "model_type": "mine",
        "auto_map": {"AutoConfig": "evil.C", "AutoModelForDepthEstimation": "evil.C"},
    }
    config.write_text(json.dumps(json.loads(config.read_text()) | foreign))
    with pytest.raises(ContractError):
        load_estimator(str(folder))
    assert not ran.exists()


def test_a_name_that_is_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"(?s)no such model folder.*owner/name"):
        load_estimator(str(tmp_path / "nothing" / "here"))


def test_a_gpu_that_is_not_there(tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(ResourceError, match="no GPU"):
        load_estimator(str(tiny.depth_anything(tmp_path / "m")), device="cuda")


def test_half_precision_is_near(tmp_path: Path) -> None:
    folder = str(tiny.depth_anything(tmp_path / "m"))
    (full,) = load_estimator(folder).predict(pictures(1))
    (half,) = load_estimator(folder, precision="bfloat16").predict(pictures(1))
    assert half.values.dtype == np.float32
    assert 0 < np.abs(full.values - half.values).mean() < 1.0
