from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from sightline.engines import Opening, open_session
from sightline.errors import EngineError
from sightline.measure.layers import Layer, kinds_of, macs_of, profile
from sightline.weights import find


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    crops = {name: rng.integers(0, 256, (1, side, side, 3), np.uint8) for name, side in (("template", 128), ("search", 256))}
    return crops | open_session(find("kestrel-nano"), threads=1).run("init", crops)


@pytest.mark.parametrize("engine, products, convolutions", [("onnxruntime", "Gemm", "Conv"), ("openvino", "FullyConnected", "Convolution")])
def test_layers_are_told_with_their_time_and_their_products(
    engine: str, products: str, convolutions: str, arrays: dict[str, np.ndarray]
) -> None:
    pytest.importorskip(engine)
    layers = profile(Opening.of(find("kestrel-nano"), engine=engine, threads=1), arrays)
    kinds = kinds_of(layers)
    assert sum(kind.share for kind in kinds) == pytest.approx(1)
    assert sum(kind.layers for kind in kinds) == len(layers) == len({layer.name for layer in layers})
    assert all(first.milliseconds >= second.milliseconds for first, second in itertools.pairwise(kinds))
    # three blocks of 256 tokens of 48 channels: 144 for queries, keys and values, 48, 192 and back
    assert sum(kind.macs or 0 for kind in kinds if kind.name.startswith(products)) == 3 * 256 * 48 * (144 + 48 + 2 * 192)
    assert 15e6 < sum(kind.macs or 0 for kind in kinds if kind.name.startswith(convolutions)) < 30e6


@pytest.mark.parametrize(
    "operation, inputs, out, known",
    [
        ("convolution", [(1, 3, 32, 32), (8, 3, 3, 3), (8,)], (1, 8, 16, 16), 8 * 16 * 16 * 27),
        ("convolution", [(1, 16, 8, 8), (16, 1, 5, 5)], (1, 16, 8, 8), 16 * 64 * 25),
        ("convolution", [(1, 16, 8, 8), (4, 4, 4, 3, 3), (16,)], (1, 16, 8, 8), 16 * 64 * 4 * 9),
        ("convolution", [(1, 8, 8, 8), (), (), (4, 8, 1, 1), ()], (1, 4, 8, 8), 4 * 64 * 8),
        ("convolution", [(1, 16, 8, 8)], (1, 16, 8, 8), None),
        ("product", [(10, 64), (30,)], (10, 30), 10 * 30 * 64),
        ("product", [(2, 5, 7, 64), (2, 5, 9, 64)], (2, 5, 7, 9), 2 * 5 * 7 * 9 * 64),
        ("product", [(1, 256, 64), (1, 256, 100)], (1, 64, 100), 64 * 100 * 256),
        ("other", [(1, 8)], (1, 8), None),
    ],
)
def test_products_are_counted_by_shapes(operation: str, inputs: list[tuple[int, ...]], out: tuple[int, ...], known: int | None) -> None:
    assert macs_of(operation, inputs, [out]) == known  # type: ignore[arg-type]  # one of them


def test_kinds_that_compute_in_something_else_are_told_apart() -> None:
    layers = [
        Layer("a", "Conv", 1.0, 10, "f32"),
        Layer("b", "Conv", 2.0, 30, "int8"),
        Layer("c", "Add", 1.0, None, "f32"),
        Layer("d", "Conv", 1.0, 5, "f32"),
    ]
    first, second, last = kinds_of(layers)
    assert {(share.name, share.arithmetic, share.layers, share.share, share.macs) for share in (first, second)} == {
        ("Conv", "int8", 1, 0.4, 30),
        ("Conv", "f32", 2, 0.4, 15),
    }
    assert (last.name, last.macs) == ("Add", None)


def test_what_no_engine_with_a_profiler_reads_is_said(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    with pytest.raises(EngineError, match="sightline export"):
        profile(Opening(tmp_path / "w.safetensors", "onnxruntime"), {})
