from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from sightline import BadImage, VideoError, read
from sightline.box import Box
from sightline.draw import COLOURS, VIDEO_SUFFIXES, VideoWriter, draw, draw_all
from sightline.estimate import Estimate, Status
from sightline.frame import Image
from sightline.mask import Mask
from sightline.region import Region

GREY = np.full((240, 320, 3), 128, np.uint8)
BOX = (100.0, 80.0, 60.0, 50.0)


def changed(image: Image, before: Image = GREY) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what is not as before."""
    rows, columns = np.nonzero((image != before).any(axis=2))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


# ---- draw


def test_drawing_gives_a_new_picture_and_leaves_the_old_one() -> None:
    before = GREY.copy()
    drawn = draw(before, BOX, label="tracked 0.93", truth=(90, 90, 50, 50))
    assert np.array_equal(before, GREY)
    assert drawn.shape == GREY.shape
    assert drawn.dtype == np.uint8
    assert not np.array_equal(drawn, GREY)


def test_the_line_lies_on_the_border_of_the_box() -> None:
    drawn = draw(GREY, BOX)
    assert np.abs(np.subtract(changed(drawn), (100 - 4, 80 - 4, 160 + 4, 130 + 4))).max() <= 1  # half of the line, and the rim
    assert np.array_equal(drawn[85:125, 105:155], GREY[85:125, 105:155])
    for y, x in ((105, 99), (105, 100), (105, 159), (79, 130), (130, 130)):
        assert drawn[y, x].tolist() == list(COLOURS["tracked"])


def test_a_box_between_pixels_is_drawn_between_pixels() -> None:
    left = [draw(GREY, (100 + part, 80, 60, 50))[105, 96:104].astype(int) for part in (0.0, 0.5)]
    assert not np.array_equal(left[0], left[1])


@pytest.mark.parametrize("status", COLOURS)
def test_each_status_has_its_colour(status: Status) -> None:
    assert draw(GREY, BOX, status=status)[105, 100].tolist() == list(COLOURS[status])


def test_colours_of_statuses_differ_in_lightness_too() -> None:
    lightness = sorted(float(np.dot(colour, (0.299, 0.587, 0.114))) for colour in COLOURS.values())
    assert min(b - a for a, b in itertools.pairwise(lightness)) > 30


def test_the_truth_is_white_and_below_the_box() -> None:
    drawn = draw(GREY, BOX, truth=(100, 120, 150, 90))
    assert drawn[165, 249:251].min() > 160  # one pixel between two
    assert drawn[125, 100].tolist() == list(COLOURS["tracked"])


def test_several_targets_are_drawn_on_one_copy_each_with_its_name() -> None:
    region = Region(0, 0, 9, 9, 9, Box(0, 0, 9, 9), (320, 240))
    estimates = {
        1: Estimate(Box(*BOX), 0.9, "tracked", region),
        2: Estimate(Box(200, 150, 40, 40), float("nan"), "lost", region),
    }
    drawn = draw_all(GREY, estimates)
    both = draw(draw(GREY, BOX, label="1 0.90"), (200, 150, 40, 40), label="2 lost", status="lost")
    assert np.array_equal(drawn, both)
    assert draw_all(GREY, {}) is not GREY


def test_a_name_lies_over_later_boxes_and_beside_earlier_names() -> None:
    region = Region(0, 0, 9, 9, 9, Box(0, 0, 9, 9), (320, 240))
    one = draw_all(GREY, {"first": Estimate(Box(*BOX), 0.9, "lost", region)})
    label = (one == COLOURS["lost"]).all(axis=2) & (np.arange(240) < BOX[1] - 3)[:, np.newaxis]
    assert label.sum() > 300
    same, over = Estimate(Box(*BOX), 0.9, "tracked", region), Estimate(Box(90, 60, 90, 90), 0.9, "tracked", region)
    for other in (same, over):
        both = draw_all(GREY, {"first": Estimate(Box(*BOX), 0.9, "lost", region), "second": other})
        assert (both[label] == COLOURS["lost"]).all()
        assert (both == COLOURS["tracked"]).all(axis=2).sum() > 600  # its own name is somewhere, too


@pytest.mark.parametrize("status", COLOURS)
def test_a_mask_tints_what_it_shows_and_lets_the_picture_through(status: Status) -> None:
    ground = np.full((240, 320, 3), 40, np.uint8)
    ground[100:] = 200
    mask = Mask(np.ones((8, 8), np.float32), Box(*BOX))
    tinted = draw(ground, None, mask=mask, status=status)
    left, top, right, bottom = changed(tinted, ground)
    assert np.abs(np.subtract((left, top, right, bottom), (100, 80, 160, 130))).max() <= 4  # it is stretched smoothly
    dark, light, colour = tinted[95, 130].astype(int), tinted[110, 130].astype(int), np.array(COLOURS[status])
    assert (np.sign(dark - 40) == np.sign(colour - 40)).all()
    assert (np.sign(light - 200) == np.sign(colour - 200)).all()
    assert (light - dark > 60).all()  # the edge between the grounds still shows


def test_a_mask_lies_under_the_box() -> None:
    drawn = draw(GREY, BOX, mask=Mask(np.ones((8, 8), np.float32), Box(90, 70, 80, 70)))
    assert drawn[105, 100].tolist() == list(COLOURS["tracked"])


@pytest.mark.parametrize("box", [Box(400, 10, 50, 50), Box(-90, -90, 50, 50)])
def test_a_mask_outside_of_the_frame_changes_nothing(box: Box) -> None:
    assert np.array_equal(draw(GREY, None, mask=Mask(np.ones((8, 8), np.float32), box)), GREY)


def test_a_mask_that_shows_nothing_changes_nothing() -> None:
    assert np.array_equal(draw(GREY, None, mask=Mask(np.zeros((8, 8), np.float32), Box(*BOX))), GREY)


def test_lines_grow_with_the_frame() -> None:
    widths = []
    for height, width in ((480, 640), (1080, 1920), (2160, 3840)):
        drawn = draw(np.zeros((height, width, 3), np.uint8), BOX)
        widths.append((drawn[105, :130] == COLOURS["tracked"]).all(axis=1).sum())
    assert widths == [2, 4, 6]


@pytest.mark.parametrize(
    "box",
    [
        (-20, -30, 50, 60),
        (300, 220, 90, 90),
        (-50, -50, 900, 900),
        (500, 500, 20, 20),
        (1e12, -1e12, 1e15, 5),
        (10, 10, 0, 0),
        (5, 5, 0.2, 0.2),
    ],
    ids=str,
)
def test_a_box_may_lie_anywhere(box: tuple[float, ...]) -> None:
    draw(GREY, box, label="lost 0.10", status="lost")


def test_a_box_wholly_outside_leaves_no_line() -> None:
    assert np.array_equal(draw(GREY, (400, 300, 20, 20)), GREY)
    assert np.array_equal(draw(GREY, (-90, -90, 20, 20)), GREY)


@pytest.mark.parametrize("box", [None, (np.nan,) * 4, (1, 2, np.nan, 4)], ids=str)
def test_no_box_is_not_drawn(box: Any) -> None:
    assert np.array_equal(draw(GREY, box, label="absent", truth=box), GREY)


def test_a_label_stands_above_its_box() -> None:
    left, top, right, bottom = changed(draw(GREY, BOX, label="tracked 0.93"))
    assert 50 < top < 70
    assert left >= 96
    assert (right, bottom) > (162, 131)


@pytest.mark.parametrize("box", [(0, 0, 60, 50), (310, 5, 60, 50), (-200, 230, 60, 50), (2000, 2000, 9, 9)], ids=str)
def test_a_label_stays_inside_the_frame(box: tuple[float, ...]) -> None:
    def ink(where: tuple[float, ...]) -> int:
        plain, labelled = draw(GREY, where), draw(GREY, where, label="lost 0.10")
        return int(((labelled.max(axis=2) < 60) & (labelled != plain).any(axis=2)).sum())

    assert ink(box) == ink(BOX) > 50  # nothing of the text is cut off


def test_a_label_can_be_read() -> None:
    drawn = draw(GREY, BOX, label="tracked 0.93")
    ground = (drawn[:78] == COLOURS["tracked"]).all(axis=2).sum()
    ink = (drawn[:78].max(axis=2) < 60).sum()
    assert ground > 3 * ink > 300


def test_a_label_that_is_larger_than_the_frame_is_cut() -> None:
    draw(np.zeros((10, 20, 3), np.uint8), (2, 2, 5, 5), label="tracked 0.93 and a long story")


@pytest.mark.parametrize(
    "image", [GREY[..., 0], GREY.astype(np.float32), GREY[..., :2], GREY[:0]], ids=["grey", "float", "two channels", "empty"]
)
def test_what_is_no_rgb_picture_is_refused(image: Any, tmp_path: Path) -> None:
    with pytest.raises(BadImage, match="cannot draw on"):
        draw(image, BOX)
    with VideoWriter(tmp_path / "clip.mp4", 25) as writer, pytest.raises(BadImage, match="cannot write"):
        writer.write(image)


# ---- VideoWriter


def scene(i: int, size: tuple[int, int] = (160, 96)) -> Image:
    """A smooth picture with a square that moves."""
    width, height = size
    image = np.empty((height, width, 3), np.uint8)
    image[..., 0], image[..., 1], image[..., 2] = np.linspace(40, 200, width), np.linspace(40, 200, height)[:, None], 90
    image[20:40, 10 + 2 * i : 30 + 2 * i] = (220, 40, 40)
    return image


def write(path: Path, num_frames: int = 12, **options: Any) -> Path:
    with VideoWriter(path, 25, **options) as writer:
        for i in range(num_frames):
            writer.write(scene(i))
    return path


@pytest.mark.parametrize("suffix", [*VIDEO_SUFFIXES, ".MP4"])
def test_what_is_written_can_be_read_again(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"clip{suffix}")
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == ("vp9" if suffix == ".webm" else "h264")
        assert stream.codec_context.pix_fmt == "yuv420p"
    frames = list(read(path))
    assert [frame.time for frame in frames] == pytest.approx([i / 25 for i in range(12)], abs=1e-3)
    for i, frame in enumerate(frames):
        assert np.abs(frame.image.astype(int) - scene(i)).mean() < 4  # colours survive: another matrix gives more
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_the_index_of_an_mp4_stands_in_front(tmp_path: Path) -> None:
    data = write(tmp_path / "clip.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_vp9_can_be_asked_for(tmp_path: Path, suffix: str) -> None:
    with av.open(str(write(tmp_path / f"clip{suffix}", codec="vp9"))) as container:
        assert container.streams.video[0].codec_context.name == "vp9"


@pytest.mark.parametrize("size", [(161, 97), (161, 96), (160, 97), (3, 5), (1, 1)], ids=str)
@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_an_odd_size_is_padded_on_the_right_and_at_the_bottom(tmp_path: Path, suffix: str, size: tuple[int, int]) -> None:
    image = np.full((size[1], size[0], 3), 60, np.uint8)
    image[:, size[0] // 2 :] = 180
    with VideoWriter(tmp_path / f"clip{suffix}", 25) as writer:
        writer.write(image)
    [frame] = read(writer.path)
    assert (frame.width, frame.height) == (size[0] + size[0] % 2, size[1] + size[1] % 2)
    expected = np.pad(image, ((0, size[1] % 2), (0, size[0] % 2), (0, 0)), mode="edge")
    assert np.abs(frame.image.astype(int) - expected).max() < 40


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm", ".mov"])
def test_times_are_kept_and_begin_at_zero(tmp_path: Path, suffix: str) -> None:
    times = [7.0, 7.04, 7.05, 7.4, 7.401, 8.0, 9.5]
    with VideoWriter(tmp_path / f"clip{suffix}", 25) as writer:
        for i, time in enumerate(times):
            writer.write(scene(i), time)
    tick = 1e-3 if suffix in {".mkv", ".webm"} else 1e-4  # Matroska counts milliseconds
    assert [frame.time for frame in read(writer.path)] == pytest.approx([time - 7 for time in times], abs=tick)


def test_frames_without_a_time_follow_at_the_rate(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "clip.mp4", 30000 / 1001) as writer:
        for i in range(40):
            writer.write(scene(i), None if i != 20 else 5.0)  # the clock of the source begins at the first time
    times = np.array([frame.time for frame in read(writer.path)], float)
    assert times == pytest.approx(np.arange(40) * 1001 / 30000, abs=2e-5)


def test_times_that_stand_still_or_go_back_still_give_every_frame_in_order(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "clip.mp4", 25) as writer:
        for i, time in enumerate([0.0, 0.2, 0.2, 0.1, 0.3]):
            writer.write(scene(i), time)
    times = [frame.time for frame in read(writer.path)]
    assert times == pytest.approx([0, 0.2, 0.2, 0.2, 0.3], abs=1e-4)
    assert len(set(times)) == 5


def test_an_avi_has_a_rate_and_no_times(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "clip.avi", 10) as writer:
        for i, time in enumerate([0.0, 0.5, 0.6]):
            writer.write(scene(i), time)
    assert [frame.time for frame in read(writer.path)] == pytest.approx([0, 0.1, 0.2])


def test_a_frame_of_another_size_gets_black_bars(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "clip.mp4", 25) as writer:
        writer.write(scene(0))
        writer.write(np.full((192, 160, 3), 200, np.uint8))
    first, second = read(writer.path)
    assert (second.width, second.height) == (160, 96)
    assert np.abs(first.image.astype(int) - scene(0)).mean() < 4
    assert second.image[:, 45:115].min() > 180
    assert second.image[:, :35].max() < 20
    assert second.image[:, 125:].max() < 20


def test_a_size_can_be_set(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "clip.mp4", 25, size=(320, 192)) as writer:
        writer.write(scene(0))
    [frame] = read(writer.path)
    assert (frame.width, frame.height) == (320, 192)
    assert frame.image[60, 40].tolist() == pytest.approx([220, 40, 40], abs=25)


def test_nothing_stands_in_place_before_the_end(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_text("an older file")
    writer = VideoWriter(path, 25)
    for i in range(5):
        writer.write(scene(i))
    assert path.read_text() == "an older file"
    writer.close()
    writer.close()
    assert len(list(read(path))) == 5


def test_giving_up_leaves_nothing_and_keeps_the_older_file(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_text("an older file")
    writer = VideoWriter(path, 25)
    writer.write(scene(0))
    writer.abort()
    writer.abort()
    writer.close()
    assert path.read_text() == "an older file"
    assert [entry.name for entry in tmp_path.iterdir()] == ["clip.mp4"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_interrupted_video_can_be_played(tmp_path: Path, error: type[BaseException]) -> None:
    def interrupted() -> None:
        with VideoWriter(tmp_path / "clip.mp4", 25) as writer:
            for i in range(7):
                writer.write(scene(i))
            raise error

    with pytest.raises(error):
        interrupted()
    assert len(list(read(tmp_path / "clip.mp4"))) == 7


def test_without_a_frame_there_is_no_file(tmp_path: Path) -> None:
    VideoWriter(tmp_path / "clip.mp4", 25).close()
    assert list(tmp_path.iterdir()) == []


def test_a_closed_writer_takes_no_frames(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "clip.mp4", 25)
    writer.close()
    with pytest.raises(VideoError, match="is closed"):
        writer.write(scene(0))


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    assert write(tmp_path / "a" / "b" / "clip.mp4").is_file()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(VideoError, match="cannot make the folder"):
        VideoWriter(tmp_path / "file" / "clip.mp4", 25)


@pytest.mark.parametrize(
    "name, options, reason",
    [
        ("clip", {}, "no suffix; expected a name that ends in .mp4, .mov, .mkv, .avi, .webm"),
        ("clip.gif", {}, "the suffix '.gif'; expected a name that ends in .mp4"),
        ("clip.webm", {"codec": "h264"}, "cannot write h264 into"),
        ("clip.mp4", {"codec": "cinepak"}, "cannot write cinepak into"),
        ("clip.mp4", {"fps": 0}, "0 frames per second"),
        ("clip.mp4", {"fps": float("nan")}, "nan frames per second"),
        ("clip.mp4", {"size": (0, 20)}, "in the size"),
        ("folder.mp4", {}, "it is a folder"),
    ],
    ids=str,
)
def test_what_cannot_be_written_is_refused_at_once(tmp_path: Path, name: str, options: dict[str, Any], reason: str) -> None:
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(VideoError) as caught:
        VideoWriter(tmp_path / name, **{"fps": 25, **options})
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder.mp4"]


def test_an_encoder_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(av, "codecs_available", {"mpeg4"})
    with pytest.raises(VideoError, match="no encoder libx264"):
        VideoWriter(tmp_path / "clip.mp4", 25)


FULL = """
import resource, sys
import numpy as np
from sightline import VideoError
from sightline.draw import VideoWriter

path, limit, num_frames = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rng = np.random.default_rng(0)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    with VideoWriter(path, 25) as writer:
        for _ in range(num_frames):
            writer.write(rng.integers(0, 255, (120, 160, 3), np.uint8))
except VideoError as error:
    sys.exit(f"refused: {error}")
"""


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("num_frames", [3, 150], ids=["at the end", "in the middle"])
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, suffix: str, num_frames: int) -> None:
    pytest.importorskip("resource", reason="limits of file sizes are a thing of Unix")
    path = tmp_path / f"clip{suffix}"
    command = [sys.executable, "-c", FULL, str(path), "20000", str(num_frames)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (
        done.stderr
        == f"refused: cannot write the video {path} (File too large); nothing of it was left. Make room, or choose another place.\n"
    )
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_name_of_bytes_that_are_no_text_is_drawn_escaped() -> None:
    image = np.zeros((120, 240, 3), np.uint8)  # such a name ends the process where OpenCV is given it
    assert (draw(image, (20, 40, 60, 50), label="car \udcff") == draw(image, (20, 40, 60, 50), label="car \\udcff")).all()
