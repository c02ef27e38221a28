"""One HTML page without any other file: sequences that play with everybody's boxes, plots and tables."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.box import iou
from sightline.errors import BadData
from sightline.evaluate.dataset import Clip
from sightline.evaluate.report.compare import Comparison, Entry
from sightline.evaluate.report.plots import colour
from sightline.evaluate.report.tables import Table, ranked_cells

__all__ = ["Limits", "make_page"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of the pictures a page takes along.

    Attributes:
        size: bytes of all sequences together; those that do not fit are left out.
        frames: of one sequence; of a longer one every second, third, ... frame is taken.
        side: pixels of a picture's longer side; larger pictures are made smaller.
        quality: of JPEG, 0..100.
    """

    size: int = 20_000_000
    frames: int = 300
    side: int = 480
    quality: int = 72


def make_page(
    comparison: Comparison, *, plots: Mapping[str, bytes], above: Sequence[Table], below: Sequence[Table], rules: str, limits: Limits
) -> str:
    """The page.

    Args:
        comparison: what it shows.
        plots: SVG files by name.
        above: tables before the sequences.
        below: tables after the plots.
        rules: how the figures are counted.
        limits: of the pictures.

    Raises:
        BadData: an image cannot be read.
    """
    clips = _played(comparison, limits)
    title = f"{len(comparison.entries)} tracker{'s' * (len(comparison.entries) > 1)} on {comparison.dataset}"
    frames = sum(len(clip.frames) for clip in comparison.clips)
    values = {
        "title": html.escape(title),
        "subtitle": html.escape(f"{len(comparison.clips)} of {comparison.expected} sequences, {frames} frames. {_gaps(comparison)}"),
        "tables_above": "".join(map(_table, above)),
        "tables_below": "".join(map(_table, below)),
        "played": html.escape(_said(clips, comparison, limits)),
        "plots": "".join(
            f'<figure><img alt="{html.escape(name.replace("_", " "))}" src="data:image/svg+xml;base64,{base64.b64encode(plot).decode()}"></figure>'
            for name, plot in plots.items()
        ),
        "rules": html.escape(f"Counted by Sightline: {rules}"),
        "data": _embedded(
            {
                "trackers": [{"name": entry.label, "colour": colour(place)} for place, entry in enumerate(comparison.entries)],
                "clips": clips,
            }
        ),
    }
    page = files("sightline.evaluate.report").joinpath("page.html").read_text(encoding="utf-8")
    head, *parts = page.split("{{")  # in one pass: what is filled in is never looked at again
    return head + "".join(values[name] + rest for name, rest in (part.split("}}", 1) for part in parts))


def _played(comparison: Comparison, limits: Limits) -> list[dict[str, Any]]:
    """Sequences with their pictures, those about which the trackers disagree most first, until the page is full; in the data set's order."""

    def spread(clip: Clip) -> float:
        values: list[float] = [entry.sequences[clip.name]["auc"] or 0.0 for entry in comparison.entries]
        return max(values) - min(values) if len(values) > 1 else 1 - values[0]

    taken, left = {}, limits.size
    for clip in sorted(comparison.clips, key=lambda clip: -spread(clip)):
        told = _clip(clip, comparison.entries, limits, left)
        if told is not None:
            taken[clip.name] = told
            left -= sum(map(len, told["frames"]))
    return [taken[clip.name] for clip in comparison.clips if clip.name in taken]


def _clip(clip: Clip, entries: Sequence[Entry], limits: Limits, left: int) -> dict[str, Any] | None:
    """One sequence; None where its pictures take more than the bytes that are left."""
    step = -(-len(clip.frames) // limits.frames)
    numbers = list(range(0, len(clip.frames), step))
    pictures: list[str] = []
    for number in numbers:
        picture, size = _picture(clip.frames[number], limits)
        pictures.append(picture)
        left -= len(picture)
        if left < 0:
            return None
    truth = np.where(clip.visible[:, np.newaxis], clip.truth, np.nan)[numbers]
    boxes = [entry.boxes[clip.name][numbers] for entry in entries]
    return {
        "name": clip.name,
        "size": size,
        "length": len(clip.frames),
        "step": step,
        "at": numbers,
        "frames": pictures,
        "truth": [None if np.isnan(row).any() else _short(row) for row in truth],
        "boxes": [[_short(row) for row in rows] for rows in boxes],
        "overlap": [[None if np.isnan(value) else round(float(value), 3) for value in _overlaps(rows, truth)] for rows in boxes],
        "auc": [entry.sequences[clip.name]["auc"] or 0.0 for entry in entries],
    }


def _picture(path: str, limits: Limits) -> tuple[str, tuple[int, int]]:
    """A frame as JPEG in base64, and its (width, height) before it was made smaller."""
    image = cv2.imread(path, cv2.IMREAD_COLOR)
    if image is None:
        raise BadData(f"{path} cannot be read as an image; restore it.")
    height, width = image.shape[:2]
    zoom = min(1.0, limits.side / max(width, height))
    if zoom < 1:
        image = cv2.resize(image, (round(width * zoom), round(height * zoom)), interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, limits.quality])
    return base64.b64encode(jpeg.tobytes()).decode(), (width, height)


def _overlaps(boxes: Floats, truth: Floats) -> Floats:
    """(T,) overlap, NaN where the target is absent."""
    overlap: Floats = np.where(np.isnan(truth).any(axis=1), np.nan, iou(boxes, np.nan_to_num(truth, nan=1.0)))
    return overlap


def _short(row: Floats) -> list[float]:
    return [round(float(value), 1) for value in row]


def _said(clips: Sequence[Mapping[str, Any]], comparison: Comparison, limits: Limits) -> str:
    """What of the data is in the page."""
    thinned = sum(clip["step"] > 1 for clip in clips)
    told = f"{len(clips)} of {len(comparison.clips)} sequences are in this page, pictures at most {limits.side} pixels wide and high."
    if len(clips) < len(comparison.clips):
        told += f" Pictures are limited to {limits.size / 1e6:g} MB; those about which the trackers disagree most were taken first."
    if thinned:
        told += f" Of {thinned} long ones only every second, third, ... frame is here ({limits.frames} frames at most)."
    return f"{told} Space plays, arrow keys step, a click on the curves goes there; grey: no visible target."


def _gaps(comparison: Comparison) -> str:
    missing = sorted({name for gaps in comparison.gaps.values() for name in gaps})
    if not missing:
        return "Nothing is missing."
    return f"LEFT OUT, because a tracker has no whole result of them: {', '.join(missing[:10])}{', ...' * (len(missing) > 10)}."


def _table(table: Table) -> str:
    kinds = ["text" if column.kind == "text" else "" for column in table.columns]
    head = "".join(f'<th class="{kind}">{html.escape(column.title)}</th>' for kind, column in zip(kinds, table.columns, strict=True))
    places = {0: "", 1: "first", 2: "second"}
    rows = "".join(
        "<tr>"
        + "".join(f'<td class="{kind} {places[place]}">{html.escape(text)}</td>' for kind, (text, place) in zip(kinds, row, strict=True))
        + "</tr>"
        for row in ranked_cells(table, 4)
    )
    return (
        f'<h2>{html.escape(table.title)}</h2><p>{html.escape(table.caption)}</p><div class="card scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _embedded(value: object) -> str:
    """JSON that may stand inside a script element."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
