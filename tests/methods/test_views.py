from __future__ import annotations

import numpy as np
import pytest

from sightline.methods.views import dropped, views
from sightline.spec import Augment

ALL = Augment(
    shifts=((0.6, 0.6), (-0.6, 0.6)), flip=True, blurs=((1.0, 2.0),), rotations=(30.0, -90.0), wander=1 / 3, dropouts=(0.5, 0.2), seed=3
)


def picture() -> tuple[np.ndarray, np.ndarray]:
    """A dark picture (128, 128, 3) with a bright 8 x 8 square, and where it is."""
    image = np.zeros((128, 128, 3), np.float32)
    image[60:68, 66:74] = 200
    return image, np.array([70, 64, 8, 8]) / 128


def test_the_target_is_where_every_view_says() -> None:
    seen = list(views(*picture(), ALL))
    assert len(seen) == 1 + 2 + 1 + 1 + 2
    for crop, target in seen:
        assert crop.shape == (64, 64, 3)
        rows, columns = np.mgrid[:64, :64] + 0.5
        middle = [np.average(places, weights=crop[..., 0]) / 64 for places in (columns, rows)]
        assert middle == pytest.approx(list(target[:2]), abs=0.5 / 64)
        assert list(target[2:]) == pytest.approx([8 / 64, 8 / 64])


def test_the_first_view_is_the_middle_as_it_is() -> None:
    image, target = picture()
    crop, place = next(views(image, target, ALL))
    np.testing.assert_array_equal(crop, image[32:96, 32:96])
    assert list(place) == pytest.approx([38 / 64, 32 / 64, 8 / 64, 8 / 64])


def test_a_shift_is_a_share_of_half_the_crop() -> None:
    targets = [target for _, target in views(*picture(), ALL)]
    assert list((targets[1] - targets[0])[:2]) == pytest.approx([19 / 64, 19 / 64])  # 0.6 of 32, whole pixels


def test_views_are_the_same_for_the_same_seed_and_others_for_another() -> None:
    first, second = (np.stack([target for _, target in views(*picture(), ALL)]) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    other = Augment(flip=True, wander=1 / 3, seed=4)
    assert (np.stack([target for _, target in views(*picture(), other)])[1] != first[3]).any()


def test_what_is_left_of_the_channels_keeps_their_mean() -> None:
    features = np.ones((1000, 2, 2), np.float32)
    copies = dropped(features, ALL)
    assert copies.shape == (2, 1000, 2, 2)
    assert [(copy == 0).mean() for copy in copies] == pytest.approx([0.5, 0.2], abs=0.05)
    assert [copy.mean() for copy in copies] == pytest.approx([1, 1], abs=0.1)
    assert dropped(features, Augment()).shape == (0, 1000, 2, 2)
