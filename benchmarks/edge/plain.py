"""The built-in tracker as two plain graphs that every converter understands: floats in, maps out, one target, nothing gathered.

    python benchmarks/edge/plain.py [--weights FILE.safetensors] [--output DIR]

Converters for phones and boards stumble over what the graphs of `sightline export` have for speed on a CPU: uint8 pixels, any batch size,
and a head that looks at one cell only (arg-max, gather). Here are the same weights without those: `template.onnx` reads the template once,
`search.onnx` every frame; what the first gives under `keys0`, `values0`, ... the second is given. Both want RGB floats of 0..255 as (1, 3, H, W); the
normalisation is inside. The head's three maps come out whole, and `decode` in boxes.py makes the box of them. Needs torch (extra `convert`).
"""

from __future__ import annotations

from pathlib import Path

import torch
import tyro
from torch import Tensor, nn

from sightline.models.checkpoint import load
from sightline.models.kestrel import Kestrel
from sightline.models.layers.decode import MEAN, STD
from sightline.models.layers.heads import to_grid
from sightline.models.layers.vit import Block

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE, SEARCH = 128, 256  # pixels along each side
OPSET = 18


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


class _Template(nn.Module):
    """Pixels to keys and values of every block, (1, 64, C) each."""

    def __init__(self, network: Kestrel) -> None:
        super().__init__()
        self.network, self.normal = network, _Normal()
        self.blocks = nn.ModuleList(_Block(block) for block in network.blocks if isinstance(block, Block))

    def forward(self, template: Tensor) -> tuple[Tensor, ...]:
        tokens, memory = self.network.stem(self.normal(template)) + self.network.template_positions, list[Tensor]()
        for block in self.blocks:
            tokens, keys, values = block(tokens)
            memory += [keys, values]
        return tuple(memory)


class _Search(nn.Module):
    """Pixels and what `_Template` gave to the head's maps."""

    def __init__(self, network: Kestrel) -> None:
        super().__init__()
        self.network, self.normal = network, _Normal()
        self.blocks = nn.ModuleList(_Block(block) for block in network.blocks if isinstance(block, Block))

    def forward(self, search: Tensor, *memory: Tensor) -> tuple[Tensor, ...]:
        tokens = self.network.stem(self.normal(search)) + self.network.search_positions
        for block, keys, values in zip(self.blocks, memory[::2], memory[1::2], strict=True):
            tokens, _, _ = block(tokens, (keys, values))
        return tuple(self.network.head(to_grid(self.network.norm(tokens))))


class _Normal(nn.Module):
    """As `sightline.models.layers.decode.normalize`, for floats whose channels come first: one product and one sum."""

    def __init__(self) -> None:
        super().__init__()
        std = torch.tensor(STD).reshape(1, 3, 1, 1)
        self.scale: Tensor
        self.shift: Tensor
        self.register_buffer("scale", 1 / (255 * std))
        self.register_buffer("shift", -torch.tensor(MEAN).reshape(1, 3, 1, 1) / std)

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels * self.scale + self.shift


def export(weights: Path, output: Path) -> None:
    """Write template.onnx and search.onnx into a folder.

    Args:
        weights: of a Kestrel of one head.
        output: the folder.
    """
    network, spec = load(weights)
    assert isinstance(network, Kestrel)
    if spec.arch.heads != 1:
        raise SystemExit(f"{weights} has {spec.arch.heads} heads; this plain form is for the built-in tracker, which has one.")
    network.eval()
    output.mkdir(parents=True, exist_ok=True)
    names = [f"{kind}{i}" for i in range(spec.arch.depth) for kind in ("keys", "values")]
    template, search = torch.rand(1, 3, TEMPLATE, TEMPLATE) * 255, torch.rand(1, 3, SEARCH, SEARCH) * 255
    with torch.no_grad():
        memory = _Template(network).eval()(template)
    _write(_Template(network), (template,), ["template"], names, output / "template.onnx")
    _write(_Search(network), (search, *memory), ["search", *names], ["score", "size", "offset"], output / "search.onnx")


def _write(module: nn.Module, given: tuple[Tensor, ...], inputs: list[str], outputs: list[str], path: Path) -> None:
    program = torch.onnx.export(
        module.eval(), given, input_names=inputs, output_names=outputs, opset_version=OPSET, dynamo=True, verbose=False
    )
    assert program is not None
    model = program.model_proto
    for node in model.graph.node:
        del node.metadata_props[:]
    path.write_bytes(model.SerializeToString())


def main(weights: Path = ROOT / "recipes" / "kestrel-nano.safetensors", *, output: Path = ROOT / "runs" / "edge") -> None:
    """Export.

    Args:
        weights: of the built-in tracker.
        output: folder for the two graphs.
    """
    export(weights, output)
    print(f"{output / 'template.onnx'}\n{output / 'search.onnx'}")


if __name__ == "__main__":
    tyro.cli(main)
