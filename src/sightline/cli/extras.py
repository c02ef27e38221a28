"""What to say where an optional package is missing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from sightline.errors import MissingExtra

__all__ = ["EXTRAS", "needing"]

EXTRAS = {  # modules that an extra brings and that a command may run into
    "convert": ("torch", "onnx", "onnxscript", "safetensors"),
    "train": ("torch", "onnx", "onnxscript", "safetensors", "tensorboard", "simplejpeg"),
    "openvino": ("openvino",),
    "int8": ("nncf", "onnx", "openvino"),
    "plots": ("matplotlib",),
    "ray": ("ray",),
    "parquet": ("pyarrow",),
}


@contextlib.contextmanager
def needing(extra: str, what: str) -> Iterator[None]:
    """Explain a failing import of one of an extra's packages; any other failing import is a bug and passes.

    Args:
        extra: key of `EXTRAS`.
        what: what cannot be done without, to begin the sentence.

    Raises:
        MissingExtra: one of the packages is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name not in EXTRAS[extra]:
            raise
        raise MissingExtra(f"{what} needs {name}: pip install 'sightline[{extra}]'. Tracking with an ONNX file does not.") from error
