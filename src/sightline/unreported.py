"""Engines are kept from reporting to their makers: nobody has asked a tracker to tell anybody that it runs.

By themselves, onnxruntime (from 1.29) reports to Microsoft, OpenVINO and NNCF to Intel, by an identity that they leave in the user's home as they are
imported. Whoever wants that sets ORT_DISABLE_TELEMETRY otherwise, or imports `openvino_telemetry`, before anything of Sightline's.
"""

from __future__ import annotations

import os
import sys

__all__ = ["keep_engines_from_reporting"]


def keep_engines_from_reporting() -> None:
    """For this process and those that it starts, from engines that are not imported yet."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    # OpenVINO and NNCF report by this package, and do without where it is missing; None is Python's own way to say so.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
