"""SUTrack: what its template tokens are told, two pictures, two templates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch")

from sightline import models, zoo  # noqa: E402  # after the check for torch
from sightline.box import Box  # noqa: E402
from sightline.errors import BadImage  # noqa: E402
from sightline.frame import Frame  # noqa: E402
from sightline.methods.network import NetworkMethod  # noqa: E402
from sightline.models.calls import example  # noqa: E402
from sightline.models.export import graphs  # noqa: E402
from sightline.models.layers.fastitpn import corners_of, shares  # noqa: E402
from sightline.models.session import TorchSession  # noqa: E402
from sightline.spec import Memory, Spec  # noqa: E402
from tests.models.stir import stirred  # noqa: E402


def small(name: str) -> Spec:
    spec = zoo.find(name)
    return replace(spec, arch=replace(spec.arch, width=64, stages=(1, 1), depth=1, heads=2, head_width=32))


def session(spec: Spec) -> TorchSession:
    torch.manual_seed(0)
    return TorchSession(spec, stirred(models.build(spec)))


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (120, 160, 3), np.uint8)


def test_the_network_has_the_parameters_of_the_fact_sheet() -> None:
    with torch.device("meta"):
        network = models.build(zoo.find("sutrack-t224"))
    assert sum(parameter.numel() for parameter in network.parameters()) == pytest.approx(27.8e6, rel=2e-3)


def test_a_token_is_told_how_many_of_its_pixels_the_target_covers() -> None:
    told = shares(torch.tensor([[16.5, 8.0, 40.0, 32.0]]) / 48, 3).reshape(3, 3)  # of 48 x 48 pixels
    across, down = torch.tensor([0.0, 15 / 16, 8 / 16]), torch.tensor([8 / 16, 1.0, 0.0])
    torch.testing.assert_close(told, down.unsqueeze(1) * across)


def test_corners_count_from_the_first_pixel_to_the_last() -> None:
    corners = corners_of(torch.tensor([[0.5, 0.5, 60 / 108, 48 / 108]]), 112)
    expected = torch.tensor([0.21971972, 0.27577576, 0.21971972 + 0.5605605, 0.27577576 + 0.44844845])  # golden/mcitrack/t224_track
    torch.testing.assert_close(corners[0], expected, atol=1e-6, rtol=0.0)


def test_one_picture_is_read_as_two_that_are_the_same() -> None:
    alone, pair = small("sutrack-t224"), small("sutrack-t224-extra")
    network = session(alone).network
    boxes = []
    for spec, extras in ((alone, (None, None)), (pair, (picture(0), picture(1))), (pair, (picture(2), picture(3)))):
        method = NetworkMethod(TorchSession(spec, network))
        first, second = (Frame(picture(i), i, extra=extra) for i, extra in enumerate(extras))
        [(_, estimate)] = method.advance([second], [method.begin(first, Box(40, 30, 50, 40))])
        boxes.append(estimate)
    assert boxes[0].box == pytest.approx(boxes[1].box, abs=1e-4)
    assert abs(boxes[2].score - boxes[0].score) > 1e-5
    with pytest.raises(BadImage, match="looks at two pictures"):
        NetworkMethod(TorchSession(pair, network)).begin(Frame(picture(0)), Box(40, 30, 50, 40))


def test_the_second_template_is_the_one_that_changes() -> None:
    spec = replace(small("sutrack-b224"), memory=Memory(every=(2,), above=0.0))
    method = NetworkMethod(session(spec))
    state = method.begin(Frame(picture(0)), Box(40, 30, 50, 40))
    kept = [state.arrays["tokens"]]
    for i in (1, 2):
        [(state, _)] = method.advance([Frame(picture(i), i)], [state])
        kept.append(state.arrays["tokens"])
    assert kept[0].shape[0] == 2
    np.testing.assert_array_equal(kept[0][0], kept[0][1])
    np.testing.assert_array_equal(kept[1], kept[0])
    np.testing.assert_array_equal(kept[2][0], kept[0][0])
    assert np.abs(kept[2][1] - kept[0][1]).max() > 1e-3


@pytest.mark.parametrize("name", ["sutrack-b224", "sutrack-t224-extra"])
def test_exported_graphs_read_two_templates_and_two_pictures(name: str) -> None:
    opened = session(small(name))
    exported, arrays = graphs(opened.network, opened.spec), {key: value.numpy() for key, value in example(opened.spec, 1).items()}
    template = {key: value for key, value in arrays.items() if not key.startswith("search")}
    search = {key: value for key, value in arrays.items() if key.startswith("search")}
    [tokens] = onnxruntime.InferenceSession(exported["init"].SerializeToString()).run(None, template)
    np.testing.assert_allclose(tokens, opened.run("init", template)["tokens"], atol=1e-4)
    state = {"tokens": np.stack([tokens, tokens[:, ::-1]], axis=1)} if opened.spec.memory.slots == 2 else {"tokens": tokens}
    box, score = onnxruntime.InferenceSession(exported["step"].SerializeToString()).run(None, search | state)
    said = opened.run("step", search | state)
    np.testing.assert_allclose(box, said["box"], atol=1e-4)
    np.testing.assert_allclose(score, said["score"], atol=1e-4)
