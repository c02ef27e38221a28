"""What is installed on this machine, found out without importing it."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

from sightline import __version__

__all__ = ["CORE", "OPTIONAL", "machine", "version_of", "versions"]

CORE = ("numpy", "opencv-python-headless", "onnxruntime", "av", "tyro", "rich")
OPTIONAL = ("torch", "onnx", "onnxscript", "safetensors", "openvino", "tensorboard", "simplejpeg", "matplotlib", "starlette", "ray")

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
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"system": platform.platform(), "processor": _processor(), "cores": cores}


def _processor() -> str:
    """The model where the system tells it, else the kind."""
    table = Path("/proc/cpuinfo")
    if table.is_file():
        for line in table.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
