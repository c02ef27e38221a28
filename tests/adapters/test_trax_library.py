"""Ours and the official library of TraX at the two ends of one line.

The library (vot-trax) is no dependency: `make test-toolkits` has an environment with it. Elsewhere this is skipped.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import sightline
from sightline.adapters.command import CommandFollower
from sightline.box import Box
from tests.cli.clips import picture

client: Any = pytest.importorskip("trax.client", reason="vot-trax is not installed: make test-toolkits")
images: Any = pytest.importorskip("trax.image")
regions: Any = pytest.importorskip("trax.region")

BOX = (20.0, 40.0, 24.0, 24.0)
POLYGON = [(32.0, 40.0), (44.0, 52.0), (32.0, 64.0), (20.0, 52.0)]  # its bounds are that box


@pytest.fixture
def driver() -> Iterator[Any]:
    """The library's client, with `sightline trax` at the other end; it has to end by itself when it is told to quit."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sightline", "trax", "--tracker", "kestrel-nano"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    session = client.Client(stream=(process.stdin.fileno(), process.stdout.fileno()), log=lambda _: None)
    yield session
    session.quit()
    try:
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.stdin.close()
        process.stdout.close()


@pytest.mark.parametrize("kind", ["path", "memory"])
@pytest.mark.parametrize("region", ["rectangle", "polygon"])
def test_the_librarys_client_gets_our_boxes(region: str, kind: str, driver: Any, tmp_path: Path) -> None:
    def image(i: int) -> dict[str, Any]:
        path = tmp_path / f"{i}.png"
        cv2.imwrite(str(path), picture(i)[..., ::-1])
        return {"color": images.FileImage.create(str(path)) if kind == "path" else images.MemoryImage.create(picture(i))}

    start = regions.Rectangle.create(*BOX) if region == "rectangle" else regions.Polygon.create(POLYGON)
    tracker = sightline.load("kestrel-nano", threads=1, channels="rgb")
    tracker.init(picture(0), box=BOX)
    [(first, said)], _ = driver.initialize(image(0), [(start, {})], {})
    assert first.bounds() == pytest.approx(BOX, abs=1e-3)
    assert "confidence" not in dict(said)
    for i in range(1, 5):
        expected = tracker.update(picture(i))
        [(found, said)], _ = driver.frame(image(i), {}, [])
        assert found.bounds() == pytest.approx(expected.box, abs=1e-3)
        assert float(dict(said)["confidence"]) == pytest.approx(expected.score, abs=1e-5)


PROGRAM = """
import cv2
import numpy as np
from trax import TraxStatus
from trax.image import FileImage, Image, MemoryImage
from trax.region import Polygon, Rectangle, Region
from trax.server import Server

with Server([Region.RECTANGLE, Region.POLYGON], [Image.{kind}], tracker_name="theirs") as server:
    while True:
        request = server.wait()
        if request.type not in (TraxStatus.INITIALIZE, TraxStatus.FRAME):
            break
        if request.type == TraxStatus.INITIALIZE:
            server.status(request.objects)
            continue
        image = request.image["color"]
        pixels = cv2.imread(image.path())[..., ::-1] if image.type() == Image.PATH else image.array()
        rows, columns = np.nonzero(pixels[..., 0] > 128)
        left, top, right, bottom = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        server.status([(Polygon.create([(float(x), float(y)) for x, y in corners]), {{"confidence": 0.5}})])
"""


@pytest.mark.parametrize("kind", ["PATH", "MEMORY"])
def test_our_driver_gets_the_boxes_of_the_librarys_server(kind: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM.format(kind=kind))
    follower = CommandFollower(f"{sys.executable} {tmp_path / 'program.py'}", patience=20)
    assert follower.name == "theirs"
    follower.init(picture(0), Box(*BOX))
    for i in range(1, 4):
        box, score = follower.update(np.ascontiguousarray(picture(i)))
        assert box == pytest.approx((20 + 2 * i, 40, 24, 24))
        assert score == pytest.approx(0.5)
    follower.close()
    assert follower._process.poll() == 0
