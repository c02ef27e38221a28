"""Figures that others published. What a tracker of the zoo is said to reach stands in its spec; `published.json` has the rest."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files

from sightline.zoo import SPECS

__all__ = ["METRICS", "Published", "published", "published_on"]

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
METRICS = {"auc": "auc", "precision": "precision", "normalised-precision": "norm_precision", "ao": "mean_iou", "sr50": "op50", "sr75": "op75"}


@dataclass(frozen=True, slots=True)
class Published:
    """One figure, never measured by us.

    Attributes:
        tracker: its name; that of a spec where it is in the zoo.
        dataset: data set and split, as `lasot-test`.
        metric: as `auc`, `normalised-precision`, `eao`.
        value: shares in 0..1, never in percent.
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
    """Those of `published.json`: source -> data set and metric -> tracker -> value, or values of several runs."""
    told = json.loads(files("sightline.evaluate").joinpath("published.json").read_text(encoding="utf-8"))
    return tuple(
        Published(tracker, *key.split(" "), value, source)
        for source, tables in told.items()
        for key, column in tables.items()
        for tracker, values in column.items()
        for value in (values if isinstance(values, list) else [values])
    )


def published_on(dataset: str) -> tuple[Published, ...]:
    """Figures on one data set, by metric and falling value.

    Args:
        dataset: key of `evaluate.layouts.LAYOUTS`; nothing is published on most of them.
    """
    names = NAMES.get(dataset, ())
    metrics = list(METRICS)
    found = [figure for figure in published() if figure.dataset in names]
    return tuple(
        sorted(found, key=lambda figure: (metrics.index(figure.metric) if figure.metric in metrics else 99, figure.metric, -figure.value))
    )
