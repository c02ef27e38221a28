"""What happens while a score says that the target is not there: its place and a good size are kept, and what is found is only reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from sightline.box import Box, iou
from sightline.engines import Array
from sightline.errors import BadSpec
from sightline.estimate import Estimate
from sightline.frame import Frame
from sightline.methods.hold import Known, held, seen
from sightline.methods.network import NetworkMethod, Target
from sightline.scene import Scene, render
from sightline.spec import Hold, Memory, Spec, spec_from_json, spec_to_json
from sightline.tracker import MultiTracker, Tracker, load
from sightline.zoo import ARCHES, SPECS
from tests.fakes import SPEC, FakeSession

BLACK = np.zeros((400, 600, 3), np.uint8)
MARKED = Box(280, 180, 40, 40)
STAYING = Hold(fade=0.9, slow=0.0, reach=100.0)
HOLDING = replace(SPEC, hold=STAYING)  # lost below 0.3
RIGHT = (0.6, 0.5, 0.25, 0.25)  # a tenth of the search region to the right of its middle, as large as before
LARGE = (0.6, 0.5, 0.5, 0.5)


class Script:
    """A network that says one box and one score after the other, as fractions of the search crop."""

    def __init__(self, said: Sequence[tuple[tuple[float, ...], float]]) -> None:
        self.said = list(said)

    def __call__(self, arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        box, score = self.said.pop(0)
        batch = arrays["search"].shape[0]
        return {"box": np.tile(np.array(box, np.float32), (batch, 1)), "score": np.full(batch, score, np.float32)}


def played(said: Sequence[tuple[tuple[float, ...], float]], spec: Spec = HOLDING) -> list[Estimate]:
    """What a tracker reports where its network says a box and a score for each frame; one frame more, to see where it looks next."""
    tracker = Tracker(NetworkMethod(FakeSession(spec=spec, step=Script([*said, (RIGHT, 0.9)]))))
    tracker.init(BLACK, MARKED)
    return [tracker.update(BLACK) for _ in range(len(said) + 1)]


def looked_around(estimate: Estimate) -> tuple[float, float, float]:
    """Centre and side of the searched square, in pixels."""
    square = estimate.region.frame
    return (square.x + 0.5 * square.w, square.y + 0.5 * square.h, square.w)


def test_a_lost_target_is_looked_for_where_it_was_and_what_is_found_is_reported() -> None:
    first, *lost = played([(RIGHT, 0.9), (RIGHT, 0.29), (RIGHT, 0.0), (RIGHT, 0.1)])
    assert looked_around(first) == pytest.approx((300, 200, 160), abs=1)
    assert [looked_around(estimate) for estimate in lost] == [pytest.approx((316, 200, 160), abs=1)] * 4
    assert [estimate.status for estimate in lost[:3]] == ["lost"] * 3
    assert lost[0].box.centre == pytest.approx((332, 200), abs=1)  # found there, not followed


def test_a_target_that_is_found_again_is_followed_from_there() -> None:
    *_, last = played([(RIGHT, 0.1), (RIGHT, 0.1), (RIGHT, 0.3)])
    assert looked_around(last) == pytest.approx((316, 200, 160), abs=1)


def test_a_target_is_followed_whatever_its_score_where_the_spec_holds_none() -> None:
    *_, last = played([(RIGHT, 0.0), (RIGHT, 0.0)], SPEC)
    assert looked_around(last) == pytest.approx((332, 200, 160), abs=1)


def test_a_lost_target_has_the_size_again_that_it_had_when_it_was_surest() -> None:
    *_, last = played([(RIGHT, 0.95), (LARGE, 0.4), (RIGHT, 0.1)])
    assert looked_around(last) == pytest.approx((332, 200, 160), abs=1)


def test_a_size_that_changed_long_ago_is_no_longer_taken_back() -> None:
    grown = (0.5, 0.5, 0.5, 0.5)  # twice as large, then less sure of it
    as_before = (0.5, 0.5, 0.25, 0.25)
    *_, last = played([(grown, 0.6), *[(as_before, 0.6)] * 5, (as_before, 0.1)])
    assert looked_around(last)[2] == pytest.approx(320, abs=1)


def test_the_first_frame_is_the_surest_until_its_certainty_has_faded_to_a_later_score() -> None:
    other = Box(0, 0, 10, 10)
    known = seen(STAYING, Known(MARKED, 1.0), MARKED, other, 0.89)
    assert known.box == MARKED
    assert known.score == pytest.approx(0.9)
    assert seen(STAYING, known, other, other, 0.82)[:2] == (other, 0.82)


def test_without_a_rule_nothing_is_learnt_of_a_target_and_none_is_held() -> None:
    first = Known(MARKED, 1.0)
    assert seen(None, first, MARKED, Box(0, 0, 10, 10), 1.0) == first
    assert held(None, MARKED, first) is None


def test_a_held_box_has_the_place_of_the_last_one_and_the_size_of_the_surest() -> None:
    box, known = held(STAYING, Box(100, 50, 20, 40), Known(Box(0, 0, 10, 60), 0.5)) or (None, None)
    assert box == (105, 40, 10, 60)
    assert known == Known(Box(0, 0, 10, 60), 0.5, lost=1)


def test_a_lost_target_goes_on_as_it_went_and_ever_slower() -> None:
    rule, place, known = Hold(slow=0.5, reach=100.0), Box(0, 0, 20, 20), Known(Box(0, 0, 20, 20), 1.0)
    for _ in range(60):
        known = seen(rule, known, place, Box(place.x + 8, place.y - 4, 20, 20), 0.9)
    assert known.step == pytest.approx((8, -4), abs=1e-4)
    assert known.speed == pytest.approx(80**0.5 / 20, rel=1e-4)
    xs = []
    for _ in range(3):
        place, known = held(rule, place, known) or (place, known)
        xs.append(place.x)
    assert xs == pytest.approx([4, 6, 7], abs=1e-3)


@pytest.mark.parametrize("rule, waits", [(Hold(longest=4), 4), (Hold(reach=0.5), 2), (Hold(reach=0.1), 0)])
def test_a_target_is_waited_for_as_long_as_it_can_be_near(rule: Hold, waits: int) -> None:
    known = Known(MARKED, 1.0, speed=0.2 if rule.reach < 1 else 0.0)
    held_so_long = 0
    while (waiting := held(rule, MARKED, known)) is not None:
        _, known = waiting
        held_so_long += 1
    assert held_so_long == waits
    assert held(rule, MARKED, known) is None  # and stays given up until it is seen again
    assert held(rule, MARKED, seen(rule, known, MARKED, MARKED, 0.9)) is not None or rule.reach == 0.1


def test_no_template_is_taken_of_a_frame_in_which_the_target_is_lost() -> None:
    cut: list[float] = []

    def init(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        cut.append(float(arrays["template"].mean()))
        return {"kernel": arrays["template"][:, :1, :1, 0]}

    script = Script([(RIGHT, 0.2), (RIGHT, 0.4)])
    tracker = Tracker(NetworkMethod(FakeSession(spec=replace(HOLDING, memory=Memory(every=(1,), above=0.1)), step=script, init=init)))
    tracker.init(BLACK, MARKED)
    for brightness in (60, 120):
        tracker.update(np.full_like(BLACK, brightness))
    assert cut == [0, 120]


def test_many_lost_targets_are_held_each_at_its_own_place() -> None:
    script = Script([(RIGHT, 0.9), (RIGHT, 0.1), (RIGHT, 0.1)])
    many: MultiTracker[str, Target] = MultiTracker(NetworkMethod(FakeSession(spec=HOLDING, step=script)))
    places = {"left": Box(80, 180, 40, 40), "right": MARKED}
    for key, box in places.items():
        many.add(key, BLACK, box)
    for _ in range(2):
        many.update(BLACK)
    last = many.update(BLACK)
    for key, box in places.items():
        assert looked_around(last[key])[0] == pytest.approx(box.centre[0] + 16, abs=1)


def test_a_held_target_goes_on_in_another_process_as_here() -> None:
    import pickle

    method = NetworkMethod(FakeSession(spec=HOLDING, step=Script([(LARGE, 0.9), (RIGHT, 0.1)])))
    state = method.begin(Frame(BLACK), MARKED)
    for _ in range(2):
        [(state, _)] = method.advance([Frame(BLACK)], [state])
    again = pickle.loads(pickle.dumps(state))
    assert (again.box, again.known) == (state.box, state.known)


@pytest.mark.parametrize(
    "change", [pytest.param({"lost_below": None}, id="no threshold"), pytest.param({"score": "response"}, id="no probability")]
)
def test_a_spec_that_cannot_say_when_a_target_is_lost_may_not_hold_it(change: dict[str, object]) -> None:
    with pytest.raises(BadSpec, match="fake holds lost targets"):
        replace(HOLDING, **change)  # type: ignore[arg-type]  # any field


@pytest.mark.parametrize("fade", [0.0, 1.1])
def test_a_score_that_fades_to_nothing_or_grows_is_refused(fade: float) -> None:
    with pytest.raises(BadSpec, match="fades"):
        Hold(fade=fade)


@pytest.mark.parametrize("change", [{"slow": 1.1}, {"reach": 0.0}, {"longest": 0}])
def test_a_wait_that_makes_no_sense_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(BadSpec, match="waits of more than 0"):
        Hold(**change)  # type: ignore[arg-type]  # any field


def test_a_spec_keeps_its_rule_in_a_file() -> None:
    assert spec_from_json(spec_to_json(HOLDING), ARCHES) == HOLDING


def test_the_default_tracker_has_the_car_of_the_demo_again_when_it_comes_out_from_under_a_tree() -> None:
    shots = list(render(Scene(num_frames=150, target="car"), range(61)))
    tracker = load(threads=1)
    tracker.init(shots[0].frame, shots[0].box)
    found = np.array([tracker.update(shot.frame).box for shot in shots[1:]])
    truth = np.array([shot.box for shot in shots[1:]])
    assert shots[47].seen > 0.99
    assert iou(found[49:], truth[49:]).min() > 0.6  # 0 in all of these frames where the target is not held


def test_no_published_tracker_holds_lost_targets() -> None:
    assert {name for name, spec in SPECS.items() if spec.hold is not None} == {"kestrel-nano", "merlin"}
