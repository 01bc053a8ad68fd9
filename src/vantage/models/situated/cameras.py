"""The camera of each image: its pose, or a geometry model's camera token, as one of the decoder's tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float32
from torch import Tensor, nn

from vantage.core.errors import ContractError
from vantage.core.frames import Frame
from vantage.core.seeds import fraction


@dataclass(frozen=True)
class Cameras:
    """The cameras of a batch.

    Attributes:
        numbers: of every image, in the order of samples and images: `vantage.align.embed.pose_numbers`, or a
            geometry model's camera token; zeros: not known.
        images: how many images every sample has.
        sample_ids: named in messages.
        frame: of the poses.
    """

    numbers: Float32[Tensor, "images c"]
    images: tuple[int, ...]
    sample_ids: tuple[str, ...]
    frame: Frame = "ego_level"

    def __post_init__(self) -> None:
        if len(self.images) != len(self.sample_ids) or sum(self.images) != len(self.numbers):
            raise ContractError(
                "cameras, images and samples do not add up", where="cameras of a batch",
                expected=f"{sum(self.images)} cameras, {len(self.images)} names",
                found=f"{len(self.numbers)} cameras, {len(self.sample_ids)} names",
            )  # fmt: skip
        finite = self.numbers.isfinite().all(1)
        if not bool(finite.all()):
            image = int((~finite).nonzero()[0, 0])
            owners = [name for name, n in zip(self.sample_ids, self.images, strict=True) for _ in range(n)]
            raise ContractError(
                "a camera that is not finite", where=f"sample {owners[image]}", expected="finite numbers",
                found=self.numbers[image].tolist()[:9], hint="zeros stand for a camera that is not known",
            )  # fmt: skip

    def without(self, samples: Sequence[bool]) -> Cameras:
        """The same with the cameras of some samples not known."""
        gone = torch.tensor([g for g, n in zip(samples, self.images, strict=True) for _ in range(n)])
        gone = gone.bool().to(self.numbers.device)
        return replace(self, numbers=self.numbers.masked_fill(gone[:, None], 0.0))


def withheld(seed: int, step: int, sample_id: str, share: float) -> bool:
    """Whether a training step withholds a sample's cameras: those of `share` of the samples, all together.

    It depends on what is given and on nothing else: a resumed run withholds the same.
    """
    return fraction(seed, "situated cameras", step, sample_id) < share


class CameraToken(nn.Module):
    """f_cam: two layers with a GELU between; a camera that is not known has a learned vector of its own.

    Args:
        numbers: that a camera is given by.
        width: of the decoder.
        scale: root mean square of the vectors of a fresh one.
    """

    def __init__(self, numbers: int, width: int, scale: float) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(numbers, width), nn.GELU(), nn.Linear(width, width))
        self.null = nn.Parameter(torch.randn(width) * scale)
        with torch.no_grad():
            factor = scale / self.mlp(torch.randn(64, numbers)).square().mean().sqrt()
            for parameter in self.mlp[2].parameters():
                parameter.mul_(factor)

    def forward(self, numbers: Float32[Tensor, "n c"]) -> Float32[Tensor, "n d"]:
        """A token for each camera, in float32."""
        with torch.autocast(numbers.device.type, enabled=False):
            known: Bool[Tensor, "n"] = (numbers != 0).any(1)
            return torch.where(known[:, None], self.mlp(numbers), self.null)
