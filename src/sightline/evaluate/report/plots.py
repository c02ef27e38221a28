"""Plots of a comparison, as figures of matplotlib (extra `plots`): the better a tracker, the higher it stands in the legend."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.evaluate.report.compare import Comparison, Entry

__all__ = ["COLOURS", "colour", "draw_plots", "draw_speed", "rendered"]

# The first are those of Okabe and Ito, told apart by people with any kind of colour vision; yellow is left out on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6A3D9A", "#8C564B", "#4D4D4D", "#7A8B00")
LINES = ("-", "--", "-.", ":")
MOST_SPOKES = 16
STYLE: Any = {  # matplotlib types each key by name
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e6ea",
    "axes.edgecolor": "#8a929c",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "svg.hashsalt": "sightline",  # the same figure is the same file
}


def colour(place: int) -> str:
    """Of the tracker at one place, from 0; also in the page."""
    return COLOURS[place % len(COLOURS)]


def draw_plots(comparison: Comparison) -> dict[str, Any]:
    """The plots that there is something to draw in, by name: matplotlib's figures.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        made = {
            "success": _curves(
                comparison,
                "success",
                comparison.rules.success.thresholds,
                score="auc",
                title="Success",
                x="overlap threshold",
                y="share of frames above",
            ),
            "precision": _curves(
                comparison,
                "precision",
                comparison.rules.precision.thresholds,
                score="precision",
                title="Precision",
                x="centre error, pixels",
                y="share of frames within",
            ),
            "normalised_precision": _curves(
                comparison,
                "normal",
                comparison.rules.normal.thresholds,
                score="norm_precision",
                title="Normalised precision",
                x="centre error, sides of the target",
                y="share of frames within",
            ),
        }
        if len(spokes(comparison)) >= 3:
            made["attributes"] = _radar(comparison)
        if any(entry.fps for entry in comparison.entries):
            made["speed"] = _speed(comparison)
    return made


def rendered(figure: Any, kind: str) -> bytes:
    """A figure as a file: "svg", "pdf" or "png"; the same figure gives the same bytes."""
    import matplotlib as mpl

    file = io.BytesIO()
    stamps: Mapping[str, Mapping[str, None]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with mpl.rc_context(STYLE):
        figure.savefig(file, format=kind, dpi=160, bbox_inches="tight", metadata=stamps.get(kind))
    return file.getvalue()


def _figure(width: float, height: float, **options: Any) -> tuple[Any, Any]:
    from matplotlib.figure import Figure  # no pyplot: nothing is kept behind

    figure = Figure(figsize=(width, height))
    return figure, figure.add_subplot(**options)


def _curves(comparison: Comparison, name: str, thresholds: Sequence[float], *, score: str, title: str, x: str, y: str) -> Any:
    """One curve per tracker; the number in the legend is what the tables have."""
    figure, axes = _figure(5.2, 4.0)
    for place, entry in _by(comparison, score):
        axes.plot(thresholds, getattr(entry.curves, name), label=f"{entry.means[score] or 0:.3f}  {entry.label}", **_line(place))
    axes.set(title=title, xlabel=x, ylabel=y, xlim=(thresholds[0], thresholds[-1]), ylim=(0, 1))
    axes.legend(loc="lower left" if name == "success" else "lower right")
    return figure


def _by(comparison: Comparison, score: str) -> list[tuple[int, Entry]]:
    """Trackers by a falling figure, with the places that their colours go by."""
    return sorted(enumerate(comparison.entries), key=lambda pair: -(pair[1].means[score] or 0.0))


def _line(place: int) -> dict[str, Any]:
    return {"color": colour(place), "linestyle": LINES[place // len(COLOURS) % len(LINES)], "linewidth": 1.8}


def _radar(comparison: Comparison) -> Any:
    """AUC of the sequences with each attribute."""
    shown = spokes(comparison)
    angles = np.linspace(0, 2 * np.pi, len(shown), endpoint=False)
    figure, axes = _figure(6.4, 5.4, projection="polar")
    axes.set_theta_offset(np.pi / 2)
    axes.set_theta_direction(-1)
    for place, entry in enumerate(comparison.entries):
        values = [entry.attributes[name] or 0.0 for name in shown]
        axes.plot(_closed(angles), _closed(values), label=f"{entry.means['auc'] or 0:.3f}  {entry.label}", **_line(place))
    axes.set_xticks(angles, [f"{name} ({comparison.attributes[name]})" for name in shown], fontsize=8)
    for angle, text in zip(angles, axes.get_xticklabels(), strict=True):
        text.set_horizontalalignment("center" if np.isclose(np.sin(angle), 0, atol=1e-6) else "left" if np.sin(angle) > 0 else "right")
    axes.set(ylim=(0, 1))
    axes.set_yticks([0.2, 0.4, 0.6, 0.8, 1.0], ["", "0.4", "", "0.8", ""], fontsize=7, color="#6b7480")
    axes.set_title("AUC by attribute (sequences)", pad=24)
    axes.legend(loc="upper left", bbox_to_anchor=(1.18, 1.06))
    return figure


def spokes(comparison: Comparison) -> list[str]:
    """Attributes of two sequences or more, the most frequent ones where there are many; in alphabetical order."""
    shared = [name for name, number in comparison.attributes.items() if number > 1]
    return sorted(sorted(shared, key=lambda name: -comparison.attributes[name])[:MOST_SPOKES])


def _closed(values: Sequence[float] | NDArray[np.float64]) -> list[float]:
    return [*map(float, values), float(values[0])]


def _speed(comparison: Comparison) -> Any:
    """AUC over speed; trackers without times are not there."""
    points = [(entry.label, entry.fps, entry.means["auc"] or 0.0) for entry in comparison.entries]
    machines = sorted({machine for entry in comparison.entries for machine in entry.timed_on})
    return _scattered(points, machines[0] if len(machines) == 1 else "DIFFERENT machines: do not compare")


def draw_speed(points: Sequence[tuple[str, float | None, float]], *, where: str) -> Any:
    """A plot of accuracy over speed, as matplotlib's figure.

    Args:
        points: names, frames in a second (one without is not there), and AUC.
        where: the speeds were measured.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        return _scattered(points, where)


def _scattered(points: Sequence[tuple[str, float | None, float]], where: str) -> Any:
    figure, axes = _figure(5.2, 4.0)
    speeds = []
    for place, (name, fps, auc) in enumerate(points):
        if fps:
            speeds.append(fps)
            label = f"{auc:.3f}  {name}, {fps:.0f} fps"  # in a legend: labels at the points would lie on each other
            axes.scatter(fps, auc, s=70, color=colour(place), edgecolor="white", zorder=3, label=label)
    axes.set_xscale("log")
    axes.set(
        title="Accuracy and speed",
        xlabel=f"frames per second (logarithmic)\n{where}",
        ylabel="AUC",
        xlim=(min(speeds) / 1.6, max(speeds) * 1.6),
    )
    ticks = [value for power in range(-2, 5) for value in (10.0**power, 2 * 10.0**power, 5 * 10.0**power)]
    low, high = axes.get_xlim()
    axes.set_xticks([tick for tick in ticks if low <= tick <= high])
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(lambda *_: "")
    axes.margins(y=0.25)
    axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1))
    return figure
