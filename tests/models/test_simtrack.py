from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch")

from sightline import models, zoo  # noqa: E402  # after the check for torch
from sightline.box import Box  # noqa: E402
from sightline.errors import BadSpec  # noqa: E402
from sightline.models.calls import example  # noqa: E402
from sightline.models.export import graphs  # noqa: E402
from sightline.models.simtrack import Places, SimTrack, build  # noqa: E402
from sightline.placement import region_around  # noqa: E402
from sightline.spec import Crop  # noqa: E402
from sightline.zoo.simtrack import Arch  # noqa: E402
from tests.models.stir import stirred  # noqa: E402

SMALL = replace(zoo.find("simtrack-b16").arch, depth=1, width=32, heads=2, head_width=32)
SHIFTED = Arch(patch=32, template=192, search=320, table=7, depth=1, width=32, heads=2, head_width=32)


def made(arch: Arch) -> SimTrack:
    torch.manual_seed(0)
    network = stirred(build(arch)).eval()
    assert isinstance(network, SimTrack)
    return network


def seen_by(places: Places, boxes: list[list[float]]) -> Any:
    """What the perceptron is given: (B, n, n, 3)."""
    given = []
    handle = places.layers.register_forward_pre_hook(lambda _module, values: given.append(values[0]))
    places(torch.tensor(boxes))
    handle.remove()
    return given[0].unflatten(1, (places.side, places.side))


def test_tokens_know_how_much_of_them_the_target_covers_and_where_they_are() -> None:
    seen = seen_by(Places(4, 8), [[0.0, 0.0, 1.0, 1.0], [0.25, 0.5, 0.375, 0.25], [-0.5, 0.0, 0.5, 1.0]])
    assert torch.equal(seen[0, ..., 0], torch.ones(4, 4))
    covered = torch.zeros(4, 4)
    covered[2, 1], covered[2, 2] = 1.0, 0.5
    torch.testing.assert_close(seen[1, ..., 0], (covered + 1) / 2)
    assert torch.equal(seen[2, ..., 0], torch.full((4, 4), 0.5))  # cut off at the border
    assert seen[0, 1, 3, 1:].tolist() == [0.875, 0.375]  # column, then row


def test_the_corner_of_the_target_is_cut_to_the_pixel_that_exact_numbers_give() -> None:
    network = made(SMALL)
    boxes: list[Any] = []
    network.places.register_forward_pre_hook(lambda _module, given: boxes.append(given[0]))
    rng = np.random.default_rng(0)
    targets, corners = [], []
    for w, h in [(48, 36), (36, 48), (64, 64), (200, 20), *rng.integers(5, 200, (400, 2)).tolist()]:
        region = region_around(Box(100.0, 100.0, w, h), Crop(factor=2.0, size=112), (640, 480))
        targets.append(region.to_crop(Box(100.0, 100.0, w, h)).astype(np.float32))
        side = math.ceil(math.sqrt(w * h) * 2.0)
        corners.append([int(56 - Fraction(56 * length, side)) for length in (w, h)])
    with torch.inference_mode():
        network.init(torch.zeros(len(targets), 112, 112, 3, dtype=torch.uint8), torch.from_numpy(np.array(targets)))
    np.testing.assert_allclose(boxes[0][:, :2].numpy() * 112, corners, atol=1e-4)


@pytest.mark.parametrize(
    "arch,inside,outside",
    [
        pytest.param(SMALL, (24, 88), (23, 88), id="middle"),
        pytest.param(SHIFTED, (80, 144), (79, 144), id="half a token further"),
    ],
)
def test_the_fovea_is_this_part_of_the_template(arch: Arch, inside: tuple[int, int], outside: tuple[int, int]) -> None:
    network, box = made(arch), torch.tensor([[0.2, 0.2, 0.6, 0.6]])

    def fovea(pixel: int) -> Any:
        picture = torch.zeros(1, 3, arch.template, arch.template)
        picture[:, :, pixel, pixel] = 10.0
        with torch.inference_mode():
            return network.read_template(picture, box)[1]

    empty = fovea(0)
    assert not torch.equal(fovea(inside[0]), empty)
    assert not torch.equal(fovea(inside[1] - 1), empty)
    assert torch.equal(fovea(outside[0]), empty)
    assert torch.equal(fovea(outside[1]), empty)


def test_positions_of_another_size_export_for_any_batch() -> None:
    spec = replace(
        zoo.find("simtrack-b16"),
        arch=SHIFTED,
        template=Crop(factor=2.0, size=SHIFTED.template),
        search=Crop(factor=4.0, size=SHIFTED.search),
    )
    network = made(SHIFTED)
    sessions = {
        role: onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
        for role, graph in graphs(network, spec).items()
    }
    given = example(spec, 3)
    state = sessions["init"].run(["tokens", "fovea"], {"template": given["template"].numpy(), "target": given["target"].numpy()})
    [box] = sessions["step"].run(["box"], {"search": given["search"].numpy(), "tokens": state[0], "fovea": state[1]})
    with torch.inference_mode():
        expected = network.step(given["search"], **network.init(given["template"], given["target"]))
    np.testing.assert_allclose(box, expected["box"].numpy(), atol=1e-4)


@pytest.mark.parametrize("changes", [{"template": 120}, {"search": 230}, {"fovea": 112}, {"fovea": 0}], ids=str)
def test_sizes_that_are_not_whole_tokens_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadSpec, match="multiples of 16 pixels"):
        build(replace(SMALL, **changes))


def test_every_size_of_a_spec_is_that_of_its_crops() -> None:
    for spec in zoo.FAMILIES["simtrack"].SPECS:
        assert (spec.arch.template, spec.arch.search) == (spec.template.size, spec.search.size)
        with torch.device("meta"):
            assert isinstance(models.build(spec), SimTrack)
