"""Tracking over stored tracks: a check that pairs cannot give, since errors add up from frame to frame.

    python -m sightline.train.rollout --weights W.safetensors --data DATA

follows the object of every video track of the sources that no open recipe trains on, from its first stored picture to its last
(`--both-ways`: and back), without help, and prints the mean IoU of each source and of all tracks. Stored pictures show the object with some
surroundings; the rest of the frame is filled with their mean colour.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sightline.box import iou
from sightline.errors import BadData
from sightline.tracker import Tracker
from sightline.train.data import Split
from sightline.train.pairs import Track, read_tracks
from sightline.train.program import program
from sightline.train.recipes.kestrel import ALL_VIDEOS
from sightline.train.start import tracker_in

__all__ = ["SHORTEST", "mean_overlap", "rollout"]

SHORTEST = 6  # pictures


def mean_overlap(tracker: Tracker[Any], track: Track) -> float:
    """Mean IoU over all pictures of a track but the first, which starts the tracker (made with channels="rgb")."""
    frames = [picture.in_frame() for picture in track.pictures]
    tracker.init(*frames[0])
    found = np.array([tracker.update(image).box for image, _ in frames[1:]])
    return float(iou(found, np.array([box for _, box in frames[1:]])).mean())


def rollout(
    tracker: Tracker[Any], tracks: Sequence[Track], *, shortest: int = SHORTEST, both_ways: bool = False
) -> Mapping[str, list[float]]:
    """`mean_overlap` of every video track of at least so many pictures, perhaps of it backwards as well, by source."""
    overlaps: defaultdict[str, list[float]] = defaultdict(list)
    for track in tracks:
        if not track.is_still and len(track.pictures) >= shortest:
            ways = (track, replace(track, pictures=track.pictures[::-1])) if both_ways else (track,)
            overlaps[track.source] += [mean_overlap(tracker, way) for way in ways]
    return overlaps


def table(
    weights: Path,
    *,
    data: Path,
    sources: tuple[str, ...] = ALL_VIDEOS,
    splits: tuple[Split, ...] = ("train", "val"),
    shortest: int = SHORTEST,
    both_ways: bool = False,
) -> str:
    """The figures of a weights file, a line for each source and one for all.

    Args:
        weights: a network of ours or a published one; or an exported graph, which is quicker.
        data: folder of training data.
        sources: whose tracks.
        splits: of which parts of the data; of a source that was learnt from, only "val" says something.
        shortest: pictures of a track.
        both_ways: from the last picture to the first as well.

    Raises:
        BadData: the data has no such track.
    """
    tracks = [track for split in splits for track in read_tracks(data, split) if track.source in sources]
    if not any(not track.is_still and len(track.pictures) >= shortest for track in tracks):
        raise BadData(f"{data} has no video track of {shortest} pictures or more of {', '.join(sources)} in {', '.join(splits)}.")
    overlaps = rollout(tracker_in(weights), tracks, shortest=shortest, both_ways=both_ways)
    every = [value for values in overlaps.values() for value in values]
    rows = [*sorted(overlaps.items()), ("all", every)]
    return "\n".join(f"{name:20} {len(values):3} tracks  IoU {np.mean(values):.4f}" for name, values in rows) + "\n"


if __name__ == "__main__":
    program(table)
