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

ROOT = Path(__file__).parents[2]
EDGE = ROOT / "benchmarks" / "edge"
NEEDS = {"mnn": ("MNN",), "ncnn": ("ncnn", "pnnx"), "litert": ("ai_edge_litert", "onnx2tf")}


SCORE = {"kestrel-nano": 1e-4, "merlin": 5e-4}  # merlin's weights stand in the package in half precision, in recipes/ in full


@pytest.fixture(scope="module", params=SCORE)
def tracker(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def plain(tracker: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two plain graphs: made where torch is, else those that `make edge` has left."""
    made = ROOT / "runs" / "edge" / tracker
    if find_spec("torch") is None and not (made / "search.onnx").is_file():
        pytest.skip("no torch to export the plain graphs with, and none in runs/edge: make edge")
    folder = tmp_path_factory.mktemp("plain")
    if find_spec("torch") is None:
        for name in ("template.onnx", "search.onnx"):
            (folder / name).write_bytes((made / name).read_bytes())
        return folder
    import_module("plain").export(ROOT / "recipes" / f"{tracker}.safetensors", folder)
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
def test_a_converted_network_gives_the_boxes_of_onnxruntime(name: str, tracker: str, plain: Path, tmp_path: Path) -> None:
    run = import_module("run")
    _, session = run.converted(tracker, name, plain, tmp_path / name)
    frames, corner, score = run.difference(session, frames=12)
    assert frames == 22
    assert corner < 0.01  # pixels; other orders of sums
    assert score < SCORE[tracker]


@pytest.mark.filterwarnings("default")  # of torch's exporter
def test_the_plain_graphs_decode_to_the_boxes_of_the_package(tracker: str, plain: Path) -> None:
    """What a recipe begins with, on onnxruntime: no converter in between."""
    boxes, run, form = import_module("boxes"), import_module("run"), import_module("forms").FORMS[tracker]
    template, search = (onnxruntime.InferenceSession(plain / f"{name}.onnx") for name in ("template", "search"))

    class Plain:
        def template(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
            names = (*form.memory, *form.kept)
            said = template.run(list(names), {"template": boxes.planes(pixels)[np.newaxis]})
            return {name: array[0] for name, array in zip(names, said, strict=True)}

        def search(self, pixels: np.ndarray, memory: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            given = {name: array[np.newaxis] for name, array in memory.items()}
            said = search.run(list(form.maps), {"search": boxes.planes(pixels)[np.newaxis], **given})
            return {name: array[0] for name, array in zip(form.maps, said, strict=True)}

    frames, corner, score = run.difference(boxes.EdgeSession(sightline.load(tracker).spec, form, Plain()), frames=12)
    assert frames == 22
    assert corner < 0.01
    assert score < SCORE[tracker]
