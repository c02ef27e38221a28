"""Figures that others published. What a tracker of the zoo is said to reach stands in its spec; `published.json` has the rest."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from importlib.resources import files

from sightline.zoo import SPECS

__all__ = ["METRICS", "NAMES", "Published", "beside_the_zoo", "published", "published_on"]

# What the data set is called in specs and in published.json, by the names of `evaluate.layouts`.
NAMES = {
    "dtb70": ("dtb70",),
    "got10k:test": ("got10k-test",),
    "got10k:val": ("got10k-val",),
    "lasot": ("lasot-test",),
    "lasot_ext": ("lasot-ext",),
    "nfs": ("nfs30", "nfs"),
    "nfs:240": ("nfs240",),
    "nfs:converted": ("nfs30", "nfs"),
    "otb100": ("otb100", "otb2015"),
    "otb2013": ("otb2013",),
    "otb50": ("otb50",),
    "tnl2k": ("tnl2k-test", "tnl2k"),
    "trackingnet": ("trackingnet-test",),
    "uav123": ("uav123",),
    "uav20l": ("uav20l",),
}
# Beside which of our figures a published one stands.
METRICS = {
    "auc": "auc",
    "precision": "precision",
    "normalised-precision": "norm_precision",
    "ao": "ao",
    "sr50": "sr50",
    "sr75": "sr75",
    "fps": "fps",
}


@dataclass(frozen=True, slots=True)
class Published:
    """One figure, never measured by us.

    Attributes:
        tracker: its name; that of a spec where it is in the zoo.
        dataset: data set and split, as `lasot-test`; "speed" where none is told.
        metric: as `auc`, `normalised-precision`, `eao`, `fps`.
        value: shares in 0..1, never in percent; frames per second.
        source: the table, paper or page that it is from.
    """

    tracker: str
    dataset: str
    metric: str
    value: float
    source: str


def published() -> tuple[Published, ...]:
    """All of them: those of the zoo's specs, in its order, then those of `published.json`."""
    of_specs = [
        Published(spec.name, figure.dataset, figure.metric, figure.value, figure.source)
        for spec in SPECS.values()
        for figure in spec.reported
    ]
    return (*of_specs, *beside_the_zoo())


def beside_the_zoo() -> tuple[Published, ...]:
    """Those of `published.json`: source -> data set and metric -> tracker -> value."""
    told = json.loads(files("sightline.evaluate").joinpath("published.json").read_text(encoding="utf-8"))
    columns = [(source, *key.split(" "), column) for source, tables in told.items() for key, column in tables.items()]
    return tuple(
        Published(tracker, dataset, metric, value, source)
        for source, dataset, metric, column in columns
        for tracker, value in column.items()
    )


def published_on(dataset: str, trackers: Collection[str] = ()) -> tuple[Published, ...]:
    """Figures on one data set, by metric and falling value.

    Args:
        dataset: key of `evaluate.layouts.LAYOUTS`; nothing is published on most of them.
        trackers: of these the published speeds, too.
    """
    names = NAMES.get(dataset, ())
    order = {metric: place for place, metric in enumerate(METRICS)}
    found = [figure for figure in published() if figure.dataset in names or (figure.dataset == "speed" and figure.tracker in trackers)]
    return tuple(sorted(found, key=lambda figure: (order.get(figure.metric, len(order)), figure.metric, -figure.value)))
