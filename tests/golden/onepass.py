"""Fixtures of golden/metrics in which a tracker runs once over each clip: the rows of `RULES`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from sightline.evaluate import metrics, presence
from sightline.evaluate.rules import RULES, Rules, spaced
from tests.golden.tracks import Inputs, Meta, Outputs, Tracks


def one_pass(
    tracks: Tracks, tracker: str, rules: Rules, *, truth: str = "gt", flagged: bool = False, boxes: str = "boxes"
) -> list[metrics.Frames]:
    """The values of every clip for one tracker."""
    return [
        metrics.frame_values(
            tracks.of(clip, f"{tracker}/{boxes}"),
            tracks.of(clip, truth),
            tracks.visible(clip) if flagged else None,
            rules=rules,
            size=tracks.size(clip),
        )
        for clip in tracks.clips
    ]


def of_each(clips: Sequence[metrics.Frames], rules: Rules) -> Iterator[tuple[metrics.Curves, metrics.Scores]]:
    """Curves and scores of each clip alone."""
    for frames in clips:
        yield metrics.evaluate([frames], rules)


def got10k(rules: Rules, truth: str, _meta: Meta, tracks: Tracks, _inputs: Inputs) -> Outputs:
    outputs: Outputs = {}
    for tracker in tracks.trackers:
        clips = one_pass(tracks, tracker, rules, truth=truth)
        curves, scores = metrics.evaluate(clips, rules)
        each = list(of_each(clips, rules))
        speeds = [metrics.frames_per_second(tracks.of(clip, f"{tracker}/time")) for clip in tracks.clips]
        middle = len(rules.success.thresholds) // 2
        outputs |= {
            f"{tracker}/success_curve": curves.success,
            f"{tracker}/precision_curve": curves.precision,
            f"{tracker}/normalized_precision_curve": curves.normal,
            f"{tracker}/success_score": scores.success,
            f"{tracker}/precision_score": scores.precision,
            f"{tracker}/normalized_precision_score": scores.normal,
            f"{tracker}/success_rate": curves.success[middle],
            f"{tracker}/speed_fps": np.nanmean(speeds),
            f"{tracker}/per_sequence/success_score": [one.success for _, one in each],
            f"{tracker}/per_sequence/precision_score": [one.precision for _, one in each],
            f"{tracker}/per_sequence/normalized_precision_score": [one.normal for _, one in each],
            f"{tracker}/per_sequence/success_rate": [one.success[middle] for one, _ in each],
            f"{tracker}/per_sequence/speed_fps": speeds,
        }
    return outputs


def got10k_frames(_meta: Meta, tracks: Tracks, _inputs: Inputs) -> Outputs:
    rules = RULES["got10k"]
    outputs: Outputs = {}
    for tracker in tracks.trackers:
        for clip in tracks.clips:
            boxes, truth, size = tracks.of(clip, f"{tracker}/boxes"), tracks.of(clip, "gt"), tracks.size(clip)
            inside, truth_inside = metrics.boxes_inside(boxes, size), metrics.boxes_inside(truth, size)
            outputs |= {
                f"{tracker}/{clip}/iou": metrics.overlap_values(boxes, truth, rules),
                f"{tracker}/{clip}/iou_bounded": metrics.overlap_values(inside, truth_inside, rules),
                f"{tracker}/{clip}/center_error": metrics.centre_errors(boxes, truth, rules),
                f"{tracker}/{clip}/normalized_center_error": metrics.normalised_errors(boxes, truth, rules),
            }
    return outputs


def got10k_val(_meta: Meta, tracks: Tracks, _inputs: Inputs) -> Outputs:
    rules = RULES["got10k-val"]
    finer = replace(rules, success=replace(rules.success, thresholds=spaced(1, 101)))
    outputs: Outputs = {}
    for tracker in tracks.trackers:
        runs = [
            [
                metrics.frame_values(
                    tracks.of(clip, f"{tracker}/{name}"),
                    tracks.of(clip, "gt"),
                    tracks.of(clip, "cover") > 0,
                    rules=rules,
                    size=tracks.size(clip),
                )
                for name in ("boxes", "boxes_2")
                if f"{clip}/{tracker}/{name}" in tracks.arrays
            ]
            for clip in tracks.clips
        ]
        pooled = [frames for repeated in runs for frames in repeated]
        times = [tracks.of(clip, f"{tracker}/time") for clip in tracks.clips]
        outputs |= {
            f"{tracker}/ao": metrics.average_overlap(pooled, rules),
            f"{tracker}/sr": metrics.share_above(pooled, 0.5, rules),
            f"{tracker}/speed_fps": metrics.frames_per_second(np.concatenate(times)),
            f"{tracker}/succ_curve": metrics.average(pooled, finer).success,
            f"{tracker}/per_sequence/ao": [metrics.average_overlap(repeated, rules) for repeated in runs],
            f"{tracker}/per_sequence/sr": [metrics.share_above(repeated, 0.5, rules) for repeated in runs],
            f"{tracker}/per_sequence/speed_fps": [metrics.frames_per_second(time) for time in times],
            f"{tracker}/per_sequence/length": [
                len(tracks.of(clip, "gt")) - 1 for clip in tracks.clips
            ],  # of the annotation: not of what counts
        }
    return outputs


def pytracking(row: str, meta: Meta, tracks: Tracks, _inputs: Inputs) -> Outputs:
    arguments = meta["arguments"]
    dataset = arguments["dataset"]
    rules = RULES.get(f"{row}-{dataset}", RULES[row])
    if arguments["exclude_invalid_frames"]:
        rules = replace(rules, denominator="valid")
    if arguments["predictions_truncated_to_int"]:
        rules = replace(rules, rounding="truncate")
    truth = {"otb": "gt", "uav": "gt_nan", "lasot": "gt_zero"}[dataset]
    found = {tracker: one_pass(tracks, tracker, rules, truth=truth, flagged=dataset == "lasot") for tracker in tracks.trackers}
    averaged = [metrics.evaluate(clips, rules) for clips in found.values()]
    outputs: Outputs = {
        "average_overlap": np.stack([[metrics.average_overlap([frames], rules) for frames in clips] for clips in found.values()], axis=1),
        "success_curve": [curves.success for curves, _ in averaged],
        "auc": [scores.success for _, scores in averaged],
        "op50": [[metrics.share_above(clips, 0.50, rules)] for clips in found.values()],
        "op75": [[metrics.share_above(clips, 0.75, rules)] for clips in found.values()],
        "precision_curve": [curves.precision for curves, _ in averaged],
        "precision": [scores.precision for _, scores in averaged],
        "norm_precision_curve": [curves.normal for curves, _ in averaged],
        "norm_precision": [scores.normal for _, scores in averaged],
    }
    for tracker, clips in found.items():
        for clip, frames in zip(tracks.clips, clips, strict=True):
            outputs |= {
                f"frames/{tracker}/{clip}/overlap": frames.overlap,
                f"frames/{tracker}/{clip}/center": frames.error,
                f"frames/{tracker}/{clip}/center_norm": frames.normal,
            }
    return outputs


def pysot(row: str, truth: str, flagged: bool, _meta: Meta, tracks: Tracks, _inputs: Inputs) -> Outputs:
    rules = RULES[row]
    outputs: Outputs = {}
    for tracker in tracks.trackers:
        clips = one_pass(tracks, tracker, rules, truth=truth, flagged=flagged)
        each = [metrics.average([frames], rules) for frames in clips]
        _, scores = metrics.evaluate(clips, rules)
        outputs |= {
            f"{tracker}/success_curves": [curves.success for curves in each],
            f"{tracker}/precision_curves": [curves.precision for curves in each],
            f"{tracker}/norm_precision_curves": [curves.normal for curves in each],
            f"{tracker}/success": scores.success,
            f"{tracker}/precision": scores.precision,
            f"{tracker}/norm_precision": scores.normal,
        }
    return outputs


def lasot(broken: bool, _meta: Meta, tracks: Tracks, _inputs: Inputs) -> Outputs:
    rules = RULES["lasot"]
    outputs: Outputs = {}
    every = []
    for tracker in tracks.trackers:
        has_broken = broken and all(f"{clip}/{tracker}/boxes_broken" in tracks.arrays for clip in tracks.clips)
        clips = one_pass(tracks, tracker, rules, truth="gt_zero", flagged=True, boxes="boxes_broken" if has_broken else "boxes")
        every.append((metrics.evaluate(clips, rules)[1], [metrics.shares(frames, rules) for frames in clips]))
        for clip, frames in zip(tracks.clips, clips, strict=True):
            outputs |= {
                f"frames/{tracker}/{clip}/overlap": frames.overlap,
                f"frames/{tracker}/{clip}/center": frames.error,
                f"frames/{tracker}/{clip}/center_norm": frames.normal,
            }
    return outputs | {
        "success_curves": [[curves.success for curves in each] for _, each in every],
        "precision_curves": [[curves.precision for curves in each] for _, each in every],
        "norm_precision_curves": [[curves.normal for curves in each] for _, each in every],
        "auc": [scores.success for scores, _ in every],
        "precision": [scores.precision for scores, _ in every],
        "norm_precision": [scores.normal for scores, _ in every],
    }


def otb(_meta: Meta, tracks: Tracks, _inputs: Inputs) -> Outputs:
    rules = RULES["otb"]
    outputs: Outputs = {}
    for tracker in tracks.trackers:
        for clip, frames in zip(tracks.clips, one_pass(tracks, tracker, rules), strict=True):
            curves = metrics.average([frames], rules)
            outputs |= {
                f"{tracker}/{clip}/overlap": frames.overlap,
                f"{tracker}/{clip}/center": frames.error,
                f"{tracker}/{clip}/average_overlap": metrics.average_overlap([frames], rules),
                f"{tracker}/{clip}/average_center": frames.error[frames.valid].mean(),
                f"{tracker}/{clip}/success_curve": curves.success,
                f"{tracker}/{clip}/precision_curve": curves.precision,
            }
    return outputs


def trackingnet(_meta: Meta, tracks: Tracks, _inputs: Inputs) -> Outputs:
    rules = RULES["trackingnet"]
    outputs: Outputs = {}
    for tracker in tracks.trackers:
        curves, scores = metrics.evaluate(one_pass(tracks, tracker, rules), rules)
        covered = [metrics.reported(tracks.of(clip, f"{tracker}/boxes"), tracks.of(clip, "gt"), rules=rules) for clip in tracks.clips]
        outputs |= {
            f"{tracker}/coverage": rules.scale * np.concatenate(covered).mean(),
            f"{tracker}/success": scores.success,
            f"{tracker}/precision": scores.precision,
            f"{tracker}/norm_precision": scores.normal,
            f"{tracker}/success_curve": curves.success / rules.scale,  # only scores are percentages there
            f"{tracker}/precision_curve": curves.precision / rules.scale,
            f"{tracker}/norm_precision_curve": curves.normal / rules.scale,
        }
    return outputs


def two_views(row: str, _meta: Meta, tracks: Tracks, _inputs: Inputs) -> Outputs:
    rules = RULES[row]
    outputs: Outputs = {}
    for tracker in tracks.trackers:
        clips = [
            metrics.frame_values(
                tracks.of(clip, f"{tracker}/boxes"), np.stack([tracks.of(clip, "gt"), tracks.of(clip, "gt_infrared")]), rules=rules
            )
            for clip in tracks.clips
        ]
        _, scores = metrics.evaluate(clips, rules)
        each = [metrics.shares(frames, rules) for frames in clips]
        if rules.pool == "frames":  # there a clip's curve is its part of the pooled one, times the number of clips
            total = sum(frames.denominator for frames in clips) / len(clips)
            each = [
                metrics.Curves(curves.success * part, curves.precision * part, curves.normal * part)
                for curves, part in zip(each, (frames.denominator / total for frames in clips), strict=True)
            ]
        outputs |= {
            f"{tracker}/mpr": scores.precision,
            f"{tracker}/msr": scores.success,
            f"{tracker}/mpr_curves": [curves.precision for curves in each],
            f"{tracker}/msr_curves": [curves.success for curves in each],
        }
    return outputs


def lasher(_meta: Meta, tracks: Tracks, _inputs: Inputs) -> Outputs:
    rules = RULES["lasher"]
    outputs: Outputs = {}
    for tracker in tracks.trackers:
        clips = one_pass(tracks, tracker, rules, truth="gt_zero")
        _, scores = metrics.evaluate(clips, rules)
        each = [metrics.shares(frames, rules) for frames in clips]
        outputs |= {
            f"{tracker}/pr": scores.precision,
            f"{tracker}/npr": scores.normal,
            f"{tracker}/sr": scores.success,
            f"{tracker}/pr_curves": [curves.precision for curves in each],
            f"{tracker}/npr_curves": [curves.normal for curves in each],
            f"{tracker}/sr_curves": [curves.success for curves in each],
        }
    return outputs


def pytracking_f(_meta: Meta, tracks: Tracks, _inputs: Inputs) -> Outputs:
    rules = RULES["pytracking-lasot"]
    outputs: Outputs = {}
    for tracker in tracks.trackers:
        boxes, truth = (np.concatenate([tracks.of(clip, name) for clip in tracks.clips]) for name in (f"{tracker}/boxes", "gt_zero"))
        visible = np.concatenate([tracks.visible(clip) for clip in tracks.clips])
        scores = np.round(np.concatenate([tracks.of(clip, f"{tracker}/score") for clip in tracks.clips]), 6)  # as its writer leaves them
        frames = metrics.frame_values(boxes, truth, visible, rules=rules)
        order = torch.argsort(torch.from_numpy(scores), descending=True).numpy()  # its own order of equal scores: no other sort has it
        curve = presence.ranked_f(np.where(frames.valid, frames.overlap, 0.0)[order], int(frames.valid.sum()))
        outputs |= {
            f"{tracker}/prec": curve.precision,
            f"{tracker}/rec": curve.recall,
            f"{tracker}/f1_max": curve.f[curve.best],
            f"{tracker}/ths_max": presence.ranked_threshold(scores, curve.best),
            f"{tracker}/idx": curve.best,
        }
    return outputs
