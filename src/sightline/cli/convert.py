"""`sightline convert`: a file of authors' weights becomes one that carries its spec."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from sightline.cli.arguments import Flag, check_suffix, optional
from sightline.cli.extras import needing
from sightline.errors import WeightsMismatch

__all__ = ["convert"]


def convert(
    checkpoint: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")],
    /,
    *,
    output: Annotated[Path, tyro.conf.arg(metavar="FILE", aliases=["-o"])],
    tracker: Annotated[str | None, optional("NAME")] = None,
    explain: Flag = False,
) -> None:
    """Turn weights as their authors publish them into a file that Sightline tracks with.

    Reads PyTorch checkpoints (nothing inside them is executed), safetensors, and the published ONNX of VitTrack and FEAR-XS
    (give the encoder; its head lies beside it). The new file says by itself which tracker it is; `sightline export` makes the faster ONNX of it. Needs torch:
    pip install 'sightline[convert]'.

    Example: sightline convert object_tracking_vittrack_2023sep.onnx --output vittrack.safetensors

    Args:
        checkpoint: the authors' file.
        output: write the weights here, as .safetensors. An existing file is replaced.
        tracker: whose weights they are, by its name in `sightline zoo`; only needed where the file fits several.
        explain: where the file does not fit, print the name of every tensor that is missing, unknown or of another shape.
    """
    check_suffix(output, (".safetensors",), "--output")
    with needing("convert", "converting"):
        from sightline.models import checkpoint as checkpoints
    try:
        spec = checkpoints.convert(checkpoint, tracker, output)
    except WeightsMismatch as error:
        if not error.details:
            raise
        if not explain:
            raise WeightsMismatch(f"{error} Add --explain for the name of each.") from error
        print("\n".join(error.details))
        raise
    print(
        f"{output} is {spec.name}: `sightline track VIDEO --box X,Y,W,H --tracker {output}`, or `sightline export {output} --output W.onnx`."
    )
