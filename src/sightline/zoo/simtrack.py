"""SimTrack: CLIP's image transformer over template and search; the middle of the template is looked at twice."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sightline.spec import Crop, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]

README = "the authors' README"
INDEX = "a third party's index of results, for the larger variant of the paper"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network; sizes in pixels.

    `fovea`: the side of the middle of the template that is cut into tokens once more, half a token away from the others.
    `table`: tokens along each side of the picture for which CLIP learned positions.
    """

    patch: int
    template: int
    search: int
    fovea: int = 64
    table: int
    depth: int = 12
    width: int = 768
    heads: int = 12
    head_width: int = 256


def _figure(dataset: str, metric: str, value: float) -> Reported:
    return Reported(dataset=dataset, metric=metric, value=value, source=README)


B16 = Spec(
    name="simtrack-b16",
    family="simtrack",
    arch=Arch(patch=16, template=112, search=224, table=14),
    template=Crop(factor=2.0, size=112),
    search=Crop(factor=4.0, size=224),
    feed=("target",),
    score="none",
    origin=Origin(
        paper="arXiv:2203.05328",
        code="github.com/LPXTT/SimTrack",
        license="MIT",
        # what was released was trained in another code base, and names its tensors otherwise
        weights="linked from the authors' README (Google Drive), no licence of their own; under other names than their code reads",
    ),
    reported=(
        _figure("lasot-test", "auc", 0.693),
        _figure("tnl2k-test", "auc", 0.548),
        _figure("trackingnet-test", "auc", 0.823),
        _figure("uav123", "auc", 0.698),
    ),
)
SPECS = (
    B16,
    replace(B16, name="simtrack-b16-got10k", reported=(_figure("got10k-test", "ao", 0.706),)),
    # the paper's B/32 was never released, nor the sizes of its crops: these follow its template and stride
    replace(
        B16,
        name="simtrack-b32",
        arch=Arch(patch=32, template=128, search=224, table=7),
        template=Crop(factor=2.0, size=128),
        search=Crop(factor=4.0, size=224),
        origin=replace(B16.origin, weights="never published"),
        reported=(),
    ),
)
