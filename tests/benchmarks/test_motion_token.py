"""The experiment about the motion token runs, and its samples are what it says."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from benchmarks import motion_token  # noqa: E402  # after the check for torch
from sightline.scene import render  # noqa: E402

SPEC = motion_token.small_spec(history=4)
CLIP = list(render(motion_token.scene(1, 4, "thermal")))


def test_the_search_crop_lies_around_the_last_past_box_and_shows_the_target() -> None:
    for template, search, history, box in motion_token.samples_of(CLIP, SPEC, np.random.default_rng(0)):
        assert (template.shape, search.shape) == ((128, 128, 3), (256, 256, 3))
        assert history[-1, :2] == pytest.approx([0.5, 0.5], abs=1e-6)
        assert 0 < box[:2].min() < box[:2].max() < 1


def test_both_networks_can_be_trained_and_judged() -> None:
    networks = {name: motion_token.Small(spec) for name, spec in (("without", motion_token.small_spec()), ("with", SPEC))}
    samples = motion_token.collect([CLIP], SPEC)
    motion = networks["with"].fusion.motion
    assert motion is not None
    before = motion.table.clone()
    motion_token.train(networks, samples, steps=2, seed=0, size=2)
    assert not before.equal(motion.table)
    rows = motion_token.judge(networks["with"], SPEC, {"straight": [CLIP], "wandering": [CLIP]}, samples)
    assert len(rows) == 9
    assert all(math.isfinite(value) for row in rows.values() for value in row.values())
