"""What the runners of the VitTrack grid share: reading a network's shape from its keys, naming the head's outputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor

from sightline.models.layers.decode import decode_center
from sightline.models.layers.heads import CenterMaps

Shapes = Mapping[str, list[int]]
STEMS: dict[int, Literal["conv16", "conv2x2", "conv3x3"]] = {16: "conv16", 2: "conv2x2", 3: "conv3x3"}


def count(keys: Iterable[str], prefix: str) -> int:
    """How many numbers follow `prefix.` in the names of tensors."""
    return len({key.removeprefix(f"{prefix}.").split(".")[0] for key in keys if key.startswith(f"{prefix}.")})


def stem_of(keys: Shapes) -> Literal["conv16", "conv2x2", "conv3x3"]:
    """The stem whose first kernel has the size that the tensors tell."""
    [first] = [key for key, shape in keys.items() if "patch_embed" in key and len(shape) == 4 and shape[1] == 3]
    return STEMS[keys[first][-1]]


def maps_of(maps: CenterMaps) -> dict[str, Tensor]:
    """A centre head's outputs as the fixtures name them; the box is read without a window."""
    box, _ = decode_center(maps, torch.ones(1, 1, *maps.score.shape[-2:]))
    return {"score_map": maps.score, "size_map": maps.size, "offset_map": maps.offset, "pred_boxes": box.unsqueeze(1)}


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch add up in the order of one thread, as the fixtures were made; blocks without norm amplify any other order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
