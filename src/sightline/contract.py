"""What every tracker keeps to, as checks that anybody can run on a tracker of their own.

    @pytest.mark.parametrize("check", sightline.contract.checks(method), ids=str)
    def test_contract(check):
        check()

They need no data and say nothing about how well a tracker follows: only that it can be relied on.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sightline.box import Box
from sightline.errors import BadBox, BadImage, NotStarted
from sightline.estimate import Estimate
from sightline.frame import Frame
from sightline.methods import Method
from sightline.spec import spec_from_json, spec_to_json
from sightline.tracker import Tracker

__all__ = ["Check", "checks"]

SIZE = (160, 120)  # of the made frames, width and height
BOXES = (Box(40, 30, 32, 24), Box(90, 50, 20, 40), Box(10.5, 70.25, 36.5, 30))
LENGTH = 2  # frames after the first; enough for whatever depends on the frame before
TOLERANCE = 1e-3  # pixels: sums of a batch may be in another order


@dataclass(frozen=True, slots=True)
class Check:
    """One promise; calling it raises AssertionError, or whatever the tracker raises, where it is broken."""

    promise: str
    method: Method[Any]
    run: Callable[[Method[Any]], None]

    def __call__(self) -> None:
        """Hold the tracker to it.

        Raises:
            RuntimeError: Python runs without assertions, and nothing could be found broken.
        """
        if not __debug__:
            raise RuntimeError("the contract is checked by assertions, which `python -O` leaves out: run it without -O.")
        self.run(self.method)

    def __str__(self) -> str:
        return self.promise


def checks(method: Method[Any]) -> list[Check]:
    """The promises of a tracker.

    Args:
        method: what moves its targets; `tracker.method` of a loaded one.
    """
    return [Check(run.__name__.removeprefix("_").replace("_", " "), method, run) for run in PROMISES]


def _its_spec_survives_json(method: Method[Any]) -> None:
    spec = method.spec
    assert spec_from_json(spec_to_json(spec), {spec.family: type(spec.arch)}) == spec


def _every_estimate_is_sound(method: Method[Any]) -> None:
    for estimate in _track(method, BOXES[0]):
        assert np.isfinite(estimate.box).all(), f"the box is {estimate.box}"
        assert min(estimate.box.w, estimate.box.h) > 0, f"the box is {estimate.box}"
        assert estimate.status in ("tracked", "uncertain", "lost")
        if method.spec.score == "none":
            assert np.isnan(estimate.score), "the spec promises no score"
        else:
            assert np.isfinite(estimate.score), f"the score is {estimate.score}"
        if method.spec.score == "probability":
            assert 0 <= estimate.score <= 1, f"the score is {estimate.score}, which is no probability"


def _the_same_frames_give_the_same_boxes(method: Method[Any]) -> None:
    _equal(_track(method, BOXES[0]), _track(method, BOXES[0]))


def _another_start_forgets_the_first(method: Method[Any]) -> None:
    tracker = Tracker(method)
    tracker.init(_frame(method, 0, seed=1), BOXES[1])
    tracker.update(_frame(method, 1, seed=1))
    tracker.init(_frame(method, 0), BOXES[0])
    _equal([tracker.update(_frame(method, i)) for i in range(1, LENGTH + 1)], _track(method, BOXES[0]))


def _a_state_is_a_value(method: Method[Any]) -> None:
    """Going on from one state twice gives the same twice: nothing in it was changed."""
    state = method.begin(_frame(method, 0), BOXES[0])
    for i in range(1, LENGTH + 1):
        [(after, first)] = method.advance([_frame(method, i)], [state])
        [(_, second)] = method.advance([_frame(method, i)], [state])
        _equal([first], [second])
        state = after


def _many_targets_equal_each_alone(method: Method[Any]) -> None:
    first = _frame(method, 0)
    states = [method.begin(first, box) for box in BOXES]
    alone = [_track(method, box) for box in BOXES]
    for i in range(1, LENGTH + 1):
        results = method.advance([_frame(method, i)] * len(BOXES), states)
        states = [state for state, _ in results]
        _close([estimate for _, estimate in results], [estimates[i - 1] for estimates in alone])


def _many_videos_equal_each_alone(method: Method[Any]) -> None:
    states = [method.begin(_frame(method, 0, seed), box) for seed, box in enumerate(BOXES[:2])]
    for i in range(1, LENGTH + 1):
        results = method.advance([_frame(method, i, seed) for seed in range(2)], states)
        states = [state for state, _ in results]
    _close([estimate for _, estimate in results], [_track(method, box, seed)[-1] for seed, box in enumerate(BOXES[:2])])


def _two_trackers_do_not_interfere(method: Method[Any]) -> None:
    pair = [Tracker(method), Tracker(method)]
    for seed, tracker in enumerate(pair):
        tracker.init(_frame(method, 0, seed), BOXES[seed])
    said = [[tracker.update(_frame(method, i, seed)) for seed, tracker in enumerate(pair)] for i in range(1, LENGTH + 1)]
    for seed in range(2):
        _equal([row[seed] for row in said], _track(method, BOXES[seed], seed))


def _no_frame_is_written_to(method: Method[Any]) -> None:
    frame = _frame(method, 0)
    before = frame.image.copy()
    method.advance([frame], [method.begin(frame, BOXES[0])])
    assert np.array_equal(frame.image, before)


def _targets_at_the_edge_and_flat_pictures_are_borne(method: Method[Any]) -> None:
    flat = _of(method, np.full((SIZE[1], SIZE[0], 3), 128, np.uint8), 0)
    width, height = SIZE
    for box in (Box(-10, -8, 24, 20), Box(width - 6, height - 5, 30, 30), Box(0, 0, width, height), Box(70, 50, 2, 3)):
        state = method.begin(flat, box)
        for _ in range(2):
            [(state, estimate)] = method.advance([flat], [state])
            assert np.isfinite(estimate.box).all(), f"from {box} to {estimate.box}"


def _nobody_at_all_is_no_mistake(method: Method[Any]) -> None:
    assert method.advance([], []) == []


def _mistakes_are_named(method: Method[Any]) -> None:
    tracker = Tracker(method)
    frame = _frame(method, 0)
    _raises(NotStarted, lambda: tracker.update(frame))
    _raises(BadBox, lambda: tracker.init(frame, (SIZE[0] + 1, 0, 10, 10)))
    _raises(BadBox, lambda: tracker.init(frame, (0, 0, 10, float("nan"))))
    _raises(BadImage, lambda: tracker.init(np.zeros((4, 4, 7), np.uint8), (0, 0, 2, 2)))
    if "extra" in method.spec.feed:
        _raises(BadImage, lambda: tracker.init(Frame(frame.image), BOXES[0]))


def _it_works_on_in_another_process(method: Method[Any]) -> None:
    """Workers of a pool get a copy by pickle."""
    _equal(_track(pickle.loads(pickle.dumps(method)), BOXES[0]), _track(method, BOXES[0]))  # noqa: S301  # what was just pickled


PROMISES: tuple[Callable[[Method[Any]], None], ...] = (
    _its_spec_survives_json,
    _every_estimate_is_sound,
    _the_same_frames_give_the_same_boxes,
    _another_start_forgets_the_first,
    _a_state_is_a_value,
    _many_targets_equal_each_alone,
    _many_videos_equal_each_alone,
    _two_trackers_do_not_interfere,
    _no_frame_is_written_to,
    _targets_at_the_edge_and_flat_pictures_are_borne,
    _nobody_at_all_is_no_mistake,
    _mistakes_are_named,
    _it_works_on_in_another_process,
)


def _track(method: Method[Any], box: Box, seed: int = 0) -> list[Estimate]:
    """One target over the frames after the first."""
    tracker = Tracker(method)
    tracker.init(_frame(method, 0, seed), box)
    return [tracker.update(_frame(method, i, seed)) for i in range(1, LENGTH + 1)]


def _frame(method: Method[Any], index: int, seed: int = 0) -> Frame:
    """A picture of noise that moves two pixels to the right and one down in every frame; not to be written to."""
    noise = np.random.default_rng(seed).integers(0, 256, (SIZE[1] // 4, SIZE[0] // 4, 3), np.uint8)
    return _of(method, np.roll(noise.repeat(4, axis=0).repeat(4, axis=1), (index, 2 * index), axis=(0, 1)), index)


def _of(method: Method[Any], image: np.ndarray, index: int) -> Frame:
    image.setflags(write=False)
    return Frame(image, index, extra=image if "extra" in method.spec.feed else None)


def _equal(found: Sequence[Estimate], expected: Sequence[Estimate]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.box == other.box, f"{one.box} instead of {other.box}"
        assert one.score == other.score or np.isnan(other.score), f"score {one.score} instead of {other.score}"


def _close(found: Sequence[Estimate], expected: Sequence[Estimate]) -> None:
    for one, other in zip(found, expected, strict=True):
        difference = float(np.abs(np.subtract(one.box, other.box)).max())
        assert difference <= TOLERANCE, f"{one.box} instead of {other.box}: {difference:.2g} pixels"


def _raises(kind: type[Exception], call: Callable[[], object]) -> None:
    try:
        call()
    except kind as error:
        assert str(error), f"{kind.__name__} says nothing"  # noqa: PT017  # not a test: users run it with any runner
    else:
        raise AssertionError(f"{kind.__name__} was expected, and nothing was raised")
