"""A training step on the frozen base: questions packed behind one set of views, against one sequence a
question.

The straightforward way is the library's own forward pass with the views in front of every question, padded to
one length. Both give the same loss. Then what the arm adds on top: the tower's features kept for all frames.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import LlavaForConditionalGeneration

from vantage.models.packing import answer_logits, pack
from vantage.models.pocket import build, prefix_positions
from vantage.models.tokens import IMAGE_ID, answer_id, question_ids

sys.path.append(str(Path(__file__).parents[1]))

from small import sized

QUESTIONS = (
    ("where is the red chair from me?", "back-left"),
    ("is there a blue box?", "no"),
    ("how far is the green table from me in metres?", "three"),
    ("is the red chair nearer to me than the blue sofa?", "yes"),
) * 4
SCENES = 2
REPEATS = sized(3, 1)


def straightforward(model: LlavaForConditionalGeneration, images: Tensor, answer: Tensor) -> Tensor:
    """Every question with its own copy of the views, in one right-padded batch."""
    ids = [question_ids(text) for text, _ in QUESTIONS]
    longest = max(len(line) for line in ids)
    rows = torch.tensor([[IMAGE_ID] * 256 + list(line) + [0] * (longest - len(line)) for line in ids])
    last = torch.tensor([255 + len(line) for line in ids])
    losses = []
    for scene in images:
        views = scene.repeat(len(ids), 1, 1, 1)
        logits = model(input_ids=rows, pixel_values=views, attention_mask=(rows != 0).long()).logits
        losses.append(nn.functional.cross_entropy(logits[torch.arange(len(ids)), last].float(), answer))
    return torch.stack(losses).mean()


def packed(
    model: LlavaForConditionalGeneration, features: Tensor | None, images: Tensor, answer: Tensor
) -> Tensor:
    """The questions of a scene behind one prefix; with the tower's features if they were kept."""
    if features is None:
        tokens = torch.stack(
            list(model.model.get_image_features(pixel_values=images.flatten(0, 1)).pooler_output)
        )
    else:
        tokens = model.model.multi_modal_projector(features)
    prefix = tokens.reshape(len(images), 256, -1)
    scenes = pack([[question_ids(text) for text, _ in QUESTIONS]] * len(images))
    logits = answer_logits(model, prefix, scenes, prefix_positions(*prefix.shape[:2]))
    return nn.functional.cross_entropy(logits, answer.repeat(len(images)))


def seconds(step: Callable[[], Tensor]) -> float:
    """Median time of forward and backward."""
    step().backward()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        step().backward()
        times.append(time.perf_counter() - start)
    return sorted(times)[REPEATS // 2]


def main() -> None:
    """Print questions a second of each way and the ratios, one thread, float32."""
    torch.set_num_threads(1)
    model = build()
    model.requires_grad_(False)
    model.model.multi_modal_projector.requires_grad_(True)
    images = torch.rand(SCENES, 4, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    answer = torch.tensor([answer_id(word) for _, word in QUESTIONS])
    with torch.no_grad():
        tower = model.model.vision_tower(images.flatten(0, 1), output_hidden_states=True)
        features = tower.hidden_states[-1]
        both = [straightforward(model, images, answer), packed(model, None, images, answer)]
    assert torch.allclose(both[0], both[1], atol=1e-4), both
    asked = SCENES * len(QUESTIONS)
    slow = seconds(lambda: straightforward(model, images, answer))
    print(f"one sequence a question       {asked / slow:8.0f} questions/s")
    for name, kept in (("packed", None), ("packed, tower's features kept", features)):
        fast = seconds(lambda kept=kept: packed(model, kept, images, answer))
        print(f"{name:29s} {asked / fast:8.0f} questions/s   {slow / fast:5.1f} times")


if __name__ == "__main__":
    main()
