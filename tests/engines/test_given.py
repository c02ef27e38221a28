"""What an engine is given and what it returns is read and made without leaving a trace: arrays of any kind, layout and thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from sightline.engines import Session, open_session
from sightline.weights import find

KINDS = {"template": np.float32, "search": np.uint8, "filled": np.bool_, "words": np.int64}
LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as it is": lambda array: array,
    "turned": lambda array: np.ascontiguousarray(array[..., ::-1])[..., ::-1],
    "column by column": np.asfortranarray,
    "every other": lambda array: np.repeat(array, 2, axis=1)[:, ::2],
    "not to be written to": lambda array: np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape),
}


@pytest.fixture(params=["onnxruntime", "openvino"])
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Session:
    """A network that says what it is given, one input of each kind, as float32; its box is the template itself."""
    pytest.importorskip(request.param)
    onnx = pytest.importorskip("onnx")
    helper, types = onnx.helper, onnx.TensorProto
    of = {name: helper.np_dtype_to_tensor_dtype(np.dtype(kind)) for name, kind in KINDS.items()}
    nodes = [helper.make_node("Identity", ["template"], ["box"])]
    nodes += [helper.make_node("Cast", [name], [f"said {name}"], to=types.FLOAT) for name in KINDS]
    graph = helper.make_graph(
        nodes,
        "echo",
        [helper.make_tensor_value_info(name, kind, ["batch", 4, 3]) for name, kind in of.items()],
        [helper.make_tensor_value_info(name, types.FLOAT, ["batch", 4, 3]) for name in ("box", *(f"said {name}" for name in KINDS))],
    )
    path = tmp_path / "echo.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return open_session(path, engine=request.param, threads=1, spec=open_session(find("kestrel-nano"), threads=1).spec)


def arrays(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.integers(0, 2 if kind is np.bool_ else 200, (2, 4, 3)).astype(kind) for name, kind in KINDS.items()}


def check(said: dict[str, np.ndarray], given: dict[str, np.ndarray]) -> None:
    np.testing.assert_array_equal(said["box"], given["template"])
    for name, array in given.items():
        np.testing.assert_array_equal(said[f"said {name}"], array.astype(np.float32), err_msg=name)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_arrays_of_every_kind_and_layout_are_read_as_they_are(session: Session, layout: str) -> None:
    for seed in range(3):
        given = {name: LAYOUTS[layout](array) for name, array in arrays(seed).items()}
        before = {name: array.copy() for name, array in given.items()}
        check(session.run("step", given), before)
        for name, array in given.items():
            np.testing.assert_array_equal(array, before[name])


def test_what_was_returned_is_the_callers_own(session: Session) -> None:
    given = arrays(0)
    said = session.run("step", given)
    for array in given.values():
        array[...] = 1
    check(said, arrays(0))
    for array in said.values():
        array[...] = 7
    check(session.run("step", arrays(1)), arrays(1))
    check(session.run("step", given), given)


def test_threads_get_what_they_gave_themselves(session: Session) -> None:
    def call(seed: int) -> None:
        for _ in range(200):
            check(session.run("step", arrays(seed)), arrays(seed))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(call, range(4)))
