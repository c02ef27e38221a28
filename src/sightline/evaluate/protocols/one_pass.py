"""One pass: every sequence is tracked once from its first box, and each frame's box is compared with the truth.

SEQUENCE.txt                   x,y,w,h of every frame
scores/SEQUENCE_score.txt      what the tracker says of itself, one number per frame
times/SEQUENCE_time.txt        seconds that the tracker took, one per frame; the first is `init`
times/SEQUENCE_parts.txt       where they went, and what decoding took: `speed.PARTS`, tab separated
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sightline.errors import BadData
from sightline.evaluate.clips import boxes_from_file
from sightline.evaluate.dataset import Clip, Dataset
from sightline.evaluate.metrics import Frames, average_overlap, frame_values, mean_iou, precision, share_above, success_auc
from sightline.evaluate.metrics import evaluate as count_all
from sightline.evaluate.protocols.protocol import Counted, Files, Protocol
from sightline.evaluate.results import read_bytes, read_record, rows_to_text
from sightline.evaluate.rules import RULES, Rules
from sightline.evaluate.speed import PARTS, timed
from sightline.evaluate.stability import Stability, stability
from sightline.loop import follow
from sightline.tracker import Tracker

__all__ = ["METRICS", "ONE_PASS", "PLAINEST", "figures", "lacking"]

Floats = NDArray[np.float64]

METRICS = ("auc", "precision", "norm_precision", "ao", "sr50", "sr75")
PLAINEST = (  # the rules "sightline" in words
    "one pass, first frame included; frames without a visible target left out; success: mean of 21 shares of IoU > t; "
    "precision: 20 px; mean over sequences; fps: tracked frames / seconds of the tracker"
)


def track(clip: Clip, tracker: Tracker[Any], origin: int) -> Files:
    """Follow the target from its first box to the end."""
    boxes, scores, seconds, parts = [], [], [], []
    reader, (own, clock) = clip.read(), timed(tracker)
    for step in follow(reader, box=clip.truth[0], tracker=own):
        boxes.append(step.estimate.box)
        scores.append(step.estimate.score)
        seconds.append(step.seconds)
        parts.append((reader.decode_seconds, *clock.parts()))
    rows = np.array(boxes, np.float64) + np.array([origin, origin, 0, 0])
    beside = {
        f"scores/{clip.name}_score.txt": "".join(f"{value:.6f}\n" for value in scores).encode(),
        _times(clip): "".join(f"{value:.8f}\n" for value in seconds).encode(),
        _parts(clip): "".join("\t".join(f"{value:.8f}" for value in row) + "\n" for row in parts).encode(),
    }
    return Files({f"{clip.name}.txt": rows_to_text(rows)}, beside)


def lacking(clip: Clip, folder: Path) -> str | None:
    """What is wrong with the boxes of a clip, in words."""
    path = folder / f"{clip.name}.txt"
    if not path.is_file():
        return "no result"
    try:
        boxes = boxes_from_file(path)
    except BadData as error:
        return f"damaged: {error}"
    if len(boxes) != len(clip.frames):
        return f"{'short' if len(boxes) < len(clip.frames) else 'long'}: {len(boxes)} rows for {len(clip.frames)} frames"
    finite = np.isfinite(boxes).all(axis=1)
    return None if finite.all() else f"not a number in line {int(np.argmin(finite)) + 1}"


def seconds_of(clip: Clip, folder: Path) -> list[float] | None:
    """Of every frame but the first; None without times."""
    name = _times(clip)
    return [float(word) for word in read_bytes(folder / name).split()[1:]] if name in read_record(clip, folder)["files"] else None


def parts_of(clip: Clip, folder: Path) -> Floats | None:
    """(T - 1, 4) seconds by `speed.PARTS` of every frame but the first; None without them."""
    name = _parts(clip)
    if name not in read_record(clip, folder)["files"]:
        return None
    return np.array([line.split() for line in read_bytes(folder / name).splitlines()[1:]], np.float64).reshape(-1, len(PARTS))


class Compared(NamedTuple):
    """Boxes of one sequence beside the truth: frame by frame by rules, and as plain figures."""

    frames: Frames
    plain: Mapping[str, float | None]


def compare(clip: Clip, dataset: Dataset, folder: Path, rules: Rules) -> Compared:
    """Overlaps and errors of one sequence, in the coordinates of the data set's files."""
    size = clip.size() if rules.bounded else None
    boxes = boxes_from_file(folder / f"{clip.name}.txt")
    return Compared(frame_values(boxes, clip.annotations(), clip.visible, rules=rules, size=size), plain_figures(clip, dataset, folder))


def count(sequences: Sequence[Compared], rules: Rules) -> Counted:
    """The figures of `METRICS` by rules, and means of plain ones over sequences."""
    plain = {key: _mean(one.plain[key] for one in sequences) for key in ("mean_iou", *Stability._fields[:-1])}
    means = {**by_rules([one.frames for one in sequences], rules), **plain}
    return Counted(means, [{**one.plain, **by_rules([one.frames], rules)} for one in sequences])


def by_rules(clips: Sequence[Frames], rules: Rules) -> dict[str, float | None]:
    """The figures of `METRICS` of all these sequences together, 0..1 whatever scale the toolkit prints; None where the rules give no number."""
    _, scores = count_all(clips, rules)
    shares = [scores.success, scores.precision, scores.normal, *(share_above(clips, threshold, rules) for threshold in (0.5, 0.75))]
    auc, precise, normal, half, three_quarters = (share / rules.scale for share in shares)
    found = {"auc": auc, "precision": precise, "norm_precision": normal, "ao": average_overlap(clips, rules)}
    found |= {"sr50": half, "sr75": three_quarters}
    return {key: value if math.isfinite(value) else None for key, value in found.items()}


def plain_figures(clip: Clip, dataset: Dataset, folder: Path) -> dict[str, float | None]:
    """Success, precision, mean overlap and steadiness of one sequence by no toolkit's rules; None where its truth is not public, or there is none."""
    if not dataset.scored:
        return dict.fromkeys(("auc", "precision", "mean_iou", *Stability._fields[:-1]))
    boxes = boxes_from_file(folder / f"{clip.name}.txt") - np.array([dataset.origin, dataset.origin, 0, 0])
    truth = np.where(clip.visible[:, np.newaxis], clip.truth, np.nan)
    steady = stability(boxes, truth)._asdict()
    del steady["frames"]
    found = {"auc": success_auc(boxes, truth), "precision": precision(boxes, truth), "mean_iou": mean_iou(boxes, truth), **steady}
    return {key: value if math.isfinite(value) else None for key, value in found.items()}


def figures(clip: Clip, dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Plain figures of one sequence, its frames and its speed (None without times)."""
    seconds = seconds_of(clip, folder)
    return {
        **plain_figures(clip, dataset, folder),
        "fps": len(seconds) / sum(seconds) if seconds and sum(seconds) else None,
        "frames": len(clip.frames),
        "absent": len(clip.frames) - int(clip.visible.sum()) if dataset.scored else None,
        "seconds": sum(seconds) if seconds is not None else None,
        "timed_on": read_record(clip, folder).get("timed_on"),
    }


def _times(clip: Clip) -> str:
    return f"times/{clip.name}_time.txt"


def _parts(clip: Clip) -> str:
    return f"times/{clip.name}_parts.txt"


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


ONE_PASS = Protocol(
    name="one-pass",
    folder="",
    track=track,
    problem=lacking,
    values=compare,
    count=count,
    seconds=seconds_of,
    parts=parts_of,
    metrics=(*METRICS, "mean_iou", *Stability._fields[:-1]),
    headings={"auc": "AUC", "precision": "precision", "norm_precision": "normalised", "ao": "AO", "sr50": "SR50", "sr75": "SR75"},
    rules={"sightline": RULES["sightline"], **RULES},  # that first: of a data set that belongs to no benchmark
    finds_boxes=True,
)
