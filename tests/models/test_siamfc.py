"""SiamFC: names of two implementations, correlation, and how responses become a box."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402  # after the check for torch
from torch.nn import functional  # noqa: E402

from sightline import models, zoo  # noqa: E402
from sightline.models.checkpoint import fill, fits, state_for_authors  # noqa: E402
from sightline.models.siamfc import FLAT, SiamFC  # noqa: E402
from tests.models.stir import stirred  # noqa: E402

ALEXNET = zoo.find("siamfc-alexnet")
SMALL = replace(ALEXNET, arch=replace(ALEXNET.arch, widths=(8, 16, 8, 8, 8)))
PRIOR = torch.tensor([[0.5, 0.5, 0.2, 0.3]])


def siamfc(**changes: object) -> SiamFC:
    network = stirred(models.build(replace(SMALL, arch=replace(SMALL.arch, **changes))))
    assert isinstance(network, SiamFC)
    return network.eval()


def test_the_flat_names_of_another_implementation_are_read() -> None:
    network = siamfc()
    flat = {}
    for key, value in state_for_authors(network, SMALL).items():
        _, layer, part, leaf = key.split(".")
        flat[f"features.features.{FLAT[int(layer[-1]) - 1] + int(part)}.{leaf}"] = value
    again = models.build(SMALL)
    fill(again, flat, SMALL)
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in again.state_dict().items())


def test_tensors_tell_grouped_from_ungrouped_convolutions() -> None:
    for name in ("siamfc-alexnet", "siamfc-alexnet-ungrouped"):
        spec = zoo.find(name)
        assert [found.name for found in fits(state_for_authors(models.build(spec), spec))] == [name]


def test_the_correlation_is_a_convolution_with_the_template() -> None:
    torch.manual_seed(0)
    template, search = torch.randn(2, 8, 6, 6), torch.randn(2, 3, 8, 22, 22)
    response = siamfc(gain=0.5).correlate(template, search)
    for i in range(2):
        torch.testing.assert_close(response[i], 0.5 * functional.conv2d(search[i], template[i : i + 1])[:, 0], atol=1e-4, rtol=1e-4)


def blob(scale: int, row: int, column: int) -> Tensor:
    """Responses (1, 3, 17, 17), all small but one bump."""
    responses: Tensor = torch.full((1, 3, 17, 17), 0.1)
    responses[0, scale, row, column] = 1.0
    return responses


def test_a_peak_in_the_middle_at_scale_one_moves_and_changes_nothing() -> None:
    said = siamfc().decide(blob(1, 8, 8), PRIOR, 255)
    assert said["box"][0].tolist() == pytest.approx([0.5, 0.5, 0.2, 0.3], abs=2e-3)  # the peak lies between two fine cells
    assert float(said["score"][0]) == pytest.approx(1.0, abs=0.05)


def test_a_peak_one_cell_right_moves_the_box_by_the_stride_times_the_scale() -> None:
    said = siamfc(window=0.0).decide(blob(2, 8, 9), PRIOR, 255)
    step = 1.0375
    x, y, w, h = said["box"][0].tolist()
    assert x == pytest.approx(0.5 + 8 * step / 255, abs=2e-3)
    assert y == pytest.approx(0.5, abs=2e-3)
    assert (w / 0.2, h / 0.3) == pytest.approx((0.41 + 0.59 * step,) * 2)


def test_another_scale_must_be_better_by_its_penalty() -> None:
    responses = blob(1, 8, 8)
    responses[0, 2, 8, 8] = 1.02
    width = siamfc().decide(responses, PRIOR, 255)["box"][0, 2]
    assert float(width) == pytest.approx(0.2)  # 1.02 * 0.9745 < 1
    responses[0, 2, 8, 8] = 1.05
    width = siamfc().decide(responses, PRIOR, 255)["box"][0, 2]
    assert float(width) == pytest.approx(0.2 * (0.41 + 0.59 * 1.0375))


def test_responses_are_made_finer_as_opencv_does_it() -> None:
    response = np.random.default_rng(0).random((17, 17), np.float32)
    theirs = cv2.resize(response, (272, 272), interpolation=cv2.INTER_CUBIC)
    ours = functional.interpolate(torch.from_numpy(response)[None, None], scale_factor=16, mode="bicubic", align_corners=False)
    np.testing.assert_allclose(ours[0, 0].numpy(), theirs, atol=1e-5)
