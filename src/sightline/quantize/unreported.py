"""NNCF, kept from reporting to its makers that it runs, and from leaving an identity for them in the user's home.

It would report by the package `openvino_telemetry`, which comes with it, and does without where that cannot be imported.
"""

from __future__ import annotations

import sys

__all__ = ["nncf"]

REPORTER = "openvino_telemetry"

_before = sys.modules.get(REPORTER)
sys.modules[REPORTER] = None  # type: ignore[assignment]  # Python's own way to say that it cannot be imported
try:
    import nncf
finally:
    if _before is None:
        del sys.modules[REPORTER]
    else:
        sys.modules[REPORTER] = _before
