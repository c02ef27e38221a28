from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from sightline import VideoError, read
from sightline.frame import Image
from sightline.frame.images import natural_order
from tests.frame.videos import number_in, picture


def write(path: Path, image: Image) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image[..., ::-1] if image.ndim == 3 else image)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Frames 0 to 11 as 1.png ... 12.png beside files that are no frames."""
    for i in range(12):
        write(tmp_path / "img" / f"{i + 1}.png", picture(i))
    (tmp_path / "img" / "groundtruth.txt").write_text("1,2,3,4\n")
    (tmp_path / "img" / "._1.png").write_bytes(b"what some systems leave")
    (tmp_path / "img" / "thumbs.png").mkdir()
    return tmp_path / "img"


def as_opencv_reads(path: Path) -> Image:
    image = cv2.imread(str(path))
    assert image is not None
    return image[..., ::-1].astype(np.uint8)


def numbers(source: str | Path | list[Path]) -> list[int]:
    return [number_in(frame.image) for frame in read(source)]


def test_a_folder_gives_its_images_in_natural_order(folder: Path) -> None:
    with read(folder) as reader:
        frames = list(reader)
    assert [number_in(frame.image) for frame in frames] == list(range(12))
    assert [frame.index for frame in frames] == list(range(12))
    assert np.array_equal(frames[3].image, picture(3))
    assert all(frame.time is None and frame.extra is None for frame in frames)
    assert (reader.fps, reader.num_frames, reader.live, reader.name) == (None, 12, False, str(folder))


def test_a_pattern_gives_its_matches_in_natural_order(folder: Path) -> None:
    assert numbers(f"{folder}/*.png") == list(range(12))
    assert numbers(f"{folder}/[1-3].png") == [0, 1, 2]
    assert numbers(f"{folder.parent}/**/1?.png") == [9, 10, 11]


def test_a_list_gives_its_images_in_its_own_order(folder: Path) -> None:
    assert numbers([folder / "9.png", folder / "2.png", folder / "10.png"]) == [8, 1, 9]


def test_a_single_image_is_a_source_of_one_frame(folder: Path) -> None:
    assert numbers(folder / "7.png") == [6]
    assert numbers(str(folder / "7.png")) == [6]


def test_start_passes_over_images_without_reading_them(folder: Path) -> None:
    (folder / "2.png").write_bytes(b"broken")
    reader = read(folder, start=9)
    assert reader.num_frames == 3
    assert [(frame.index, number_in(frame.image)) for frame in reader] == [(9, 9), (10, 10), (11, 11)]


def test_natural_order_counts_and_does_not_spell() -> None:
    names = ["b2", "a10", "A9", "a9b", "007", "7", "8", "a", "x1y10", "x1y9"]
    assert [str(path) for path in natural_order(map(Path, names))] == ["007", "7", "8", "a", "A9", "a9b", "a10", "b2", "x1y9", "x1y10"]


def test_sizes_may_change_from_image_to_image(tmp_path: Path) -> None:
    write(tmp_path / "1.png", np.zeros((4, 5, 3), np.uint8))
    write(tmp_path / "2.png", np.zeros((6, 3, 3), np.uint8))
    assert [frame.size for frame in read(tmp_path)] == [(5, 4), (3, 6)]


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".jp2"])
def test_all_usual_formats_are_read_by_opencv(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"1{suffix}", picture(9))
    [frame] = read(tmp_path)
    assert np.array_equal(frame.image, as_opencv_reads(path))
    assert number_in(frame.image) == 9


def test_grey_images_are_repeated(tmp_path: Path) -> None:
    path = write(tmp_path / "1.jpg", picture(5)[..., 0])
    [frame] = read(path)
    assert np.array_equal(frame.image, as_opencv_reads(path))


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_deep_grey_images_are_stretched_frame_by_frame(tmp_path: Path, suffix: str) -> None:
    cv2.imwrite(str(tmp_path / f"1{suffix}"), np.array([[29_000, 29_100, 29_300, 29_500]], np.uint16))
    [frame] = read(tmp_path)
    assert frame.image[0, :, 1].tolist() == [0, 51, 153, 255]


def test_deep_colour_images_keep_their_upper_bits(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "1.png"), picture(5)[..., ::-1].astype(np.uint16) * 257)
    [frame] = read(tmp_path)
    assert np.array_equal(frame.image, picture(5))


def test_alpha_of_an_image_is_dropped(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "1.png"), np.dstack([picture(5)[..., ::-1], np.full(picture(5).shape[:2], 9, np.uint8)]))
    [frame] = read(tmp_path)
    assert np.array_equal(frame.image, picture(5))


@pytest.mark.parametrize(
    "orientation, turned", [(1, lambda a: a), (3, lambda a: a[::-1, ::-1]), (6, lambda a: np.rot90(a, -1)), (8, np.rot90)]
)
def test_an_image_stands_upright_as_its_exif_note_says(tmp_path: Path, orientation: int, turned: object) -> None:
    assert callable(turned)
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    PIL.Image.fromarray(picture(5)).save(tmp_path / "1.jpg", exif=exif, quality=95, subsampling=0)
    [frame] = read(tmp_path)
    expected = turned(picture(5))
    assert frame.image.shape == expected.shape
    assert np.abs(frame.image.astype(int) - expected).mean() < 4  # JPEG


@pytest.mark.parametrize(
    "name, content",
    [
        ("3.png", b""),
        ("3.png", b"1,2,3,4\n" * 20),
        ("3.png", "cut .png"),
        ("3.png", "cut .jpg"),
        ("3.png", "cut .bmp"),
        ("3.png", "cut .tiff"),
    ],
    ids=["empty", "text", "png", "jpg", "bmp", "tiff"],
)
def test_an_image_that_cannot_be_decoded_is_named_after_the_frames_before_it(
    folder: Path, name: str, content: bytes | str, capfd: pytest.CaptureFixture[str]
) -> None:
    if isinstance(content, str):
        whole = cv2.imencode(content.removeprefix("cut "), picture(2))[1].tobytes()
        content = whole[: len(whole) // 2]
    (folder / name).write_bytes(content)
    reader = read(folder)
    assert [next(reader).index, next(reader).index] == [0, 1]
    with pytest.raises(VideoError, match=r"frame 2 \(.*3\.png\) cannot be decoded") as caught:
        next(reader)
    assert "\n" not in str(caught.value)
    assert list(reader) == []
    assert capfd.readouterr() == ("", "")


def test_an_image_of_numbers_that_are_no_pixels_is_refused_by_name(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "1.tiff"), np.zeros((3, 4), np.float32))
    with pytest.raises(VideoError, match=r"frame 0 \(.*1\.tiff\): the picture is float32 \(3, 4\)"):
        list(read(tmp_path))


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing to see")
    with pytest.raises(VideoError, match=r"holds no images; expected \.jpg"):
        read(tmp_path)


def test_a_pattern_without_matches_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="no file matches"):
        read(f"{tmp_path}/*.jpg")


def test_an_empty_list_is_refused() -> None:
    with pytest.raises(VideoError, match="list of images is empty"):
        read([])


def test_a_list_with_a_file_that_is_not_there_is_refused_before_reading(folder: Path) -> None:
    with pytest.raises(VideoError, match=r"13\.png does not exist"):
        read([folder / "1.png", folder / "13.png"])


def test_starting_behind_the_last_image_is_refused(folder: Path) -> None:
    with pytest.raises(VideoError, match="has 12 frames, so it cannot start at frame 12; expected 0 to 11"):
        next(read(folder, start=12))
