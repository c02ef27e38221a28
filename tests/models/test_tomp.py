from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from sightline import models, zoo  # noqa: E402  # after the check for torch
from sightline.models.calls import example  # noqa: E402
from sightline.models.checkpoint import load, save_weights  # noqa: E402
from sightline.models.tomp import Tomp, linear_sines  # noqa: E402
from sightline.spec import Spec  # noqa: E402
from sightline.zoo.tomp import Arch  # noqa: E402
from tests.models.stir import stirred  # noqa: E402


def made(*, sure: float = 0.9) -> tuple[Tomp, Spec]:
    torch.manual_seed(0)
    arch = Arch(depth=18, width=32, heads=2, hidden=64, encoder=1, decoder=1, sure=sure)
    spec = replace(zoo.find("tomp50"), arch=arch)
    network = stirred(models.build(spec)).eval()
    assert isinstance(network, Tomp)
    return network, spec


@pytest.mark.parametrize("sure,known", [(-1e6, 1.0), (1e6, 0.0)])
def test_a_frame_is_remembered_where_the_target_was_found_surely(sure: float, known: float) -> None:
    network, spec = made(sure=sure)
    arrays = example(spec, 1)
    with torch.inference_mode():
        state = network.init(arrays["template"], arrays["target"])
        said = network.step(arrays["search"], arrays["prior"], **state)
        again = network.step(arrays["search"], arrays["prior"], state["first"], said["next.recent"], said["next.known"])
    assert said["next.known"].item() == known
    assert torch.equal(said["next.recent"], state["recent"]) == (known == 0)
    assert (again["score"] != said["score"]).item() == (known == 1)


def test_a_frame_that_is_masked_is_as_good_as_absent() -> None:
    network, _ = made()
    torch.manual_seed(1)
    frames, search = torch.randn(1, 2, 324, 32), torch.randn(1, 324, 32)
    with torch.inference_mode():
        masked = network.read(frames, search, torch.tensor([[False, True]]))
        alone = network.read(frames[:, :1], search)
        both = network.read(frames, search)
    torch.testing.assert_close(masked.found, alone.found, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(masked.search, alone.search, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(both.found, alone.found, atol=1e-3)


def test_the_sides_of_a_target_lead_back_to_its_box() -> None:
    network, _ = made()
    told = []
    network.edges.register_forward_pre_hook(lambda _module, given: told.append(given[0].unflatten(2, (18, 18))))
    box = torch.tensor([[0.4, 0.55, 0.2, 0.3]])
    network.told(torch.zeros(1, 324, 32), box)
    torch.testing.assert_close(network.box_at(told[0], torch.tensor([[2.0, -3.0]])), box)


def test_the_shared_parameter_is_written_under_both_names_and_read_back(tmp_path: Path) -> None:
    network, spec = made()
    save_weights(network, spec, tmp_path / "w.safetensors")
    again, _ = load(tmp_path / "w.safetensors")
    assert isinstance(again, Tomp)
    assert torch.equal(again.query.weight, network.target.weight)
    assert again.query is again.target


def test_positions_begin_with_the_sine_of_x() -> None:
    table = linear_sines(18, 256).reshape(18, 18, 256)
    assert (table[0, :, 0] == table[7, :, 0]).all()  # x alone
    assert (table[:, 0, 1] == table[:, 5, 1]).all()  # y alone
    torch.testing.assert_close(table[..., 0] ** 2 + table[..., 128] ** 2, torch.ones(18, 18))
