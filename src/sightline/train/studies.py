"""The studies of the field's notes at a size that one processor does in minutes: they rank, and their numbers are not those of papers.

All networks look at crops of half the usual sides, so at a quarter of the tokens: enough steps from random weights to learn to find a
target fit into a minute or two (recipes/LOG.md). Each study is a function without arguments that returns a `Study`; one's own is a
Python file with a `STUDY` (docs/how-to/train.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from sightline import zoo
from sightline.spec import Spec
from sightline.train.ablate import Study, Variant
from sightline.train.pretrain.masks import PATCH
from sightline.train.pretrain.recipe import mtr_nano
from sightline.train.recipe import PLAIN, Data, Optim, Rate, Recipe, Share
from sightline.train.recipes.kestrel import ALL_VIDEOS, OPEN_STILLS, OTHER_STILLS
from sightline.zoo.efficienttrack import Arch as EfficientTrack
from sightline.zoo.efficienttrack import Order
from sightline.zoo.kestrel import Arch as Kestrel
from sightline.zoo.vittrack import Arch as VitTrack
from sightline.zoo.vittrack import TemplatePrompt

__all__ = ["STUDIES"]

ORDERS: tuple[Order, ...] = ("AF", "FAF", "GAF", "FGAF")
STEMS: tuple[Literal["conv16", "conv2x2", "conv3x3"], ...] = ("conv16", "conv2x2", "conv3x3")
PROMPTS: tuple[TemplatePrompt, ...] = ("none", "red-line", "line", "box", "painted", "alpha", "cutout")
STILLS = (*OPEN_STILLS, *OTHER_STILLS, "coco")
VIDEOS = (*ALL_VIDEOS, "drones")
STEPS = 500
TEMPLATE_GRID, SEARCH_GRID = 4, 8


def small(spec: Spec, arch: Kestrel | VitTrack | EfficientTrack) -> Spec:
    """A spec with another network, which looks at crops of half the sides."""
    return replace(
        spec,
        arch=replace(arch, template_grid=TEMPLATE_GRID, search_grid=SEARCH_GRID),
        template=replace(spec.template, size=PATCH * TEMPLATE_GRID),
        search=replace(spec.search, size=PATCH * SEARCH_GRID),
    )


BASE = Recipe(
    name="kestrel-nano",
    network=small(zoo.find("kestrel-nano"), Kestrel(depth=3, width=48, heads=1, head_width=32)),
    data=Data(shares=(), center_jitter=2.5, scale_jitter=0.2, stretch=0.1, absent=0.1),
    augment=replace(PLAIN, flip=0.5, grey=0.05, light=0.5, stranger=0.1),  # strong disturbances are for long runs
    validation=Data(shares=(), center_jitter=1.5, scale_jitter=0.15, stretch=0.1, absent=0.25),
    optim=Optim(rate=3e-3, mean=0.99, warmup=50),
    steps=STEPS,
    save_every=STEPS,
    norms="trained",
)
ENCODER = replace(mtr_nano(), steps=STEPS, save_every=STEPS, batch=16)
ENCODER = replace(ENCODER, arch=replace(ENCODER.arch, sides=(SEARCH_GRID, SEARCH_GRID)))
SMALL = VitTrack(depth=3, width=64, heads=1, head="center", head_width=32)


def mask_ratio() -> Study:
    """How much of both crops MTR hides."""
    variants = {f"{ratio:.0%} hidden": Variant(BASE, replace(ENCODER, ratio=ratio)) for ratio in (0.4, 0.6, 0.8)}
    return Study("mask ratio", {"no pre-training": Variant(BASE), **variants})


def pretraining_data() -> Study:
    """What the encoder sees before it is fine-tuned."""
    parts = {"stills": STILLS, "videos": VIDEOS, "both": (*STILLS, *VIDEOS)}
    shares = {name: (Share(weight=1.0, sources=sources),) for name, sources in parts.items()}
    variants = {name: Variant(BASE, replace(ENCODER, data=replace(ENCODER.data, shares=share))) for name, share in shares.items()}
    return Study("pre-training data", {"none": Variant(BASE), **variants})


def blocks() -> Study:
    """The order of feed-forward and attention in EfficientTrack."""
    base = zoo.find("efficienttrack-af-c128-d3")
    arches = {order: EfficientTrack(order=order, depth=3, width=64, heads=2, head_width=32) for order in ORDERS}
    return Study("block type", {order: _of(base, arch) for order, arch in arches.items()})


def patch() -> Study:
    """How crops become tokens: one convolution of 16, or four in a row."""
    return Study("patch embedding", {stem: _vittrack(replace(SMALL, stem=stem)) for stem in STEMS})


def size() -> Study:
    """Depth and width."""
    sizes = ((1, 64), (3, 64), (6, 64), (1, 128), (3, 128))
    return Study("depth and width", {f"d{depth}c{width}": _vittrack(replace(SMALL, depth=depth, width=width)) for depth, width in sizes})


def head() -> Study:
    """A centre head, or corners."""
    return Study(
        "head",
        {
            "centre": _vittrack(SMALL),
            "corner": _vittrack(replace(SMALL, head="corner_v3")),
            "corner, light": _vittrack(replace(SMALL, head="corner_lite")),
        },
    )


def rate() -> Study:
    """How quickly a pre-trained encoder learns on."""
    variants = {}
    for factor in (1.0, 0.1, 0.0):
        rates = tuple(Rate(pattern=pattern, factor=factor) for pattern in ("stem.*", "blocks.*", "norm.*"))
        variants[f"encoder rate x {factor:g}"] = Variant(replace(BASE, optim=replace(BASE.optim, rates=rates)), ENCODER)
    return Study("backbone learning rate", variants)


def prompts() -> Study:
    """How the network is told which part of the template is the target."""
    variants: dict[str, Variant] = {}
    for kind in PROMPTS:
        recipe = _vittrack(replace(SMALL, template_prompt=kind)).recipe
        told = {
            name: replace(getattr(recipe, name), draw="both") for name in ("data", "validation")
        }  # samples of which the template's box is known
        variants[kind] = Variant(replace(recipe, **told))
    return Study("template prompt", variants)


def _vittrack(arch: VitTrack) -> Variant:
    return _of(zoo.find("vittrack-d12c256-conv2x2-center"), arch)


def _of(base: Spec, arch: VitTrack | EfficientTrack) -> Variant:
    """Training of a network that differs from one of the zoo in its arch, and in what it has to be told."""
    is_corner = isinstance(arch, VitTrack) and arch.head != "center"
    is_told = isinstance(arch, VitTrack) and arch.template_prompt != "none"
    network = replace(small(base, arch), feed=("target",) if is_told else (), score="none" if is_corner else base.score)
    return Variant(replace(BASE, name=base.name, network=network, objective="box" if is_corner else "center"))


STUDIES: dict[str, Callable[[], Study]] = {
    "mask-ratio": mask_ratio,
    "pretraining-data": pretraining_data,
    "blocks": blocks,
    "patch": patch,
    "size": size,
    "head": head,
    "backbone-rate": rate,
    "prompts": prompts,
}
