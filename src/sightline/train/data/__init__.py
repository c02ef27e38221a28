"""Data to learn from: `track.py` says what a track is, one reader for each kind of files, `opening.py` finds data sets by name."""

from __future__ import annotations

from sightline.train.data.index import Stored, read_tracks
from sightline.train.data.opening import SOURCES, Split, open_data
from sightline.train.data.problems import OnBad, Problems
from sightline.train.data.track import Bools, Floats, Image, Modality, Picture, Shot, Shots, Track, decode

__all__ = [
    "SOURCES",
    "Bools",
    "Floats",
    "Image",
    "Modality",
    "OnBad",
    "Picture",
    "Problems",
    "Shot",
    "Shots",
    "Split",
    "Stored",
    "Track",
    "decode",
    "open_data",
    "read_tracks",
]
