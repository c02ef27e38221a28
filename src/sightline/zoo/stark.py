"""STARK: a ResNet, a transformer over template and search features, corners read by one query. ST: a second, changing template."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from sightline.spec import Crop, Memory, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]

ZOO = "the authors' model zoo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network. `depth`: of the ResNet, of which the first stages are used. `score`: it says how sure it is (ST)."""

    depth: Literal[18, 34, 50, 101] = 50
    stages: int = 3
    width: int = 256
    heads: int = 8
    hidden: int = 2048
    encoder: int = 6
    decoder: int = 6
    head: Literal["corner", "perceptron"] = "corner"
    score: bool = False


def _figure(dataset: str, metric: str, value: float) -> Reported:
    return Reported(dataset=dataset, metric=metric, value=value, source=ZOO)


S50 = Spec(
    name="stark-s50",
    family="stark",
    arch=Arch(),
    template=Crop(factor=2.0, size=128),
    search=Crop(factor=5.0, size=320),
    feed=("padding",),
    score="none",
    origin=Origin(
        paper="arXiv:2103.17154",
        code="github.com/researchmm/Stark",
        license="MIT",
        weights="linked from the authors' model zoo (Google Drive), no licence of their own",
    ),
    reported=(
        _figure("lasot-test", "auc", 0.658),
        _figure("trackingnet-test", "auc", 0.803),
        _figure("vot2020", "eao", 0.462),  # with a refinement of masks, which is not part of it
    ),
)
ST50 = replace(
    S50,
    name="stark-st50",
    arch=replace(S50.arch, score=True),
    memory=Memory(every=(200,), above=0.5),
    score="probability",
    reported=(_figure("lasot-test", "auc", 0.664), _figure("vot2020-lt", "f-score", 0.702)),
)
ST101 = replace(
    ST50,
    name="stark-st101",
    arch=replace(ST50.arch, depth=101),
    reported=(_figure("lasot-test", "auc", 0.671),),
)


def _every(spec: Spec, name: str, frames: int, *reported: Reported) -> Spec:
    """The same network with another interval, as its authors ran it on one benchmark."""
    return replace(spec, name=f"{spec.name}-{name}", memory=replace(spec.memory, every=(frames,)), reported=reported)


SPECS = (
    S50,
    replace(S50, name="stark-s50-got10k", reported=(_figure("got10k-test", "ao", 0.672),)),
    ST50,
    _every(ST50, "got10k", 200, _figure("got10k-test", "ao", 0.680)),
    _every(ST50, "trackingnet", 25, _figure("trackingnet-test", "auc", 0.813)),
    _every(ST50, "vot2020", 10, _figure("vot2020", "eao", 0.505)),
    ST101,
    _every(ST101, "got10k", 200, _figure("got10k-test", "ao", 0.688)),
    _every(ST101, "trackingnet", 25, _figure("trackingnet-test", "auc", 0.820)),
    _every(ST101, "vot2020", 10, _figure("vot2020", "eao", 0.497)),
    _every(ST101, "vot2020-lt", 100, _figure("vot2020-lt", "f-score", 0.701)),
)
