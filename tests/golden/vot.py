"""Fixtures of golden/metrics of the VOT challenges: restarts, anchors, long videos, and the pixels of regions."""

from __future__ import annotations

from functools import partial

import numpy as np

from sightline.evaluate import anchors, presence, regions, restarts
from tests.golden.tracks import Array, Inputs, Meta, Outputs, Tracks


def region_overlap(_meta: Meta, tracks: Tracks, _inputs: Inputs) -> Outputs:
    outputs: Outputs = {}
    for tracker in tracks.trackers:
        for clip in tracks.clips:
            boxes, size = tracks.of(clip, f"{tracker}/boxes"), tracks.size(clip)
            for name, truth in (("polygon", "polygon"), ("box", "gt")):
                outputs[f"{tracker}/{clip}/overlap_{name}"] = [
                    regions.raster_overlap_old(box, region, size) for box, region in zip(boxes, tracks.of(clip, truth), strict=True)
                ]
    return outputs


def run_with_restarts(tracks: Tracks, tracker: str, clip: str) -> Array:
    """The fixtures' tracker gives the stored boxes, whenever it is started."""
    return restarts.restarted(tracks.of(clip, f"{tracker}/boxes"), tracks.of(clip, "gt"))


def restarts_pooled(_meta: Meta, tracks: Tracks, _inputs: Inputs) -> Outputs:
    outputs: Outputs = {}
    longest = max(len(tracks.of(clip, "gt")) for clip in tracks.clips)
    for tracker in tracks.trackers:
        runs, overlaps, parts = [], [], []
        for clip in tracks.clips:
            run, truth, (width, height) = run_with_restarts(tracks, tracker, clip), tracks.of(clip, "polygon"), tracks.size(clip)
            outputs[f"trajectory/{tracker}/{clip}"] = run
            runs.append(run)
            overlaps.append(restarts.overlaps_of(run, truth, partial(regions.raster_overlap_old, bound=(width, height))))
            outputs[f"{tracker}/{clip}/overlaps"] = np.where(restarts.burnt(run), np.nan, overlaps[-1])
            shorter = restarts.overlaps_of(run, truth, partial(regions.raster_overlap_old, bound=(width - 1, height - 1)))
            parts += restarts.fragments(run, shorter)
        scores = restarts.score_pooled(runs, overlaps)
        outputs |= {
            f"{tracker}/accuracy": scores.accuracy,
            f"{tracker}/lost_number": scores.failures,
            f"{tracker}/robustness": scores.robustness,
            f"{tracker}/eao_vot2018": restarts.eao_pooled(parts, longest, *restarts.EAO_LENGTHS["vot2018"]),
            f"{tracker}/eao_short": restarts.eao_pooled(parts, longest, 10, 60),
        }
    return outputs


def restarts_weighted(_meta: Meta, tracks: Tracks, _inputs: Inputs) -> Outputs:
    outputs: Outputs = {}
    for tracker in tracks.trackers:
        runs, overlaps = [], []
        for clip in tracks.clips:
            runs.append(run_with_restarts(tracks, tracker, clip))
            overlaps.append(
                restarts.overlaps_of(runs[-1], tracks.of(clip, "polygon"), partial(regions.raster_overlap, size=tracks.size(clip)))
            )
        pairs = list(zip(runs, overlaps, strict=True))
        scores = restarts.score_restarts(runs, overlaps)
        curve = restarts.eao_curve([part for run, values in pairs for part in restarts.fragments(run, values)])
        outputs |= {
            f"{tracker}/per_sequence": [(*restarts.accuracy_and_failures(run, values), len(run)) for run, values in pairs],
            f"{tracker}/accuracy": scores.accuracy,
            f"{tracker}/failures": scores.failures,
            f"{tracker}/ar_robustness": scores.robustness,
            f"{tracker}/mean_length": np.mean([len(run) for run in runs]),
            f"{tracker}/eao_curve": curve,
            f"{tracker}/eao_10_60": restarts.eao(curve, 10, 60),
        }
    return outputs


def multistart(truth: str, _meta: Meta, tracks: Tracks, _inputs: Inputs) -> Outputs:
    outputs: Outputs = {}
    for tracker in tracks.trackers:
        sequences = []
        for clip in tracks.clips:
            boxes = tracks.of(clip, f"{tracker}/boxes")
            regions_ = tracks.of(clip, truth).copy()
            if regions_.shape[1] == 4:
                regions_[~tracks.visible(clip)] = 0.0
            runs = []
            for anchor in np.flatnonzero(tracks.of(clip, "anchor")):
                order = anchors.run_order(int(anchor), len(boxes), backward=tracks.of(clip, "anchor")[anchor] < 0)
                overlap = partial(regions.raster_overlap, size=tracks.size(clip))
                values = np.array([0.0] + [overlap(boxes[i], regions_[i]) for i in order[1:]])
                there = ~(regions_[order] == 0).all(axis=1)
                runs.append(anchors.Run.of(values, there))
                outputs[f"{tracker}/{clip}_{anchor:08d}/overlaps"] = values
            sequences.append(anchors.AnchoredClip(runs, len(boxes)))
        short, long = (anchors.eao_curve(sequences, length) for length in (60, 115))
        scores = anchors.score(sequences)
        outputs |= {
            f"{tracker}/per_sequence": [anchors.score_sequence(sequence) for sequence in sequences],
            f"{tracker}/accuracy": scores.accuracy,
            f"{tracker}/robustness": scores.robustness,
            f"{tracker}/eao_curve_60": short,
            f"{tracker}/eao_15_60": anchors.eao(short, 15, 60),
            f"{tracker}/eao_curve_115": long,
            f"{tracker}/eao_10_115": anchors.eao(long, 10, 115),
        }
    return outputs


def longterm_pooled(_meta: Meta, tracks: Tracks, _inputs: Inputs) -> Outputs:
    outputs: Outputs = {}
    for tracker in tracks.trackers:
        scores = [first_unknown(tracks.of(clip, f"{tracker}/score")) for clip in tracks.clips]
        thresholds = presence.thresholds_nearest(np.concatenate(scores))
        curves = []
        for clip, certainty in zip(tracks.clips, scores, strict=True):
            truth, boxes = tracks.of(clip, "gt_nan"), tracks.of(clip, f"{tracker}/boxes")
            places = [np.zeros(1), *boxes[1:]]  # the start is a code
            overlap = partial(regions.raster_overlap_old, bound=tracks.size(clip))
            overlaps = np.nan_to_num([overlap(place, region) for place, region in zip(places, truth, strict=True)])
            present = int((~np.isnan(truth).any(axis=1)).sum())
            curves.append(presence.precision_recall(overlaps, np.nan_to_num(certainty), present, thresholds, zero_is_silent=True))
        curve = presence.f_curve(*np.mean(curves, axis=0))
        outputs |= {
            f"{tracker}/precision_curve": curve.precision,
            f"{tracker}/recall_curve": curve.recall,
            f"{tracker}/f1_curve": curve.f,
            f"{tracker}/precision": curve.precision[curve.best],
            f"{tracker}/recall": curve.recall[curve.best],
            f"{tracker}/f1": curve.f[curve.best],
        }
    return outputs


def first_unknown(scores: Array) -> Array:
    """Scores in which the start has none."""
    return np.concatenate([[np.nan], scores[1:]])


def longterm(_meta: Meta, tracks: Tracks, _inputs: Inputs) -> Outputs:
    outputs: Outputs = {}
    for tracker in tracks.trackers:
        scores = [np.nan_to_num(first_unknown(tracks.of(clip, f"{tracker}/score"))) for clip in tracks.clips]
        thresholds = presence.thresholds_descending(np.concatenate(scores))
        curves = []
        for clip, certainty in zip(tracks.clips, scores, strict=True):
            there, truth, boxes = tracks.visible(clip), tracks.of(clip, "gt"), tracks.of(clip, f"{tracker}/boxes")
            code = np.zeros(1)
            overlaps = np.array(
                [
                    regions.raster_overlap(box if i else code, region if is_there else code, tracks.size(clip))
                    for i, (box, region, is_there) in enumerate(zip(boxes, truth, there, strict=True))
                ]
            )
            curves.append(presence.precision_recall(overlaps, certainty, int(there.sum()), thresholds, zero_is_silent=False))
        curve = presence.f_curve(*np.mean(curves, axis=0))
        outputs |= {
            f"{tracker}/thresholds": thresholds,
            f"{tracker}/precision_curve": curve.precision,
            f"{tracker}/recall_curve": curve.recall,
            f"{tracker}/f_curve": curve.f,
            f"{tracker}/precision": curve.precision[curve.best],
            f"{tracker}/recall": curve.recall[curve.best],
            f"{tracker}/f_score": curve.f[curve.best],
            f"{tracker}/per_sequence_precision": [one for one, _ in curves],
            f"{tracker}/per_sequence_recall": [one for _, one in curves],
        }
    return outputs


def vots(_meta: Meta, tracks: Tracks, _inputs: Inputs) -> Outputs:
    outputs: Outputs = {}
    thresholds = np.linspace(0, 1, 100)
    for tracker in tracks.trackers:
        counts, accuracy, curves = [], [], []
        for clip in tracks.clips:
            boxes, truth, scores = (
                tracks.of(clip, f"{tracker}/boxes").copy(),
                tracks.of(clip, "gt").copy(),
                tracks.of(clip, f"{tracker}/score"),
            )
            said = (scores > 0.3) & (boxes[:, 2:] > 0).all(axis=1)
            said[0] = False  # the start is a code
            boxes[~said], truth[~tracks.visible(clip)] = 0.0, 0.0
            there = np.asarray((truth[:, 2:] > 0).all(axis=1))
            overlaps = np.array([regions.raster_overlap(box, region, tracks.size(clip)) for box, region in zip(boxes, truth, strict=True)])
            counts.append(presence.count_presence(overlaps, said, there))
            accuracy.append(presence.presence_accuracy(overlaps, there))
            curves.append(presence.presence_success(overlaps, thresholds))
            outputs[f"{tracker}/{clip}/overlaps"] = overlaps
        rates = np.array([presence.presence_rates(one) for one in counts])
        outputs |= {
            f"{tracker}/counts": [(one.tracked, one.failed, one.missed, one.hallucinated, one.noticed) for one in counts],
            f"{tracker}/accuracy_per_sequence": accuracy,
            f"{tracker}/quality_per_sequence": rates[:, 1:],
            f"{tracker}/accuracy": np.mean(accuracy),
            f"{tracker}/robustness": rates[:, 0].mean(),
            f"{tracker}/nre": rates[:, 1].mean(),
            f"{tracker}/dre": rates[:, 2].mean(),
            f"{tracker}/adq": np.nanmean(rates[:, 3]),
            f"{tracker}/success_curve": np.mean(curves, axis=0),
        }
    return outputs
