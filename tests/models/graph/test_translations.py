from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sightline import models, zoo  # noqa: E402  # after the check for torch
from sightline.models.calls import example  # noqa: E402
from sightline.models.export import graphs  # noqa: E402
from tests.models.graph.made import kinds, run  # noqa: E402
from tests.models.roles import for_step  # noqa: E402
from tests.models.stir import stirred  # noqa: E402


def test_an_exported_network_has_one_node_for_a_gelu_and_four_for_an_attention() -> None:
    spec = zoo.find("kestrel-nano")
    network = stirred(models.build(spec))
    graph = graphs(network, spec)["step"]
    found = kinds(graph)
    assert found["Gelu"] == found["Softmax"] == spec.arch.depth
    assert not {"Erf", "Shape", "Sub"} & set(found)
    given = for_step(network, example(spec, 2))
    with torch.inference_mode():
        expected = network.step(**given)  # type: ignore[operator]  # nn.Module's attributes are tensors or modules to mypy
    said = dict(
        zip((entry.name for entry in graph.graph.output), run(graph, **{name: value.numpy() for name, value in given.items()}), strict=True)
    )
    np.testing.assert_allclose(said["box"], expected["box"], atol=1e-5)
    np.testing.assert_allclose(said["score"], expected["score"], atol=1e-5)
    assert found["Gemm"] == 2 * found["MatMul"] == 4 * spec.arch.depth
    assert not any(entry.input[0] == "search" for entry in graph.graph.node if entry.op_type == "Transpose")
