from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from sightline.box import Box
from sightline.estimate import Estimate
from sightline.evaluate.clips import Dataset, open_dataset
from sightline.evaluate.masks import boundary_f, region_j
from sightline.evaluate.protocols import MASKS
from sightline.evaluate.region_files import mask_to_text, region_from_text
from sightline.evaluate.run import Ran, evaluate
from sightline.evaluate.score import Summary, score
from sightline.fleet import Here
from sightline.frame import Frame
from sightline.mask import Mask
from sightline.methods.network import NetworkMethod
from sightline.placement import region_around
from sightline.spec import Spec
from sightline.tracker import Tracker
from tests.evaluate.folders import write
from tests.evaluate.test_run import MAKER
from tests.fakes import FakeSession, brightest

SIZE = (60, 40)
FRAMES = 6


@dataclass(frozen=True)
class Bright:
    """Gives the bright pixels of a frame as the mask, all of them `wider` columns to the right."""

    spec: Spec
    wider: int = 0

    def begin(self, frame: Frame, box: Box) -> Box:
        del frame
        return box

    def advance(self, frames: Sequence[Frame], states: Sequence[Box]) -> list[tuple[Box, Estimate]]:
        return [(box, self.estimate(frame, box)) for frame, box in zip(frames, states, strict=True)]

    def estimate(self, frame: Frame, box: Box) -> Estimate:
        shown = np.roll(frame.image[..., 0] > 100, self.wider, axis=1)
        sides = (side * side / (side - 1) for side in frame.size)  # over these `Mask.paste` moves nothing
        mask = Mask(shown.astype(np.float32), Box(0, 0, *sides), above=0.5)
        return Estimate(box, 1.0, "tracked", region_around(box, self.spec.search, frame.size), mask)


def disc(i: int) -> np.ndarray:
    picture = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    return cv2.circle(picture, (20 + 2 * i, 20), 9, 1, -1)


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    """A bright disc that moves two pixels a frame, as DAVIS has it."""
    root = tmp_path / "davis"
    for part in ("JPEGImages", "Annotations"):
        (root / part / "480p" / "disc").mkdir(parents=True)
    for i in range(FRAMES):
        cv2.imwrite(str(root / "JPEGImages" / "480p" / "disc" / f"{i:05d}.png"), disc(i) * 200)
        mask = Image.fromarray(disc(i))
        mask.putpalette([0, 0, 0, 128, 0, 0, *[9] * 762])
        mask.save(root / "Annotations" / "480p" / "disc" / f"{i:05d}.png")
    write(root / "ImageSets" / "2017" / "val.txt", "disc\n")
    return open_dataset("davis2017:val", root)


def run(data: Dataset, folder: Path, *, wider: int = 0) -> tuple[Ran, Summary]:
    tracker = Tracker(Bright(FakeSession(step=brightest).spec, wider))
    ran = evaluate(tracker, data, folder, maker=MAKER, protocol=MASKS, pool=Here(), timed_on="", setting={})
    return ran, score(data, folder, maker=MAKER, protocol=MASKS, failed=ran.failed)


def test_exact_masks_have_j_and_f_of_one(data: Dataset, tmp_path: Path) -> None:
    _, summary = run(data, tmp_path / "out")
    assert summary.means["j_mean"] == summary.means["f_mean"] == summary.means["jf"] == 1
    assert summary.means["fps"] is not None


def test_shifted_masks_have_the_j_and_f_of_the_functions(data: Dataset, tmp_path: Path) -> None:
    _, summary = run(data, tmp_path / "out", wider=3)
    pairs = [(np.roll(disc(i) == 1, 3, axis=1), disc(i) == 1) for i in range(1, FRAMES - 1)]
    assert summary.means["j_mean"] == pytest.approx(np.mean([region_j(*pair) for pair in pairs]))
    assert summary.means["f_mean"] == pytest.approx(np.mean([boundary_f(*pair) for pair in pairs]))
    assert 0 < (summary.means["j_mean"] or 0) < 1


def test_a_tracker_without_masks_is_refused_in_words(data: Dataset, tmp_path: Path) -> None:
    tracker = Tracker(NetworkMethod(FakeSession(step=brightest)))
    ran = evaluate(tracker, data, tmp_path, maker=MAKER, protocol=MASKS, pool=Here(), timed_on="", setting={})
    assert "says nothing of pixels" in ran.failed["disc_1"]


def test_a_short_file_of_masks_is_made_again(data: Dataset, tmp_path: Path) -> None:
    run(data, tmp_path / "out")
    path = tmp_path / "out" / "disc_1.txt"
    path.write_text("\n".join(path.read_text().splitlines()[:3]) + "\n")
    ran, summary = run(data, tmp_path / "out")
    assert ran.made == {"disc_1": "short: 3 masks for 6 frames"}
    assert not summary.gaps


@pytest.mark.parametrize("seed", range(4))
def test_a_mask_survives_being_written(seed: int) -> None:
    mask = np.random.default_rng(seed).random((13, 17)) > 0.7
    mask[:2] = mask[:, :3] = False
    read = region_from_text(mask_to_text(mask))
    np.testing.assert_array_equal(read, mask[: read.shape[0], : read.shape[1]])
    assert read.sum() == mask.sum()


def test_an_empty_mask_survives_too() -> None:
    assert not region_from_text(mask_to_text(np.zeros((4, 5), bool))).any()
