"""Dialogs behind a shared prefix, and the library's own loss of each dialog alone, which they must equal."""

from __future__ import annotations

import torch
from tiny_vlms import IMAGE_ID, PAD_ID, Case, Inputs
from torch import Tensor

from vantage.models.vlm.batch import NOT_LEARNED
from vantage.models.vlm.cross_entropy import next_token_loss
from vantage.models.vlm.head import last_hidden, output_head
from vantage.models.vlm.prefix_inputs import prefix_inputs
from vantage.models.vlm.shared_prefix import Dialog, pack_dialogs


def dialogs_of(case: Case) -> list[list[Dialog]]:
    """For each sample dialogs of one and two turns and of different lengths, three in the first sample."""
    generator = torch.Generator().manual_seed(5)
    found = []
    for number, (row, mask) in enumerate(
        zip(case.text["input_ids"], case.text["attention_mask"], strict=True)
    ):
        prefix = row[mask.bool()].cpu()
        dialogs = []
        for turns in ((4, 2), (7, 3, 2, 4), (3, 1))[: 3 - number]:
            ids, learned = [prefix], [torch.zeros(len(prefix), dtype=torch.bool)]
            for place, count in enumerate(turns):
                ids.append(torch.randint(14, 64, (count,), generator=generator))
                learned.append(torch.full((count,), place % 2 == 1))
            dialogs.append((torch.cat(ids), torch.cat(learned)))
        found.append(dialogs)
    return found


def pixels_of(case: Case, sample: int) -> Inputs:
    """The inputs of one sample's images."""
    images = [len(own) for own in case.samples]
    pictures = [sum(len(tiles) for tiles in own) for own in case.samples]
    by_image = slice(sum(images[:sample]), sum(images[: sample + 1]))
    by_picture = slice(sum(pictures[:sample]), sum(pictures[: sample + 1]))
    if "image_grid_thw" in case.pixels:
        patches = case.pixels["image_grid_thw"].prod(1).tolist()
        rows = slice(sum(patches[: by_image.start]), sum(patches[: by_image.stop]))
        return {
            "pixel_values": case.pixels["pixel_values"][rows],
            "image_grid_thw": case.pixels["image_grid_thw"][by_image],
        }
    if "pixel_attention_mask" in case.pixels:
        return {name: value[sample : sample + 1] for name, value in case.pixels.items()}
    if "image_sizes" in case.pixels:
        cut = {name: case.pixels[name][by_image] for name in ("pixel_values", "image_sizes")}
        together = case.pixels.get("batch_num_images")
        return cut if together is None else {**cut, "batch_num_images": together[sample : sample + 1]}
    return {"pixel_values": case.pixels["pixel_values"][by_picture]}


def one_by_one(case: Case, dialogs: list[list[Dialog]]) -> tuple[Tensor, int]:
    """The library's loss, summed over the learned tokens of all dialogs."""
    device = case.model.device
    total, tokens = torch.zeros((), device=device), 0
    for number, own in enumerate(dialogs):
        for dialog in own:
            ids, learned = (part.to(device) for part in dialog)
            inputs = {"input_ids": ids[None], **pixels_of(case, number)}
            if "qwen" in case.model.config.model_type:
                inputs["mm_token_type_ids"] = (ids == IMAGE_ID).int()[None]
            labels = torch.where(learned, ids, NOT_LEARNED)[None]
            count = int(learned.sum())
            total = total + case.model(**inputs, labels=labels).loss * count
            tokens += count
    return total, tokens


def together(case: Case, dialogs: list[list[Dialog]]) -> tuple[Tensor, int]:
    rows = pack_dialogs(dialogs, IMAGE_ID, PAD_ID).to(case.model.device)
    states = last_hidden(case.model, prefix_inputs(case.model, rows, case.pixels))
    found = next_token_loss(states, rows.labels, output_head(case.model))
    return found.total, found.tokens


def gradients(case: Case, loss: Tensor) -> dict[str, Tensor]:
    for parameter in case.model.parameters():
        parameter.grad = None
    loss.backward()
    return {n: p.grad for n, p in case.model.named_parameters() if p.grad is not None}


def require_exact(case: Case, tolerance: float = 1e-5) -> None:
    """Loss and gradients of the mean over learned tokens."""
    dialogs = dialogs_of(case)
    alone, tokens = one_by_one(case, dialogs)
    theirs = gradients(case, alone / tokens)
    packed, count = together(case, dialogs)
    ours = gradients(case, packed / count)
    assert count == tokens
    assert torch.allclose(packed, alone, rtol=tolerance)
    assert ours.keys() == theirs.keys()
    largest = max(float(value.abs().max()) for value in theirs.values())
    for name, value in ours.items():
        assert (value - theirs[name]).abs().max() <= tolerance * max(largest, 1.0), name
