"""Networks that drop search tokens on the way have static shapes: their graphs run on OpenVINO as on onnxruntime, whatever leaves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("openvino")

import onnx  # noqa: E402  # after the checks

from sightline import models, zoo  # noqa: E402
from sightline.engines import open_session  # noqa: E402
from sightline.models.export import graphs  # noqa: E402
from sightline.weights import init_path  # noqa: E402
from tests.models.stir import stirred  # noqa: E402

SPEC = zoo.find("ostrack-b256-ce")
ARCH = replace(SPEC.arch, depth=4, width=64, heads=1, head_width=32, eliminate=(1, 2), keep=(0.7, 0.5))
FORMS: dict[str, Any] = {"by attention": {}, "merged": {"merge": "mean"}, "by the target": {"queries": "target"}}


@pytest.fixture(scope="module", params=FORMS.values(), ids=list(FORMS))
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported network that eliminates twice."""
    spec = replace(SPEC, arch=replace(ARCH, **request.param), feed=("target",) if "queries" in request.param else ())
    torch.manual_seed(0)
    path: Path = tmp_path_factory.mktemp("eliminating") / "w.onnx"
    for role, graph in graphs(stirred(models.build(spec)), spec).items():
        (init_path(path) if role == "init" else path).write_bytes(graph.SerializeToString())
    return path


def given(batch: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    crops = {name: rng.integers(0, 256, (batch, side, side, 3), np.uint8) for name, side in (("template", 128), ("search", 256))}
    return crops | {"target": rng.uniform(0.3, 0.6, (batch, 4)).astype(np.float32)}


def test_no_shape_depends_on_what_is_in_the_picture(file: Path) -> None:
    kinds = {node.op_type for node in onnx.load(file).graph.node}
    assert "TopK" in kinds
    assert not kinds & {"NonZero", "Compress", "Loop", "If", "Scan"}


def test_both_engines_say_the_same_whatever_leaves(file: Path) -> None:
    ours, theirs = (open_session(file, engine=engine, threads=1) for engine in ("openvino", "onnxruntime"))
    boxes = []
    for batch, seed in ((1, 0), (1, 1), (3, 2)):
        arrays = given(batch, seed)
        state = theirs.run("init", arrays)
        for name, value in ours.run("init", arrays).items():
            np.testing.assert_allclose(value, state[name], atol=1e-4, err_msg=name)
        expected = theirs.run("step", arrays | state)
        for name, value in ours.run("step", arrays | state).items():
            np.testing.assert_allclose(value, expected[name], atol=1e-3, err_msg=name)
        boxes.append(expected["box"][0])
    assert np.abs(boxes[0] - boxes[1]).max() > 1e-4


def test_fewer_tokens_go_through_the_last_block(file: Path) -> None:
    """64 template tokens, and of 256 search tokens 180, then 90."""
    model = onnx.shape_inference.infer_shapes(onnx.load(file))
    lengths = {
        entry.type.tensor_type.shape.dim[1].dim_value for entry in model.graph.value_info if len(entry.type.tensor_type.shape.dim) == 3
    }
    assert {64 + 256, 64 + 180, 90} <= lengths or {64 + 256, 64 + 181, 91} <= lengths  # one more where what left is merged
