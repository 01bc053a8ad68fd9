"""Whether each way of telling a pose carries it to the decoder: a linear probe on the pocket model's tokens.

A view of 64 patches with points at random in a room, an ego at random: the probe says in which quadrant
(front-left, ...) of the ego the point of a patch lies, from that patch's token as the decoder is given it.
The model is frozen; encoder and probe learn from rooms drawn afresh at every step and are asked about rooms
and poses that they never saw, one patch for each ego. Guessing is right for a quarter.

This shows what arrives, not what a language model makes of it. A prompt is text: what it carries is shown by
reading it back and computing the answer, which no model did.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from vantage.align.alignment import Pose
from vantage.align.config import AlignConfig
from vantage.align.ego import ego_of_camera
from vantage.align.perturbation import Perturbation
from vantage.align.prompt import split_pose
from vantage.evaluation.statistics import Score, wilson
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import R_FLU_RDF, compose, from_yaw
from vantage.models.checkpoint import load_base
from vantage.models.encoders import EncoderConfig
from vantage.models.families.llava import LLAVA
from vantage.models.injector import InjectionConfig, Injector
from vantage.models.patch_geometry import BatchGeometry, PatchGrid
from vantage.models.pocket import GRID
from vantage.models.vlm.pose_align import aligned
from vantage.models.vlm.sample import Sample, Turn, View

sys.path.append(str(Path(__file__).parents[1]))

from small import require, sized

EGOS, STEPS, ASKED, MARGIN_M = 32, sized(300, 1), sized(2000, 250), 0.3
CAMERA = Pinhole(64, 64, 48.0, 48.0, 31.5, 31.5)
LEVEL = Perturbation(position_std_m=0.3, yaw_std_deg=20.0)
QUESTION = "where is it from me?"


@dataclass(frozen=True)
class Scene:
    """A sample in the aligned world, its pose, the quadrant of each patch's point (-1: too near a tie)."""

    sample: Sample
    pose: Pose
    quadrants: np.ndarray


def scene(rng: np.random.Generator, name: str) -> Scene:
    """A room anywhere in its world, 64 points and an ego in it; every direction is as likely as another."""
    size, corner = rng.uniform([3, 3, 2.5], [7, 7, 3]), rng.uniform([-5, -5, 0], [2, 2, 0])
    points = corner + rng.random((GRID * GRID, 3)) * size
    place = corner + rng.uniform([0.1, 0.1, 0], [0.9, 0.9, 0]) * size + [0, 0, rng.uniform(1.2, 1.7)]
    c, s = np.cos(pitch := rng.uniform(-0.1, 0.4)), np.sin(pitch)
    looks = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    R = from_yaw(rng.uniform(-np.pi, np.pi))[:3, :3] @ looks @ R_FLU_RDF
    ego = ego_of_camera(compose(R, place), "aligned", "ego_camera")
    x, y, _ = ego.seen_as("ego_level").to_ego(points, "aligned").T
    quadrants = 2 * (x < 0) + (y < 0)
    quadrants[np.minimum(np.abs(x), np.abs(y)) < MARGIN_M] = -1
    xyz = torch.from_numpy(points.reshape(GRID, GRID, 3).astype(np.float32))
    view = View(name, lambda: None, (PatchGrid(xyz, torch.ones(GRID, GRID, dtype=torch.bool)),))
    return Scene(Sample(name, (view,), ((Turn(QUESTION),),), "aligned"), Pose(ego, name, CAMERA), quadrants)


def scenes(seed: int, step: int, n: int) -> list[Scene]:
    """The rooms of a step, the same for every way."""
    rng = np.random.default_rng([seed, step])
    return [scene(rng, f"{seed}-{step}-{k}") for k in range(n)]


class Probe(nn.Module):
    """An encoder in the frozen pocket model, and a linear layer on the decoder's visual tokens."""

    def __init__(self, config: AlignConfig) -> None:
        super().__init__()
        kind = config.numbers if config.mode == "embed" else "sinusoid_mlp"
        self.align, self.base = config, load_base()
        site = InjectionConfig("post_vit", config.sample_frame, EncoderConfig(kind))
        self.injector = Injector.fresh(self.base, site, seed=0, family=LLAVA)
        self.encoder = self.injector.encoder
        self.read = nn.Linear(self.base.config.text_config.hidden_size, 4)
        noise = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            tower = self.base.model.vision_tower(noise, output_hidden_states=True)
        self.features = tower.hidden_states[-1]

    def forward(self, samples: Sequence[Sample]) -> Tensor:
        """Logits of the four quadrants for every patch, (samples, 64, 4)."""
        pictures = [[list(view.pictures or ()) for view in sample.views] for sample in samples]
        with self.injector.bind(BatchGeometry.of(pictures, self.align.sample_frame)):
            features = self.features.expand(len(samples), -1, -1)
            tokens = self.base.model.multi_modal_projector(features)
        logits: Tensor = self.read(tokens)
        return logits

    def told(self, shown: Sequence[Scene], draw: int = 0) -> list[Sample]:
        """The samples of scenes as this way tells them."""
        return [aligned(one.sample, one.pose, self.align, 0, draw) for one in shown]


def trained(config: AlignConfig) -> Probe:
    """Encoder and probe after the training steps; the model stays as it is."""
    torch.manual_seed(0)
    probe = Probe(config)
    learned = [*probe.encoder.parameters(), *probe.read.parameters()]
    optimiser = torch.optim.Adam(learned, lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=STEPS)
    for step in range(STEPS):
        shown = scenes(1, step, EGOS)
        truth = torch.from_numpy(np.stack([one.quadrants for one in shown]))
        logits = probe(probe.told(shown, draw=step))
        nn.functional.cross_entropy(logits.flatten(0, 1), truth.flatten(), ignore_index=-1).backward()
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
    return probe


def first_clear(one: Scene) -> int:
    """The first patch whose quadrant is clear of ties: the one that is asked about."""
    return int(np.argmax(one.quadrants >= 0))


def right(said: np.ndarray, asked: Sequence[Scene]) -> Score:
    """Share of egos whose patch is told rightly, with its Wilson interval."""
    first = [first_clear(one) for one in asked]
    hits = sum(said[k, patch] == asked[k].quadrants[patch] for k, patch in enumerate(first))
    return wilson(int(hits), len(asked))


def answers(probe: Probe, asked: Sequence[Scene]) -> np.ndarray:
    """The quadrant that the probe says of every patch."""
    with torch.no_grad():
        parts = [probe(probe.told(asked[k : k + 250])).argmax(-1).numpy() for k in range(0, len(asked), 250)]
    return np.concatenate(parts)


def read_back(config: AlignConfig, asked: Sequence[Scene]) -> np.ndarray:
    """The quadrants that follow from the pose as the prompt's sentence has it, by arithmetic."""
    found = []
    for one in asked:
        told = aligned(one.sample, one.pose, config, 0)
        ego, question = split_pose(told.dialogs[0][0].question)
        assert question == QUESTION
        (picture,) = told.views[0].pictures or ()
        x, y, _ = ego.to_ego(picture.xyz.reshape(-1, 3).numpy(), "aligned").T
        found.append(2 * (x < 0) + (y < 0))
    return np.stack(found)


def line(name: str, score: Score, note: str = "") -> None:
    """Print one way's share, interval and n."""
    print(f"{name:42s} {score.percent:5.1f} %  [{score.low:.1f}, {score.high:.1f}]  n {score.n}  {note}")


def main() -> None:
    """Print how often the quadrant is right for every way of telling the pose."""
    torch.set_num_threads(1)
    asked = scenes(2, 0, ASKED)
    others = [replace(a, pose=b.pose) for a, b in zip(asked, [*asked[1:], asked[0]], strict=True)]
    ways = {
        "none": AlignConfig("none"),
        "transform": AlignConfig("transform"),
        "transform, perturbed": AlignConfig("transform", perturbation=LEVEL),
        "embed, pose_point": AlignConfig("embed"),
        "embed, pose_point, perturbed": AlignConfig("embed", perturbation=LEVEL),
        "embed, pose_view": AlignConfig("embed", "ego_camera", "pose_view"),
    }
    scores: dict[str, Score] = {}
    for name, config in ways.items():
        start = time.perf_counter()
        probe = trained(config)
        scores[name] = right(answers(probe, asked), asked)
        line(name, scores[name], f"{time.perf_counter() - start:.0f} s")
        if config.mode != "none":
            scores[f"{name}: other"] = right(answers(probe, others), asked)
            line("  told another sample's pose", scores[f"{name}: other"])
    for name, noise in (("prompt", Perturbation()), ("prompt, perturbed", LEVEL)):
        told = read_back(AlignConfig("prompt", perturbation=noise), asked)
        line(f"{name}, read back by arithmetic", right(told, asked))
    counts = np.bincount([one.quadrants[first_clear(one)] for one in asked], minlength=4)
    line("always the most frequent answer", wilson(int(counts.max()), len(asked)))
    require(scores["none"].low < counts.max() / ASKED * 100, "without a pose there is nothing to know")
    for name in ("transform", "embed, pose_point", "embed, pose_view"):
        require(scores[name].low > 50, name)
        require(scores[f"{name}: other"].low < 28, name)


if __name__ == "__main__":
    main()
