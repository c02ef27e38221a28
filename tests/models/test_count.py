from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from sightline import zoo  # noqa: E402  # after the check for torch
from sightline.models.count import size_of  # noqa: E402


def test_the_work_of_a_plain_transformer_is_what_its_matrices_say() -> None:
    spec = zoo.find("ostrack-b256")
    spec = replace(spec, arch=replace(spec.arch, depth=1, head="perceptron"))
    width, tokens = spec.arch.width, spec.arch.template_grid**2 + spec.arch.search_grid**2
    block = 12 * width**2 * tokens + 2 * tokens**2 * width
    one, two = size_of(spec), size_of(replace(spec, arch=replace(spec.arch, depth=2)))
    assert two.macs - one.macs == block
    assert two.parameters - one.parameters == 12 * width**2 + 13 * width


def test_a_template_that_is_read_apart_is_counted_apart() -> None:
    size = size_of(zoo.find("kestrel-nano"))
    assert size.macs > size.template_macs > 0
    assert size_of(zoo.find("hit-tiny")).template_macs == 0


def test_counting_leaves_no_trace_in_the_random_numbers() -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    size_of(zoo.find("kestrel-nano"))
    assert torch.equal(torch.rand(1), expected)
