from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from sightline.cli.scene import scene
from sightline.errors import SightlineError
from sightline.scene import Scene, SceneFrame, render


def decoded(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        return [frame.to_ndarray(format="rgb24").astype(np.uint8) for frame in container.decode(video=0)]


def shots(num_frames: int) -> list[SceneFrame]:
    return list(render(Scene(seed=3, num_frames=num_frames, size=(160, 96), target="car")))


def test_the_clip_and_its_truth_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene(tmp_path / "new" / "clip.mp4", seed=3, frames=8, width=160, height=96)
    for picture, shot in zip(decoded(tmp_path / "new" / "clip.mp4"), shots(8), strict=True):
        assert np.abs(picture.astype(int) - shot.frame.image).mean() < 12  # what H.264 loses
    truth = np.loadtxt(tmp_path / "new" / "clip.txt", delimiter=",")
    assert truth == pytest.approx(np.array([shot.box for shot in shots(8)]), abs=6e-4)
    assert "8 frames of 160x96 pixels" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["clip.mp4", "clip.txt"]


def test_a_pair_gives_two_clips_and_one_truth(tmp_path: Path) -> None:
    scene(tmp_path / "clip.mp4", frames=3, look="pair", width=64, height=48)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip-infrared.mp4", "clip.mp4", "clip.txt"]
    visible, infrared = decoded(tmp_path / "clip.mp4"), decoded(tmp_path / "clip-infrared.mp4")
    assert len(visible) == len(infrared) == 3
    assert np.ptp(infrared[0].astype(int), axis=2).max() <= 4  # grey


def test_a_frame_without_the_object_is_written_as_nan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hiding(_: Scene) -> list[SceneFrame]:
        return list(render(Scene(seed=1, num_frames=75, size=(64, 48), occlusion=1.0)))

    monkeypatch.setattr("sightline.scene.render", hiding)
    scene(tmp_path / "clip.mp4", frames=75, width=64, height=48)
    rows = (tmp_path / "clip.txt").read_text().splitlines()
    assert len(rows) == 75
    assert "NaN,NaN,NaN,NaN" in rows
    assert "NaN" not in rows[0]


@pytest.mark.parametrize(
    "name, options, words",
    [
        ("clip.avi", {}, ".mp4"),
        ("clip.mp4", {"frames": 0}, "num_frames"),
        ("clip.mp4", {"width": 8}, "8x360"),
        ("file/clip.mp4", {}, "cannot write"),
    ],
    ids=["suffix", "frames", "width", "folder"],
)
def test_wrong_input_is_one_line_and_leaves_nothing(name: str, options: dict[str, Any], words: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(SightlineError, match=words) as caught:
        scene(tmp_path / name, **options)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_interrupted_clip_leaves_older_files_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("clip.mp4", "clip.txt"):
        (tmp_path / name).write_text("older")

    def breaking(_: Scene) -> Iterator[SceneFrame]:
        yield from shots(2)
        raise KeyboardInterrupt

    monkeypatch.setattr("sightline.scene.render", breaking)
    with pytest.raises(KeyboardInterrupt):
        scene(tmp_path / "clip.mp4", frames=3, width=160, height=96)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"clip.mp4": "older", "clip.txt": "older"}
