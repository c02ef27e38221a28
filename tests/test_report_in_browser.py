"""As a reader: the page of `sightline report` in a real browser."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.cli import main
from sightline.evaluate.clips import open_dataset
from sightline.evaluate.report.plots import COLOURS
from tests.evaluate.folders import make_sequences

SHIFTS = {"close": 1, "far": 12}  # pixels to the right of the truth; the frames are 200 wide, the page shows them 960 wide
ZOOM = 960 / 200


@contextmanager
def opened(page_file: Path, problems: list[str]) -> Iterator[Any]:
    """The page in Chromium; what a reader of its console would see is added to `problems`."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium here: install Debian's package `chromium` to open the report in a browser")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: None if request.url.startswith(("data:", page_file.as_uri())) else problems.append(request.url))
        page.goto(page_file.as_uri())
        yield page
        browser.close()


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """The page about two trackers on two sequences of 20 frames."""
    root = make_sequences(tmp_path / "data", ["first", "second"], num_frames=20)
    rows = {
        f"{label}/{clip.name}": np.nan_to_num(clip.truth, nan=60) + np.array([shift, 0, 0, 0])
        for label, shift in SHIFTS.items()
        for clip in open_dataset("folder", root)
    }
    np.savez(tmp_path / "boxes.npz", **rows)
    data = ["--dataset", "folder", "--root", str(root), "--output"]
    for label in SHIFTS:
        assert main(["eval", "--tracker", label, "--import", str(tmp_path / "boxes.npz"), *data, str(tmp_path / "results")]) == 0
    assert main(["report", str(tmp_path / "results" / "folder"), *data, str(tmp_path / "report")]) == 0
    return tmp_path / "report" / "report.html"


def wait_for(page: Any, shown: str) -> None:
    page.wait_for_function("shown => document.getElementById('view').dataset.shown === shown", arg=shown)


def scrub(page: Any, clip: str, frame: int) -> None:
    page.evaluate(
        "frame => { const slider = document.getElementById('frame'); slider.value = frame; slider.dispatchEvent(new Event('input')); }",
        frame,
    )
    wait_for(page, f"{clip}:{frame}")


def has_colour(page: Any, canvas: str, colour: str, x: float, y: float) -> bool:
    """Whether a pixel about a place of a canvas has (nearly) a colour "#rrggbb"."""
    values = page.evaluate(
        "([id, x, y]) => [...document.getElementById(id).getContext('2d').getImageData(x - 2, y - 2, 5, 5).data]",
        [canvas, round(x), round(y)],
    )
    near = np.array(values).reshape(-1, 4)[:, :3]
    wanted = [int(part, 16) for part in re.findall("[0-9a-fA-F]{2}", colour)]
    return bool((np.abs(near - wanted).max(axis=1) < 12).any())


def left_border(frame: int, shift: int) -> tuple[float, float]:
    """Where the left border of a box is on the canvas: the target is at x = 20 + 2 frame, y = 40, and 24 pixels wide and high."""
    return (20 + 2 * frame + shift) * ZOOM, 52 * ZOOM


def test_the_page_plays_and_draws_the_boxes_of_all(report: Path) -> None:
    problems: list[str] = []
    with opened(report, problems) as page:
        wait_for(page, "first:0")
        sizes = page.evaluate("[...document.querySelectorAll('.plots img')].map(image => [image.complete, image.naturalWidth])")
        assert len(sizes) == 3  # success, precision, normalised precision: there are no times and no attributes
        assert all(complete and width > 100 for complete, width in sizes)
        for frame in (0, 9):
            scrub(page, "first", frame)
            for place, (label, shift) in enumerate(SHIFTS.items()):
                assert has_colour(page, "view", COLOURS[place], *left_border(frame, shift)), (label, frame)
        assert not has_colour(page, "view", COLOURS[1], *left_border(0, SHIFTS["far"]))  # where it was before
        assert page.inner_text("#now0") == "0.92"  # 23 / 25
        assert page.inner_text("#now1") == "0.33"  # 12 / 36
        height = 10 + (190 - 24 - 10) * (1 - 12 / 36)  # of the overlap, on the canvas of the curves
        assert has_colour(page, "overlap", COLOURS[1], 40 + (960 - 48) * 5.5 / 19, height)
        scrub(page, "first", 19)
        assert page.inner_text("#now0") == "absent"
        scrub(page, "first", 0)
        page.click("#play")
        page.wait_for_function("Number(document.getElementById('view').dataset.shown.split(':')[1]) > 5")
        wait_for(page, "first:19")
        page.wait_for_function("document.getElementById('play').textContent === 'Play'")  # it stops at the end
    assert problems == []


def test_another_sequence_is_opened_and_a_tracker_is_hidden(report: Path) -> None:
    problems: list[str] = []
    with opened(report, problems) as page:
        page.click("#clips button:has-text('second')")
        wait_for(page, "second:0")
        page.keyboard.press("ArrowRight")
        wait_for(page, "second:1")
        at = left_border(1, SHIFTS["far"])
        assert has_colour(page, "view", COLOURS[1], *at)
        page.click("#legend label:has-text('far') input")
        page.wait_for_timeout(200)
        assert not has_colour(page, "view", COLOURS[1], *at)
        curves = page.locator("#overlap")
        curves.click(position={"x": curves.bounding_box()["width"] * (40 + 912 * 10 / 19) / 960, "y": 40})
        wait_for(page, "second:10")
    assert problems == []
