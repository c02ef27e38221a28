from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx")

from sightline.box import Box, xywh_from_cxcywh
from sightline.engines import open_session
from sightline.quantize.crops import CENTRE, digest, looks, moved
from sightline.weights import find
from tests.quantize.made import SMALL


def test_a_moved_box_stays_near() -> None:
    rng, box = np.random.default_rng(0), Box(100, 50, 40, 20)
    boxes = np.array([moved(box, rng) for _ in range(500)])
    centres = boxes[:, :2] + boxes[:, 2:] / 2
    assert np.abs(centres - (120, 60)).max(axis=0) == pytest.approx((CENTRE * 40, CENTRE * 20), rel=0.02)
    assert (boxes[:, 2].min(), boxes[:, 2].max()) == pytest.approx((40 * np.exp(-0.15), 40 * np.exp(0.15)), rel=0.02)


def test_crops_are_those_of_tracking() -> None:
    session = open_session(find("kestrel-nano"), threads=1)
    seen = looks(session, SMALL.calibrate, each=3)
    assert {name: len(several) for name, several in seen.items()} == {"scene 0": 3, "scene 2": 3}
    assert {name: array.shape for name, array in seen["scene 0"][0].items() if name == "search"} == {"search": (1, 256, 256, 3)}
    boxes = [xywh_from_cxcywh(session.run("step", arrays)["box"].astype(float))[0] for several in seen.values() for arrays in several]
    sizes = np.array(boxes)[:, 2:].prod(axis=1)
    assert np.median(np.sqrt(sizes)) == pytest.approx(0.25, abs=0.06)  # the search region is four times the target
    assert digest(seen) == digest(looks(session, SMALL.calibrate, each=3))
    assert digest(seen) != digest(looks(session, SMALL.calibrate, each=3, seed=1))
