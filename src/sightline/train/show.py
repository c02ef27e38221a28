"""What a run shows of itself beside its log: the crops that it learns from, as a picture, and TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sightline.weights import write_whole

__all__ = ["Board", "sample_picture", "write_samples"]

ROWS = 8
SIDE = 192  # pixels of a crop in the picture


def sample_picture(arrays: Mapping[str, Tensor]) -> NDArray[np.uint8]:
    """The first samples of a batch, one below the other: templates, then search crops with the box, RGB.

    A crop without the target has a cross instead of its box.
    """
    rows = []
    for i in range(min(ROWS, len(arrays["search"]))):
        templates = [_crop(picture) for picture in arrays["template"][i]]
        searches = [
            _marked(_crop(picture), box, bool(present))
            for picture, box, present in zip(arrays["search"][i], arrays["box"][i].numpy(), arrays["present"][i] > 0, strict=True)
        ]
        rows.append(np.concatenate([*templates, *searches], axis=1))
    picture: NDArray[np.uint8] = np.concatenate(rows, axis=0)
    return picture


def _crop(picture: Tensor) -> NDArray[np.uint8]:
    pixels = picture.reshape(-1, *picture.shape[-3:])[0].numpy()  # of several scales, the first
    small = cv2.resize(np.clip(pixels, 0, 255).astype(np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _marked(crop: NDArray[np.uint8], box: NDArray[np.float32], present: bool) -> NDArray[np.uint8]:
    cx, cy, w, h = (float(value) * SIDE for value in box)
    crop = np.ascontiguousarray(crop)
    if present:
        cv2.rectangle(crop, (round(cx - w / 2), round(cy - h / 2)), (round(cx + w / 2), round(cy + h / 2)), (255, 220, 0), 2)
    else:
        cv2.drawMarker(crop, (SIDE // 2, SIDE // 2), (255, 60, 60), cv2.MARKER_TILTED_CROSS, SIDE // 2, 2)
    return crop


def write_samples(folder: Path, arrays: Mapping[str, Tensor]) -> None:
    """Write `samples.png`."""
    picture = cv2.cvtColor(sample_picture(arrays), cv2.COLOR_RGB2BGR)
    write_whole({folder / "samples.png": cv2.imencode(".png", picture)[1].tobytes()})


class Board:
    """Figures and crops for TensorBoard, in the folder `board` of a run.

    Args:
        folder: of the run.
        step: where it goes on; what was written of later steps before is hidden.
    """

    def __init__(self, folder: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder / "board"), purge_step=step + 1)

    def figures(self, line: Mapping[str, float]) -> None:
        """A line of the log."""
        for name, value in line.items():
            if name != "step":
                self._writer.add_scalar(name, value, int(line["step"]))

    def samples(self, arrays: Mapping[str, Tensor], step: int) -> None:
        """The crops of a batch."""
        self._writer.add_image("samples", sample_picture(arrays), step, dataformats="HWC")

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()
