"""As a user: the command on a real sequence, and what comes out in a real browser."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from sightline.box import iou
from sightline.cli import main
from sightline.draw import COLOURS, VideoWriter
from sightline.frame import read


def run(*arguments: str | Path) -> None:
    """One call of the command, which has to succeed."""
    assert main([str(argument) for argument in arguments]) == 0


def boxes(path: Path) -> np.ndarray:
    """The boxes (T, 4) of a .txt file of results."""
    return np.loadtxt(path, delimiter=",", ndmin=2)


@pytest.mark.parametrize("sequence", ["boat1", "david", "davis_parkour"])
def test_a_folder_and_a_video_made_of_it_give_the_same_track(sequence: str, shared: Path, tmp_path: Path) -> None:
    folder = shared / "data" / "eval" / sequence
    with VideoWriter(tmp_path / "clip.mp4", 25) as writer:
        for frame in read(folder / "img"):
            writer.write(frame.image)
    first = (folder / "groundtruth.txt").read_text().splitlines()[0]
    for source, name in ((folder / "img", "folder.txt"), (tmp_path / "clip.mp4", "video.txt")):
        run("track", source, "--box", first, "--results", tmp_path / name, "--threads", "1")
    of_folder, of_video = boxes(tmp_path / "folder.txt"), boxes(tmp_path / "video.txt")
    assert len(of_folder) == len(of_video) == len(list((folder / "img").iterdir()))
    assert iou(of_folder, of_video).mean() >= 0.85  # not 1: the video is compressed, and closed loops of equal trackers drift apart


PAGE = """
<video id="video" muted src="data:video/mp4;base64,%s"></video><canvas id="canvas"></canvas>
<script>
async function shot(seconds) {
  const video = document.getElementById("video"), canvas = document.getElementById("canvas");
  if (video.readyState < 2) await new Promise((done, fail) => { video.onloadeddata = done; video.onerror = () => fail(video.error.message); });
  await new Promise(done => { video.onseeked = done; video.currentTime = seconds; });
  canvas.width = video.videoWidth; canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  return {width: canvas.width, height: canvas.height, duration: video.duration, png: canvas.toDataURL("image/png").split(",")[1]};
}
async function played() {
  const video = document.getElementById("video");
  video.currentTime = 0; await video.play();
  await new Promise(done => { video.ontimeupdate = () => { if (video.currentTime > 0.2) done(); }; });
  return video.currentTime;
}
</script>
"""


def test_the_written_video_plays_in_a_browser_and_shows_the_box(shared: Path, tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium here: install Debian's package `chromium` to play the video in a browser")
    playwright = pytest.importorskip("playwright.sync_api")
    folder = shared / "data" / "eval" / "s1301"
    first = (folder / "groundtruth.txt").read_text().splitlines()[0]
    run("track", folder / "img", "--box", first, "--output", tmp_path / "out.mp4", "--results", tmp_path / "out.jsonl", "--threads", "1")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    page_file = tmp_path / "page.html"
    page_file.write_text(PAGE % base64.b64encode((tmp_path / "out.mp4").read_bytes()).decode())
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        page = browser.new_page()
        page.goto(page_file.as_uri())
        assert page.evaluate("played()") > 0.2
        number = 40
        shot = page.evaluate(f"shot({(number + 0.5) / 25})")
        browser.close()
    assert (shot["width"], shot["height"]) == (374, 312)
    assert shot["duration"] == pytest.approx(len(rows) / 25, abs=0.1)
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(shot["png"]), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    row = rows[number]
    left, middle = round(row["x"]), round(row["y"] + row["h"] / 2)
    near = picture[middle - 2 : middle + 3, left - 2 : left + 3, ::-1].astype(int)
    distance = np.abs(near - COLOURS[row["status"]]).sum(axis=2)
    assert distance.min() < 90, f"the left border of the box is not drawn at {left}, {middle}"
