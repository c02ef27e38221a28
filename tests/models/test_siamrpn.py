from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402  # after the check for torch

from sightline import models, zoo  # noqa: E402
from sightline.models.calls import example  # noqa: E402
from sightline.models.export import graphs  # noqa: E402
from sightline.models.layers.anchors import anchor_sizes, choose_anchor, decode_anchors, target_scores  # noqa: E402
from sightline.models.layers.refine import cut  # noqa: E402
from sightline.models.layers.siamese import grid_points  # noqa: E402
from sightline.models.siamrpn import SiamRPN  # noqa: E402
from sightline.spec import Spec  # noqa: E402
from tests.models.stir import stirred  # noqa: E402


def test_anchors_have_the_published_shapes() -> None:
    assert anchor_sizes().tolist() == [[104, 32], [88, 40], [64, 64], [40, 80], [32, 96]]


def test_without_offsets_a_box_is_its_anchor_in_its_cell() -> None:
    points = grid_points(5, 8, 0.0, torch.device("cpu"))
    boxes = decode_anchors(torch.zeros(1, 20, 5, 5), anchor_sizes(), points)
    assert boxes[0, :, 1, 0, 4].tolist() == [16, -16, 88, 40]  # the second anchor, top right


def test_offsets_move_by_shares_of_the_anchor_and_stretch_by_powers_of_e() -> None:
    offsets = torch.zeros(1, 4, 5, 1, 1)
    offsets[0, :, 3, 0, 0] = torch.tensor([0.5, -0.25, np.log(2), np.log(0.5)])
    boxes = decode_anchors(offsets.flatten(1, 2), anchor_sizes(), torch.zeros(1))
    assert boxes[0, :, 3, 0, 0].tolist() == pytest.approx([20, -20, 80, 40])


def test_background_stands_before_target_in_the_logits() -> None:
    logits = torch.zeros(1, 10, 3, 3)
    logits[0, 5 + 2, 1, 1] = 4.0
    logits[0, 1, 0, 0] = 4.0
    scores = target_scores(logits)
    assert scores[0, 2, 1, 1] == pytest.approx(0.982, abs=1e-3)
    assert scores[0, 1, 0, 0] == pytest.approx(0.018, abs=1e-3)


def test_of_equal_scores_the_anchor_like_the_last_box_in_the_middle_wins() -> None:
    points = grid_points(5, 8, 0.0, torch.device("cpu"))
    boxes = decode_anchors(torch.zeros(2, 20, 5, 5), anchor_sizes(), points)
    prior = torch.tensor([[40.0, 80.0], [104.0, 32.0]])
    box, best = choose_anchor(boxes, torch.full((2, 5, 5, 5), 0.5), prior=prior, penalty=0.2, window=0.4)
    assert box.tolist() == [[0, 0, 40, 80], [0, 0, 104, 32]]
    assert best.place.flatten().tolist() == [3 * 25 + 12, 12]
    assert best.confidence.tolist() == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("name", ["siamrpn-alex", "siamrpn-mobilev2", "siamrpn-r50"])
def test_every_trunk_keeps_stride_8_and_knows_no_border(name: str) -> None:
    spec = zoo.find(name)
    with torch.device("meta"):
        network = models.build(replace(spec, arch=replace(spec.arch, width=256)))
        assert isinstance(network, SiamRPN)
        template, search = (network.extract(torch.zeros(1, 3, crop.size, crop.size)) for crop in (spec.template, spec.search))
    cells = 6 if name == "siamrpn-alex" else 7
    assert [level.shape[-1] for level in template] == [cells] * len(template)
    assert [level.shape[-1] for level in search] == [26 if name == "siamrpn-alex" else 31] * len(template)


def test_levels_count_as_their_weights_say() -> None:
    spec = replace(zoo.find("siamrpn-r50"), arch=replace(zoo.find("siamrpn-r50").arch, width=8))
    network = stirred(models.build(spec))
    assert isinstance(network, SiamRPN)
    features = [torch.randn(1, 8, 31, 31) for _ in range(3)]
    with torch.inference_mode():
        kernels = network.kernels([torch.randn(1, 8, 7, 7) for _ in range(3)])
        assert isinstance(network.score_weights, nn.Parameter)
        network.score_weights.copy_(torch.tensor([0.0, 50.0, 0.0]))
        alone = network.branches()[1].score(kernels[0][:, 1], features[1])
        assert torch.allclose(network.look(*kernels, features).logits, alone, atol=1e-5)


def test_squares_are_cut_where_each_of_a_batch_wants_them() -> None:
    maps = torch.randn(2, 3, 9, 8)
    squares = cut(maps, torch.tensor([[1], [4]]), torch.tensor([[3], [0]]), 5)
    assert torch.equal(squares[0], maps[0, :, 1:6, 3:8])
    assert torch.equal(squares[1], maps[1, :, 4:9, 0:5])


def siammask(width: int = 8) -> tuple[SiamRPN, Spec]:
    spec = zoo.find("siammask-r50")
    spec = replace(spec, arch=replace(spec.arch, width=width))
    torch.manual_seed(0)
    network = models.build(spec)
    assert isinstance(network, SiamRPN)
    return network, spec


def test_a_mask_begins_four_cells_before_the_anchor_that_won() -> None:
    network, _ = siammask()
    pixels = torch.rand(1, 3, 255, 255) * 255
    with torch.inference_mode():
        kernel = network.mask.template(torch.randn(1, 8, 7, 7))
        levels = network.trunk(pixels)
        logits, corner = network.outline(kernel, levels, torch.tensor([[2 * 625 + 11 * 25 + 13]]))
    assert logits.shape == (1, 127, 127)
    assert corner.tolist() == [[(13 - 4) * 8, (11 - 4) * 8]]


@pytest.mark.golden  # a ResNet-50 takes the exporter half a minute
def test_masks_export_for_any_batch() -> None:
    network, spec = siammask()
    session = onnxruntime.InferenceSession(graphs(network, spec)["step"].SerializeToString(), providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_outputs()]
    for batch in (1, 3):
        given = example(spec, batch)
        with torch.inference_mode():
            given |= network.init(given.pop("template"))
            expected = network.step(**given)
        said = dict(zip(names, session.run(names, {name: value.numpy() for name, value in given.items()}), strict=True))
        assert said.keys() == expected.keys() == {"box", "score", "mask", "mask_box"}
        for name, value in expected.items():
            np.testing.assert_allclose(said[name], value.numpy(), atol=1e-4, err_msg=f"{name}, batch of {batch}")
