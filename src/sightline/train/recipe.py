"""A training run as data: what is learnt from, how it is disturbed, what it costs, how long it takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sightline.spec import Spec

__all__ = ["PLAIN", "Augment", "Data", "Distil", "Growth", "Guard", "Keep", "Loss", "Optim", "Rate", "Recipe", "Share"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Part of the pairs, drawn from the tracks of some sources, every track with the same chance."""

    weight: float
    sources: tuple[str, ...]
    kinds: tuple[str, ...] = ()  # only objects of these classes; empty: all


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """The largest distance between template and search picture grows while the training goes on."""

    by: int  # frames in each epoch
    since: int = 0  # the first epoch of growth
    until: int = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Which pairs. The names of sources are those of the data's index, or of `sightline.train.data.SOURCES`."""

    shares: tuple[Share, ...]
    center_jitter: float = 3.0  # full range of the search centre's shift, in sqrt(w h) of the jittered box
    scale_jitter: float = 0.25  # deviation of the logarithm of the search box's sides
    template_jitter: float = 0.0  # like center_jitter, for the template
    stretch: float = 0.0  # deviation of the logarithm of the sides of a whole still picture, template and search apart
    absent: float = 0.0  # share of pairs in which the target is not to be found
    covered: float = 0.3  # of those: the target's place is covered; in the others the template is of another object
    # which pictures of a track: `sightline.train.draws`; "any" is the way of `sightline.train.pairs`, all others that of `samples`
    draw: Literal["any", "both", "causal", "interval", "order", "trident", "trident-pro", "stark"] = "any"
    gap: int = 200  # frames between template and search picture, at most
    growth: Growth | None = None  # of the gap
    epoch: int = 60_000  # samples, where the gap grows
    searches: int = 1  # search pictures of a sample, one after another: networks that hand something on learn from several
    shortest: int = 2  # tracks of fewer pictures are left out
    template_scale: float = 0.0  # like scale_jitter, for the template
    turn: float = 0.0  # deviation in degrees of how far a still picture is turned, template and search apart
    hidden: bool = False  # what is absent is searched for in a picture of its own track without it, where there is one
    scaled: bool = True  # pictures many times larger than needed are decoded at a fraction of their size


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
    brightness: float = 0.0  # every crop times a factor of 1 - this to 1 + this
    flip_each: float = 0.0  # every crop alone is mirrored


PLAIN = Augment(
    grey=0.0, flip=0.0, light=0.0, blur=0.0, coarse=0.0, noise=0.0, jpeg=0.0, occluder=0.0, stranger=0.0
)  # a picture as it is: published recipes name what they change


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Weights of the parts that an objective has (`sightline.train.objectives`); a part of weight 0 is left out."""

    focal: float = 1.0  # of the map of centres
    giou: float = 2.0  # of boxes, as `ciou` and `siou`
    l1: float = 5.0  # of their corners, or of anchors' offsets
    ciou: float = 0.0
    siou: float = 0.0
    overlap: float = 1.0  # of boxes around points
    score: float = 1.0  # whether a cell, or the whole crop, shows the target
    cells: float = 1.0  # the same of tokens
    varifocal: float = 1.0  # of foretold overlaps
    words: float = 1.0  # of a box that is written


@dataclass(frozen=True, slots=True, kw_only=True)
class Distil:
    """Learn from another network's answers to the same crops, where it finds the target itself.

    The teacher is any weights file, or an ONNX file; of that only the box can be learnt. Its crops must be those of the student but for
    their size in pixels.
    """

    teacher: Path
    features: float = 0.0  # squared distance of `layers`; needs the same width
    score: float = 0.0  # of the score maps, as `score_by` says; needs centre heads with the same grid
    size: float = 0.0  # of the centre heads' sizes and offsets
    box: float = 0.0  # absolute differences of the boxes
    layers: tuple[tuple[str, str], ...] = (("norm", "norm"),)  # submodules of student and teacher; of the tokens, the last that both have
    score_by: Literal["square", "kl"] = "square"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How quickly some parameters learn. The first row that fits a name counts; what no row fits learns at the full rate."""

    pattern: str  # of names of parameters, as a shell's: "backbone.*"
    factor: float = 1.0  # times the rate; 0: frozen
    decay: float = 1.0  # times the decay of the weights
    since: float = 0.0  # share of the run before they begin to learn


@dataclass(frozen=True, slots=True, kw_only=True)
class Optim:
    """The optimiser, its rate over the run, and a running mean of the weights, which is what is kept."""

    rate: float
    decay: float = 1e-4
    warmup: int = 100  # steps
    clip: float = 1.0  # largest norm of the gradient
    mean: float = 0.999  # share of the old running mean kept at each step; 0: the weights themselves are kept
    kind: Literal["adamw", "adam", "sgd"] = "adamw"
    momentum: float = 0.9  # of "sgd"
    schedule: Literal["cosine", "drops", "exponential"] = "cosine"
    last: float = 0.0  # rate at the end of "cosine" and "exponential"
    drops: tuple[float, ...] = (0.8,)  # shares of the run at which "drops" multiplies the rate
    drop: float = 0.1  # by this
    warm_from: float = 0.0  # share of the rate at which the warm-up begins
    rates: tuple[Rate, ...] = ()
    decay_vectors: bool = True  # norms, biases and other vectors decay too
    betas: tuple[float, float] = (0.9, 0.999)  # of "adamw" and "adam"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How many search tokens stay at eliminations: all, then fewer along a cosine, then the network's own share."""

    base: float = 0.7
    since: int = 20  # epoch
    warm: int = 80  # epochs
    epochs: int = 300  # of the whole run


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What happens when a loss, a gradient or an activation is not finite: `sightline.train.guard`."""

    then: Literal["skip", "stop"] = "stop"
    most: int = 20  # steps that may be skipped one after another
    activations: bool = False  # look at what every module says in every step; without, only when a loss or gradient is not finite


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One training run. Everything that changes the result is here; the rest are the data and the versions in run.json."""

    name: str  # a spec of the zoo, unless `network` says which
    data: Data
    validation: Data  # pairs of the split "val", the same for all recipes that are to be compared
    optim: Optim
    steps: int
    start: Path | None = None  # weights of any network: tensors of the same name and shape are taken over
    start_share: float = 0.0  # of these weights in those that are saved, 0..1; the rest is the running mean of the run
    augment: Augment = Augment()
    loss: Loss = Loss()
    distil: Distil | None = None
    batch: int = 32  # samples of a step, of all processes and passes together
    seed: int = 0
    validation_pairs: int = 640
    save_every: int = 500  # steps between two validations, each followed by a save
    threads: int = 1
    workers: int = 1
    network: Spec | None = None  # instead of the one in the zoo, under the same name
    objective: str = "center"  # a row of `sightline.train.objectives`
    passes: int = 1  # in which a step's samples go through the network one after another, to save memory
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    norms: Literal["kept", "trained"] = "kept"  # statistics of batch norms
    guard: Guard = Guard()
    keep: Keep | None = None
    overfit: int = 0  # learn from so many samples only, over and over, to see that it can; 0: no
