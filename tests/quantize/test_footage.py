from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")

from sightline.box import iou
from sightline.errors import BadData
from sightline.quantize.footage import Take, followed, open_footage, spread
from sightline.scene import SceneFrame
from sightline.tracker import load


def test_nothing_is_checked_on_what_it_was_calibrated_on(folder: Path) -> None:
    footage = open_footage(folder)
    assert [[take.name for take in takes] for takes in (footage.calibrate, footage.check)] == [
        ["scene 0", "scene 2"],
        ["scene 1", "scene 3"],
    ]
    assert (footage.objects, footage.drawn) == (2, ())
    assert [take.name for take in spread(footage.calibrate, 1)] == ["scene 0"]


def test_every_source_gives_as_many_sequences_as_it_can() -> None:
    takes = [Take(f"{source}/{i}", ()) for source, number in (("a", 9), ("b", 2)) for i in range(number)]
    assert [take.name for take in spread(takes, 6)] == ["a/0", "a/2", "a/4", "a/6", "b/0", "b/1"]


def test_a_video_is_followed_and_cut_in_pieces(weights: Path, film: tuple[Path, list[SceneFrame]]) -> None:
    images, shots = film
    footage = followed(str(images), shots[0].box, load(weights, threads=1))
    places = [[int(take.name.removeprefix(f"{images.name}/frame ")) for take in takes] for takes in (footage.calibrate, footage.check)]
    assert places == [[0, 48, 96, 144], [24, 72, 120, 168]]  # and no rendered scene is checked on
    assert footage.drawn
    assert footage.objects == 1
    for take in footage.check:
        first = int(take.name.rpartition(" ")[2])
        assert len(take.shots) == 1 + 3 * 3
        for i, look in enumerate((take.shots[0], *take.shots[1::3])):
            frame, box = look()
            true = shots[first + 6 * i]
            assert np.abs(frame.image.astype(int) - true.frame.image).mean() < 4  # JPEG
            assert iou(np.array([box]), np.array([true.box])).item() > 0.5
    with pytest.raises(BadData, match="1 pieces of 24 frames in which the target is found; expected 8 or more"):
        followed(str(images / "00*.jpg"), shots[0].box, load(weights, threads=1))
