"""Kestrel's two plain graphs: `Template` to keys and values of every block, `Search` with those to the maps of the head."""

from __future__ import annotations

import torch
from normal import Normal  # type: ignore[import-not-found]  # the script beside this one
from torch import Tensor, nn

from sightline.models.kestrel import Kestrel
from sightline.models.layers.heads import to_grid
from sightline.models.layers.vit import Block

__all__ = ["Search", "Template"]


class _Block(nn.Module):
    """A block of one head on (1, N, C): queries, keys and values by three products, no axis for heads."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.block = block
        attention = block.attention
        weights, biases = attention.qkv.weight.chunk(3), attention.qkv.bias.chunk(3)  # type: ignore[operator]  # attributes of a module are tensors or modules to mypy
        width = attention.out.in_features
        self.parts = nn.ModuleList(nn.Linear(width, width) for _ in weights)
        for part, weight, bias in zip(self.parts, weights, biases, strict=True):
            part.weight, part.bias = nn.Parameter(weight.detach()), nn.Parameter(bias.detach())
        self.scale = width**-0.5

    def forward(self, tokens: Tensor, memory: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor, Tensor]:
        normal = self.block.norm1(tokens)
        queries, own_keys, own_values = (part(normal) for part in self.parts)
        keys, values = own_keys, own_values
        if memory is not None:
            keys, values = torch.cat([memory[0], keys], dim=1), torch.cat([memory[1], values], dim=1)
        read = torch.softmax(queries @ keys.transpose(1, 2) * self.scale, dim=-1) @ values
        tokens = tokens + self.block.attention.out(read)
        return tokens + self.block.mlp(self.block.norm2(tokens)), own_keys, own_values


class Template(nn.Module):
    """Pixels to keys and values of every block, (1, 64, C) each."""

    def __init__(self, network: Kestrel) -> None:
        super().__init__()
        self.network, self.normal = network, Normal()
        self.blocks = nn.ModuleList(_Block(block) for block in network.blocks if isinstance(block, Block))

    def forward(self, template: Tensor) -> tuple[Tensor, ...]:
        tokens, memory = self.network.stem(self.normal(template)) + self.network.template_positions, list[Tensor]()
        for block in self.blocks:
            tokens, keys, values = block(tokens)
            memory += [keys, values]
        return tuple(memory)


class Search(nn.Module):
    """Pixels and what `Template` gave to the head's maps."""

    def __init__(self, network: Kestrel) -> None:
        super().__init__()
        self.network, self.normal = network, Normal()
        self.blocks = nn.ModuleList(_Block(block) for block in network.blocks if isinstance(block, Block))

    def forward(self, search: Tensor, *memory: Tensor) -> tuple[Tensor, ...]:
        tokens = self.network.stem(self.normal(search)) + self.network.search_positions
        for block, keys, values in zip(self.blocks, memory[::2], memory[1::2], strict=True):
            tokens, _, _ = block(tokens, (keys, values))
        return tuple(self.network.head(to_grid(self.network.norm(tokens))))
