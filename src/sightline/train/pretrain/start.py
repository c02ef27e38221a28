"""From a pre-trained encoder to a tracker: which tensors, and which positions stand for which crop."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import Literal

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional

from sightline.errors import WeightsMismatch
from sightline.models.checkpoint import read_tensors, rename
from sightline.train.pretrain.network import KEYS, Autoencoder, Role
from sightline.weights import kind_of

__all__ = ["Pretrained", "packed_weights", "pretrained_in", "take_pretrained_"]

LAYOUT_KEY = "sightline.pretraining"
ENCODER = ("stem.", "blocks.", "norm.", "class_token")
TABLES = ("positions", "decoder_positions")


@dataclass(frozen=True, slots=True)
class Pretrained:
    """What a file of a pre-training holds: tensors under our names, and what its crops were, in the order of their tokens."""

    tensors: Mapping[str, Tensor]
    roles: tuple[Role, ...]
    sides: tuple[int, ...]
    positions: Literal["line", "grid"]

    def table(self, role: Role) -> tuple[Tensor, int]:
        """Positions (1, G G, C) that tokens of a crop had, its frame's vector included, and G; of the first crop where no crop had the role."""
        i = self.roles.index(role) if role in self.roles else 0
        counts = [side * side for side in self.sides]
        whole = self.tensors["positions"]
        start = whole.shape[1] - sum(counts[i:])
        table = whole[:, start : start + counts[i]]
        vectors = self.tensors.get("frame_vectors")
        return table if vectors is None else table + vectors[i], self.sides[i]


def packed_weights(network: Autoencoder) -> bytes:
    """A safetensors file under the authors' names, with the layout of the tokens in its header."""
    arch = network.arch
    layout = {"roles": arch.roles, "sides": arch.sides, "positions": arch.positions}
    pairs = [(ours, theirs) for theirs, ours in KEYS]
    tensors = {rename(key, pairs): value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    return save(tensors, metadata={LAYOUT_KEY: json.dumps(layout)})


def pretrained_in(path: Path, *, first: Role = "search") -> Pretrained | None:
    """The encoder in a file of a pre-training, ours or a published one (MAE, MTR); None where the file is something else.

    Args:
        path: safetensors or a PyTorch checkpoint.
        first: what the first crop of a pair was, where the file does not say. Published loaders of MTR differ: those of EfficientTrack
            take it for the search crop, that of VitTrack-nano for the template.

    Raises:
        WeightsMissing, WeightsMismatch: the file cannot be read.
    """
    if kind_of(path) not in ("safetensors", "torch"):
        return None
    tensors = {rename(key, KEYS): value for key, value in read_tensors(path).items()}
    layout = _layout(path) or _guessed(tensors, first)
    return None if layout is None else Pretrained(tensors, *layout)


def take_pretrained_(network: nn.Module, given: Pretrained) -> list[str]:
    """Copy an encoder into a tracker (or an autoencoder); the names of what was taken over.

    Stem, blocks, class token and last norm go by name and shape. Learned positions of template and search crop are made from those that
    their tokens had, stretched to the tracker's grids; a tracker with one fixed table over all tokens (VitTrack) keeps its own, as
    published. A stem of the template alone has no place in a tracker with one stem and is left.

    Raises:
        WeightsMismatch: stem, blocks or last norm are of another shape or kind, or positions of another width.
    """
    own = network.state_dict()
    parts = tuple(own) if isinstance(network, Autoencoder) else ENCODER
    fitting = {name: value for name, value in given.tensors.items() if name.startswith(parts) and name not in TABLES}
    taken = {name: value for name, value in fitting.items() if name in own and own[name].shape == value.shape}
    needed = [name for name in own if name.startswith(("stem.", "blocks.", "norm.")) and not name.endswith("num_batches_tracked")]
    missing = sorted(name for name in needed if name not in taken)
    if missing or not taken:
        raise WeightsMismatch(
            f"the pre-trained encoder has nothing of the same shape for {len(missing)} of the network's tensors ({', '.join(missing[:2])}, ...); "
            "pre-train with the same stem, depth, width and kind of block."
        )
    if isinstance(network, Autoencoder):
        if network.template_stem is not None and not any(name.startswith("template_stem.") for name in taken):
            taken |= {f"template_{name}": value for name, value in taken.items() if name.startswith("stem.")}
    else:
        taken |= {name: _stretched(given, role, own[name]) for name, role in _tables(own)}
    network.load_state_dict(taken, strict=False)
    return sorted(taken)


def _tables(own: Mapping[str, Tensor]) -> list[tuple[str, Role]]:
    names: tuple[tuple[str, Role], ...] = (("search_positions", "search"), ("template_positions", "template"))
    return [(name, role) for name, role in names if name in own]


def _stretched(given: Pretrained, role: Role, like: Tensor) -> Tensor:
    """The positions of a role on the grid of another table (1, G G, C)."""
    table, side = given.table(role)
    wanted = isqrt(like.shape[1])
    if wanted * wanted != like.shape[1] or table.shape[2] != like.shape[2]:
        raise WeightsMismatch(f"positions {tuple(table.shape)} cannot be stretched to {tuple(like.shape)}; pre-train with the same width.")
    if wanted == side:
        return table.clone()
    grid = table.transpose(1, 2).reshape(1, -1, side, side)
    # as published: MTR's corners stay corners, MAE's cells stay cells
    grid = functional.interpolate(grid, size=(wanted, wanted), mode="bicubic", align_corners=given.positions == "line")
    return grid.flatten(2).transpose(1, 2)


def _layout(path: Path) -> tuple[tuple[Role, ...], tuple[int, ...], Literal["line", "grid"]] | None:
    """What our own files say of themselves."""
    if kind_of(path) != "safetensors":
        return None
    with safe_open(path, framework="pt") as file:
        text = (file.metadata() or {}).get(LAYOUT_KEY)
    if text is None:
        return None
    said = json.loads(text)
    return tuple(said["roles"]), tuple(said["sides"]), said["positions"]


def _guessed(tensors: Mapping[str, Tensor], first: Role) -> tuple[tuple[Role, ...], tuple[int, ...], Literal["line", "grid"]] | None:
    """The layout of a published file: one square crop (MAE) or two of one size (MTR), after a class token."""
    if not {"positions", "class_token", "norm.weight", "blocks.0.attention.qkv.weight"} <= tensors.keys():
        return None
    num = tensors["positions"].shape[1] - 1
    if isqrt(num) ** 2 == num:
        return ("search",), (isqrt(num),), "grid"
    side = isqrt(num // 2)
    if 2 * side * side != num:
        return None
    second: Role = "template" if first == "search" else "search"
    return (first, second), (side, side), "line"
