"""MCITrack: a state that goes on from sure frames, and templates from a bank."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sightline import models, zoo  # noqa: E402  # after the check for torch
from sightline.box import Box  # noqa: E402
from sightline.frame import Frame  # noqa: E402
from sightline.methods.network import NetworkMethod, Target  # noqa: E402
from sightline.models.mcitrack import StateSpace  # noqa: E402
from sightline.models.session import TorchSession  # noqa: E402
from sightline.spec import Memory, Spec  # noqa: E402
from tests.models.stir import stirred  # noqa: E402


def small(sure: float, memory: Memory) -> Spec:
    spec = zoo.find("mcitrack-t224")
    arch = replace(spec.arch, width=32, depth=2, heads=2, head_width=16, layers=2, state=2, sure=sure)
    return replace(spec, arch=arch, memory=memory)


def followed(spec: Spec, frames: int) -> list[Target]:
    """The state of a target after each of some frames, the first one included."""
    torch.manual_seed(0)
    method = NetworkMethod(TorchSession(spec, stirred(models.build(spec))))
    pictures = np.random.default_rng(0).integers(0, 256, (1 + frames, 120, 160, 3), np.uint8)
    states = [method.begin(Frame(pictures[0]), Box(40, 30, 50, 40))]
    for i, picture in enumerate(pictures[1:], start=1):
        [(state, _)] = method.advance([Frame(picture, i)], [states[-1]])
        states.append(state)
    return states


NEVER = Memory(every=(999,) * 4, above=1.0, bank=500)


def test_the_state_goes_on_from_frames_of_which_the_tracker_is_sure() -> None:
    first, second, third = (state.arrays["state"] for state in followed(small(0.0, NEVER), 2))
    assert not first.any()
    assert second.any()
    assert np.abs(third - second).max() > 0


def test_the_state_begins_anew_after_every_other_frame() -> None:
    assert not any(state.arrays["state"].any() for state in followed(small(1.0, NEVER), 2))


def test_good_frames_fill_the_bank_and_a_change_draws_from_it() -> None:
    states = followed(small(1.0, Memory(every=(3,) * 4, above=0.0, bank=6)), 3)
    assert [len(state.templates) for state in states] == [5, 6, 6, 6]
    before, after = states[2].arrays["tokens"], states[3].arrays["tokens"]
    np.testing.assert_array_equal(before, np.stack([before[0]] * 5))
    np.testing.assert_array_equal(after[0], before[0])
    expected = [template["tokens"] for template in states[3].templates[1:5]]
    np.testing.assert_array_equal(after[1:], np.stack(expected))
    assert np.abs(after[4] - after[0]).max() > 1e-3


def test_a_state_space_forgets_by_its_step_and_adds_what_it_writes() -> None:
    space = StateSpace(16, 2).eval()
    with torch.no_grad():
        for parameter in space.parameters():
            parameter.zero_()
        space.step.get_parameter("bias").fill_(0.5)
    state = torch.ones(1, 3, 32, 2)
    tokens = torch.randn(1, 3, 16)
    said, after = space(tokens, state)
    step = torch.nn.functional.softplus(torch.tensor(0.5))
    torch.testing.assert_close(after, state * torch.exp(-step))  # nothing is written: only the decay is seen, exp(0) for each
    torch.testing.assert_close(said, torch.zeros_like(tokens))  # the norm's weight is zero, and the residual is what was normed
