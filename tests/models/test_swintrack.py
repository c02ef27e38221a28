from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sightline import models, zoo  # noqa: E402  # after the check for torch
from sightline.box import Box  # noqa: E402
from sightline.errors import BadSpec  # noqa: E402
from sightline.frame import Frame  # noqa: E402
from sightline.methods.network import NetworkMethod  # noqa: E402
from sightline.models.calls import example  # noqa: E402
from sightline.models.export import graphs  # noqa: E402
from sightline.models.session import TorchSession  # noqa: E402
from sightline.models.swintrack import MotionToken, SwinTrack  # noqa: E402
from sightline.spec import History, Spec  # noqa: E402
from tests.models.stir import stirred  # noqa: E402
from tests.models.test_families import SMALL, run  # noqa: E402


def small(*, history: int = 0) -> Spec:
    spec = zoo.find("swintrack-t224")
    arch = replace(spec.arch, **SMALL["swintrack"], history=history, cells=20 if history else 0)
    return replace(spec, arch=arch, history=History(length=history, every=2) if history else None)


def with_motion() -> SwinTrack:
    network = stirred(models.build(small(history=4)))
    assert isinstance(network, SwinTrack)
    return network


def test_past_boxes_become_cells_of_the_crop_cut_off_at_its_border() -> None:
    token = MotionToken(32, length=2, cells=10)
    history = torch.tensor([[[0.5, 0.5, 0.2, 0.4], [1.5, 0.0, 0.2, 0.1]], [[0.06, 0.93, 0.1, 0.1], [float("nan")] * 4]])
    cells = token.quantize(history)
    assert cells.tolist() == [[[4, 3, 6, 7], [9, 0, 9, 0]], [[0, 8, 1, 9], [10] * 4]]
    assert token(history)[0, 0, :8].equal(token.table[[4, 3]].flatten())  # oldest box first, x1 before y1
    assert token(history).shape == (2, 1, 32)


def test_the_motion_token_alone_tells_histories_apart() -> None:
    network = with_motion()
    arrays = example(small(history=4), 2)
    for name in ("template", "search"):
        arrays[name][1] = arrays[name][0]
    tokens = network.init(arrays["template"])["tokens"]
    same = network.step(arrays["search"], tokens, arrays["history"])
    assert torch.allclose(same["box"][0], same["box"][1], atol=1e-5)
    arrays["history"][1, :, 0] -= torch.tensor([0.3, 0.2, 0.1, 0.0])
    moved = network.look(tokens, tokens.new_zeros(2, 196, 64), arrays["history"])
    assert (moved.score[0] - moved.score[1]).abs().max() > 1e-3
    assert moved.encoded[-1][0].allclose(moved.encoded[-1][1], atol=1e-5)  # the encoder does not see it


def test_the_exported_graph_reads_past_boxes_as_the_network_does() -> None:
    spec, network = small(history=4), with_motion()
    exported = graphs(network, spec)
    for batch in (1, 3):
        given = {name: value.numpy() for name, value in example(spec, batch).items()}
        given["history"] = np.random.default_rng(0).uniform(-0.2, 1.2, given["history"].shape).astype(np.float32)
        given |= run(exported["init"].SerializeToString(), given)
        said = run(exported["step"].SerializeToString(), given)
        expected = network.step(*(torch.from_numpy(given[name]) for name in ("search", "tokens", "history")))
        for name, value in expected.items():
            np.testing.assert_allclose(said[name], value.detach().numpy(), atol=1e-4, err_msg=name)


def test_a_tracker_with_motion_token_follows_over_frames() -> None:
    method = NetworkMethod(TorchSession(small(history=4), with_motion()))
    frames = [Frame(image) for image in np.random.default_rng(0).integers(0, 255, (4, 90, 120, 3), np.uint8)]
    state = method.begin(frames[0], Box(40, 30, 20, 20))
    for frame in frames[1:]:
        [(state, estimate)] = method.advance([frame], [state])
        assert np.isfinite(estimate.box).all()
    assert len(state.history) == 4


@pytest.mark.parametrize("width,history,cells", [(48, 0, 0), (64, 5, 10), (64, 4, 0)])
def test_channels_that_do_not_fit_are_refused(width: int, history: int, cells: int) -> None:
    spec = small()
    with pytest.raises(BadSpec, match="expected"):
        models.build(replace(spec, arch=replace(spec.arch, width=width, history=history, cells=cells)))
