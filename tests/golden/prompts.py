"""Fixtures golden/components/prompt_*: prompts alone, with their weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.models.checkpoint import rename
from sightline.models.layers.prompts import BoxTokens, Drawn, Painted, Prompt, SizeTokens, mark, prompt_keys

Array = NDArray[Any]

P = TypeVar("P", bound=Prompt)
SIZE = 128  # of a template crop


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole. Whatever the prompt, its name begins the fixture's."""
    kinds = {
        "prompt_draw_rect": "line",
        "prompt_draw_box": "box",
        "prompt_template_embedding": "size",
        "prompt_search_embedding": "box-tokens",
    }
    kind = next((kind for name, kind in kinds.items() if meta["config"].startswith(name)), "net")
    tensors = {key: torch.from_numpy(value) for key, value in weights.items() if not key.startswith("coord_")}
    given = {name: torch.from_numpy(value).float() for name, value in inputs.items()}
    with torch.inference_mode():
        outputs = painted(tensors, given) if kind == "net" else marked(kind, tensors, given)
    return {name: output.numpy() for name, output in outputs.items()}


def painted(tensors: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What a colour network chooses."""
    width = tensors["ln.weight"].shape[1]
    prompt = Painted(width, width // 64, round((tensors["pos_embed"].shape[1] - 1) ** 0.5))
    colour, transparency = filled(prompt, {f"color.net.{key}": value for key, value in tensors.items()}).choose(given["image"])
    return {"color": colour, "transparency": transparency}


def marked(kind: str, tensors: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What comes of a box: a picture with it, or tokens."""
    at = mark(given["anno"], SIZE)
    if kind in ("line", "box"):
        return {"drawn": filled(Drawn("line" if kind == "line" else "box"), tensors).draw(given["image"], at)}
    width = tensors["pos_embed"].shape[2]
    tokens = filled(SizeTokens(width) if kind == "size" else BoxTokens(width), tensors).front(at.mask, at)
    assert tokens is not None
    return {"tokens": tokens}


def filled(prompt: P, tensors: Mapping[str, Tensor]) -> P:
    """A prompt with its tensors, given under their authors' names."""
    pairs = prompt_keys("theirs", "ours")
    prompt.load_state_dict({rename(f"theirs.{key}", pairs).removeprefix("ours."): value for key, value in tensors.items()})
    return prompt.eval()
