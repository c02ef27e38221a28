"""What we measured of each tracker ourselves: its size, and how far its family is from the authors' own outputs.

`measured.json` beside this file is written by `benchmarks/zoo.py` (`make zoo`), and only by that.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files

__all__ = ["Measured", "Parity", "measured"]


@dataclass(frozen=True, slots=True)
class Parity:
    """How a family agrees with recorded outputs of the authors' code.

    Attributes:
        fixtures: how many were compared.
        passed: how many agree.
        worst: the fixture that is nearest to its limit, as system/config.
        output: which of its outputs that is.
        difference: of that output, in units of its standard deviation, or in pixels for boxes.
        allowed: the limit.
    """

    fixtures: int
    passed: int
    worst: str
    output: str
    difference: float
    allowed: float


@dataclass(frozen=True, slots=True)
class Measured:
    """One tracker.

    Attributes:
        parameters: numbers that were learned.
        macs: multiply-accumulates of one frame: convolutions and matrix products, those of attention included.
        template_macs: the same of reading a template, where that is done once and apart; else 0.
        parity: of its family; None where there is no recorded output.
    """

    parameters: int
    macs: int
    template_macs: int
    parity: Parity | None


def measured() -> dict[str, Measured]:
    """By the names of trackers; one that nobody has measured yet is missing."""
    told = json.loads(files("sightline.zoo").joinpath("measured.json").read_text(encoding="utf-8"))
    parities = {family: Parity(**parity) for family, parity in told["parity"].items()}
    return {
        name: Measured(size["parameters"], size["macs"], size["template_macs"], parities.get(size["family"]))
        for name, size in told["sizes"].items()
    }
