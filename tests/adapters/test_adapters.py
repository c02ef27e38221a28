from __future__ import annotations

import io
import pickle
import sys
import weakref
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sightline.adapters.classes import find_class
from sightline.adapters.command import CommandFollower
from sightline.adapters.foreign import ForeignMethod
from sightline.adapters.names import open_foreign
from sightline.adapters.opencv import find_opencv
from sightline.adapters.serve import serve
from sightline.adapters.trax import Message, box_from_region, decode, encode, image_from_word, is_code, word_from_image
from sightline.box import Box
from sightline.errors import BadData, EngineError, UnknownTracker
from sightline.frame import Frame
from sightline.methods.network import NetworkMethod
from sightline.tracker import Tracker
from tests.fakes import FakeSession, brightest

CLASS = """
import numpy as np

class Bright:
    def init(self, image, box):
        self.size = box[2:]

    def update(self, image):
        rows, columns = np.nonzero(image[..., 0] > 128)
        if not rows.size:
            raise ValueError("nothing is bright")
        return np.array([columns.min(), rows.min(), *self.size])

class Mute:
    def init(self, image, box): ...
    def update(self, image):
        return [1, 2, float("nan"), 4]

class Half:
    def init(self, image, box): ...
"""

PROGRAM = f"{sys.executable} -m tests.cli.fake trax --tracker kestrel-nano"


def frame(left: int, index: int = 0) -> Frame:
    image = np.zeros((120, 160, 3), np.uint8)
    image[40:64, left : left + 24] = 255
    return Frame(image, index)


@pytest.fixture
def source(tmp_path: Path) -> str:
    path = tmp_path / "their own.py"
    path.write_text(CLASS)
    return str(path)


def follow(tracker: Tracker[Any], lefts: tuple[int, ...] = (20, 24, 28)) -> list[list[float]]:
    tracker.init(frame(lefts[0]), (lefts[0], 40, 24, 24))
    return [list(tracker.update(frame(left)).box) for left in lefts[1:]]


def test_a_class_with_init_and_update_is_a_tracker(source: str) -> None:
    foreign = open_foreign(f"python:{source}:Bright")
    assert foreign is not None
    assert foreign.method.spec.name == "Bright"
    assert len(foreign.facts["source_sha256"]) == 64
    assert follow(Tracker(pickle.loads(pickle.dumps(foreign.method)))) == [[24, 40, 24, 24], [28, 40, 24, 24]]


def test_what_the_code_of_others_raises_or_answers_wrongly_is_one_error(source: str) -> None:
    for name, told in (("Bright", "Bright failed in frame 7: ValueError: nothing is bright"), ("Mute", "four finite numbers")):
        foreign = open_foreign(f"python:{source}:{name}")
        assert foreign is not None
        tracker = Tracker(foreign.method)
        tracker.init(frame(20), (20, 40, 24, 24))
        with pytest.raises(EngineError, match=told):
            tracker.update(Frame(np.zeros((120, 160, 3), np.uint8), 7))


def test_a_class_that_is_none_is_refused(source: str) -> None:
    for place, told in ((f"{source}:Half", "no methods init"), ("nowhere.at:All", "cannot be imported"), ("Bright", "names no class")):
        with pytest.raises(UnknownTracker, match=told):
            find_class(place)


def test_a_state_that_was_advanced_cannot_be_used_again(source: str) -> None:
    foreign = open_foreign(f"python:{source}:Bright")
    assert foreign is not None
    state = foreign.method.begin(frame(20), Box(20, 40, 24, 24))
    foreign.method.advance([frame(24)], [state])
    with pytest.raises(EngineError, match="cannot go back"):
        foreign.method.advance([frame(28)], [state])


def test_a_target_that_is_lost_keeps_its_box() -> None:
    class Blind:
        def init(self, *_: object) -> None: ...
        def update(self, *_: object) -> tuple[Box | None, float]:
            return None, float("nan")

    tracker = Tracker(ForeignMethod("blind", Blind))
    tracker.init(frame(20), (20, 40, 24, 24))
    estimate = tracker.update(frame(24))
    assert (estimate.box, estimate.status) == ((20, 40, 24, 24), "lost")


def test_opencvs_tracker_follows() -> None:
    foreign = open_foreign("opencv:mil")
    assert foreign is not None
    cv2.setRNGSeed(1)
    tracker = Tracker(foreign.method)
    image = np.random.default_rng(0).integers(0, 90, (120, 160, 3), np.uint8)
    target = np.random.default_rng(1).integers(120, 255, (24, 24, 3), np.uint8)
    for left in range(20, 36, 4):
        picture = image.copy()
        picture[40:64, left : left + 24] = target
        if left == 20:
            tracker.init(Frame(picture), (20, 40, 24, 24))
        else:
            box = tracker.update(Frame(picture)).box
    assert abs(box.x - 32) < 8
    assert foreign.method.spec.name == "opencv-mil"


def test_opencvs_trackers_that_are_not_there_are_named() -> None:
    with pytest.raises(UnknownTracker, match="known are csrt, kcf, mil, mosse"):
        find_opencv("goturn2")


def test_words_that_name_no_foreign_tracker_are_ours() -> None:
    assert open_foreign("kestrel-nano") is None
    assert open_foreign("weights/file.onnx") is None


@pytest.mark.parametrize("word", ["plain", "with blanks", 'a "quote"', "back\\slash", "two\nlines", "", "x=y"])
def test_words_survive_a_message(word: str) -> None:
    line = encode(Message("initialize", (word, "1,2,3,4"), {"some.key": word}))
    assert line.count("\n") == 1
    assert decode(line) == Message("initialize", (word, "1,2,3,4"), {"some.key": word})


def test_lines_that_are_no_messages_are_told_apart() -> None:
    assert decode("loading weights ...\n") is None
    assert decode("@@TRAX:frame file:///a.jpg\n") == Message("frame", ("file:///a.jpg",))
    for wrong in ("@@TRAX:sing\n", "@@TRAX:initialize only\n"):
        with pytest.raises(BadData, match="no TraX message"):
            decode(wrong)


def test_regions_are_rectangles_or_bounds_of_polygons() -> None:
    assert box_from_region("1,2,3.5,4") == (1, 2, 3.5, 4)
    assert box_from_region("10,10,20,12,18,30,8,28") == (8, 10, 12, 20)
    with pytest.raises(BadData, match="neither a rectangle nor a polygon"):
        box_from_region("m0,0,3,3,4,5")


@pytest.mark.parametrize("kinds", ["path;", "path;memory;"])
def test_an_image_arrives_as_it_was_sent(kinds: str, tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (7, 5, 3), np.uint8)
    assert np.array_equal(image_from_word(word_from_image(image, kinds, tmp_path)).image, image)


def ours() -> Tracker[Any]:
    return Tracker(NetworkMethod(FakeSession(step=brightest)))


def test_a_driver_is_answered_until_it_quits(tmp_path: Path) -> None:
    sent = [Message("initialize", (word_from_image(frame(20).image, "memory", tmp_path), "20,40,24,24"))]
    sent += [Message("frame", (word_from_image(frame(24).image, "path", tmp_path),)), Message("quit"), Message("frame", ("never",))]
    sink = io.StringIO()
    serve(ours(), map(encode, sent), sink)
    hello, first, second = map(decode, sink.getvalue().splitlines())
    assert hello is not None
    assert hello.named["trax.name"] == "fake"
    assert first is not None
    assert second is not None
    assert first.words == ("20.0000,40.0000,24.0000,24.0000",)
    assert second.named == {"confidence": "0.950000"}
    assert box_from_region(second.words[0]) == pytest.approx((24, 40, 24, 24), abs=1)


def test_a_driver_that_makes_no_sense_is_told_quit() -> None:
    sink = io.StringIO()
    with pytest.raises(BadData):
        serve(ours(), [encode(Message("state", ("1,2,3,4",)))], sink)
    assert sink.getvalue().endswith("@@TRAX:quit\n")


def test_a_program_of_ours_driven_by_our_driver_gives_our_boxes() -> None:
    foreign = open_foreign(f"command:{PROGRAM}")
    assert foreign is not None
    assert foreign.method.spec.name == "fake"
    through, here = follow(Tracker(foreign.method)), follow(ours())
    np.testing.assert_allclose(through, here, atol=1e-4)  # four decimals in a message


def test_a_program_ends_with_its_target() -> None:
    follower = CommandFollower(PROGRAM)
    process = follower._process
    kept = weakref.ref(follower)
    del follower
    assert kept() is None
    assert process.poll() == 0


@pytest.mark.parametrize(
    "program,told",
    [
        ("import sys; sys.exit('no such weights')", "ended before its hello. It said: no such weights"),
        ("import time; print('hm', flush=True); time.sleep(60)", "gave no hello within 1 s"),
        ("print('@@TRAX:state 1,2,3,4', flush=True)", "answered 'state'; expected 'hello'"),
        ("print('@@TRAX:hello trax.image=url', flush=True)", "reads images as 'url'"),
    ],
)
def test_a_program_that_does_not_speak_is_said_with_its_reason(program: str, told: str) -> None:
    with pytest.raises(EngineError, match=told):
        CommandFollower(f'{sys.executable} -c "{program}"', patience=1.0)


def test_a_program_that_falls_silent_is_said() -> None:
    program = "import time; print('@@TRAX:hello trax.image=memory;', flush=True); time.sleep(60)"
    follower = CommandFollower(f'{sys.executable} -c "{program}"', patience=1.0)
    with pytest.raises(EngineError, match="gave no state within 1 s"):
        follower.init(frame(20).image, Box(20, 40, 24, 24))


def test_a_code_instead_of_a_region_means_that_the_target_is_lost() -> None:
    assert is_code("0")
    assert is_code("2.0000")
    assert not is_code("1,2,3,4")
    program = "print('@@TRAX:hello trax.image=memory;\\n@@TRAX:state 1,2,3,4\\n@@TRAX:state 0', flush=True)"
    follower = CommandFollower(f'{sys.executable} -c "{program}"', patience=5.0)
    follower.init(frame(20).image, Box(20, 40, 24, 24))
    assert follower.update(frame(22).image)[0] is None


def test_a_command_that_is_not_there_is_said() -> None:
    with pytest.raises(EngineError, match="does not start"):
        CommandFollower("/nowhere/at/all --x")
