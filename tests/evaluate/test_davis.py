from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.errors import BadData
from sightline.evaluate.clips import open_dataset
from sightline.evaluate.region_files import MaskImages, objects_of
from tests.evaluate.folders import touch_images, write

PALETTE = [0, 0, 0, 128, 0, 0, 0, 128, 0, *[7] * 759]


def write_mask(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels.astype(np.uint8))
    image.putpalette(PALETTE)
    image.save(path)


def scene(left: int, *, void: bool = False) -> np.ndarray:
    """Object 1 is 3 x 2 pixels, object 2 is 1 x 4."""
    pixels = np.zeros((10, 12), np.uint8)
    pixels[2:4, left : left + 3] = 1
    pixels[5:9, 10] = 2
    if void:
        pixels[0] = 255
    return pixels


def make_davis(root: Path) -> Path:
    touch_images(root / "JPEGImages" / "480p" / "bear", ["00000.jpg", "00001.jpg"])
    for i in range(2):
        write_mask(root / "Annotations" / "480p" / "bear" / f"{i:05d}.png", scene(2 + i, void=i == 1))
    write(root / "ImageSets" / "2017" / "val.txt", "bear\n")
    write(root / "ImageSets" / "480p" / "val.txt", "/JPEGImages/480p/bear/00000.jpg /Annotations/480p/bear/00000.png\n" * 2)
    return root


def test_each_object_of_davis_2017_is_a_clip_with_boxes_and_masks(tmp_path: Path) -> None:
    first, second = open_dataset("davis2017:val", make_davis(tmp_path))
    assert (first.name, second.name) == ("bear_1", "bear_2")
    assert first.truth.tolist() == [[2, 2, 3, 2], [3, 2, 3, 2]]
    assert second.truth.tolist() == [[10, 5, 1, 4]] * 2
    assert isinstance(first.regions, MaskImages)
    np.testing.assert_array_equal(first.regions[1], scene(3) == 1)


def test_void_pixels_are_no_object_and_can_be_asked_for(tmp_path: Path) -> None:
    clip = open_dataset("davis2017:val", make_davis(tmp_path))[0]
    assert isinstance(clip.regions, MaskImages)
    assert clip.regions.void_at(1)[0].all()
    assert clip.regions.void_at(1).sum() == 12
    assert not clip.regions.void_at(0).any()


def test_davis_2016_is_one_object_of_everything_that_is_not_black(tmp_path: Path) -> None:
    [clip] = open_dataset("davis2016:val", make_davis(tmp_path))
    assert clip.name == "bear"
    assert clip.truth.tolist() == [[2, 2, 9, 7], [0, 0, 12, 9]]


def test_an_object_that_is_hidden_has_no_box(tmp_path: Path) -> None:
    make_davis(tmp_path)
    write_mask(tmp_path / "Annotations" / "480p" / "bear" / "00001.png", np.where(scene(3) == 2, 2, 0))
    first, second = open_dataset("davis2017:val", tmp_path)
    assert first.visible.tolist() == [True, False]
    assert second.visible.all()


def test_of_a_hidden_test_set_only_the_first_masks_are_there(tmp_path: Path) -> None:
    make_davis(tmp_path)
    (tmp_path / "Annotations" / "480p" / "bear" / "00001.png").unlink()
    write(tmp_path / "ImageSets" / "2017" / "test-dev.txt", "bear\n")
    dataset = open_dataset("davis2017:test-dev", tmp_path)
    assert dataset[0].visible.tolist() == [True, False]
    assert not dataset.scored


def test_grey_masks_are_numbers_too_and_coloured_ones_are_refused(tmp_path: Path) -> None:
    Image.fromarray(scene(2)).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(objects_of(tmp_path / "grey.png"), scene(2))
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "colour.png")
    with pytest.raises(BadData, match="rgb24"):
        objects_of(tmp_path / "colour.png")


def test_a_damaged_mask_is_named(tmp_path: Path) -> None:
    make_davis(tmp_path)
    write(tmp_path / "Annotations" / "480p" / "bear" / "00001.png", "no picture")
    with pytest.raises(BadData, match=r"bear/00001.png cannot be decoded"):
        open_dataset("davis2017:val", tmp_path)
