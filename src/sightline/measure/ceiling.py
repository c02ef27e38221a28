"""What this machine can do at best: matrix products and memory, so that a speed can be told as a share of it.

The product is 320 x 256 by 256 x 1024, the largest of a small tracker's. Every library that is installed may try, and the best of several
rounds counts: the ceiling is the machine's, not one library's. Each is measured in a process of its own, because the number of threads of
numpy's product can only be set when a process begins.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import get_args

import numpy as np

from sightline.measure.process import last_line
from sightline.measure.profilers import Arithmetic
from sightline.measure.turns import take_turns
from sightline.unreported import keep_engines_from_reporting

__all__ = ["OPERATIONS", "Ceiling", "ceiling", "product"]

ROWS, INNER, COLUMNS = 320, 256, 1024
OPERATIONS = 2 * ROWS * INNER * COLUMNS  # multiplications and additions of one product
COPIED = 128 * 2**20  # bytes, far more than caches hold
ROUNDS, TURN = 5, 0.1  # seconds of each


@dataclass(frozen=True, slots=True)
class Ceiling:
    """Best rates with a number of threads; None where nothing installed can tell.

    Attributes:
        threads: how many.
        f32, bf16, int8: thousand million operations in a second; a multiply-accumulate counts as two.
        copy: gigabytes in a second, read and written, of a copy in memory.
        by: who was fastest in each.
    """

    threads: int
    f32: float | None
    bf16: float | None
    int8: float | None
    copy: float
    by: dict[str, str]

    def share(self, precision: str, macs: int | None, milliseconds: float) -> float | None:
        """What part of the best rate some work reaches; None where one of the two is not known.

        Args:
            precision: in which it is computed; of "int8+bf16" the part in int8 is taken for all.
            macs: multiply-accumulates.
            milliseconds: that they take.
        """
        best = {"f32": self.f32, "bf16": self.bf16, "int8": self.int8}[precision.partition("+")[0]]
        return 2 * macs / (milliseconds * 1e6) / best if macs and best and milliseconds else None


def ceiling(threads: int) -> Ceiling:
    """Measure the machine; takes some seconds.

    Raises:
        EngineError: the process that measures fails.
    """
    return Ceiling(**json.loads(last_line(["-m", "sightline.measure.ceiling", str(threads)], threads=threads)))


def _measured(threads: int) -> Ceiling:
    keep_engines_from_reporting()
    rates: dict[str, dict[str, float]] = {"f32": {"numpy": _rate(_numpy())}, "bf16": {}, "int8": {}}
    for precision in get_args(Arithmetic):
        call = product(precision, threads)
        if call is not None:
            rates[precision]["openvino"] = _rate(call)
    best = {precision: max(found, key=found.__getitem__) for precision, found in rates.items() if found}
    told = {precision: found[best[precision]] if found else None for precision, found in rates.items()}
    return Ceiling(threads=threads, copy=_copy(), by=best, **told)


def _rate(call: Callable[[], object]) -> float:
    """Thousand millions of operations in a second."""
    return OPERATIONS / _seconds(call) / 1e9


def _seconds(call: Callable[[], object]) -> float:
    """The median of a call in the fastest round."""
    [rounds] = take_turns({"": call}, rounds=ROUNDS, seconds=TURN).values()
    return min(rounds)


def _numpy() -> Callable[[], object]:
    rng = np.random.default_rng(0)
    left, right = rng.random((ROWS, INNER), np.float32), rng.random((INNER, COLUMNS), np.float32)
    out = np.empty((ROWS, COLUMNS), np.float32)
    return lambda: np.matmul(left, right, out=out)


def product(precision: Arithmetic, threads: int) -> Callable[[], object] | None:
    """One product by OpenVINO, to be timed; None where it is not installed, or this processor lacks the precision."""
    try:
        import openvino
        from openvino import opset13 as ops

        from sightline.engines.openvino import settings_for
    except ImportError:
        return None
    core = openvino.Core()
    capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if precision != "f32" and precision.upper() not in capabilities:
        return None
    weights = np.random.default_rng(0).random((INNER, COLUMNS), np.float32)
    pixels = ops.parameter([ROWS, INNER], np.float32)
    left, right = pixels, ops.constant(weights)
    if precision == "int8":  # quantised on both sides, which the plugin turns into a product of integers
        left = ops.fake_quantize(pixels, np.float32(0), np.float32(1), np.float32(0), np.float32(1), 256)
        right = ops.fake_quantize(right, np.float32(-1), np.float32(1), np.float32(-1), np.float32(1), 255)
    model = openvino.Model([ops.matmul(left, right, False, False)], [pixels], "product")
    compiled = core.compile_model(model, "CPU", settings_for("bf16" if precision == "bf16" else "f32", threads))
    request, given = compiled.create_infer_request(), np.random.default_rng(1).random((ROWS, INNER), np.float32)
    request.set_input_tensor(openvino.Tensor(given, shared_memory=True))
    infer: Callable[[], object] = request.infer
    return infer


def _copy() -> float:
    source, target = np.ones(COPIED, np.uint8), np.empty(COPIED, np.uint8)
    return 2 * COPIED / _seconds(lambda: np.copyto(target, source)) / 1e9


if __name__ == "__main__":
    print(json.dumps(asdict(_measured(int(sys.argv[1])))))  # noqa: T201  # read by `ceiling`
