"""Where to draw the two lines of a status: below which scores a target is lost, from which on it is surely tracked.

    python -m sightline.train.calibrate --weights W.safetensors --data DATA

prints how often each threshold would be right, and the two thresholds that the rules of `choose` take from that, three times:

pairs    of the validation split, a quarter without the target
tracks   stored tracks followed as in `rollout`; then pictures of another source, looked at with the template of each track
scenes   rendered clips followed from the first frame; the camera loses the target for a third of the time

The thresholds are then written into the spec by hand, in `sightline/zoo`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline import box as boxes
from sightline.errors import BadSpec
from sightline.frame import Frame
from sightline.methods.network import NetworkMethod
from sightline.models.checkpoint import load
from sightline.models.session import TorchSession
from sightline.scene import Look, Scene, render
from sightline.tracker import Tracker
from sightline.train.loop import Seen
from sightline.train.pairs import Track, read_tracks
from sightline.train.program import parts_shown, program
from sightline.train.recipes import RECIPES
from sightline.train.recipes.kestrel import ALL_VIDEOS
from sightline.train.rollout import SHORTEST
from sightline.train.tracker import held_out_pairs
from sightline.train.validate import Answers, answers

__all__ = ["Row", "choose", "on_scenes", "on_tracks", "rows", "table"]

GRID = tuple(i / 100 for i in range(2, 96))


@dataclass(frozen=True, slots=True)
class Row:
    """What a threshold would do.

    Attributes:
        threshold: of the score.
        absent_below: share of the frames without the target whose score is below it.
        found_below: share of the frames in which the box is right (IoU over 0.5) whose score is below it.
        right_above: share of the frames from the threshold on in which the box is right.
    """

    threshold: float
    absent_below: float
    found_below: float
    right_above: float


def rows(given: Answers) -> list[Row]:
    """A row for each threshold of a fixed grid. Shares of nothing are NaN."""
    right = given.present & (given.overlap > 0.5)
    made = []
    for threshold in GRID:
        below = given.score < threshold
        made.append(Row(threshold, _share(below[~given.present]), _share(below[right]), _share(right[~below])))
    return made


def choose(made: Iterable[Row]) -> tuple[float, float]:
    """The thresholds (lost_below, sure_above).

    Lost: the lowest line with 95 % of the frames without target below it, but never above one that would call 5 % of the right
    boxes lost. Sure: the lowest line, not under the first, from which on 95 % of the boxes are right.
    """
    made = list(made)
    allowed = [row for row in made if row.found_below <= 0.05]
    lost = next((row for row in allowed if row.absent_below >= 0.95), allowed[-1] if allowed else made[0])
    sure = next((row for row in made if row.threshold >= lost.threshold and row.right_above >= 0.95), made[-1])
    return lost.threshold, sure.threshold


def on_scenes(session: TorchSession, scenes: Sequence[Scene], seen: Seen = lambda *_: None) -> Answers:
    """Follow the target of each scene from its first frame; frames in which little of it can be seen count as absent.

    `seen` is called with how many scenes are done, 0 first, and how many there are.
    """
    overlap, score, present = [], [], []
    seen(0, len(scenes))
    for number, scene in enumerate(scenes, start=1):
        tracker = Tracker(NetworkMethod(session))
        for i, shot in enumerate(render(scene)):
            if i == 0:
                tracker.init(shot.frame, shot.box)
                continue
            estimate = tracker.update(shot.frame)
            overlap.append(float(boxes.iou(np.array(estimate.box), np.array(shot.box))))
            score.append(estimate.score)
            present.append(shot.visible)
        seen(number, len(scenes))
    return Answers(np.array(overlap), np.array(score), np.array(present, dtype=bool))


def on_tracks(session: TorchSession, tracks: Sequence[Track], seen: Seen = lambda *_: None) -> Answers:
    """Follow every track; then look with its template at up to eight objects of a track of another source: it is not there.

    `seen` is called with how many tracks are done, 0 first, and how many there are.
    """
    method = NetworkMethod(session)
    overlap, score, present = [], [], []
    seen(0, len(tracks))
    for i, track in enumerate(tracks):
        frames = [(Frame(image), box) for image, box in (picture.in_frame() for picture in track.pictures)]
        marked = state = method.begin(*frames[0])
        for frame, box in frames[1:]:
            [(state, estimate)] = method.advance([frame], [state])
            overlap.append(float(boxes.iou(np.array(estimate.box), np.array(box))))
            score.append(estimate.score)
            present.append(True)
        other = next((other for other in (*tracks[i:], *tracks) if other.source != track.source), None)
        for image, box in (picture.in_frame() for picture in (other.pictures[:8] if other else ())):
            [(_, estimate)] = method.advance([Frame(image)], [replace(marked, box=box)])
            overlap.append(0.0)
            score.append(estimate.score)
            present.append(False)
        seen(i + 1, len(tracks))
    return Answers(np.array(overlap), np.array(score), np.array(present, dtype=bool))


def table(weights: Path, *, data: Path, scenes: int = 40) -> str:
    """The table for a weights file, and the thresholds that follow.

    Args:
        weights: safetensors file with its spec inside.
        data: folder of the training data; its validation split is used.
        scenes: how many clips to render.

    Raises:
        BadSpec: the network has no recipe.
    """
    network, spec = load(weights)
    if spec.name not in RECIPES:
        raise BadSpec(
            f"{spec.name} has no recipe, and so no pairs that are kept for validation; give weights that `sightline train` has made."
        )
    pairs = held_out_pairs(RECIPES[spec.name](), spec, [data])
    looks: tuple[Look, ...] = ("visible", "visible", "visible", "thermal")
    clips = [Scene(seed=1000 + i, num_frames=90, occlusion=1.0, absent=1 / 3, distractors=0, look=looks[i % 4]) for i in range(scenes)]
    session = TorchSession(spec, network)
    tracks = [track for split in ("train", "val") for track in read_tracks(data, split) if track.source in ALL_VIDEOS]
    followed = [track for track in tracks if len(track.pictures) >= SHORTEST]
    with parts_shown() as begin:
        found = {
            "pairs": answers(network, pairs, spec, seen=begin("pairs")),
            "tracks": on_tracks(session, followed, begin("tracks")),
            "scenes": on_scenes(session, clips, begin("scenes")),
        }
    lines = []
    for name, given in found.items():
        made = rows(given)
        lost, sure = choose(made)
        shown = (row for row in made if round(row.threshold * 100) % 5 == 0 or row.threshold in {lost, sure})
        lines += [f"{name}: " + ", ".join(f"{key} {value:.3f}" for key, value in given.figures().items())]
        lines += ["| threshold | absent below | found below | right above |", "|---|---|---|---|"]
        lines += [f"| {row.threshold:.2f} | {row.absent_below:.3f} | {row.found_below:.3f} | {row.right_above:.3f} |" for row in shown]
        lines += [f"lost_below={lost:.2f}, sure_above={sure:.2f}", ""]
    return "\n".join(lines)


def _share(flags: NDArray[np.bool_]) -> float:
    return float(flags.mean()) if flags.size else float("nan")


if __name__ == "__main__":
    program(table)
