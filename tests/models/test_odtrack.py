from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402  # after the check for torch

from sightline import models, zoo  # noqa: E402
from sightline.methods.network import NetworkMethod, Target  # noqa: E402
from sightline.models.export import graphs  # noqa: E402
from sightline.models.odtrack import ODTrack  # noqa: E402
from sightline.models.session import TorchSession  # noqa: E402
from sightline.spec import Crop, Spec  # noqa: E402
from sightline.tracker import MultiTracker, Tracker  # noqa: E402
from sightline.zoo.odtrack import Arch  # noqa: E402
from tests.models.stir import stirred  # noqa: E402

SPEC = replace(
    zoo.find("odtrack-b384"),
    arch=Arch(template_grid=2, search_grid=4, depth=2, width=32, heads=2, eliminate=(0,), keep=(0.7,), head_width=32),
    template=Crop(factor=2.0, size=32),
    search=Crop(factor=5.0, size=64),
)


def made() -> tuple[ODTrack, Spec]:
    torch.manual_seed(0)
    network = stirred(models.build(SPEC))
    assert isinstance(network, ODTrack)
    return network.eval(), SPEC


def pixels(*shape: int, seed: int = 0) -> Tensor:
    made: Tensor = torch.randint(0, 256, (*shape, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    return made


def test_a_graph_reads_any_number_of_templates() -> None:
    network, spec = made()
    session = onnxruntime.InferenceSession(graphs(network, spec)["step"].SerializeToString(), providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_outputs()]
    boxes = []
    for num in (1, 2, 4):
        given = {"search": pixels(2, 64, 64), "views": pixels(2, num, 32, 32, seed=num), "passed": torch.ones(2, 1, 32)}
        with torch.inference_mode():
            expected = network.step(**given)
        said = dict(zip(names, session.run(names, {name: value.numpy() for name, value in given.items()}), strict=True))
        for name, value in expected.items():
            np.testing.assert_allclose(said[name], value.numpy(), atol=1e-4, err_msg=f"{name}, {num} templates")
        boxes.append(said["next.passed"])
    assert not any(np.allclose(boxes[0], other, atol=1e-5) for other in boxes[1:])


def test_templates_count_alike_whatever_their_order() -> None:
    network, _ = made()
    views, search, passed = pixels(1, 3, 32, 32), pixels(1, 64, 64, seed=1), torch.zeros(1, 1, 32)
    with torch.inference_mode():
        first, second = (network.step(search, given, passed) for given in (views, views.flip(1)))
    for name, value in first.items():
        np.testing.assert_allclose(second[name].numpy(), value.numpy(), atol=1e-5, err_msg=name)


def test_what_one_frame_passes_on_changes_the_next() -> None:
    network, _ = made()
    with torch.inference_mode():
        state = network.init(pixels(1, 32, 32))
        search, views = pixels(1, 64, 64, seed=1), state["views"].unsqueeze(1)
        first = network.step(search, views, state["next.passed"])
        second = network.step(search, views, first["next.passed"])
    assert not torch.allclose(first["next.passed"], second["next.passed"], atol=1e-5)
    assert not torch.allclose(first["score"], second["score"], atol=1e-7)


def test_what_left_the_search_counts_as_zero_for_the_head() -> None:
    network, _ = made()
    with torch.inference_mode():
        seen = network.look(torch.randn(2, 3, 32, 32), torch.randn(1, 3, 64, 64), torch.zeros(1, 1, 32))
    is_zero = (seen.features[0, 1 + 2 * 4 :] == 0).all(dim=1)
    [removed] = seen.removed
    assert set(torch.nonzero(is_zero).flatten().tolist()) == set(removed[0].tolist())
    assert removed.shape == (1, 16 - 12)


def test_targets_of_different_ages_equal_single_trackers_and_a_new_start_forgets() -> None:
    network, spec = made()
    method = NetworkMethod(TorchSession(spec, network))
    frames = [pixels(90, 120, seed=i).numpy() for i in range(7)]
    boxes = {"early": (40.0, 30.0, 20.0, 16.0), "late": (60.0, 40.0, 24.0, 18.0)}
    many: MultiTracker[str, Target] = MultiTracker(method)
    many.add("early", frames[0], boxes["early"])
    many.update(frames[1])
    many.add("late", frames[1], boxes["late"])
    together = [many.update(frame) for frame in frames[2:]]
    single = Tracker(method)
    for key, start in (("early", 0), ("late", 1)):
        single.init(frames[start], boxes[key])
        alone = [single.update(frame) for frame in frames[start + 1 :]]
        for estimate, other in zip(alone[1 - start :], together, strict=True):
            assert estimate.box == pytest.approx(other[key].box, abs=1e-3)
            assert estimate.score == pytest.approx(other[key].score, abs=1e-5)
