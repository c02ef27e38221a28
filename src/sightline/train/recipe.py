"""A training run as data: what is learnt from, how it is disturbed, what it costs, how long it takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Augment", "Data", "Distil", "Loss", "Optim", "Recipe", "Share"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Part of the pairs, drawn from the tracks of some sources, every track with the same chance."""

    weight: float
    sources: tuple[str, ...]
    kinds: tuple[str, ...] = ()  # only objects of these classes; empty: all


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Which pairs. The names of sources are those of the data's index."""

    shares: tuple[Share, ...]
    center_jitter: float = 3.0  # full range of the search centre's shift, in sqrt(w h) of the jittered box
    scale_jitter: float = 0.25  # deviation of the logarithm of the search box's sides
    template_jitter: float = 0.0  # like center_jitter, for the template
    stretch: float = 0.0  # deviation of the logarithm of the sides of a whole still picture, template and search apart
    absent: float = 0.0  # share of pairs in which the target is not to be found
    covered: float = 0.3  # of those: the target's place is covered; in the others the template is of another object


@dataclass(frozen=True, slots=True, kw_only=True)
class Augment:
    """How often a crop is changed, in 0..1. `grey` and `flip` hit template and search together, the rest each alone."""

    grey: float = 0.05
    flip: float = 0.5
    light: float = 0.8
    blur: float = 0.2
    coarse: float = 0.2  # lose resolution, as a small target does
    noise: float = 0.1
    jpeg: float = 0.2
    occluder: float = 0.1  # something covers a part of the target
    stranger: float = 0.15  # another object is pasted beside the target


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Weights of the parts: focal loss of the score map, overlap and corner distance of the box."""

    focal: float = 1.0
    giou: float = 2.0
    l1: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Distil:
    """Learn from another network's answers to the same crops, where it finds the target itself."""

    teacher: Path  # a weights file of a network with joint attention over both crops (`models.layers.onestream`)
    features: float = 0.0  # search tokens after the last norm; needs the same width
    score: float = 0.0
    size: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Optim:
    """AdamW with linear warm-up and cosine decay, and a running mean of the weights, which is what is kept."""

    rate: float
    decay: float = 1e-4
    warmup: int = 100  # steps
    clip: float = 1.0  # largest norm of the gradient
    mean: float = 0.999  # share of the old running mean kept at each step


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One training run. Everything that changes the result is here; the rest are the data and the versions in run.json."""

    name: str  # a spec of the zoo
    data: Data
    validation: Data  # pairs of the split "val", the same for all recipes that are to be compared
    optim: Optim
    steps: int
    start: Path | None = None  # weights of any network: tensors of the same name and shape are taken over
    start_share: float = 0.0  # of these weights in those that are saved, 0..1; the rest is the running mean of the run
    augment: Augment = Augment()
    loss: Loss = Loss()
    distil: Distil | None = None
    batch: int = 32
    seed: int = 0
    validation_pairs: int = 640
    save_every: int = 500  # steps between two validations, each followed by a save
    threads: int = 1
    workers: int = 1
