"""The recipes for phones and boards give the boxes of onnxruntime: each runs where its packages are (`make edge`), and says what is missing elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import sightline

ROOT = Path(__file__).parents[1]
EDGE = ROOT / "benchmarks" / "edge"
NEEDS = {"mnn": ("MNN",), "ncnn": ("ncnn", "pnnx"), "litert": ("ai_edge_litert", "onnx2tf")}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two plain graphs: made where torch is, else those that `make edge` has left."""
    made = ROOT / "runs" / "edge"
    if find_spec("torch") is None and not (made / "search.onnx").is_file():
        pytest.skip("no torch to export the plain graphs with, and none in runs/edge: make edge")
    folder = tmp_path_factory.mktemp("plain")
    if find_spec("torch") is None:
        for name in ("template.onnx", "search.onnx"):
            (folder / name).write_bytes((made / name).read_bytes())
        return folder
    import_module("plain").export(ROOT / "recipes" / "kestrel-nano.safetensors", folder)
    return folder


@pytest.fixture(scope="module", autouse=True)
def scripts() -> Iterator[None]:
    """They find each other beside them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EDGE))
        yield


def needing(name: str, packages: tuple[str, ...]) -> Any:
    """A recipe, left out where one of its packages is missing."""
    missing = [package for package in packages if find_spec(package) is None]
    return pytest.param(name, id=name, marks=pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} not installed: make edge"))


@pytest.mark.filterwarnings("default")  # those of other people's converters
@pytest.mark.parametrize("name", [needing(*row) for row in NEEDS.items()])
def test_a_converted_network_gives_the_boxes_of_onnxruntime(name: str, plain: Path, tmp_path: Path) -> None:
    run = import_module("run")
    _, session = run.converted(name, plain, tmp_path / name)
    frames, corner, score = run.difference(session, frames=12)
    assert frames == 22
    assert corner < 0.01  # pixels; other orders of sums
    assert score < 1e-4


@pytest.mark.filterwarnings("default")  # of torch's exporter
def test_the_plain_graphs_decode_to_the_boxes_of_the_package(plain: Path) -> None:
    """What a recipe begins with, on onnxruntime: no converter in between."""
    boxes, run = import_module("boxes"), import_module("run")
    template, search = (onnxruntime.InferenceSession(plain / f"{name}.onnx") for name in ("template", "search"))

    class Plain:
        def template(self, pixels: np.ndarray) -> list[np.ndarray]:
            return [array[0] for array in template.run(list(boxes.MEMORY), {"template": boxes.planes(pixels)[np.newaxis]})]

        def search(self, pixels: np.ndarray, memory: list[np.ndarray]) -> tuple[np.ndarray, ...]:
            given = {name: array[np.newaxis] for name, array in zip(boxes.MEMORY, memory, strict=True)}
            score, size, offset = search.run(["score", "size", "offset"], {"search": boxes.planes(pixels)[np.newaxis], **given})
            return score[0, 0], size[0], offset[0]

    frames, corner, score = run.difference(boxes.EdgeSession(sightline.load("kestrel-nano").spec, Plain()), frames=12)
    assert frames == 22
    assert corner < 0.01
    assert score < 1e-4
