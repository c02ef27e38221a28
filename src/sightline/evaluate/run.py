"""One-pass evaluation whose results are files: a run that was interrupted goes on, and nothing that is missing is passed over.

OUTPUT/DATASET/TRACKER/
  SEQUENCE.txt                   x,y,w,h of every frame, in the coordinates of the data set's own files
  scores/SEQUENCE_score.txt      what the tracker says of itself, one number per frame
  times/SEQUENCE_time.txt        seconds that the tracker took, one per frame; the first is `init`
  made/SEQUENCE.json             by what the three were made, and their SHA-256: written last
  replaced/                      results that a later run has made anew
  run.json  summary.json         what the tracker, the machine and the data were; the figures, or what is missing
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import BadData, SightlineError
from sightline.evaluate.clips import Clip, Dataset, boxes_from_file
from sightline.evaluate.metrics import Frames, average_overlap, frame_values, mean_iou, precision, share_above, success_auc
from sightline.evaluate.metrics import evaluate as count_all
from sightline.evaluate.rules import Rules, find_rules
from sightline.fleet import Lost, Pool
from sightline.frame import read
from sightline.loop import follow
from sightline.tracker import Tracker
from sightline.weights import init_path, write_whole

__all__ = [
    "METRICS",
    "RULES",
    "Maker",
    "Ran",
    "Summary",
    "evaluate",
    "figures",
    "import_boxes",
    "lacks",
    "make_folder",
    "maker_of",
    "score",
]

Floats = NDArray[np.float64]

METRICS = ("auc", "precision", "norm_precision", "ao", "sr50", "sr75")
RULES = (  # the row "sightline" in words
    "one pass, first frame included; frames without a visible target left out; success: mean of 21 shares of IoU > t; "
    "precision: 20 px; mean over sequences; fps: tracked frames / seconds of the tracker"
)


@dataclass(frozen=True, slots=True)
class Maker:
    """What results are made by; those of one maker stand beside each other, those of another are made anew.

    Attributes:
        name: folder of the results.
        facts: everything that may change a box: spec, SHA-256 of the weights, engine and versions.
    """

    name: str
    facts: Mapping[str, Any]

    def digest(self) -> str:
        """SHA-256 of the facts."""
        return _sha256(_json(self.facts))


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run did.

    Attributes:
        skipped: sequences whose results were complete.
        made: sequences that were tracked now, with the reason: "no result", or what was wrong with the one that was there.
        failed: sequences that could not be tracked, with the reason.
    """

    skipped: tuple[str, ...]
    made: Mapping[str, str]
    failed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures of one tracker on one data set.

    Attributes:
        expected: sequences that the data set has.
        means: `METRICS` by the rules, `mean_iou` over the sequences, `fps` over all frames; None where there is none, or where there are gaps.
        sequences: the same of each evaluated sequence, and its frames.
        gaps: what is missing or wrong, by sequence.
        tracker_hash: SHA-256 of what made the results.
        dataset_hash: SHA-256 of the data set, missing sequences left out.
        timed_on: processors and threads that the times are from; with several there is no mean speed.
        rules: by which `METRICS` are counted.
    """

    expected: int
    means: Mapping[str, float | None]
    sequences: Mapping[str, Mapping[str, Any]]
    gaps: Mapping[str, str]
    tracker_hash: str
    dataset_hash: str
    timed_on: tuple[str, ...]
    rules: str


def maker_of(name: str, weights: Path, spec_json: str, *, engine: str, versions: Mapping[str, str | None]) -> Maker:
    """What a tracker of a weights file is, by content.

    Raises:
        BadData: a file cannot be read.
    """
    files = [path for path in (weights, init_path(weights)) if path.is_file()]
    hashes = {path.name: _sha256(_bytes(path)) for path in files}
    return Maker(name, {"spec": json.loads(spec_json), "weights_sha256": hashes, "engine": engine, "versions": dict(versions)})


def make_folder(output: Path, dataset: Dataset, tracker: str) -> Path:
    """Where the results of a tracker on a data set belong."""
    return output / dataset.name.replace(":", "-") / tracker


def evaluate(
    tracker: Tracker[Any],
    dataset: Dataset,
    folder: Path,
    *,
    maker: Maker,
    pool: Pool,
    timed_on: str,
    setting: Mapping[str, Any],
    report: Callable[[Clip], None] = lambda _: None,
) -> Ran:
    """Track every sequence once from its first box, except those whose results are complete.

    Args:
        tracker: any; copies of it are used.
        dataset: what to track.
        folder: for the results, see the module; of one tracker and one data set.
        maker: what `tracker` is.
        pool: where to run.
        timed_on: processor and threads, for the times.
        setting: what else `run.json` should tell of the machine.
        report: called for each sequence that is done or skipped.

    Raises:
        WeightsMissing: a file cannot be written.
        BadData: an image has disappeared.
    """
    digests = {clip.name: clip.digest() for clip in dataset}
    _remove_parts(folder)
    run = {"tracker": maker.name, "tracker_hash": maker.digest(), **maker.facts, **setting, "timed_on": timed_on}
    data = {"name": dataset.name, "hash": _combined(digests), "missing": dict(dataset.missing)}
    left_out = {clip.name: clip.dropped for clip in dataset if clip.dropped}
    run |= {"dataset": {**data, "sequences": len(dataset), "frames": sum(len(clip.frames) for clip in dataset), "left_out": left_out}}
    write_whole({folder / "run.json": _json(run)})
    reasons = {clip.name: lacks(clip, folder, maker.digest(), digests[clip.name]) for clip in dataset}
    for clip in dataset:
        if reasons[clip.name] is None:
            report(clip)
    due = [clip for clip in dataset if reasons[clip.name] is not None]
    made: dict[str, str] = {}
    failed: dict[str, str] = {}
    stamps = {name: {"tracker": maker.digest(), "data": digest, "timed_on": timed_on} for name, digest in digests.items()}
    work = partial(_track_clip, tracker=tracker, folder=folder, stamps=stamps, origin=dataset.origin)
    with contextlib.closing(pool.map(work, due)) as results:
        for number, problem in results:
            name = due[number].name
            if problem is None:
                made[name] = reasons[name] or ""
            else:
                failed[name] = f"not tracked: {problem.reason if isinstance(problem, Lost) else problem}"
            report(due[number])
    return Ran(tuple(clip.name for clip in dataset if reasons[clip.name] is None), made, failed)


def import_boxes(file: Path, dataset: Dataset, folder: Path, *, tracker: str) -> Maker:
    """Take over boxes that something else has made; they are scored as they are.

    Args:
        file: .npz with one (T, 4) array `<tracker>/<sequence>` for each sequence, in the coordinates of the data set's files.
        dataset: what was tracked.
        folder: for the results.
        tracker: first part of the arrays' names.

    Raises:
        BadData: no such file, no array of that tracker, or an array that is not (T, 4).
        WeightsMissing: a file cannot be written.
    """
    maker = Maker(tracker, {"imported": file.name, "sha256": _sha256(_bytes(file))})
    prefix = f"{tracker}/"
    try:
        with np.load(file, allow_pickle=False) as arrays:
            boxes = {name.removeprefix(prefix): np.asarray(arrays[name], np.float64) for name in arrays.files if name.startswith(prefix)}
            others = sorted({name.partition("/")[0] for name in arrays.files})
    except (OSError, ValueError, AttributeError) as error:
        raise BadData(f"{file} is not an .npz file of boxes ({error}); expected arrays named TRACKER/SEQUENCE.") from error
    if not boxes:
        raise BadData(
            f"{file} has no array of the tracker {tracker!r}; it has {', '.join(others) or 'none at all'}. Name one by --tracker."
        )
    unknown = sorted(set(boxes) - {clip.name for clip in dataset} - set(dataset.missing))
    if unknown:
        raise BadData(f"{file} has boxes of {unknown[0]!r}, which is no sequence of {dataset.name}; {len(unknown)} in all.")
    for clip in dataset:
        if clip.name in boxes:
            rows = boxes[clip.name]
            if rows.ndim != 2 or rows.shape[1] != 4:
                raise BadData(f"{file}: {prefix}{clip.name} is {rows.shape}; expected (frames, 4).")
            _write(clip, folder, rows, stamp={"tracker": maker.digest(), "data": clip.digest()})
    write_whole({folder / "run.json": _json({"tracker": tracker, "tracker_hash": maker.digest(), **maker.facts})})
    return maker


def score(
    dataset: Dataset,
    folder: Path,
    *,
    maker: Maker,
    failed: Mapping[str, str] | None = None,
    partial_means: bool = False,
    rules: str | None = None,
) -> Summary:
    """Score what stands in a folder, and list what does not.

    Boxes are compared with the annotation as its files have it. Every figure is in 0..1, whatever scale the toolkit prints.

    Args:
        dataset: what was tracked.
        folder: the results.
        maker: what has to have made them.
        failed: what is known already of sequences without a result.
        partial_means: give means where there are gaps, too.
        rules: a name of `rules.RULES`; None for those of the data set.

    Raises:
        BadData: an image has disappeared, or there are no such rules.
    """
    counted = find_rules(rules or dataset.rules)
    digests = {clip.name: clip.digest() for clip in dataset}
    gaps: dict[str, str] = {name: f"missing in the data set: {lacking}" for name, lacking in dataset.missing.items()}
    sequences: dict[str, dict[str, Any]] = {}
    values: list[Frames] = []
    for clip in dataset:
        problem = (failed or {}).get(clip.name) or lacks(clip, folder, maker.digest(), digests[clip.name])
        if problem is None and not clip.visible.any():
            problem = "no frame of it shows a target"
        if problem is None and dataset.scored:
            try:
                values.append(_values(clip, folder, counted))
            except BadData as error:
                problem = str(error)
        if problem is not None:
            gaps[clip.name] = problem
        else:
            sequences[clip.name] = {**figures(clip, dataset, folder), **_by_rules(values[-1:], counted)}
    whole = partial_means or not gaps
    means: dict[str, float | None] = dict(_by_rules(values if whole else [], counted))
    means["mean_iou"] = _mean(row["mean_iou"] for row in sequences.values()) if whole else None
    timed = [row for row in sequences.values() if row["seconds"]]
    machines = sorted({row["timed_on"] for row in timed})
    seconds = sum(row["seconds"] for row in timed)
    means["fps"] = sum(row["frames"] - 1 for row in timed) / seconds if whole and len(machines) == 1 else None
    return Summary(
        expected=len(dataset) + len(dataset.missing),
        means=means,
        sequences=sequences,
        gaps=gaps,
        tracker_hash=maker.digest(),
        dataset_hash=_combined(digests),
        timed_on=tuple(machines),
        rules=counted.name,
    )


def _track_clip(clip: Clip, *, tracker: Tracker[Any], folder: Path, stamps: Mapping[str, Mapping[str, str]], origin: int) -> str | None:
    """Track one sequence and write its files; what keeps it from being tracked is returned."""
    boxes, scores, seconds = [], [], []
    try:
        for step in follow(read(clip.frames), box=clip.truth[0], tracker=tracker.copy()):
            boxes.append(step.estimate.box)
            scores.append(step.estimate.score)
            seconds.append(step.seconds)
    except SightlineError as error:
        return str(error)
    rows = np.array(boxes, np.float64) + np.array([origin, origin, 0, 0])
    beside = {
        f"scores/{clip.name}_score.txt": "".join(f"{value:.6f}\n" for value in scores).encode(),
        f"times/{clip.name}_time.txt": "".join(f"{value:.8f}\n" for value in seconds).encode(),
    }
    _write(clip, folder, rows, stamp=stamps[clip.name], beside=beside)
    return None


def _write(clip: Clip, folder: Path, rows: Floats, *, stamp: Mapping[str, str], beside: Mapping[str, bytes] | None = None) -> None:
    """All files of a sequence, the record last; an older result that differs is kept in `replaced`."""
    result = f"{clip.name}.txt"
    contents = {result: "".join(",".join(f"{value:.6f}" for value in row) + "\n" for row in rows.tolist()).encode(), **(beside or {})}
    record = {**stamp, "files": {name: _sha256(content) for name, content in contents.items()}}
    if (folder / result).is_file() and (before := _bytes(folder / result)) != contents[result]:
        write_whole({folder / "replaced" / f"{clip.name}.{_sha256(before)[:12]}.txt": before})
    files = {folder / name: content for name, content in contents.items()}
    write_whole({**files, folder / "made" / f"{clip.name}.json": _json(record)})


def lacks(clip: Clip, folder: Path, maker: str, data: str) -> str | None:
    """What keeps a result from being used: nothing (None), or the reason in words."""
    path = folder / f"{clip.name}.txt"
    if not path.is_file():
        return "no result"
    try:
        boxes = boxes_from_file(path)
    except BadData as error:
        return f"damaged: {error}"
    try:
        record = _record(clip, folder)
        files, by, of = dict(record["files"]), record["tracker"], record["data"]
    except (BadData, ValueError, KeyError, TypeError):
        return "its record is missing or damaged"
    if len(boxes) != len(clip.frames):
        return f"{'short' if len(boxes) < len(clip.frames) else 'long'}: {len(boxes)} rows for {len(clip.frames)} frames"
    if not np.isfinite(boxes).all():
        return f"not a number in line {int(np.argmin(np.isfinite(boxes).all(axis=1))) + 1}"
    if of != data:
        return "the data are not those that it was made from (images or ground truth have changed)"
    if by != maker:
        return "made by another tracker, or another version of it"
    changed = [name for name, sha256 in files.items() if not (folder / name).is_file() or _sha256(_bytes(folder / name)) != sha256]
    return f"{', '.join(changed)} changed since it was made" if changed else None


def _values(clip: Clip, folder: Path, rules: Rules) -> Frames:
    """Overlaps and errors of one sequence, in the coordinates of the data set's files."""
    size = None
    if rules.bounded:
        with contextlib.closing(read(clip.frames[0])) as images:
            first = next(iter(images))
        size = first.width, first.height
    return frame_values(boxes_from_file(folder / f"{clip.name}.txt"), clip.rows, clip.visible, rules=rules, size=size)


def _by_rules(clips: Sequence[Frames], rules: Rules) -> dict[str, float | None]:
    """The figures of `METRICS` of all these sequences together, 0..1; None without any, or where the rules give no number."""
    if not clips:
        return dict.fromkeys(METRICS)
    _, scores = count_all(clips, rules)
    figures = [scores.success, scores.precision, scores.normal, *(share_above(clips, threshold, rules) for threshold in (0.5, 0.75))]
    auc, precise, normal, half, three_quarters = (figure / rules.scale for figure in figures)
    found = {"auc": auc, "precision": precise, "norm_precision": normal, "ao": average_overlap(clips, rules)}
    found |= {"sr50": half, "sr75": three_quarters}
    return {key: value if math.isfinite(value) else None for key, value in found.items()}


def figures(clip: Clip, dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Plain metrics of one sequence, of no toolkit (None where its truth is not public), its frames and its speed (None without times)."""
    boxes = boxes_from_file(folder / f"{clip.name}.txt") - np.array([dataset.origin, dataset.origin, 0, 0])
    truth = np.where(clip.visible[:, np.newaxis], clip.truth, np.nan)
    record, times = _record(clip, folder), f"times/{clip.name}_time.txt"
    seconds = sum(map(float, _bytes(folder / times).split()[1:])) if times in record["files"] else None
    metrics = {"auc": success_auc, "precision": precision, "mean_iou": mean_iou}
    return {
        **{key: metric(boxes, truth) if dataset.scored else None for key, metric in metrics.items()},
        "fps": (len(boxes) - 1) / seconds if seconds else None,
        "frames": len(boxes),
        "absent": len(boxes) - int(clip.visible.sum()) if dataset.scored else None,
        "seconds": seconds,
        "timed_on": record.get("timed_on"),
    }


def _record(clip: Clip, folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(_bytes(folder / "made" / f"{clip.name}.json"))
    return record


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _combined(digests: Mapping[str, str]) -> str:
    return _sha256(_json(dict(digests)))


def _remove_parts(folder: Path) -> None:
    """Take away what a killed run left half-written; results are never removed."""
    for part in folder.glob("**/.*.part"):
        part.unlink(missing_ok=True)


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadData(f"{path} cannot be read ({error.strerror}).") from error


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
