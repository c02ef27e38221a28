"""What the plain graphs of each tracker are given and give, and how a box is made of it, in numpy: all that an app has to write again beside the crop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.zoo.merlin import Arch

__all__ = ["FORMS", "Form"]

Floats = NDArray[np.float32]
Arrays = Mapping[str, Floats]


@dataclass(frozen=True)
class Form:
    """Two graphs, and the numpy around them; arrays have no axis for a batch.

    Attributes:
        memory: what template.onnx gives and search.onnx takes, by its names there.
        kept: what template.onnx gives besides.
        maps: what search.onnx gives.
        begin: of a target: from what is kept and the marked box (cx, cy, w, h in 0..1 of the template crop) to what `box` is given.
        box: from the maps, what `begin` gave and the last box (in the search crop) to the box there, and a score.
    """

    memory: tuple[str, ...]
    kept: tuple[str, ...]
    maps: tuple[str, ...]
    begin: Callable[[Arrays, Floats], Floats]
    box: Callable[[Arrays, Floats, Floats], tuple[Floats, float]]


def _nothing(_kept: Arrays, _target: Floats) -> Floats:
    return np.zeros(0, np.float32)


def _of_kestrel(maps: Arrays, _begun: Floats, _prior: Floats) -> tuple[Floats, float]:
    """The box at the largest product of score and Hann window, and the largest score.

    As `sightline.models.layers.decode.decode_center`; Ye et al., ECCV 2022, section 3.3.
    """
    score, size, offset = maps["score"][0], maps["size"], maps["offset"]
    side = len(score)
    line = 0.5 * (1 - np.cos(2 * np.pi / (side + 1) * np.arange(1, side + 1)))
    row, column = np.unravel_index(np.argmax(score * np.outer(line, line)), score.shape)
    centre = (np.array([column, row]) + offset[:, row, column]) / side
    return np.concatenate([centre, size[:, row, column]]).astype(np.float32), float(score.max())


MERLIN = Arch()
MOST, FAR, WEAK = 0.35, 0.7, 0.3  # as in sightline.models.merlin


def _meant(kept: Arrays, target: Floats) -> Floats:
    """How the marked box differs from the one that the network sees there, as `Merlin.init`."""
    corners = kept["seen"]
    centre, sides = (corners[:2] + corners[2:]) / 2, corners[2:] - corners[:2]
    size = np.log(target[2:] / sides)
    if np.abs(size).max() >= FAR:
        return np.zeros(4, np.float32)
    shares = MERLIN.correct
    return np.concatenate([shares[0] * (target[:2] - centre) / sides, shares[1] * np.clip(size, -MOST, MOST)]).astype(np.float32)


def _of_merlin(maps: Arrays, meant: Floats, prior: Floats) -> tuple[Floats, float]:
    """The mean of the boxes that agree with the best one, its size smoothed, and the chance that it is the target's: as `Merlin.step`."""
    scores, corners = maps["score"].ravel(), maps["corners"].reshape(4, -1)
    extent = corners[2:] - corners[:2]
    sizes = extent * np.exp(meant[2:, np.newaxis])
    centres = (corners[:2] + corners[2:]) / 2 + meant[:2, np.newaxis] * extent
    boxes = np.concatenate([centres, sizes])
    change = _change(_side(*sizes) / _side(*prior[2:])) * _change((prior[2] / prior[3]) / (sizes[0] / sizes[1]))
    confidence = np.exp(-(change - 1) * MERLIN.penalty) * scores
    line = np.hanning(round(len(scores) ** 0.5))
    place = np.argmax(confidence * (1 - MERLIN.window) + np.outer(line, line).ravel() * MERLIN.window)
    low = np.maximum(centres - sizes / 2, (centres - sizes / 2)[:, [place]])
    high = np.minimum(centres + sizes / 2, (centres + sizes / 2)[:, [place]])
    common = np.clip(high - low, 0, None).prod(axis=0)
    overlap = common / (sizes.prod(axis=0) + sizes[:, place].prod() - common)
    votes = np.where((overlap > MERLIN.alike) & (scores > WEAK * scores[place]), scores**2 * overlap, 0)
    box = (boxes * votes).sum(axis=1) / votes.sum()
    rate = confidence[place] * MERLIN.rate
    box[2:] = prior[2:] * (1 - rate) + box[2:] * rate
    return box.astype(np.float32), float(maps["presence"].ravel()[place])


def _change(ratio: Floats) -> Floats:
    changed: Floats = np.maximum(ratio, 1 / ratio)
    return changed


def _side(width: Floats, height: Floats) -> Floats:
    """Of SiamFC's square around a box."""
    context = (width + height) / 2
    side: Floats = np.sqrt((width + context) * (height + context))
    return side


KESTREL_MEMORY = ("keys0", "values0", "keys1", "values1", "keys2", "values2")
FORMS = {
    "kestrel-nano": Form(KESTREL_MEMORY, (), ("score", "size", "offset"), _nothing, _of_kestrel),
    "merlin": Form(
        ("kernel", "first_tower", "first_nearby", "first_logit"), ("seen",), ("score", "corners", "presence"), _meant, _of_merlin
    ),
}
