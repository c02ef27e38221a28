"""VitTrack: the grid of plain transformers with corner heads, most of them pre-trained by masked autoencoding (MTR)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from sightline.spec import Crop, Feed, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]

TemplatePrompt: TypeAlias = Literal[
    "none", "red-line", "line", "box", "painted", "painted-free", "alpha", "cutout", "size-tokens", "inside-outside"
]

NOTES = "the author's notes"
PLAIN = f"{NOTES}, no pre-training"
MTR320 = f"{NOTES}, MTR 320 epochs, backbone rate x1"
MTR500 = f"{NOTES}, MTR 500 epochs, backbone rate x1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network of the grid.

    `class_weight`: corner heads see each search token times its product with the class token. `neck` "pyramid" adds up
    the tokens of blocks 4, 8 and 12. `template_prompt`, `search_prompt`: how the network is told which part of the template is the target,
    and where in the search crop it was; see `models/layers/prompts.py`. `second`: what becomes of a second picture of each crop: its
    channels are stacked upon those of the first, or its tokens are added to those of the first. `template_grid`, `search_grid`: tokens
    along each side of the crops, each of 16 pixels.
    """

    depth: int
    width: int
    heads: int
    stem: Literal["conv16", "conv2x2", "conv3x3"] = "conv2x2"
    head: Literal["center", "corner", "corner_v2", "corner_v3", "corner_lite"] = "corner_v3"
    head_width: int = 256
    class_weight: bool = True
    neck: Literal["none", "pyramid"] = "none"
    template_prompt: TemplatePrompt = "none"
    search_prompt: Literal["none", "painted", "box-tokens"] = "none"
    second: Literal["none", "stack", "sum"] = "none"
    template_grid: int = 8
    search_grid: int = 16


def _figures(source: str, lasot: float, trackingnet: float, got10k: float) -> tuple[Reported, ...]:
    return (
        Reported(dataset="lasot-test", metric="auc", value=lasot, source=source),
        Reported(dataset="trackingnet-test", metric="auc", value=trackingnet, source=source),
        Reported(dataset="got10k-test", metric="ao", value=got10k, source=source),
    )


D12C256 = Spec(
    name="vittrack-d12c256-conv2x2-corner",
    family="vittrack",
    arch=Arch(depth=12, width=256, heads=4),
    template=Crop(factor=2.0, size=128),
    search=Crop(factor=4.0, size=256),
    score="none",
    origin=Origin(code="github.com/lpylpy0514/workspace_tracking (no licence file)", weights="never published"),
    reported=(
        *_figures(PLAIN, 0.6023, 0.7661, 0.612),
        Reported(dataset="lasot-test", metric="auc", value=0.6322, source=MTR320),
        *_figures(MTR500, 0.6308, 0.7928, 0.652),
    ),
)


def _variant(name: str, *reported: Reported, **changes: object) -> Spec:
    """Another network of the grid, told apart from `D12C256` by fields of its Arch."""
    score: Literal["probability", "none"] = "probability" if changes.get("head") == "center" else "none"
    asks: dict[Feed, str] = {"target": "template_prompt", "prior": "search_prompt", "extra": "second"}
    feed = tuple(name for name, field in asks.items() if field in changes)
    arch = replace(D12C256.arch, **changes)
    return replace(D12C256, name=f"vittrack-{name}", arch=arch, reported=reported, score=score, feed=feed)


SPECS = (
    D12C256,
    _variant("d12c256-conv2x2-corner-pyramid", *_figures(f"{NOTES}, MTR", 0.6336, 0.7900, 0.653), neck="pyramid"),
    _variant("d12c256-conv2x2-corner-rectangle", *_figures(f"{NOTES}, MTR", 0.6245, 0.7895, 0.653), template_prompt="line"),
    _variant("d12c256-conv2x2-corner-painted", template_prompt="painted"),
    _variant("d12c256-conv2x2-corner-alpha", template_prompt="alpha"),
    _variant("d12c256-conv2x2-center-rgbt-stack", head="center", second="stack"),
    _variant("d12c256-conv2x2-center-rgbt-sum", head="center", second="sum"),
    _variant("d12c256-conv16-corner", *_figures(f"{NOTES}, MTR", 0.6238, 0.7872, 0.638), stem="conv16"),
    _variant("d12c256-conv3x3-corner", stem="conv3x3"),
    _variant("d12c256-conv2x2-center", head="center"),
    _variant("d6c256-conv2x2-corner", depth=6),
    _variant("d3c256-conv2x2-corner", depth=3),
    _variant("d3c128-conv2x2-corner", depth=3, width=128, heads=2),
    # the stem of these two follows from the number of parameters that the notes give, 36.4 and 93.1 million
    _variant(
        "d4c768-conv2x2-corner",
        Reported(dataset="lasot-test", metric="auc", value=0.649, source=NOTES),
        depth=4,
        width=768,
        heads=12,
    ),
    _variant(
        "d12c768-conv2x2-corner",
        Reported(dataset="lasot-test", metric="auc", value=0.700, source=NOTES),
        width=768,
        heads=12,
    ),
)
