"""What is installed on this machine, found out without importing it."""

from __future__ import annotations

import platform
import sys
from importlib import metadata
from typing import Any

from sightline import __version__

__all__ = ["CORE", "OPTIONAL", "device_name", "machine", "version_of", "versions"]

CORE = ("numpy", "opencv-python-headless", "onnxruntime", "av", "tyro", "rich")
OPTIONAL = (
    "torch",
    "onnx",
    "onnxscript",
    "safetensors",
    "openvino",
    "nncf",
    "tensorboard",
    "simplejpeg",
    "matplotlib",
    "pyarrow",
    "starlette",
    "ray",
)

STAND_INS = {  # other distributions of the same module
    "opencv-python-headless": ("opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python"),
    "onnxruntime": ("onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino"),
}


def version_of(package: str) -> str | None:
    """The installed version of a package, or of one that stands in for it; None where there is none."""
    for name in (package, *STAND_INS.get(package, ())):
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        return version if name == package else f"{version} ({name})"
    return None


def versions() -> dict[str, str | None]:
    """Versions of everything that has a part in a track."""
    return {"sightline": __version__, "python": platform.python_version(), **{name: version_of(name) for name in CORE}}


def machine() -> dict[str, str | int]:
    """System, processor, and how many of its cores this process may use."""
    from sightline.engines.cores import num_cores, processor

    return {"system": platform.platform(), "processor": processor(), "cores": num_cores()}


def device_name(device: str) -> str:
    """A device as engines name it; with what it is where torch, if a network runs on that, can tell."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not device.startswith("cuda"):
        return device
    return f"{device} ({torch.cuda.get_device_name(device)})"
