"""The trackers in the package as plain graphs that every converter understands: floats in, maps out, one target, nothing gathered.

    python benchmarks/edge/plain.py [kestrel-nano merlin] [--output DIR]

Converters for phones and boards stumble over what the graphs of `sightline export` have for speed on a CPU: uint8 pixels, any batch size,
and a head that looks at one cell only (arg-max, gather). Here are the same weights without those, in a folder for each tracker: `template.onnx` reads
the template once, `search.onnx` every frame; what the first gives the second is given. Both want RGB floats of 0..255 as (1, 3, H, W); the
normalisation is inside. The maps come out whole, and forms.py makes the box of them. Needs torch (extra `convert`).
"""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path
from typing import Any

import torch
import tyro
from forms import FORMS  # type: ignore[import-not-found]  # the script beside this one
from torch import Tensor, nn

from sightline.models.checkpoint import load

ROOT = Path(__file__).resolve().parents[2]
OPSET = 18


def export(weights: Path, output: Path) -> None:
    """Write template.onnx and search.onnx into a folder.

    Args:
        weights: of a tracker of `forms.FORMS`.
        output: the folder.
    """
    network, spec = load(weights)
    form, modules = FORMS[spec.name], importlib.import_module(f"plain_{spec.family}")
    output.mkdir(parents=True, exist_ok=True)
    network.eval()
    pictures = [torch.rand(1, 3, crop.size, crop.size) * 255 for crop in (spec.template, spec.search)]
    with torch.no_grad():
        given = dict(zip((*form.memory, *form.kept), modules.Template(network).eval()(pictures[0]), strict=True))
    memory = tuple(given[name] for name in form.memory)
    _write(modules.Template(network), (pictures[0],), ["template"], list(given), output / "template.onnx")
    _write(modules.Search(network), (pictures[1], *memory), ["search", *form.memory], list(form.maps), output / "search.onnx")


def _write(module: nn.Module, given: tuple[Tensor, ...], inputs: list[str], outputs: list[str], path: Path) -> None:
    with warnings.catch_warnings(action="ignore"):  # of the exporter about its own future
        program: Any = torch.onnx.export(
            module.eval(), given, input_names=inputs, output_names=outputs, opset_version=OPSET, dynamo=True, verbose=False
        )
    model = program.model_proto
    for node in model.graph.node:
        del node.metadata_props[:]
    path.write_bytes(model.SerializeToString())


def main(trackers: tyro.conf.Positional[tuple[str, ...]] = tuple(FORMS), /, *, output: Path = ROOT / "runs" / "edge") -> None:
    """Export.

    Args:
        trackers: those in the package.
        output: folder for a folder of two graphs for each.
    """
    for name in trackers:
        export(ROOT / "recipes" / f"{name}.safetensors", output / name)
        print(f"{output / name / 'template.onnx'}\n{output / name / 'search.onnx'}")


if __name__ == "__main__":
    tyro.cli(main)
