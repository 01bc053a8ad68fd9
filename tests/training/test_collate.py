from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch

from vantage.core.errors import ParameterError
from vantage.training.collate import ArmBatches, Batch, Fixed
from vantage.training.config import Coordinates
from vantage.training.samples import Samples

KINDS: tuple[Coordinates, ...] = get_args(Coordinates)


def at(samples: Samples, step: int, kind: Coordinates = "true", seed: int = 0) -> Batch:
    (batch,) = ArmBatches(samples, seed, 4, 2, kind).batch(step, 0, 1)
    return batch


def test_a_batch_is_a_function_of_seed_and_step(samples: Samples) -> None:
    again = [at(samples, 5), at(samples, 5)]
    assert torch.equal(again[0].xyz, again[1].xyz)
    assert torch.equal(again[0].frames, again[1].frames)
    others = [at(samples, 6), at(samples, 5, seed=1)]
    assert all(not torch.equal(again[0].frames, o.frames) for o in others)


@pytest.mark.parametrize("kind", KINDS)
def test_arms_see_the_same_questions_about_the_same_pictures(samples: Samples, kind: Coordinates) -> None:
    for step in range(4):
        plain, arm = at(samples, step), at(samples, step, kind)
        assert torch.equal(plain.frames, arm.frames)
        assert torch.equal(plain.packed.words, arm.packed.words)
        assert torch.equal(plain.answer, arm.answer)
        assert torch.equal(plain.xyz, arm.xyz) == (kind == "true")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("world", "accumulate"), [(1, 2), (1, 4), (2, 1), (2, 2)])
def test_parts_make_up_the_whole(samples: Samples, kind: Coordinates, world: int, accumulate: int) -> None:
    source = ArmBatches(samples, 0, 4, 2, kind, accumulate)
    for step in range(3):
        whole = at(samples, step, kind)
        parts = [micro for rank in range(world) for micro in source.batch(step, rank, world)]
        assert len(parts) == world * accumulate
        for name in ("frames", "xyz", "valid", "answer"):
            assert torch.equal(torch.cat([getattr(p, name) for p in parts]), getattr(whole, name)), name
        assert sum((p.sample_ids for p in parts), ()) == whole.sample_ids
        assert sum(p.tokens for p in parts) == whole.tokens == 8


def test_situations_that_cannot_be_divided_evenly_are_refused(samples: Samples) -> None:
    with pytest.raises(ParameterError, match="3 processes times 1") as caught:
        ArmBatches(samples, 0, 4, 2, "true").batch(0, 1, 3)
    assert "finetune.scenes" in str(caught.value)


def test_what_validation_looks_at_is_the_same_at_every_step(samples: Samples) -> None:
    source = ArmBatches(samples, 3, 4, 2, "true", accumulate=2)
    fixed = Fixed(source, 3)
    first, later = fixed.batch(0, 0, 1), fixed.batch(17, 0, 1)
    assert len(first) == 6 and all(torch.equal(a.xyz, b.xyz) for a, b in zip(first, later, strict=True))
    assert fixed.digest() != Fixed(source, 2).digest()


def test_the_smallest_sample_is_that_with_the_fewest_tokens(samples: Samples) -> None:
    source = ArmBatches(samples, 0, 4, 2, "true")
    lengths = source.lengths()
    # Three or four views of 64 patches; the two longest of its questions have 8 and 6 words.
    assert sorted(set(lengths)) == [3 * 64 + 14, 4 * 64 + 14]
    smallest = source.smallest()
    assert smallest.frames.shape == (1, 3) and smallest.tokens == 1
    situation = next(s for s in samples.situations if s.name == smallest.sample_ids[0])
    assert smallest.frames[0].tolist() == list(situation.views)


def test_a_random_yaw_keeps_heights_and_distances_and_loses_directions(samples: Samples) -> None:
    plain, turned = at(samples, 1).xyz.numpy(), at(samples, 1, "random_yaw").xyz.numpy()
    assert np.allclose(plain[..., 2], turned[..., 2])
    assert np.allclose(
        np.hypot(plain[..., 0], plain[..., 1]), np.hypot(turned[..., 0], turned[..., 1]), atol=1e-5
    )
    angles = np.arctan2(turned[..., 1], turned[..., 0]) - np.arctan2(plain[..., 1], plain[..., 0])
    # One turn for all the views of a situation.
    assert np.allclose(np.exp(1j * angles), np.exp(1j * angles[:, :1, :1]), atol=1e-4)
    assert np.ptp(np.angle(np.exp(1j * angles[:, 0, 0]))) > 0.1


def test_other_samples_coordinates_come_from_another_room_in_its_own_ego_frame(samples: Samples) -> None:
    room_of_frame = {frame: s.room for s in samples.situations for frame in s.views}
    checked = 0
    for step in range(6):
        batch = at(samples, step, "other_sample")
        for row in range(len(batch.frames)):
            own = room_of_frame[int(batch.frames[row, 0])]
            lenders = [
                s.room
                for s in samples.situations
                if np.allclose(
                    samples.xyz_aligned[s.views[0]] @ s.T_ego_aligned[:3, :3].T + s.T_ego_aligned[:3, 3],
                    batch.xyz[row, 0].numpy(),
                    atol=1e-4,
                )
            ]
            assert lenders and own not in lenders
            checked += 1
    assert checked == 24


def test_coordinates_are_those_of_the_ego_of_the_situation(samples: Samples) -> None:
    batch = at(samples, 0)
    situation = next(
        s for s in samples.situations if s.views == tuple(dict.fromkeys(batch.frames[0].tolist()))
    )
    T_aligned_ego = np.linalg.inv(situation.T_ego_aligned)
    back = batch.xyz[0].numpy() @ T_aligned_ego[:3, :3].T + T_aligned_ego[:3, 3]
    assert np.allclose(back, samples.xyz_aligned[batch.frames[0].numpy()], atol=1e-4)
