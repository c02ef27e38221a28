"""The checks of the engine run in a process of their own: a signal that comes after many of its threads ends the process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def test_the_engine_passes_its_checks() -> None:
    pytest.importorskip("openvino")
    checks = Path(__file__).with_name("openvino_checks.py")
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", str(checks)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout
