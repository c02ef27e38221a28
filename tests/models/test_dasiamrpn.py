from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch")
from torch.nn import functional  # noqa: E402  # after the check for torch

from sightline import models, zoo  # noqa: E402
from sightline.box import Box  # noqa: E402
from sightline.models.dasiamrpn import DaSiamRPN  # noqa: E402
from sightline.models.export import graphs  # noqa: E402
from sightline.models.layers.siamese import correlate  # noqa: E402
from sightline.placement import crop_for  # noqa: E402


def test_each_of_a_batch_is_correlated_with_its_own_kernels() -> None:
    kernels, search = torch.randn(2, 6, 5, 4, 4), torch.randn(2, 5, 9, 9)
    expected = torch.cat([functional.conv2d(one.unsqueeze(0), kernel) for one, kernel in zip(search, kernels, strict=True)])
    assert torch.allclose(correlate(kernels, search), expected, atol=1e-4)


@pytest.mark.parametrize("shift,first", [pytest.param(-4.0, -76.0, id="Python 3"), pytest.param(0.0, -72.0, id="Python 2.7")])
def test_cells_stand_where_the_version_of_python_puts_them(shift: float, first: float) -> None:
    spec = zoo.find("dasiamrpn-vot")
    with torch.device("meta"):
        network = models.build(replace(spec, arch=replace(spec.arch, shift=shift)))
    assert isinstance(network, DaSiamRPN)
    points = network.points(19, torch.device("cpu"))
    assert points[0] == first
    assert (points.diff() == 8).all()


def test_small_targets_of_the_large_one_are_searched_in_a_larger_crop_at_the_same_scale() -> None:
    search = zoo.find("dasiamrpn-big").search
    large, small = (crop_for(Box(100, 80, side, side), search, (320, 240)) for side in (60, 16))
    assert (large.size, small.size) == (271, 287)
    assert large.size / large.factor == pytest.approx(small.size / small.factor)


@pytest.mark.golden  # half a minute: sizes that may vary make the exporter slow
def test_one_graph_reads_crops_of_both_sizes() -> None:
    spec = zoo.find("dasiamrpn-big")
    spec = replace(spec, arch=replace(spec.arch, widths=(4, 4, 4, 4, 4), width=4))
    torch.manual_seed(0)
    network = models.build(spec)
    assert isinstance(network, DaSiamRPN)
    session = onnxruntime.InferenceSession(graphs(network, spec)["step"].SerializeToString(), providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_outputs()]
    with torch.inference_mode():
        state = network.init(torch.randint(0, 256, (1, 127, 127, 3), dtype=torch.uint8))
        for size in (271, 287):
            search = torch.randint(0, 256, (1, size, size, 3), dtype=torch.uint8)
            given = {"search": search, **state, "prior": torch.tensor([[0.5, 0.5, 0.25, 0.2]])}
            expected = network.step(**given)
            said = dict(zip(names, session.run(names, {name: value.numpy() for name, value in given.items()}), strict=True))
            for name, value in expected.items():
                np.testing.assert_allclose(said[name], value.numpy(), atol=1e-4, err_msg=f"{name}, {size}")


def test_an_untrained_network_is_sure_of_nothing() -> None:
    spec = zoo.find("dasiamrpn-vot")
    torch.manual_seed(0)
    network = models.build(spec)
    assert isinstance(network, DaSiamRPN)
    with torch.inference_mode():
        kernels = network.kernels(torch.randn(2, 256, 6, 6))  # a batch norm comes before
        for said in network.look(kernels, torch.randn(2, 256, 24, 24)):
            assert 0.05 < said.std() < 1
