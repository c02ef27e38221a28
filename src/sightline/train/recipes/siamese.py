"""Recipes of networks that compare cells or anchors with the template: Siamese trackers, and transformers with a verdict of every token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from sightline.train.recipe import PLAIN, Augment, Data, Growth, Loss, Optim, Rate, Recipe, Share
from sightline.train.recipes.common import FOUR, GOT10K, USUAL, published, step_down

__all__ = ["RECIPES"]

SHAKEN = replace(PLAIN, light=0.5, blur=0.2, flip=0.0)  # colour always, as published; ours draws it half of the time and more strongly
PYSOT = (
    Share(weight=1.0, sources=("got10k",)),
    Share(weight=1.0, sources=("vid",)),
    Share(weight=1.0, sources=("coco",)),
    Share(weight=1.0, sources=("lasot",)),
)


def _near(center: float, scale: float, shares: tuple[Share, ...], *, gap: int = 100, absent: float = 0.0) -> Data:
    """Any two pictures of a track that are not far apart. Of the targets that are not there, none is merely covered."""
    return Data(shares=shares, draw="interval", gap=gap, center_jitter=center, scale_jitter=scale, absent=absent, covered=0.0, shortest=20)


def transt(name: str) -> Recipe:
    """Chen et al., CVPR 2021: 1000 epochs of 1000 steps."""
    shares = (*FOUR[:3], Share(weight=1.0, sources=("trackingnet:4",)))
    optim = step_down(1e-4, 0.5, Rate(pattern="backbone.*", factor=0.1))
    loss = Loss(cells=8.334, l1=5.0, giou=2.0)
    return published(
        name,
        _near(3.0, 0.25, shares),
        optim,
        epochs=1000,
        batch=38,
        samples=38_000,
        objective="tokens",
        loss=loss,
        augment=replace(USUAL, flip=0.0, flip_each=0.0),
    )


def hcat(name: str) -> Recipe:
    """Chen et al., ECCV workshops 2022: as TransT, 200 epochs."""
    optim, loss = step_down(1e-4, 0.75, Rate(pattern="backbone.*", factor=0.1)), Loss(cells=8.334, l1=5.0, giou=2.0)
    return published(
        name,
        _near(3.0, 0.25, FOUR),
        optim,
        epochs=200,
        batch=128,
        samples=50_000,
        objective="tokens",
        loss=loss,
        augment=replace(USUAL, flip=0.0, flip_each=0.0),
    )


def swintrack(name: str) -> Recipe:
    """Lin et al., NeurIPS 2022: overlaps foretold; the last norm of the backbone keeps the full rate."""
    batch = 64 if "384" in name else 128
    optim = replace(step_down(5e-4, 0.7, Rate(pattern="backbone.norm*"), Rate(pattern="backbone.*", factor=0.1)), warm_from=0.001)
    augment = Augment(grey=0.05, flip=0.0, light=0.5, blur=0.0, coarse=0.0, noise=0.0, jpeg=0.0, occluder=0.0, stranger=0.0)
    recipe = published(name, _near(3.0, 0.25, FOUR), optim, epochs=300, batch=batch, samples=131_072, objective="overlaps", augment=augment)
    return replace(recipe, optim=replace(optim, warmup=recipe.steps // 100), loss=Loss(varifocal=1.5, giou=1.5))


def lorat(name: str) -> Recipe:
    """Lin et al., ECCV 2024: low-rank factors, head and kinds of tokens learn, in half precision; 170 epochs."""
    learnt = tuple(Rate(pattern=pattern) for pattern in ("*.lora.*", "score.*", "box.*", "kinds"))
    warm = 2 * 131_072 // 128
    optim = Optim(
        rate=1e-4,
        decay=0.1,
        warmup=warm,
        warm_from=1e-3,
        clip=1.0,
        mean=0.0,
        last=1e-6,
        decay_vectors=False,
        rates=(*learnt, Rate(pattern="*", factor=0.0)),
    )
    augment = replace(PLAIN, flip_each=0.5, light=0.4, grey=0.1, blur=0.1)
    return published(
        name,
        _near(3.0, 0.25, FOUR),
        optim,
        epochs=170,
        batch=128,
        samples=131_072,
        objective="qualities",
        loss=Loss(score=1.0, giou=1.0),
        augment=augment,
        precision="float16",
    )


def siamfc(name: str) -> Recipe:
    """Bertinetto et al., 2016, as retrained by others on GOT-10k: the target stands in the middle of the search crop."""
    data = Data(shares=GOT10K, draw="order", gap=100, center_jitter=0.0, scale_jitter=0.03, shortest=20)
    optim = Optim(rate=1e-2, last=1e-5, kind="sgd", decay=5e-4, warmup=0, clip=1e6, mean=0.0, schedule="exponential")
    return published(name, data, optim, epochs=50, batch=8, samples=9335, objective="responses", augment=PLAIN)


def dcfnet(name: str) -> Recipe:
    """Wang et al., 2017: the filter is solved for inside the network, its features learn. The schedule is ours: no published one was at hand."""
    data = Data(shares=(Share(weight=1.0, sources=("vid",)),), draw="interval", gap=10, center_jitter=0.3, scale_jitter=0.0, shortest=2)
    optim = Optim(rate=1e-2, last=1e-5, kind="sgd", decay=5e-4, warmup=0, clip=10.0, mean=0.0, schedule="exponential")
    return published(name, data, optim, epochs=50, batch=32, samples=60_000, objective="bumps", augment=PLAIN)


def _warm_then_down(rate: float, last: float, steps: int, epochs: int, *rates: Rate) -> Optim:
    """SGD: five epochs from a fifth of the rate up, then down exponentially; the backbone rests for a part of the run."""
    return Optim(
        rate=rate,
        last=last,
        kind="sgd",
        warm_from=0.2,
        warmup=5 * steps // epochs,
        clip=10.0,
        mean=0.0,
        schedule="exponential",
        rates=rates,
    )


def siamrpn(name: str) -> Recipe:
    """Li et al., CVPR 2019 (SiamRPN++): 20 epochs of 600,000 pairs, a fifth of them without the target."""
    data = _near(2.0, 0.1, PYSOT, absent=0.2)
    steps, epochs = 20 * 600_000 // 224, 20
    optim = _warm_then_down(5e-3, 5e-4, steps, epochs, Rate(pattern="trunk.*", factor=0.1, since=0.5))
    return published(
        name, data, optim, epochs=epochs, batch=224, samples=600_000, objective="anchors", loss=Loss(score=1.0, l1=1.2), augment=SHAKEN
    )


def dasiamrpn(name: str) -> Recipe:
    """Zhu et al., ECCV 2018, as far as its paper says: 50 epochs, from 1e-2 to 1e-4.

    It does not say how gradients are kept small. A logit is a sum of 4096 products, so they are large: clipped at 10, as those of SiamRPN++, they
    carry the offsets away at this rate within ten steps (recipes/LOG.md).
    """
    data = _near(2.0, 0.1, PYSOT[1:3], absent=0.2)
    optim = Optim(rate=1e-2, last=1e-4, kind="sgd", warmup=0, clip=0.1, mean=0.0, schedule="exponential")
    return published(
        name, data, optim, epochs=50, batch=128, samples=60_000, objective="anchors", loss=Loss(score=1.0, l1=1.2), augment=SHAKEN
    )


def nanotrack(name: str) -> Recipe:
    """NanoTrack of SiamTrackers: 50 epochs; the trunk rests for ten, then learns at a tenth of the rate."""
    is_third = name.endswith("v3")
    samples, batch = (400_000, 64) if is_third else (100_000, 32)
    data = _near(2.0, 0.1, PYSOT if is_third else GOT10K, absent=0.2)
    optim = _warm_then_down(5e-3, 5e-4, 50 * samples // batch, 50, Rate(pattern="trunk.*", factor=0.1, since=0.2))
    return published(name, data, optim, epochs=50, batch=batch, samples=samples, objective="points in an ellipse", augment=SHAKEN)


def fear(name: str) -> Recipe:
    """Borsuk et al., ECCV 2022, its quick form on GOT-10k; pictures are further apart every epoch. The rate falls along a cosine, theirs when it no longer pays."""
    data = replace(_near(1.5, 0.2, GOT10K, gap=70), growth=Growth(by=1, since=20))
    optim = Optim(rate=1e-4, last=1e-6, kind="adam", decay=0.0, warmup=200, clip=10.0, mean=0.0)
    augment = replace(PLAIN, grey=0.05, light=0.5, blur=0.2, noise=0.1, jpeg=0.1, coarse=0.2)
    return published(name, data, optim, epochs=100, batch=128, samples=100_000, objective="points inside", augment=augment)


def lighttrack(name: str) -> Recipe:
    """Yan et al., CVPR 2021, the network that was found, retrained; E.T.Track (Blatter et al., WACV 2023) by AdamW. Rates are those of SiamRPN++ where papers are silent."""
    is_exemplar = name == "ettrack"
    epochs, samples, batch = 50, 600_000, 256
    rates = (Rate(pattern="backbone.*", factor=0.1),)
    sgd = _warm_then_down(5e-3, 5e-4, epochs * samples // batch, epochs, *rates)
    adamw = Optim(rate=1e-4, warmup=1000, clip=10.0, mean=0.0, rates=rates)
    data = _near(2.0, 0.1, (*PYSOT[:3], *(PYSOT[3:] if is_exemplar else ())), absent=0.2)
    return published(
        name, data, adamw if is_exemplar else sgd, epochs=epochs, batch=batch, samples=samples, objective="points near", augment=SHAKEN
    )


ROWS: tuple[tuple[Callable[[str], Recipe], tuple[str, ...]], ...] = (
    (transt, ("transt-n2", "transt-n4")),
    (hcat, ("hcat-res18-n1", "hcat-res18-n2", "hcat-res50-n2", "hcat-lighttrack-n2", "hcat-convnext-tiny-n2")),
    (swintrack, ("swintrack-t224", "swintrack-b384", "swintrack-t224-motion", "swintrack-b384-motion")),
    (lorat, ("lorat-b224-factors", "lorat-b378-factors", "lorat-l224-factors")),
    (siamfc, ("siamfc-alexnet",)),
    (dcfnet, ("dcfnet",)),
    (siamrpn, ("siamrpn-alex", "siamrpn-mobilev2", "siamrpn-r50")),
    (dasiamrpn, ("dasiamrpn-vot", "dasiamrpn-big")),
    (nanotrack, ("nanotrack-v1", "nanotrack-v2", "nanotrack-v3")),
    (fear, ("fear-xs",)),
    (lighttrack, ("lighttrack-mobile", "ettrack")),
)
RECIPES: dict[str, Callable[[], Recipe]] = {name: partial(make, name) for make, names in ROWS for name in names}
