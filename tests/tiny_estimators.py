"""Depth estimators of the real classes at tiny sizes, with random weights, saved with their processors."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def save(folder: Path, network: Any, processor: Any, seed: int = 0) -> Path:
    """Write both into `folder`; weights are large enough for the output to follow the image."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                fan_in = parameter[0].numel()
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * (1.6 / fan_in**0.5))
    network.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def depth_anything(folder: Path, kind: str = "metric", seed: int = 0, **processor: Any) -> Path:
    import transformers as t

    backbone = t.Dinov2Config(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, mlp_ratio=2, image_size=56, patch_size=14,
        out_indices=[1, 2, 3, 4], reshape_hidden_states=False,
    )  # fmt: skip
    config = t.DepthAnythingConfig(
        backbone_config=backbone, reassemble_hidden_size=16, neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8, head_hidden_size=8, depth_estimation_type=kind, max_depth=20,
    )  # fmt: skip
    settings = {"size": {"height": 56, "width": 56}, "keep_aspect_ratio": True, "ensure_multiple_of": 14}
    images = t.DPTImageProcessorPil(**(settings | processor))
    return save(folder, t.DepthAnythingForDepthEstimation(config), images, seed)


def zoedepth(folder: Path, heads: tuple[str, ...] = ("nyu",), seed: int = 0, **processor: Any) -> Path:
    import transformers as t

    backbone = t.BeitConfig(
        image_size=64, num_hidden_layers=4, hidden_size=16, intermediate_size=16, num_attention_heads=2,
        use_relative_position_bias=True, reshape_hidden_states=False,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )  # fmt: skip
    reach = {"nyu": 10.0, "kitti": 80.0}
    config = t.ZoeDepthConfig(
        backbone_config=backbone, neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8, bottleneck_features=8,
        num_relative_features=8, bin_embedding_dim=8, num_attractors=[4, 2, 1, 1],
        bin_configurations=[
            {"name": name, "n_bins": 8, "min_depth": 0.001, "max_depth": reach[name]} for name in heads
        ],
        num_patch_transformer_layers=4, patch_transformer_hidden_size=128,
        patch_transformer_intermediate_size=8, patch_transformer_num_attention_heads=2,
    )  # fmt: skip
    settings = {"size": {"height": 64, "width": 96}, "ensure_multiple_of": 32}
    images = t.ZoeDepthImageProcessorPil(**(settings | processor))
    return save(folder, t.ZoeDepthForDepthEstimation(config), images, seed)


def depth_pro(folder: Path, fov: bool = True, seed: int = 0) -> Path:
    import transformers as t

    from vantage.lift.estimators.processors import depth_pro_processor

    encoder = {
        "model_type": "dinov2", "hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2,
        "mlp_ratio": 2, "image_size": 32, "patch_size": 8,
    }  # fmt: skip
    config = t.DepthProConfig(
        patch_size=32, fusion_hidden_size=8, intermediate_hook_ids=[3, 1], intermediate_feature_dims=[8, 8],
        scaled_images_ratios=[0.5, 1.0], scaled_images_overlap_ratios=[0.0, 0.2],
        scaled_images_feature_dims=[8, 8], merge_padding_value=1, use_fov_model=fov, num_fov_head_layers=0,
        image_model_config=dict(encoder), patch_model_config=dict(encoder), fov_model_config=dict(encoder),
    )  # fmt: skip
    images = depth_pro_processor()(size={"height": 128, "width": 128})
    return save(folder, t.DepthProForDepthEstimation(config), images, seed)


def glpn(folder: Path, seed: int = 0) -> Path:
    import transformers as t

    config = t.GLPNConfig(
        depths=[1, 1, 1, 1], hidden_sizes=[8, 8, 8, 8], num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=8, mlp_ratios=[2, 2, 2, 2],
    )  # fmt: skip
    return save(folder, t.GLPNForDepthEstimation(config), t.GLPNImageProcessorPil(), seed)
