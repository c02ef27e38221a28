from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

CODE = """
import numpy as np, sightline
from sightline.frame import Frame
tracker = sightline.load("kestrel-nano", engine={engine!r}, threads=1)
frame = Frame(np.zeros((120, 160, 3), np.uint8))
tracker.init(frame, (40, 40, 30, 20))
tracker.update(frame)
"""


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_an_engine_leaves_nothing_in_the_home_of_who_tracks(engine: str, tmp_path: Path) -> None:
    if find_spec(engine) is None:
        pytest.skip(f"{engine} is not installed")
    homes = {name: str(tmp_path) for name in ("HOME", "USERPROFILE", "XDG_CACHE_HOME")}
    told = {name: value for name, value in os.environ.items() if name not in ("ORT_DISABLE_TELEMETRY", "CI")}
    subprocess.run([sys.executable, "-c", CODE.format(engine=engine)], env=told | homes, check=True)
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == []


def test_who_wants_the_reports_keeps_them() -> None:
    code = "import os, openvino_telemetry, sys, sightline.engines; print(os.environ['ORT_DISABLE_TELEMETRY'], sys.modules['openvino_telemetry'] is None)"
    if find_spec("openvino") is None:
        pytest.skip("openvino is not installed")
    told = os.environ | {"ORT_DISABLE_TELEMETRY": "0"}
    assert subprocess.run([sys.executable, "-c", code], env=told, check=True, capture_output=True, text=True).stdout == "0 False\n"
