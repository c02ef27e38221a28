from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import PIL.Image
import pytest

from sightline import BadImage, Frame
from sightline.frame import Image

RED_BLUE = np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8)  # RGB, one row


def test_a_frame_knows_its_size() -> None:
    frame = Frame(np.zeros((4, 7, 3), np.uint8))
    assert (frame.width, frame.height) == frame.size == (7, 4)


def test_a_frame_cannot_be_changed() -> None:
    frame = Frame(RED_BLUE)
    with pytest.raises(dataclasses.FrozenInstanceError):
        frame.index = 3  # type: ignore[misc]  # that is the point


def test_a_frame_comes_back_as_it_is() -> None:
    frame = Frame(RED_BLUE, index=4, time=1.5)
    assert Frame.of(frame, index=9, channels="bgr") is frame


def test_a_plain_array_is_bgr() -> None:
    frame = Frame.of(RED_BLUE[..., ::-1], index=3, time=0.5)
    assert np.array_equal(frame.image, RED_BLUE)
    assert (frame.index, frame.time, frame.extra) == (3, 0.5, None)


def test_a_bgr_array_is_looked_at_in_reverse_and_not_copied() -> None:
    given = RED_BLUE[..., ::-1].copy()
    assert np.shares_memory(Frame.of(given).image, given)


def test_an_rgb_array_is_taken_as_it_is_and_not_copied() -> None:
    assert Frame.of(RED_BLUE, channels="rgb").image is RED_BLUE


@pytest.mark.parametrize("channels", ["bgr", "rgb"])
def test_alpha_is_dropped(channels: Any) -> None:
    colours = RED_BLUE[..., ::-1] if channels == "bgr" else RED_BLUE
    image = np.concatenate([colours, np.full((1, 2, 1), 7, np.uint8)], axis=2)
    assert np.array_equal(Frame.of(image, channels=channels).image, RED_BLUE)


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 1)])
def test_grey_is_repeated(shape: tuple[int, ...]) -> None:
    grey = np.arange(6, dtype=np.uint8).reshape(shape)
    assert np.array_equal(Frame.of(grey).image, np.repeat(grey.reshape(2, 3, 1), 3, axis=2))


@pytest.mark.parametrize("shape", [(1, 4), (1, 4, 1)])
def test_deep_grey_is_stretched_from_its_smallest_to_its_largest_value(shape: tuple[int, ...]) -> None:
    thermal = np.array([29_000, 29_100, 29_300, 29_500], np.uint16).reshape(shape)
    assert Frame.of(thermal).image[0, :, 0].tolist() == [0, 51, 153, 255]


def test_flat_deep_grey_is_black() -> None:
    assert Frame.of(np.full((2, 2), 40_000, np.uint16)).image.max() == 0


def test_six_channels_are_a_visible_and_an_infrared_picture() -> None:
    infrared = np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8)
    frame = Frame.of(np.concatenate([RED_BLUE[..., ::-1], infrared[..., ::-1]], axis=2))
    assert frame.extra is not None
    assert np.array_equal(frame.image, RED_BLUE)
    assert np.array_equal(frame.extra, infrared)


@pytest.mark.parametrize("make", [lambda a: a[:, ::-1], np.asfortranarray, lambda a: a[::2, ::2]], ids=["mirrored", "columns", "strided"])
@pytest.mark.parametrize("channels", ["bgr", "rgb"])
@pytest.mark.parametrize("depth", [1, 3, 4, 6])
def test_any_memory_order_gives_a_contiguous_picture_or_a_bgr_one_in_reverse(make: Any, channels: Any, depth: int) -> None:
    view = make(np.random.default_rng(0).integers(0, 255, (6, 8, depth), np.uint8))
    frame = Frame.of(view, channels=channels)
    expected = Frame.of(np.ascontiguousarray(view), channels=channels)
    assert frame.image.flags.c_contiguous or frame.image[..., ::-1].flags.c_contiguous
    assert np.array_equal(frame.image, expected.image)
    assert frame.image.shape == (*view.shape[:2], 3)


def test_the_array_that_was_given_is_not_written_to() -> None:
    given = RED_BLUE[..., ::-1].copy()
    given.flags.writeable = False
    Frame.of(given)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "CMYK", "YCbCr", "P"])
@pytest.mark.parametrize("channels", ["bgr", "rgb"])
def test_a_pil_image_is_rgb_whatever_channels_says(mode: str, channels: Any) -> None:
    image = PIL.Image.fromarray(RED_BLUE).convert(mode)
    worst = np.abs(Frame.of(image, channels=channels).image.astype(int) - RED_BLUE).max()
    assert worst <= 2  # YCbCr rounds


@pytest.mark.parametrize("mode", ["L", "1"])
def test_a_grey_pil_image_is_repeated(mode: str) -> None:
    image = PIL.Image.fromarray(np.array([[0, 255]], np.uint8)).convert(mode)
    assert Frame.of(image).image.tolist() == [[[0, 0, 0], [255, 255, 255]]]


@pytest.mark.parametrize("dtype", [np.uint16, np.int32], ids=["I;16", "I"])
def test_a_deep_pil_image_is_stretched_like_an_array(dtype: Any) -> None:
    thermal = np.array([[29_000, 29_100, 29_300, 29_500]], dtype)
    assert Frame.of(PIL.Image.fromarray(thermal)).image[0, :, 0].tolist() == [0, 51, 153, 255]


@pytest.mark.parametrize(
    "image, found",
    [
        (np.zeros((4, 4, 3), np.float32), "float32 (4, 4, 3)"),
        (np.zeros((4, 4), np.int64), "int64 (4, 4)"),
        (np.zeros((4, 4), bool), "bool (4, 4)"),
        (np.zeros((4, 4, 3), np.uint16), "uint16 (4, 4, 3)"),
        (np.zeros((3, 4, 5), np.uint8), "uint8 (3, 4, 5)"),
        (np.zeros((2, 4, 4, 3), np.uint8), "uint8 (2, 4, 4, 3)"),
        (np.zeros((0, 4, 3), np.uint8), "uint8 (0, 4, 3)"),
        (np.zeros((4, 0), np.uint16), "uint16 (4, 0)"),
        (np.zeros(4, np.uint8), "uint8 (4,)"),
        (np.uint8(3) * np.ones((), np.uint8), "uint8"),
        (None, "None is no picture: OpenCV gives it at the end of a video"),
        ([[1, 2], [3, 4]], "list"),
        ("street.jpg", "str"),
    ],
    ids=str,
)
def test_what_is_no_picture_is_refused_with_what_was_found(image: Any, found: str) -> None:
    with pytest.raises(BadImage, match=re.escape(found)) as caught:
        Frame.of(image)
    assert "expected uint8 (height, width, 3)" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_pil_image_with_negative_values_is_refused() -> None:
    with pytest.raises(BadImage, match="int32"):
        Frame.of(PIL.Image.fromarray(np.array([[-1, 5]], np.int32)))


def test_an_unknown_order_of_channels_is_refused() -> None:
    with pytest.raises(BadImage, match="'gbr'"):
        Frame.of(RED_BLUE, channels="gbr")  # type: ignore[arg-type]  # that is the point


def test_frames_are_compared_by_identity() -> None:
    image: Image = RED_BLUE
    assert Frame(image) != Frame(image)
