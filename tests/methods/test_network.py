from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from sightline.box import Box
from sightline.engines import Array
from sightline.errors import BadImage
from sightline.frame import Frame
from sightline.methods.network import NetworkMethod, Target
from sightline.spec import Border, History, Memory, Zoom
from sightline.tracker import MultiTracker, Tracker
from tests.fakes import SPEC, FakeSession, brightest, picture, stay, tracker


def test_a_network_without_score_gives_nan_and_is_called_tracked() -> None:
    session = FakeSession(spec=replace(SPEC, lost_below=None, sure_above=None), step=lambda arrays: {"box": stay(arrays)["box"]})
    following = tracker(session)
    following.init(picture(50), (50, 60, 20, 20))
    estimate = following.update(picture(50))
    assert np.isnan(estimate.score)
    assert estimate.status == "tracked"


def test_state_of_init_reaches_step_and_next_replaces_it() -> None:
    seen: list[float] = []

    def step(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        seen.append(float(arrays["count"][0, 0]))
        return stay(arrays) | {"next.count": arrays["count"] + 1}

    following = tracker(FakeSession(step=step, init=lambda arrays: {"count": np.zeros((arrays["template"].shape[0], 1))}))
    following.init(picture(50), (50, 60, 20, 20))
    for _ in range(3):
        following.update(picture(50))
    assert seen == [0.0, 1.0, 2.0]


def test_a_box_never_leaves_the_frame_whatever_the_network_says() -> None:
    wild = np.random.default_rng(0)

    def step(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        return stay(arrays) | {"box": wild.normal(0.5, 3.0, (1, 4)).astype(np.float32)}

    following = tracker(FakeSession(step=step))
    following.init(picture(50), (50, 60, 20, 20))
    for _ in range(200):
        x, y, w, h = following.update(picture(50)).box
        assert np.isfinite([x, y, w, h]).all()
        assert w >= 10
        assert h >= 10
        assert x >= 0
        assert y >= 0
        assert x + w <= 200 + 1e-6
        assert y + h <= 120 + 1e-6


def test_a_network_that_wants_two_pictures_gets_both_and_misses_none_silently() -> None:
    shapes: list[tuple[int, ...]] = []

    def step(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        shapes.append(arrays["search_extra"].shape)
        return stay(arrays)

    following = tracker(FakeSession(spec=replace(SPEC, feed=("extra",)), step=step))
    pair = Frame(picture(50), extra=picture(50))
    following.init(pair, (50, 60, 20, 20))
    following.update(pair)
    assert shapes == [(1, 256, 256, 3)]
    with pytest.raises(BadImage, match="two pictures"):
        following.update(Frame(picture(50)))


def test_any_tracker_can_look_at_bent_crops() -> None:
    following = tracker(FakeSession(spec=replace(SPEC, search=replace(SPEC.search, zoom=Zoom())), step=brightest))
    following.init(picture(50), (50, 60, 20, 20))
    for x in range(55, 120, 5):
        assert following.update(picture(x)).box == pytest.approx((x, 60, 20, 20), abs=1.0)


def test_a_network_can_ask_for_the_target_in_the_template() -> None:
    given: list[np.ndarray] = []

    def init(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        given.append(arrays["target"])
        return {"state": np.zeros((1, 1))}

    tracker(FakeSession(spec=replace(SPEC, feed=("target",)), init=init)).init(picture(50), (50, 60, 20, 20))
    assert given[0] == pytest.approx(np.array([[0.5, 0.5, 0.5, 0.5]]))


def test_a_network_can_ask_for_the_last_box_in_the_search_crop() -> None:
    given: list[np.ndarray] = []

    def step(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        given.append(arrays["prior"][0])
        return stay(arrays) | {"box": np.array([[0.5, 0.5, 0.5, 0.125]], np.float32)}

    following = tracker(FakeSession(spec=replace(SPEC, feed=("prior",)), step=step))
    following.init(picture(50), (50, 60, 20, 20))
    following.update(picture(50))
    following.update(picture(50))
    assert given[0] == pytest.approx(np.array([0.5, 0.5, 0.25, 0.25]))
    assert given[1] == pytest.approx(np.array([0.5, 0.5, 0.5, 0.125]))  # an area as before, so a crop as before


def test_a_network_can_ask_for_past_boxes_in_the_search_crop() -> None:
    given: list[np.ndarray] = []

    def step(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        given.append(arrays["history"])
        return brightest(arrays)

    spec = replace(SPEC, history=History(length=3, every=2))
    many: MultiTracker[str, Target] = MultiTracker(NetworkMethod(FakeSession(spec=spec, step=step)))
    many.add("moves", picture(50), (50, 60, 20, 20))
    many.add("other", picture(50), (50, 60, 20, 20))
    for x in range(52, 66, 2):
        many.update(picture(x))
    assert all(boxes.shape == (2, 3, 4) and boxes.dtype == np.float32 for boxes in given)
    # two pixels a frame, crops of 80 pixels around the last box: the distance to it of the boxes of two and of four frames ago
    distances = [0.5 - boxes[0, :, 0] for boxes in given]
    expected = [(0, 0, 0), (2, 2, 0), (4, 4, 0), (6, 4, 0), (8, 4, 0), (8, 4, 0), (8, 4, 0)]
    assert np.array(distances) * 80 == pytest.approx(np.array(expected), abs=0.5)
    assert given[-1][0, :, 1:] == pytest.approx(np.tile([0.5, 0.25, 0.25], (3, 1)), abs=0.01)


def test_without_a_history_no_past_boxes_are_kept() -> None:
    method = NetworkMethod(FakeSession())
    [(state, _)] = method.advance([Frame(picture(50))], [method.begin(Frame(picture(50)), Box(50, 60, 20, 20))])
    assert state.history == ()


def test_small_targets_get_crops_of_their_own_size_and_stay_apart_from_the_others() -> None:
    shapes: list[tuple[int, ...]] = []

    def step(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        shapes.append(arrays["search"].shape)
        return brightest(arrays)

    spec = replace(SPEC, search=replace(SPEC.search, small=(0.02, 288)))
    many: MultiTracker[str, Target] = MultiTracker(NetworkMethod(FakeSession(spec=spec, step=step)))
    many.add("large", picture(50), (45, 55, 30, 30))
    many.add("small", picture(50), (50, 60, 20, 20))
    many.add("large too", picture(50), (45, 55, 30, 30))
    estimates = many.update(picture(54))
    assert shapes == [(2, 256, 256, 3), (1, 288, 288, 3)]
    assert list(estimates) == ["large", "small", "large too"]
    for estimate in estimates.values():
        assert estimate.box == pytest.approx((54, 60, 20, 20), abs=1.0)


@pytest.mark.parametrize("border,fill", [("first-mean", 41.6), ("first-mean-floor", 41.0)])
def test_the_border_is_the_mean_of_the_first_frame(border: Border, fill: float) -> None:
    spec = replace(SPEC, search=replace(SPEC.search, border=border))
    first = np.full((120, 200, 3), 41, np.uint8)
    first[:72] = 42
    assert NetworkMethod(FakeSession(spec=spec)).begin(Frame(first), Box(50, 60, 20, 20)).fill == pytest.approx((fill,) * 3)


def test_rules_of_start_and_report_touch_the_given_and_the_reported_box_only() -> None:
    spec = replace(SPEC, start="half-pixel", report="corner", clip="none")
    method = NetworkMethod(FakeSession(spec=spec))
    state = method.begin(Frame(picture(50)), Box(0.2, 60, 20, 20))
    assert state.box == pytest.approx((-0.3, 59.5, 20, 20))
    [(state, estimate)] = method.advance([Frame(picture(50))], [state])
    assert state.box == pytest.approx((-0.3, 59.5, 20, 20))
    assert estimate.box == pytest.approx((0, 59.5, 20, 20))


def test_the_next_search_may_start_inside_the_frame_though_the_box_was_reported_outside() -> None:
    said = iter([[0.1, 0.5, 0.25, 0.25], [-2.0, 0.5, 0.25, 0.25]])
    session = FakeSession(
        spec=replace(SPEC, clip="none", seek="inside"),
        step=lambda arrays: stay(arrays) | {"box": np.array([next(said)], np.float32)},
    )
    method = NetworkMethod(session)
    state = method.begin(Frame(picture(0)), Box(0, 60, 20, 20))
    [(state, estimate)] = method.advance([Frame(picture(0))], [state])
    assert estimate.box == pytest.approx((-32, 60, 20, 20))  # nothing of it is left inside: the search stays
    assert state.box == (0, 60, 20, 20)


@pytest.mark.parametrize("reads_once", [False, True], ids=["pixels kept", "read by init"])
def test_templates_change_when_the_memory_says_so_and_the_first_stays(reads_once: bool) -> None:
    seen: list[list[int]] = []
    scores = iter([0.9, 0.9, 0.9, 0.2, 0.9, 0.9, 0.9])

    def init(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        return {"level": arrays["template"].max(axis=(1, 2, 3))}

    def step(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        levels = arrays["level"] if reads_once else arrays["template"].max(axis=(2, 3, 4))
        seen.append(levels[0].tolist())
        return stay(arrays) | {"score": np.array([next(scores)], np.float32)}

    spec = replace(SPEC, memory=Memory(every=(2, 3), above=0.5))
    following = tracker(FakeSession(spec=spec, step=step, init=init if reads_once else None))
    following.init(picture(50, level=100), (50, 60, 20, 20))
    for i in range(1, 8):
        following.update(picture(50, level=100 + i))
    # the interval of 2 falls due in frames 2, 4 (not sure enough) and 6; that of 3 in frames 3 and 6
    expected = [(100, 100), (100, 100), (102, 100), (102, 103), (102, 103), (102, 103), (106, 106)]
    assert seen == [[100, *levels] for levels in expected]


def levels_seen(rule: Memory, scores: Sequence[float], *, together: bool = False, gate: bool = False) -> list[list[int]]:
    """Which templates a network is given in each frame, where frame i has a target of level 200 + i; -1 where a place is empty."""
    seen: list[list[int]] = []
    told = iter(scores)

    def init(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        levels = arrays["template"].max(axis=(2, 3, 4)).astype(int)
        return {"levels": np.where(arrays["filled"], levels, -1)}

    def step(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        seen.append((arrays["levels"] if together else arrays["template"].max(axis=(2, 3, 4)))[0].tolist())
        said = brightest(arrays) | {"score": np.array([next(told)], np.float32)}
        return said | {"score": np.array([0.1], np.float32), "gate": said["score"]} if gate else said

    spec = replace(SPEC, memory=replace(rule, together=together), feed=("filled",) if together else ())
    one = tracker(FakeSession(spec=spec, step=step, init=init if together else None))
    one.init(picture(50, level=200), (50, 60, 20, 20))
    for i in range(1, len(scores) + 1):
        one.update(picture(50, level=200 + i))
    return seen


BEST = Memory(every=(3,), above=0.5, keep="best", otherwise="first")


@pytest.mark.parametrize("gate", [False, True], ids=["by score", "by gate"])
@pytest.mark.parametrize("together", [False, True], ids=["one by one", "together"])
def test_the_best_frame_since_the_last_change_becomes_a_template_else_the_first_one(together: bool, gate: bool) -> None:
    scores = [0.6, 0.9, 0.8, 0.4, 0.5, 0.3, 0.6, 0.6, 0.6, 0.1]
    seen = levels_seen(BEST, scores, together=together, gate=gate)
    assert [second for _, second in seen] == [200] * 3 + [202] * 3 + [200] * 3 + [207]
    assert {first for first, _ in seen} == {200}


def test_without_a_good_frame_a_template_stays_where_the_first_may_not_return() -> None:
    assert [row[1] for row in levels_seen(replace(BEST, otherwise="keep"), [0.9, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])] == [200] * 3 + [201] * 4


def test_the_first_template_returns_where_the_last_frame_is_taken_and_is_not_good() -> None:
    seen = levels_seen(replace(BEST, keep="last"), [0.1, 0.1, 0.9, 0.9, 0.9, 0.1, 0.1])
    assert [row[1] for row in seen] == [200] * 3 + [203] * 3 + [200]


def test_an_old_best_score_fades() -> None:
    scores = [0.9, 0.7, 0.7, 0.1]
    assert levels_seen(BEST, scores)[-1] == [200, 201]
    assert levels_seen(replace(BEST, decay=0.8), scores)[-1] == [200, 203]  # 0.9 * 0.8 > 0.7 > 0.9 * 0.8 * 0.8


def test_places_are_filled_and_changed_in_turn() -> None:
    rule = replace(BEST, every=(1, 1), turns=True)
    seen = levels_seen(rule, [0.9] * 5, together=True)
    assert seen == [[200, 200, -1], [200, 200, 201], [200, 202, 201], [200, 202, 203], [200, 204, 203]]


def test_targets_of_one_batch_change_templates_each_in_its_own_time() -> None:
    def step(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        seen.append(arrays["template"][:, 1].max(axis=(1, 2, 3)).tolist())
        return stay(arrays)

    seen: list[list[int]] = []
    many: MultiTracker[int, Target] = MultiTracker(NetworkMethod(FakeSession(spec=replace(SPEC, memory=Memory(every=(2,))), step=step)))
    many.add(0, picture(50, level=100), (50, 60, 20, 20))
    many.update(picture(50, level=101))
    many.add(1, picture(50, level=101), (50, 60, 20, 20))
    for level in (102, 103, 104):
        many.update(picture(50, level=level))
    assert seen == [[100], [100, 101], [102, 101], [102, 103]]


def count_templates(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
    """A score from the number of templates and the frames that went before; the frames are counted in a state."""
    assert arrays["template"].ndim == 5
    num = np.full(arrays["count"].shape, arrays["template"].shape[1], np.float32)
    return stay(arrays) | {"score": (num + 100 * arrays["count"]) / 1000, "next.count": arrays["count"] + 1}


def begin_to_count(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
    return {"template": arrays["template"], "next.count": np.zeros(arrays["template"].shape[0], np.float32)}


@pytest.mark.parametrize(
    "memory,read",
    [
        pytest.param(Memory(every=(1,)), [2, 2, 2, 2, 2, 2, 2], id="a place"),
        pytest.param(Memory(samples=3), [1, 2, 3, 3, 3, 4, 4], id="samples"),
    ],
)
def test_new_templates_leave_the_state_of_the_target_itself_alone(memory: Memory, read: list[int]) -> None:
    following = tracker(FakeSession(spec=replace(SPEC, memory=memory), init=begin_to_count, step=count_templates))
    for _ in range(2):  # init starts over
        following.init(picture(50), (50, 60, 20, 20))
        scores = [following.update(picture(50)).score for _ in read]
        assert scores == pytest.approx([num / 1000 + 0.1 * count for count, num in enumerate(read)])


def test_targets_that_read_different_numbers_of_templates_stay_apart() -> None:
    method = NetworkMethod(FakeSession(spec=replace(SPEC, memory=Memory(samples=3)), init=begin_to_count, step=count_templates))
    many: MultiTracker[str, Target] = MultiTracker(method)
    many.add("early", picture(50), (50, 60, 20, 20))
    many.update(picture(50))
    many.add("late", picture(50), (50, 60, 20, 20))
    scores = {key: estimate.score for key, estimate in many.update(picture(50)).items()}
    assert scores == pytest.approx({"early": 0.102, "late": 0.001})


def test_a_mask_comes_back_where_the_network_put_it_in_the_search_crop() -> None:
    def step(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        batch = arrays["search"].shape[0]
        place = np.tile(np.array([0.75, 0.25, 0.5, 0.5], np.float32), (batch, 1))
        return stay(arrays) | {"mask": np.ones((batch, 9, 9), np.float32), "mask_box": place}

    following = tracker(FakeSession(spec=replace(SPEC, mask_above=0.3), step=step))
    following.init(picture(50), (50, 60, 20, 20))
    estimate = following.update(picture(50))
    assert estimate.mask is not None
    assert estimate.mask.above == 0.3
    searched = estimate.region.frame
    assert estimate.mask.box == pytest.approx((60, searched.y, searched.w / 2, searched.h / 2), abs=1.0)
    assert tracker_without_masks().update(picture(50)).mask is None


def tracker_without_masks() -> Tracker[Target]:
    following = tracker()
    following.init(picture(50), (50, 60, 20, 20))
    return following


def test_a_network_can_ask_what_lies_outside_the_frame() -> None:
    masks: dict[str, np.ndarray] = {}

    def init(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        masks["template"] = arrays["template_padding"]
        return {"state": np.zeros((1, 1))}

    def step(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        masks["search"] = arrays["search_padding"]
        return stay(arrays)

    following = tracker(FakeSession(spec=replace(SPEC, feed=("padding",)), init=init, step=step))
    following.init(picture(10), (10, 60, 20, 20))
    following.update(picture(10))
    assert {name: (mask.shape, mask.dtype) for name, mask in masks.items()} == {
        "template": ((1, 128, 128), np.dtype(bool)),
        "search": ((1, 256, 256), np.dtype(bool)),
    }
    assert masks["search"][0, :, 0].all()  # 20 pixels beyond the left side
    assert not masks["search"][0, 128, 128:].any()
    assert not masks["template"].any()


def test_a_crop_of_several_scales_is_several_pictures_and_boxes_are_of_scale_one() -> None:
    shapes: dict[str, tuple[int, ...]] = {}

    def step(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        shapes.update({name: array.shape for name, array in arrays.items()})
        bright = (arrays["template"][0, ..., 0] > 128).mean(axis=(1, 2))  # of each scale
        assert bright == pytest.approx((0.25, 1 / 16), abs=0.03)
        return stay(arrays)

    wide = replace(SPEC.template, scales=(1.0, 2.0))
    three = replace(SPEC.search, scales=(0.9, 1.0, 1.1))
    following = tracker(FakeSession(spec=replace(SPEC, template=wide, search=three), step=step))
    following.init(picture(50), (50, 60, 20, 20))
    assert following.update(picture(50)).box == pytest.approx((50, 60, 20, 20))
    assert shapes == {"template": (1, 2, 128, 128, 3), "search": (1, 3, 256, 256, 3)}


def test_a_target_can_be_pickled_and_goes_on_elsewhere() -> None:
    method = NetworkMethod(FakeSession(step=brightest))
    state = method.begin(Frame(picture(50)), Box(50, 60, 20, 20))
    [(_, estimate)] = method.advance([Frame(picture(54))], [pickle.loads(pickle.dumps(state))])
    assert estimate.box == pytest.approx((54, 60, 20, 20), abs=1.0)


def test_a_template_that_is_a_running_mean_moves_a_little_in_every_frame() -> None:
    spec = replace(SPEC, memory=Memory(mix=0.25))
    method = NetworkMethod(FakeSession(spec=spec, init=lambda arrays: {"mean": arrays["template"].mean(axis=(1, 2, 3)).astype(np.float32)}))
    state = method.begin(Frame(np.zeros((100, 100, 3), np.uint8)), Box(40, 40, 20, 20))
    assert state.arrays["mean"] == 0
    for expected in (25.0, 43.75):
        [(state, _)] = method.advance([Frame(np.full((100, 100, 3), 100, np.uint8))], [state])
        assert state.arrays["mean"] == pytest.approx(expected)
