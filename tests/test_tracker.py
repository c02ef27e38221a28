from __future__ import annotations

import pickle
import threading
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from sightline.box import Box
from sightline.engines import Array
from sightline.errors import BadBox, EngineError, NotStarted
from sightline.frame import Frame
from sightline.loop import follow
from sightline.methods.network import NetworkMethod, Target
from sightline.tracker import Channels, MultiTracker, Tracker
from tests.fakes import SPEC, FakeSession, brightest, picture, stay, tracker


def test_a_moving_square_is_followed() -> None:
    following = tracker()
    following.init(picture(50), (50, 60, 20, 20))
    for x in range(55, 120, 5):
        assert following.update(picture(x)).box == pytest.approx((x, 60, 20, 20), abs=1.0)


def test_update_before_init_says_what_to_do() -> None:
    with pytest.raises(NotStarted, match=r"call tracker\.init"):
        tracker().update(picture(50))


def test_a_box_outside_the_first_frame_is_refused() -> None:
    with pytest.raises(BadBox, match="200x120"):
        tracker().init(picture(50), (300, 10, 20, 20))


def test_init_again_starts_over() -> None:
    following = tracker()
    following.init(picture(50), (50, 60, 20, 20))
    following.update(picture(55))
    following.init(picture(150), (150, 60, 20, 20))
    assert following.update(picture(152)).box == pytest.approx((152, 60, 20, 20), abs=1.0)


def test_a_copy_goes_its_own_way() -> None:
    following = tracker()
    following.init(picture(50), (50, 60, 20, 20))
    other = following.copy()
    for x in range(52, 100, 4):
        following.update(picture(x))
    assert other.update(picture(52)).box == pytest.approx((52, 60, 20, 20), abs=1.0)


@pytest.mark.parametrize("score,status", [(0.1, "lost"), (0.45, "uncertain"), (0.9, "tracked")])
def test_the_status_follows_the_two_thresholds_of_the_spec(score: float, status: str) -> None:
    def step(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        return stay(arrays) | {"score": np.array([score], np.float32)}

    following = tracker(FakeSession(step=step))
    following.init(picture(50), (50, 60, 20, 20))
    assert following.update(picture(50)).status == status


def test_a_plain_array_is_bgr_unless_said_otherwise() -> None:
    seen: list[int] = []

    def step(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        seen.append(int(arrays["search"][0, 128, 128, 0]))
        return stay(arrays)

    red_in_bgr = np.zeros((120, 200, 3), np.uint8)
    red_in_bgr[..., 2] = 255
    orders: tuple[Channels, ...] = ("bgr", "rgb")
    for channels in orders:
        following = Tracker(NetworkMethod(FakeSession(step=step)), channels=channels)
        following.init(red_in_bgr, (90, 50, 20, 20))
        following.update(red_in_bgr)
    assert seen == [255, 0]


def test_a_bgr_array_and_its_frame_are_followed_alike_and_may_be_overwritten_afterwards() -> None:
    rng = np.random.default_rng(0)
    spec = replace(SPEC, search=replace(SPEC.search, border="first-mean"), template=replace(SPEC.template, border="first-mean"))
    seen: list[np.ndarray] = []

    def step(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        seen.append(arrays["search"].copy())
        return stay(arrays)

    image = rng.integers(0, 256, (60, 80, 3), np.uint8)
    for given in (image[..., ::-1].copy(), Frame(image)):
        following = tracker(FakeSession(spec=spec, step=step))
        following.init(given, (0, 0, 20, 20))  # half of what is looked at lies outside, in the colour of the picture's mean
        following.update(given)
        if isinstance(given, np.ndarray):
            given[:] = 0
    assert np.array_equal(seen[0], seen[1])


def test_follow_gives_every_frame_and_begins_with_the_given_box() -> None:
    frames = [Frame(picture(50 + 4 * i), index=i) for i in range(5)]
    steps = list(follow(frames, box=(50, 60, 20, 20), tracker=tracker()))
    assert [step.frame.index for step in steps] == [0, 1, 2, 3, 4]
    assert steps[0].estimate.box == Box(50, 60, 20, 20)
    assert steps[0].estimate.score == 1.0
    assert steps[-1].estimate.box == pytest.approx((66, 60, 20, 20), abs=1.0)
    assert all(step.seconds >= 0 for step in steps)


def test_many_targets_equal_single_trackers_and_go_through_in_batches() -> None:
    session = FakeSession(step=brightest)
    many: MultiTracker[str, Target] = MultiTracker(NetworkMethod(session, batch=8))
    singles = {}
    for i in range(6):
        box = (20.0 + 20 * i, 60.0, 20.0, 20.0)
        many.add(f"target {i}", picture(20 + 20 * i), box)
        singles[f"target {i}"] = tracker()
        singles[f"target {i}"].init(picture(20 + 20 * i), box)
    session.calls.clear()
    together = many.update(picture(80))
    assert session.calls == [("step", 4), ("step", 2)]
    for key, single in singles.items():
        assert together[key].box == pytest.approx(single.update(picture(80)).box, abs=1e-3)


@pytest.mark.parametrize("callers", [2, 3, 8])
def test_several_callers_give_each_target_the_same_estimate(callers: int) -> None:
    alone: MultiTracker[int, Target] = MultiTracker(NetworkMethod(FakeSession(step=brightest)))
    shared: MultiTracker[int, Target] = MultiTracker(NetworkMethod(FakeSession(step=brightest)), callers=callers)
    for trackers in (alone, shared):
        assert trackers.update(picture(50)) == {}
        for key in range(7):
            trackers.add(key, picture(20 + 20 * key), (20.0 + 20 * key, 60.0, 20.0, 20.0))
    for x in (82, 84, 86):
        assert list(shared.update(picture(x)).items()) == list(alone.update(picture(x)).items())
    shared.remove(3)
    assert list(shared.update(picture(88))) == [0, 1, 2, 4, 5, 6]


def test_callers_are_in_the_network_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=5)

    def step(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        meeting.wait()  # raises where the other never comes
        return stay(arrays)

    many: MultiTracker[int, Target] = MultiTracker(NetworkMethod(FakeSession(step=step)), callers=2)
    for key in range(2):
        many.add(key, picture(50), (50, 60, 20, 20))
    assert len(many.update(picture(50))) == 2


def test_a_caller_that_fails_moves_no_target() -> None:
    fails = [False]

    def step(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        if fails[0] and threading.current_thread() is not threading.main_thread():
            raise EngineError("refused")
        return brightest(arrays)

    many: MultiTracker[int, Target] = MultiTracker(NetworkMethod(FakeSession(step=step)), callers=2)
    for key in range(4):
        many.add(key, picture(50), (50, 60, 20, 20))
    fails[0] = True
    with pytest.raises(EngineError, match="refused"):
        many.update(picture(70))
    fails[0] = False
    centres = {estimate.region.frame.centre for estimate in many.update(picture(54)).values()}
    assert centres == {(60.0, 70.0)}  # all are looked for around their first box still


def test_callers_of_a_process_that_was_forked_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    targets = MultiTracker[int, Target](NetworkMethod(FakeSession()), callers=2)
    for key in range(4):
        targets.add(key, picture(50), Box(50, 60, 20, 20))
    targets.update(picture(50))
    before = set(threading.enumerate())
    monkeypatch.setattr("sightline.tracker.os.getpid", lambda: -1)  # in the child the threads of the parent are gone
    assert len(targets.update(picture(50))) == 4
    assert {thread.name for thread in set(threading.enumerate()) - before} == {"sightline follows_0"}


def test_many_targets_travel_to_another_process_and_go_on_there() -> None:
    targets = MultiTracker[int, Target](NetworkMethod(FakeSession(step=brightest)), callers=2)
    for key in range(3):
        targets.add(key, picture(50), Box(50, 60, 20, 20))
    targets.update(picture(52))
    again = pickle.loads(pickle.dumps(targets))
    assert again.update(picture(54)) == targets.update(picture(54))
    again.remove(0)
    assert targets.keys == (0, 1, 2)


def test_there_is_a_caller_for_each_core_where_no_number_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sightline.tracker.num_cores", lambda: 3)
    assert MultiTracker(NetworkMethod(FakeSession()), callers=None).callers == 3


def test_no_callers_are_refused() -> None:
    with pytest.raises(ValueError, match="callers is 0"):
        MultiTracker(NetworkMethod(FakeSession()), callers=0)


def test_targets_come_and_go_without_touching_the_others() -> None:
    many: MultiTracker[int, Target] = MultiTracker(NetworkMethod(FakeSession(step=brightest)))
    assert many.update(picture(50)) == {}
    many.add(1, picture(50), (50, 60, 20, 20))
    many.add(2, picture(50), (48, 58, 24, 24))
    many.update(picture(54))
    many.remove(2)
    assert many.keys == (1,)
    assert many.update(picture(58))[1].box == pytest.approx((58, 60, 20, 20), abs=1.0)
    with pytest.raises(KeyError):
        many.remove(2)


def test_targets_are_added_and_removed_while_another_thread_updates() -> None:
    image, session = np.zeros((120, 160, 3), np.uint8), FakeSession()
    many = MultiTracker[str, Target](NetworkMethod(session))
    for name in ("stays", "leaves", "again"):
        many.add(name, image, (40, 30, 32, 24))

    def meanwhile(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        if "comes" not in many.keys:
            thread = threading.Thread(target=change)
            thread.start()
            thread.join(10)
        return stay(arrays)

    def change() -> None:
        many.add("comes", image, (90, 60, 20, 20))
        many.remove("leaves")
        many.add("again", image, (90, 60, 20, 20))

    session.step = meanwhile
    assert list(many.update(image)) == ["stays"]
    after = many.update(image)
    assert list(after) == ["stays", "again", "comes"]
    assert after["again"].box == after["comes"].box
