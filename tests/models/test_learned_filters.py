"""ATOM and DiMP: what their networks say of a filter that is learned elsewhere."""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from sightline import models, zoo  # noqa: E402  # after the check for torch
from sightline.engines.state import LOST  # noqa: E402
from sightline.models.atom import Atom  # noqa: E402
from sightline.models.calls import example  # noqa: E402
from sightline.models.dimp import Dimp, Distances  # noqa: E402
from sightline.models.layers.peaks import Finer, correlate, find_target, gaussian_labels  # noqa: E402
from tests.models.stir import stirred  # noqa: E402


@pytest.mark.parametrize("name", ["atom-resnet18", "dimp18"])
def test_without_a_response_the_target_is_lost_and_the_box_stays(name: str) -> None:
    torch.manual_seed(0)
    spec = zoo.find(name)
    network = stirred(models.build(replace(spec, arch=replace(spec.arch, steps=1)))).eval()
    assert isinstance(network, Atom | Dimp)
    arrays = example(spec, 1)
    with torch.inference_mode():
        state = network.init(arrays["template"], arrays["target"])
        state["kernel"] = torch.zeros_like(state["kernel"])
        given = {key: value for key, value in state.items() if models.reads(network, "step", key)}
        said = network.step(arrays["search"], arrays["prior"], **given)
    assert said["next.flag"].item() == LOST
    assert torch.equal(said["box"], arrays["prior"])


def test_a_label_is_highest_where_a_filter_of_even_size_says_the_target_is() -> None:
    label = gaussian_labels(torch.tensor([[0.5, 0.5], [-2.5, 3.5]]), 0.9, 18)
    assert [place.tolist() for place in (label.flatten(1) == label.flatten(1).amax(dim=1, keepdim=True)).nonzero()] == [
        [0, 9 * 18 + 9],
        [1, 6 * 18 + 12],
    ]


def test_a_finer_map_goes_through_the_cells_of_a_smooth_one() -> None:
    label = gaussian_labels(torch.tensor([[0.5, -1.25]]), 2.0, 18)
    finer = Finer(18, 288)(label)
    torch.testing.assert_close(finer[:, ::16, ::16], label, rtol=0, atol=1e-4)
    assert abs(finer.argmax().item() // 288 - 9 * 16) <= 1


@pytest.mark.parametrize("kernel,side", [(4, 19), (4, 18), (3, 18), (1, 18)])
def test_every_map_meets_its_own_filter(kernel: int, side: int) -> None:
    torch.manual_seed(0)
    maps, kernels = torch.randn(3, 5, 18, 18), torch.randn(3, 5, kernel, kernel)
    expected = [torch.conv2d(one[None], own[None], padding=kernel // 2)[0, 0, :side, :side] for one, own in zip(maps, kernels, strict=True)]
    torch.testing.assert_close(correlate(maps, kernels, side), torch.stack(expected), rtol=1e-4, atol=1e-4)


def test_learned_distances_begin_as_a_bell_in_a_round_mask() -> None:
    wanted = Distances(100, 0.1)(torch.tensor([[9.0, 4.0]]), 19)
    assert wanted.label.argmax().item() == 9 * 19 + 4
    assert wanted.mask[0, 9, 4].item() > 0.9
    assert wanted.mask[0, 9, 9].item() < 0.1
    assert (wanted.spatial - 1).abs().max().item() < 1e-5


def test_a_peak_far_from_the_last_place_is_not_taken_where_one_is_left_near_it() -> None:
    responses = torch.zeros(1, 19, 19)
    responses[0, 1, 1], responses[0, 9, 10] = 1.0, 0.9
    found = find_target(responses, torch.tensor([[3.0, 3.0]]))
    assert found.flag.item() == 2
    assert found.shift.tolist() == [[0, 1]]
    moved = find_target(responses, torch.tensor([[3.0, 3.0]]), torch.tensor([[-8.0, -8.0]]))  # it was over there before
    assert moved.shift.tolist() == [[-8, -8]]
