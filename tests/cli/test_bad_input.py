"""Whatever is wrong with the input: one line that says what to do, exit code 2, no traceback, and no file left behind."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import av
import numpy as np
import pytest

from sightline.cli import main
from tests.cli.clips import BOX, make_folder, make_video

Refused: TypeAlias = Callable[..., str]
ROOT = Path(__file__).resolve().parents[2]


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def one_line(text: str) -> str:
    """The text, after making sure that it is one line of ours."""
    assert text.startswith("sightline: error: "), text
    assert text.count("\n") == 1, text
    assert "Traceback" not in text
    return text


@pytest.fixture
def refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Refused:
    """Run a command that must fail with one line on standard error, nothing on standard output, and no new file; gives the line."""

    def run(*arguments: object) -> str:
        before = files_below(tmp_path)
        assert main([str(argument) for argument in arguments]) == 2
        printed = capfd.readouterr()
        assert printed.out == ""
        assert files_below(tmp_path) == before
        return one_line(printed.err)

    return run


@pytest.fixture
def asked_for(tmp_path: Path) -> list[str]:
    """Options that ask for both files."""
    return ["--output", str(tmp_path / "tracked.mp4"), "--results", str(tmp_path / "track.csv")]


# the source


@pytest.mark.usefixtures("fake_tracker")
def test_a_source_that_is_not_there(refused: Refused, tmp_path: Path, asked_for: list[str]) -> None:
    told = refused("track", tmp_path / "absent.mp4", "--box", BOX, *asked_for)
    assert "absent.mp4" in told


@pytest.mark.usefixtures("fake_tracker")
@pytest.mark.parametrize("content", ["hello\n" * 100, ""], ids=["text", "empty"])
def test_a_file_that_is_no_video(refused: Refused, tmp_path: Path, asked_for: list[str], content: str) -> None:
    path = tmp_path / "clip.mp4"
    path.write_text(content)
    assert "clip.mp4" in refused("track", path, "--box", BOX, *asked_for)


@pytest.mark.usefixtures("fake_tracker")
def test_a_folder_without_images(refused: Refused, tmp_path: Path, asked_for: list[str]) -> None:
    (tmp_path / "images").mkdir()
    assert "images" in refused("track", tmp_path / "images", "--box", BOX, *asked_for)


@pytest.mark.usefixtures("fake_tracker")
def test_a_start_beyond_the_end(refused: Refused, clip: Path, asked_for: list[str]) -> None:
    assert "50" in refused("track", clip, "--box", BOX, "--start", 50, *asked_for)


def test_a_start_before_the_beginning(refused: Refused, clip: Path, asked_for: list[str]) -> None:
    assert "--start is -1" in refused("track", clip, "--box", BOX, "--start=-1", *asked_for)


@pytest.mark.usefixtures("fake_tracker")
def test_an_infrared_source_that_is_not_there(refused: Refused, clip: Path, tmp_path: Path, asked_for: list[str]) -> None:
    assert "absent.mp4" in refused("track", clip, "--infrared", tmp_path / "absent.mp4", "--box", BOX, *asked_for)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows says that such a file does not exist")
def test_a_name_that_is_too_long_for_a_file(refused: Refused, clip: Path, asked_for: list[str]) -> None:
    name = "x" * 300
    assert "File name too long" in refused("track", name, "--box", BOX, *asked_for)
    assert "File name too long" in refused("track", clip, "--box", BOX, "--tracker", name, *asked_for)


# the box


@pytest.mark.usefixtures("fake_tracker")
@pytest.mark.parametrize(
    "box,told",
    [
        ("500,10,20,20", "200x120"),
        ("-50,10,20,20", "200x120"),
        ("20,40,0,24", "no area"),
        ("20,40,24,-24", "no area"),
        ("nan,40,24,24", "not finite"),
        ("20,40,inf,24", "not finite"),
        ("20,40,24", "has 3 numbers"),
        ("20,40,24,24,1", "has 5 numbers"),
        ("20", "has 1 number;"),
        ("", "has 0 numbers"),
        ("20,40,wide,24", "not four numbers"),
        ("20 40 24", "has 3 numbers"),
    ],
)
def test_a_box_that_marks_nothing(refused: Refused, clip: Path, asked_for: list[str], box: str, told: str) -> None:
    line = refused("track", clip, f"--box={box}", *asked_for)
    assert told in line
    assert "expected" in line


def test_no_box_at_all(refused: Refused, clip: Path, asked_for: list[str]) -> None:
    assert "--box X,Y,W,H" in refused("track", clip, *asked_for)


def test_a_box_and_the_mouse(refused: Refused, clip: Path, asked_for: list[str]) -> None:
    assert "either --box" in refused("track", clip, "--box", BOX, "--select", *asked_for)


def test_the_mouse_without_windows_in_opencv(refused: Refused, clip: Path, asked_for: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cv2.getBuildInformation", lambda: "  GUI:                           NONE\n")
    line = refused("track", clip, "--select", *asked_for)
    assert "give --box" in line
    assert "pip install opencv-python" in line


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a display")
def test_the_mouse_without_a_display(refused: Refused, clip: Path, asked_for: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cv2.getBuildInformation", lambda: "  GUI:                           QT5\n")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    line = refused("track", clip, "--select", *asked_for)
    assert "needs a display" in line
    assert "--box" in line


@pytest.mark.usefixtures("fake_tracker")
def test_the_mouse_without_a_box(refused: Refused, clip: Path, asked_for: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sightline.cli.select.check_window", lambda: None)
    monkeypatch.setattr("cv2.selectROI", lambda *_, **__: (0, 0, 0, 0))
    monkeypatch.setattr("cv2.destroyWindow", lambda _: None)
    assert "no box was drawn" in refused("track", clip, "--select", *asked_for)


# what breaks half-way: what came before is kept


def kept_rows(tmp_path: Path) -> list[int]:
    """Frames in the results, after making sure that both files are there and nothing else is."""
    assert not [name for name in files_below(tmp_path) if name.endswith(".part") or Path(name).name.startswith(".")]
    assert (tmp_path / "tracked.mp4").stat().st_size > 0
    with (tmp_path / "track.csv").open(newline="") as file:
        return [int(row["frame"]) for row in csv.DictReader(file)]


@pytest.mark.usefixtures("fake_tracker")
@pytest.mark.parametrize("damage", ["text", "empty", "cut"])
def test_a_corrupted_image_in_a_folder(tmp_path: Path, asked_for: list[str], capfd: pytest.CaptureFixture[str], damage: str) -> None:
    folder = make_folder(tmp_path / "images")
    broken = folder / "7.png"
    whole = broken.read_bytes()
    broken.write_bytes({"text": b"no image", "empty": b"", "cut": whole[: len(whole) // 3]}[damage])
    assert main(["track", str(folder), "--box", BOX, *asked_for]) == 2
    line = one_line(capfd.readouterr().err)
    assert "7.png" in line
    assert "track.csv" in line
    assert kept_rows(tmp_path) == list(range(7))


@pytest.mark.usefixtures("fake_tracker")
def test_a_first_image_that_is_corrupted(refused: Refused, tmp_path: Path, asked_for: list[str]) -> None:
    folder = make_folder(tmp_path / "images", 3)
    (folder / "0.png").write_bytes(b"no image")
    assert "0.png" in refused("track", folder, "--box", BOX, *asked_for)


@pytest.mark.usefixtures("fake_tracker")
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_truncated_video(tmp_path: Path, asked_for: list[str], capfd: pytest.CaptureFixture[str], suffix: str) -> None:
    path = make_video(tmp_path / f"clip{suffix}", 40, noise=True)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert main(["track", str(path), "--box", BOX, *asked_for, "--json"]) == 2
    printed = capfd.readouterr()
    line = one_line(printed.err)
    frames = kept_rows(tmp_path)
    assert frames == list(range(len(frames)))
    assert 5 < len(frames) < 35
    assert f"frame {len(frames)}" in line
    assert "track.csv" in line
    summary = json.loads(printed.out)
    assert summary["frames"] == len(frames)
    assert summary["stopped"] in line


@pytest.mark.usefixtures("fake_tracker")
def test_a_video_with_wrong_bytes_in_its_middle(tmp_path: Path, asked_for: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    path = make_video(tmp_path / "clip.mp4", 40, noise=True)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = np.random.default_rng(0).bytes(3000)
    path.write_bytes(content)
    assert main(["track", str(path), "--box", f"one={BOX}", "--box", f"two={BOX}", *asked_for]) == 2
    line = one_line(capfd.readouterr().err)
    frames = kept_rows(tmp_path)
    assert frames == [number for number in range(len(frames) // 2) for _ in range(2)]  # a row for each target
    assert 5 < len(frames) // 2 < 35
    assert f"frame {len(frames) // 2}" in line
    with av.open(str(tmp_path / "tracked.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == len(frames) // 2


@pytest.mark.usefixtures("fake_tracker")
def test_an_infrared_source_that_ends_first(tmp_path: Path, clip: Path, asked_for: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    infrared = make_video(tmp_path / "infrared.mp4", 5)
    assert main(["track", str(clip), "--infrared", str(infrared), "--box", BOX, *asked_for]) == 2
    line = one_line(capfd.readouterr().err)
    assert "infrared.mp4" in line
    assert kept_rows(tmp_path) == list(range(5))


# the tracker


def test_an_unknown_tracker_with_suggestions(refused: Refused, clip: Path, asked_for: list[str]) -> None:
    assert "kestrel-nano" in refused("track", clip, "--box", BOX, "--tracker", "kestral-nano", *asked_for)


def test_a_tracker_whose_weights_were_not_fetched_yet(
    refused: Refused, clip: Path, tmp_path: Path, asked_for: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "cache"))
    assert "sightline download vittrack-nano" in refused("track", clip, "--box", BOX, "--tracker", "vittrack-nano", *asked_for)


def test_weights_that_are_not_there(refused: Refused, clip: Path, tmp_path: Path, asked_for: list[str]) -> None:
    assert "absent.onnx" in refused("track", clip, "--box", BOX, "--tracker", tmp_path / "absent.onnx", *asked_for)


NOT_WEIGHTS = {
    "text": b"these are no weights\n" * 50,
    "html": b"<!DOCTYPE html><html><body>Sign in to download</body></html>" * 20,
    "random": np.random.default_rng(0).bytes(5000),
    "empty": b"",
    "onnx-like": b"\x08\x07\x12\x04test" + np.random.default_rng(1).bytes(5000),
    "safetensors-like": (600).to_bytes(8, "little") + b"{" + np.random.default_rng(2).bytes(5000),
    "pickle-like": b"\x80\x02" + np.random.default_rng(3).bytes(5000),
    "zip-like": b"PK\x03\x04" + np.random.default_rng(4).bytes(5000),
}


@pytest.mark.parametrize("suffix", [".onnx", ".safetensors", ".pth"])
@pytest.mark.parametrize("kind", NOT_WEIGHTS)
def test_a_file_that_holds_no_weights(refused: Refused, clip: Path, tmp_path: Path, asked_for: list[str], kind: str, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(NOT_WEIGHTS[kind])
    assert f"weights{suffix}" in refused("track", clip, "--box", BOX, "--tracker", path, *asked_for)


@pytest.mark.parametrize("kind", NOT_WEIGHTS)
@pytest.mark.parametrize("command", ["convert", "export"])
def test_nothing_to_convert_or_export(refused: Refused, tmp_path: Path, command: str, kind: str) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(NOT_WEIGHTS[kind])
    output = tmp_path / ("out.safetensors" if command == "convert" else "out.onnx")
    assert "weights.pth" in refused(command, path, "--output", output)


@pytest.mark.parametrize("command,suffix", [("convert", ".safetensors"), ("export", ".onnx")])
def test_converting_to_another_kind_of_file(refused: Refused, tmp_path: Path, command: str, suffix: str) -> None:
    assert suffix in refused(command, tmp_path / "weights.pth", "--output", tmp_path / "out.bin")


@pytest.fixture
def no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in an installation without extras."""
    for name in list(sys.modules):
        if name.startswith(("sightline.models", "sightline.train")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)


@pytest.mark.usefixtures("no_torch")
@pytest.mark.parametrize(
    "arguments,extra",
    [
        (["convert", "w.pth", "--output", "w.safetensors"], "convert"),
        (["export", "w.safetensors", "--output", "w.onnx"], "convert"),
        (["train", "kestrel-nano", "--data", "data", "--output", "run"], "train"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_a_command_that_needs_torch_without_it(refused: Refused, arguments: list[str], extra: str) -> None:
    assert f"pip install 'sightline[{extra}]'" in refused(*arguments)


@pytest.mark.usefixtures("no_torch")
def test_weights_that_need_torch_without_it(refused: Refused, clip: Path, tmp_path: Path, asked_for: list[str]) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes((2).to_bytes(8, "little") + b"{}")
    assert "pip install 'sightline[convert]'" in refused("track", clip, "--box", BOX, "--tracker", path, *asked_for)


def test_an_unknown_engine(refused: Refused, clip: Path, asked_for: list[str]) -> None:
    assert "engine" in refused("track", clip, "--box", BOX, "--engine", "steam", *asked_for)


def test_no_threads(refused: Refused, clip: Path, asked_for: list[str]) -> None:
    assert "--threads is 0" in refused("track", clip, "--box", BOX, "--threads", 0, *asked_for)


def test_no_callers(refused: Refused, clip: Path, asked_for: list[str]) -> None:
    assert "--callers is 0" in refused("track", clip, "--box", BOX, "--callers", 0, *asked_for)


# the files to write


@pytest.mark.parametrize(
    "option,name,accepted",
    [("--results", "track.xml", (".csv", ".jsonl", ".txt")), ("--results", "track", (".csv",)), ("--output", "a.gif", (".mp4",))],
)
def test_an_unknown_suffix(refused: Refused, clip: Path, tmp_path: Path, option: str, name: str, accepted: tuple[str, ...]) -> None:
    line = refused("track", clip, "--box", BOX, option, tmp_path / name)
    assert all(suffix in line for suffix in accepted)


@pytest.mark.usefixtures("fake_tracker")
@pytest.mark.parametrize("option,name", [("--results", "track.csv"), ("--output", "tracked.mp4")])
def test_a_folder_that_cannot_be_made(refused: Refused, clip: Path, option: str, name: str) -> None:
    assert "clip.mp4" in refused("track", clip, "--box", BOX, option, clip / "folder" / name)


@pytest.mark.parametrize("option,name", [("--results", "folder.csv"), ("--output", "folder.mp4")])
def test_a_folder_in_place_of_a_file(refused: Refused, clip: Path, tmp_path: Path, option: str, name: str) -> None:
    (tmp_path / name).mkdir()
    assert "is a folder" in refused("track", clip, "--box", BOX, option, tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such files")
def test_a_pipe_in_place_of_a_file(refused: Refused, clip: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "track.csv")
    assert "is a pipe" in refused("track", clip, "--box", BOX, "--results", tmp_path / "track.csv")


def test_the_source_is_not_overwritten(refused: Refused, clip: Path) -> None:
    before = clip.read_bytes()
    assert "the source itself" in refused("track", clip, "--box", BOX, "--output", clip.parent / "." / clip.name)
    assert clip.read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a file that could stand for a full disk")
@pytest.mark.parametrize(
    "options", [["--results", "track.csv"], ["--output", "tracked.mp4"], ["--output", "tracked.mp4", "--results", "track.jsonl"]]
)
def test_a_full_disk(tmp_path: Path, options: list[str]) -> None:
    make_video(tmp_path / "clip.mp4", 60, noise=True)
    (tmp_path / options[1]).write_text("older")
    before = files_below(tmp_path)

    def small_files() -> None:
        import resource  # Unix only

        resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))

    command = [sys.executable, "-m", "tests.cli.fake", "track", str(tmp_path / "clip.mp4"), "--box", BOX, *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(command, cwd=tmp_path, env=environment, preexec_fn=small_files, check=False, capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stdout == ""
    line = one_line(ended.stderr)
    assert "File too large" in line
    assert "Make room" in line
    assert files_below(tmp_path) == before
    assert (tmp_path / options[1]).read_text() == "older"
