from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch")

from sightline import models, zoo  # noqa: E402  # after the check for torch
from sightline.models.calls import example  # noqa: E402
from sightline.models.export import graphs  # noqa: E402
from sightline.models.mixformer import CornerUpHead, MixFormer  # noqa: E402
from sightline.spec import Crop, Spec  # noqa: E402
from sightline.zoo.mixformer import Arch  # noqa: E402
from tests.models.stir import stirred  # noqa: E402

CVT = Arch(widths=(8, 16, 64), depths=(1, 1, 1), heads=(1, 1, 2), head_width=16, template_grid=2, search_grid=4)
VIT = replace(CVT, trunk="vit", widths=(64,), depths=(1,), heads=(2,), head="corner-up")
TRUNKS = pytest.mark.parametrize("arch", [CVT, VIT], ids=["cvt", "vit"])


def made(arch: Arch, *, name: str = "mixcvt") -> tuple[MixFormer, Spec]:
    spec = replace(zoo.find(name), arch=arch, template=Crop(factor=2.0, size=32), search=Crop(factor=4.5, size=64))
    network = stirred(models.build(spec)).eval()
    assert isinstance(network, MixFormer)
    return network, spec


@TRUNKS
def test_templates_change_the_answer_and_empty_places_do_not(arch: Arch) -> None:
    network, _ = made(arch)
    templates, search = torch.randn(1, 3, 3, 32, 32), torch.randn(1, 3, 64, 64)
    filled = torch.tensor([[True, True, False]])
    with torch.inference_mode():
        two = network.look(search, network.show(templates[:, :2]))
        empty = network.look(search, network.show(templates, filled), filled)
        three = network.look(search, network.show(templates))
    torch.testing.assert_close(empty.grid, two.grid)
    torch.testing.assert_close(empty.score, two.score)
    assert not torch.allclose(three.grid, two.grid, atol=1e-4)


@TRUNKS
def test_the_score_reads_the_inside_of_the_box_and_the_first_template_alone(arch: Arch) -> None:
    network, _ = made(arch)
    templates, search = torch.randn(1, 2, 3, 32, 32), torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        shown = network.show(templates)
        seen = network.look(search, shown)
        cx, cy, w, h = seen.box[0].tolist()
        inside = network.pool(seen.grid, torch.tensor([[cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2]]))
        assert network.score(inside, shown.first).item() == pytest.approx(seen.score.item(), abs=1e-5)
        elsewhere = network.pool(seen.grid, torch.tensor([[0.0, 0.0, 0.2, 0.2]]))
        assert network.score(elsewhere, shown.first).item() != pytest.approx(seen.score.item(), abs=1e-5)
        assert network.score(inside, shown.first.flip(2)).item() != pytest.approx(seen.score.item(), abs=1e-5)


def test_mixvit_exports_with_a_place_that_is_empty_at_first() -> None:
    network, spec = made(VIT, name="mixvit-b-lasot")
    given = example(spec, 2)
    with torch.inference_mode():
        state = network.init(**{name: value for name, value in given.items() if name in ("template", "filled")})
        expected = {"init": state, "step": network.step(given["search"], **state)}
    for role, graph in graphs(network, spec).items():
        said = run(graph, given | state)
        assert said.keys() == expected[role].keys()
        for key, value in said.items():
            np.testing.assert_allclose(value, expected[role][key].numpy(), atol=1e-4, err_msg=f"{role} {key}")


def run(graph: Any, given: dict[str, Any]) -> dict[str, Any]:
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_outputs()]
    return dict(zip(names, session.run(names, {entry.name: given[entry.name].numpy() for entry in session.get_inputs()}), strict=True))


def test_a_corner_is_found_in_cells_of_four_pixels() -> None:
    maps = CornerUpHead(8, 16).eval()(torch.randn(2, 8, 3, 3))
    assert maps.top_left.shape == maps.bottom_right.shape == (2, 1, 12, 12)


@pytest.mark.parametrize("spec", zoo.FAMILIES["mixformer"].SPECS, ids=lambda spec: spec.name)
def test_grids_fit_the_crops_and_empty_places_are_told_where_there_are_any(spec: Spec) -> None:
    assert (spec.template.size, spec.search.size) == (16 * spec.arch.template_grid, 16 * spec.arch.search_grid)
    assert ("filled" in spec.feed) is (spec.memory.slots > 2)
