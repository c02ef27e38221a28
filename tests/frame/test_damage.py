from __future__ import annotations

import cv2
import numpy as np
import pytest

from sightline.frame.damage import damage
from tests.frame.videos import picture


def encoded(suffix: str, *flags: int) -> bytes:
    noisy = np.random.default_rng(0).integers(0, 255, (80, 144, 3), np.uint8) // 2 + picture(3) // 2
    return cv2.imencode(suffix, noisy, flags)[1].tobytes()


FILES = {
    "png": encoded(".png"),
    "jpeg": encoded(".jpg"),
    "progressive": encoded(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "restarts": encoded(".jpg", cv2.IMWRITE_JPEG_RST_INTERVAL, 4),
    "grey": cv2.imencode(".jpg", picture(3)[..., 0])[1].tobytes(),
}


@pytest.mark.parametrize("name", FILES)
def test_a_good_file_is_good(name: str) -> None:
    assert damage(FILES[name]) is None


@pytest.mark.parametrize("name", FILES)
def test_bytes_behind_the_end_do_not_matter(name: str) -> None:
    assert damage(FILES[name] + b"\0" * 100) is None


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95, 0.999])
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_cut_off_is_damaged_wherever_it_is_cut(name: str, share: float) -> None:
    data = FILES[name]
    assert damage(data[: int(len(data) * share)]) is not None


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
def test_one_wrong_byte_in_a_png_file_is_found(at: float) -> None:
    data = bytearray(FILES["png"])
    data[int(len(data) * at)] ^= 0x10
    assert "checksum" in (damage(bytes(data)) or "")


@pytest.mark.parametrize("name", ["jpeg", "progressive", "restarts", "grey"])
def test_a_marker_in_the_middle_of_a_jpeg_scan_is_found(name: str) -> None:
    data = bytearray(FILES[name])
    at = (data.index(b"\xff\xda") + len(data)) // 2
    data[at : at + 2] = b"\xff\x37"
    assert damage(bytes(data)) is not None


def test_an_empty_file_is_called_empty() -> None:
    assert damage(b"") == "the file is empty"


def test_other_formats_are_left_to_their_decoders() -> None:
    assert damage(b"BM and so on") is None
