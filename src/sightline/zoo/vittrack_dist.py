"""VitTrack-nano of OpenCV's model zoo, and its wider siblings."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.spec import Crop, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]

ZOO = "opencv_zoo, models/object_tracking_vittrack"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """Plain pre-norm blocks over template and search tokens, 3x3 stem, centre head."""

    depth: int
    width: int
    heads: int
    head_width: int


VITTRACK_NANO = Spec(
    name="vittrack-nano",
    family="vittrack_dist",
    arch=Arch(depth=3, width=48, heads=1, head_width=32),
    template=Crop(factor=2.0, size=128),
    search=Crop(factor=4.0, size=256),
    origin=Origin(
        code="github.com/lpylpy0514/VitTracker (no licence file)",
        weights="object_tracking_vittrack_2023sep.onnx, huggingface.co/opencv/object_tracking_vittrack, Apache-2.0",
        url="https://media.githubusercontent.com/media/opencv/opencv_zoo/966be4cb6eefc2a4f586ed0581bf4bbaa2533070/models/object_tracking_vittrack/object_tracking_vittrack_2023sep.onnx",
        sha256="2990f0b7cd44d92afa48cd97db6de7be113fc1d9594fddb74e2725c10478e91d",
    ),
    reported=(
        Reported(dataset="lasot-test", metric="auc", value=0.486, source=ZOO),
        Reported(dataset="lasot-test", metric="precision", value=0.448, source=ZOO),
        Reported(dataset="lasot-test", metric="normalised-precision", value=0.547, source=ZOO),
    ),
)
SPECS = (VITTRACK_NANO,)
