from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from sightline import zoo  # noqa: E402  # after the check for torch
from sightline.models.mixformerv2 import MixFormerV2, build  # noqa: E402
from sightline.spec import Spec  # noqa: E402
from sightline.zoo.mixformerv2 import Arch  # noqa: E402
from tests.models.stir import stirred  # noqa: E402

SMALL = Arch(depth=2, width=32, heads=2, bins=8, template_grid=2, search_grid=3)


def made() -> MixFormerV2:
    network = stirred(build(SMALL)).eval()
    assert isinstance(network, MixFormerV2)
    return network


def test_the_box_lies_between_the_expected_places_of_its_sides() -> None:
    network = made()
    with torch.inference_mode():
        state = network.init(torch.randint(0, 256, (1, 2, 32, 32, 3), dtype=torch.uint8))
        seen = network.look(torch.randn(1, 3, 48, 48), **state)
    left, right, top, bottom = (seen.shares[0] * torch.arange(8) / 8).sum(dim=1).tolist()
    cx, cy, w, h = seen.box[0].tolist()
    assert (cx - w / 2, cx + w / 2, cy - h / 2, cy + h / 2) == pytest.approx((left, right, top, bottom), abs=1e-6)


def test_the_state_holds_keys_and_values_of_all_templates() -> None:
    with torch.inference_mode():
        state = made().init(torch.zeros(3, 2, 32, 32, 3, dtype=torch.uint8))
    assert {name: tuple(value.shape) for name, value in state.items()} == {"keys": (3, 2, 2, 8, 16), "values": (3, 2, 2, 8, 16)}


@pytest.mark.parametrize("spec", zoo.FAMILIES["mixformerv2"].SPECS, ids=lambda spec: spec.name)
def test_grids_fit_the_crops(spec: Spec) -> None:
    assert (spec.template.size, spec.search.size) == (16 * spec.arch.template_grid, 16 * spec.arch.search_grid)
