"""OSTrack: one plain ViT-B over template and search tokens, which drops search tokens on the way.

ProContEXT: the same with four templates. ZoomTrack: the same on bent search crops. ViPT: the same with a second picture. And with
prompts, which tell it what the target is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from sightline.spec import Crop, Feed, Memory, Origin, Reported, Spec, Zoom

__all__ = ["SPECS", "Arch"]

TemplatePrompt: TypeAlias = Literal[
    "none", "red-line", "line", "box", "painted", "painted-free", "alpha", "cutout", "size-tokens", "inside-outside"
]

README = "the authors' README"
NOTES = "the author's notes"
PAPER = "the paper"
PAGE = "Papers-with-Code page of the paper"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network. Grids are tokens along each side of a crop, 16 pixels each.

    `templates`: pictures of the target that it reads; the same positions are added to each (ProContEXT).
    `eliminate`: blocks, counted from 0, after whose attention search tokens leave; `keep`: the share that stays at each.
    `merge`: what leaves is averaged into one token more, which stays, weighted by how much those look at it: the mean, the sum or the
    largest value over heads and template tokens (an experiment: nothing was published with it).
    `queries`: the template tokens that decide: all, the middle one, the middle few, or those that show the target.
    `template_prompt`, `search_prompt`: how the network is told which part of the template is the target, and where in the search crop
    it was; see `models/layers/prompts.py`.
    `second`: what becomes of a second picture of each crop: its channels are stacked upon those of the first, its tokens are added to
    those of the first, or it prompts the first block ("shallow") or all of them ("deep"), through `bottleneck` channels, with or without
    a `fovea` (ViPT). `shown`: what that picture shows: the frame's second picture (infrared, depth, events), or, of the template alone,
    the target with black around it, or its mask; of the search crop there is then a black picture, or, with `learned_search`, a learned one.
    `windowed_score`: the score is that of the response, after the window.
    `order`: see `models/layers/orders.py`. `segments`: template and search tokens are told apart by a learned vector each.
    """

    template_grid: int
    search_grid: int
    templates: int = 1
    depth: int = 12
    width: int = 768
    heads: int = 12
    eliminate: tuple[int, ...] = ()
    keep: tuple[float, ...] = ()
    merge: Literal["none", "mean", "sum", "max"] = "none"
    queries: Literal["all", "centre-point", "centre-box", "target"] = "centre-point"
    template_prompt: TemplatePrompt = "none"
    search_prompt: Literal["none", "painted", "box-tokens"] = "none"
    second: Literal["none", "stack", "sum", "shallow", "deep"] = "none"
    shown: Literal["extra", "target", "mask"] = "extra"
    learned_search: bool = False
    bottleneck: int = 8
    fovea: bool = True
    windowed_score: bool = False
    order: Literal["direct", "template-central", "partition"] = "direct"
    segments: bool = False
    head: Literal["center", "corner", "perceptron"] = "center"
    head_width: int = 256


def _figure(dataset: str, metric: str, value: float, source: str = README) -> Reported:
    return Reported(dataset=dataset, metric=metric, value=value, source=source)


B256 = Spec(
    name="ostrack-b256",
    family="ostrack",
    arch=Arch(template_grid=8, search_grid=16),
    template=Crop(factor=2.0, size=128),
    search=Crop(factor=4.0, size=256),
    origin=Origin(
        paper="arXiv:2203.11991",
        code="github.com/botaoye/OSTrack",
        license="MIT",
        weights="linked from the authors' README (Google Drive), no licence of their own",
    ),
)
B256_CE = replace(
    B256,
    name="ostrack-b256-ce",
    arch=replace(B256.arch, eliminate=(3, 6, 9), keep=(0.7, 0.7, 0.7)),
    reported=(
        _figure("lasot-test", "auc", 0.691),
        _figure("trackingnet-test", "auc", 0.831),
        _figure("uav123", "auc", 0.683),
    ),
)
B256_CE_GOT10K = replace(B256_CE, name="ostrack-b256-ce-got10k", reported=(_figure("got10k-test", "ao", 0.710),))

B384 = replace(
    B256,
    name="ostrack-b384",
    arch=replace(B256.arch, template_grid=12, search_grid=24),
    template=Crop(factor=2.0, size=192),
    search=Crop(factor=5.0, size=384),
)
B384_CE = replace(
    B384,
    name="ostrack-b384-ce",
    arch=replace(B384.arch, eliminate=(3, 6, 9), keep=(0.7, 0.7, 0.7)),
    reported=(
        _figure("lasot-test", "auc", 0.711),
        _figure("lasot-test", "normalised-precision", 0.811, PAGE),
        _figure("lasot-test", "precision", 0.776, PAGE),
        _figure("lasot-ext", "auc", 0.506, PAGE),
        _figure("trackingnet-test", "auc", 0.839),
        _figure("trackingnet-test", "normalised-precision", 0.885, PAGE),
        _figure("trackingnet-test", "precision", 0.832, PAGE),
        _figure("uav123", "auc", 0.707),
    ),
)
B384_CE_GOT10K = replace(
    B384_CE,
    name="ostrack-b384-ce-got10k",
    reported=(
        _figure("got10k-test", "ao", 0.737),
        _figure("got10k-test", "sr50", 0.832, PAGE),
        _figure("got10k-test", "sr75", 0.708, PAGE),
    ),
)
PROCONTEXT = replace(
    B384_CE,
    name="procontext-384",
    arch=replace(B384_CE.arch, templates=4),
    template=Crop(factor=2.0, size=192, scales=(1.0, 2.0)),
    memory=Memory(every=(100,), above=0.7),
    origin=Origin(
        paper="arXiv:2210.15511",
        code="github.com/jp-lan/ProContEXT",
        license="MIT",
        weights="linked from the authors' README (Google Drive), no licence of their own",
    ),
    reported=(_figure("trackingnet-test", "auc", 0.846),),
)
PROCONTEXT_GOT10K = replace(PROCONTEXT, name="procontext-384-got10k", reported=(_figure("got10k-test", "ao", 0.746),))
ZOOMTRACK = replace(
    B256_CE,
    name="zoomtrack-b256",
    search=Crop(factor=5.0, size=256, pixels="float32", zoom=Zoom()),
    origin=Origin(
        paper="arXiv:2310.10071",
        code="github.com/Kou-99/ZoomTrack (no licence file)",
        weights="linked from the authors' README (Google Drive), no licence of their own",
    ),
    reported=(
        _figure("lasot-test", "auc", 0.702, PAPER),
        _figure("tnl2k", "auc", 0.565, PAPER),
        _figure("trackingnet-test", "auc", 0.832, PAPER),
    ),
)
ZOOMTRACK_GOT10K = replace(ZOOMTRACK, name="zoomtrack-b256-got10k", reported=(_figure("got10k-test", "ao", 0.735, PAPER),))
VIPT = replace(
    B256_CE,
    name="vipt-deep-rgbt",
    arch=replace(B256_CE.arch, second="deep", windowed_score=True),
    feed=("extra",),
    origin=Origin(
        paper="arXiv:2303.10826",
        code="github.com/jiawen-zhu/ViPT",
        license="MIT",
        weights="linked from the authors' README (Google Drive, Baidu), no licence of their own",
    ),
    reported=(),  # in the README as pictures only
)
VIPTS = tuple(
    replace(VIPT, name=f"vipt-{second}-{pair}", arch=replace(VIPT.arch, second=second))
    for second in ("deep", "shallow")
    for pair in ("rgbt", "rgbe", "rgbd")  # the same network, trained with infrared, event and depth pictures
)


def _variant(base: Spec, name: str, figures: tuple[float | None, ...] = (), **changes: object) -> Spec:
    """A network with prompts or a second picture, and its figures on LaSOT, TrackingNet and GOT-10k in the author's notes, where there are any."""
    arch: Arch = replace(base.arch, **changes)
    feed: list[Feed] = ["target"] if arch.template_prompt != "none" or arch.shown != "extra" else []
    feed += ["prior"] if arch.search_prompt != "none" else []
    feed += ["extra"] if arch.second != "none" and arch.shown == "extra" else []
    sets = (("lasot-test", "auc"), ("trackingnet-test", "auc"), ("got10k-test", "ao"))
    reported = tuple(_figure(*key, value, NOTES) for key, value in zip(sets, figures, strict=False) if value is not None)
    origin = Origin(
        code="github.com/lpylpy0514/workspace_tracking (no licence file)", weights="never published; those of OSTrack lack the new tensors"
    )
    return replace(base, name=f"{base.name}-{name}", arch=arch, feed=tuple(feed), reported=reported, origin=origin)


PROMPTED = (
    _variant(B256, "prompt-red-line", template_prompt="red-line"),
    _variant(B256, "prompt-line", (0.6801, 0.8301, 0.732), template_prompt="line"),
    _variant(B256, "prompt-box", template_prompt="box"),
    _variant(B256, "prompt-painted", (0.6899, 0.8362, 0.739), template_prompt="painted"),
    _variant(B256, "prompt-painted-free", template_prompt="painted-free"),
    _variant(B256, "prompt-painted-both", (None, None, 0.628), template_prompt="painted", search_prompt="painted"),
    _variant(B256, "prompt-alpha", (0.6751, 0.8332, 0.732), template_prompt="alpha"),
    _variant(B256, "prompt-cutout", template_prompt="cutout"),
    _variant(B256, "prompt-size-tokens", (0.6895, 0.8359, 0.732), template_prompt="size-tokens"),
    _variant(B256, "prompt-box-tokens", (None, None, 0.673), search_prompt="box-tokens"),
    _variant(B256, "prompt-inside-outside", template_prompt="inside-outside"),
    _variant(B256_CE, "prompt-target-picture", second="deep", shown="target", bottleneck=32, fovea=False),
    _variant(B256_CE, "prompt-target-mask", second="deep", shown="mask", bottleneck=32, fovea=False),
)
# visible and infrared pictures without prompts
PAIRED = tuple(
    replace(_variant(B256_CE, f"rgbt-{second}", second=second), origin=Origin(weights="never published; ours to train"))
    for second in ("stack", "sum")
)
SPECS = (
    B256,
    B256_CE,
    B256_CE_GOT10K,
    B384,
    B384_CE,
    B384_CE_GOT10K,
    PROCONTEXT,
    PROCONTEXT_GOT10K,
    ZOOMTRACK,
    ZOOMTRACK_GOT10K,
    *VIPTS,
    *PROMPTED,
    *PAIRED,
)
