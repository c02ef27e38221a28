"""`sightline export`: weights become ONNX, which runs without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from sightline.cli.arguments import check_place, check_suffix, optional
from sightline.cli.extras import needing

__all__ = ["export"]


def export(
    weights: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")],
    /,
    *,
    output: Annotated[Path, tyro.conf.arg(metavar="FILE", aliases=["-o"])],
    tracker: Annotated[str | None, optional("NAME")] = None,
    half: tyro.conf.FlagCreatePairsOff[bool] = False,
) -> None:
    """Write weights as ONNX: pixels in, boxes out, the spec inside; runs without torch.

    Where a tracker reads its template only once, a second graph is written beside the first (W.init.onnx beside W.onnx):
    keep the two together. Needs torch: pip install 'sightline[convert]'.

    Example: sightline export vittrack.safetensors --output vittrack.onnx

    Args:
        weights: what `sightline convert` or `sightline train` wrote.
        output: write the graph here, as .onnx. An existing file is replaced.
        tracker: whose weights they are, by its name in `sightline zoo`; only needed for a file that does not say so itself.
        half: store weights in half precision: half the file. Computing stays in full precision.
    """
    check_suffix(output, (".onnx",), "--output")
    check_place(output, "--output")
    from sightline import zoo

    spec = None if tracker is None else zoo.find(tracker)
    with needing("convert", "exporting"):
        from sightline.models import export as exports
    for path in exports.export(weights, output, spec, half=half):
        print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")
