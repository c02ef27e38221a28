"""DCFNet: the transform, the filter in closed form, and what becomes of its peak."""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402  # after the check for torch
from torch.nn import functional  # noqa: E402

from sightline import models, zoo  # noqa: E402  # after the check for torch
from sightline.models.dcfnet import DcfNet, Waves  # noqa: E402
from sightline.spec import Spec  # noqa: E402
from tests.models.stir import stirred  # noqa: E402

PUBLISHED = zoo.find("dcfnet")
PRIOR = torch.tensor([[0.5, 0.5, 1 / 3, 1 / 3]])


def dcfnet(spec: Spec = PUBLISHED) -> DcfNet:
    torch.manual_seed(0)
    network = stirred(models.build(spec))
    assert isinstance(network, DcfNet)
    return network.eval().requires_grad_(False)


def scene(shift: tuple[int, int] = (0, 0)) -> Tensor:
    """A crop (1, 125, 125, 3) of noise with coarse parts, moved by (down, right) pixels."""
    torch.manual_seed(1)
    coarse = functional.interpolate(torch.rand(1, 3, 25, 25), size=(125, 125), mode="bilinear")
    crop: Tensor = torch.roll((coarse * 255).to(torch.uint8), shift, dims=(2, 3)).permute(0, 2, 3, 1).contiguous()
    return crop


def test_the_transform_is_torchs_own_and_leads_back() -> None:
    torch.manual_seed(0)
    maps, waves = torch.randn(2, 3, 25, 25), Waves(25)
    spectra = waves(maps)
    torch.testing.assert_close(torch.view_as_complex(spectra), torch.fft.rfft2(maps), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(waves.back(spectra), maps, atol=1e-5, rtol=1e-4)


def test_the_filter_answers_its_own_template_with_the_label_where_its_weight_is_nothing() -> None:
    network = dcfnet(replace(PUBLISHED, arch=replace(PUBLISHED.arch, ridge=0.0)))
    state = network.init(scene())
    grown = state.pop("next.grown")
    said = network.step(scene().unsqueeze(1).repeat(1, 3, 1, 1, 1), PRIOR, grown=grown, **state)
    assert float(said["score"][0]) == pytest.approx(1.0, abs=1e-3)
    torch.testing.assert_close(said["box"], PRIOR, atol=1e-4, rtol=0)


@pytest.mark.parametrize("shift", [(0, 0), (3, -5), (-8, 6)])
def test_a_target_that_moves_in_the_crop_is_found_there(shift: tuple[int, int]) -> None:
    network = dcfnet()
    state = network.init(scene())
    grown = state.pop("next.grown")
    said = network.step(scene(shift).unsqueeze(1).repeat(1, 3, 1, 1, 1), PRIOR, grown=grown, **state)
    down, right = shift
    torch.testing.assert_close(said["box"][0, :2], torch.tensor([0.5 + right / 125, 0.5 + down / 125]), atol=1e-4, rtol=0)


@pytest.mark.parametrize("grown,after", [(1.0, 1.0275), (4.99, 5.0)])
def test_the_best_scale_is_taken_within_the_limits_of_size(grown: float, after: float) -> None:
    network = dcfnet()
    state = network.init(scene())
    state.pop("next.grown")
    pictures = torch.zeros(1, 3, 125, 125, 3, dtype=torch.uint8)
    pictures[:, 2] = scene()
    said = network.step(pictures, PRIOR, grown=torch.tensor([grown]), **state)
    assert float(said["next.grown"]) == pytest.approx(after)
    assert float(said["box"][0, 2]) == pytest.approx(after / grown / 3)
