"""A weights file in f32 to one in int8, or a refusal.

Three sets of crops are cut from the same footage:

    ranging      ranges come from it
    deciding     how much of the network stays in f32 is chosen on it; it shows the same sequences as the first, or others of that half
    held out     sequences that neither has seen: what is said of the result comes from it, and whether it is refused
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import onnx

from sightline import __version__
from sightline.errors import EngineError, WeightsMismatch
from sightline.quantize.agreement import Agreement
from sightline.quantize.crops import digest, looks
from sightline.quantize.footage import Footage, spread
from sightline.quantize.forms import RECIPES, Agreements, Trial, chosen, files, worst
from sightline.quantize.graph import LEVELS
from sightline.spec import spec_to_json
from sightline.weights import INT8_KEY, OBJECTS_KEY, SPEC_KEY, int8_in, kind_of, sha256_of, write_whole

__all__ = ["BUDGET", "RECIPES", "Candidate", "Quantised", "prepare", "quantize", "write"]

BUDGET = 0.95  # mean overlap with f32; what it means for success AUC: `make precision`
MARGIN = 0.01  # above the budget, where the form is chosen: two sets of crops do not say the same
MADE_BY = {"openvino": "nncf", "onnxruntime": "onnxruntime"}
TAKES, CROPS = 64, 192  # sequences of each of the three, and crops that ranges come from
ENOUGH = 16  # sequences from which on the form is chosen on others than the ranges come from
CHOSEN_EACH, CHECKED_EACH = 8, 12  # crops of a sequence


@dataclass(frozen=True, slots=True)
class Candidate:
    """An int8 form that was made and compared, and is not yet written.

    Attributes:
        model: its graph.
        weights: what it was made of.
        note: how it was made and what was found, as it stands in the file.
        agreements: with f32, on sequences that it was neither calibrated nor chosen on.
        level: how much of it stays in f32, an index of `graph.LEVELS`.
        calibrated: crops that it was calibrated on.
        spec: of the tracker, as JSON.
    """

    model: onnx.ModelProto
    weights: Path
    note: Mapping[str, object]
    agreements: Agreements
    level: int
    calibrated: int
    spec: str


@dataclass(frozen=True, slots=True)
class Quantised:
    """What came of it.

    Attributes:
        files: that were written, the network's first.
        agreements: with f32, on sequences that nothing was calibrated or chosen on.
        exact: what stays in f32 besides the decoder.
        calibrated: crops that it was calibrated on.
        footage: where they are from.
    """

    files: tuple[Path, ...]
    agreements: Agreements
    exact: str
    calibrated: int
    footage: Footage


def quantize(
    weights: Path,
    output: Path,
    *,
    engine: str,
    footage: Footage,
    budget: float = BUDGET,
    tell: Callable[[str], object] = lambda _: None,
) -> Quantised:
    """Write the int8 form of an exported network for one engine, with its template's graph beside it as it was.

    Args:
        weights: ONNX of Sightline's, in f32.
        output: file to write; replaced where it is there.
        engine: key of `RECIPES`.
        footage: to calibrate, to choose and to check on.
        budget: the least mean overlap of boxes (IoU, 0..1) with those of f32 in the same crops, in every precision that the file runs in here.
        tell: called with a line about every form that was tried.

    Raises:
        EngineError: it loses more than that (nothing is written), or is no network that can be quantised.
        WeightsMismatch: `weights` is not ONNX, or quantised already.
    """
    made = prepare(weights, engine=engine, footage=footage, budget=budget, tell=tell)
    precision, found = worst(made.agreements)
    if not found.mean >= budget:
        raise EngineError(
            f"{weights.stem} in {precision} on {engine} loses too much: {found}; the budget is {budget:.3f}, so nothing was written. "
            "Calibrate on more sequences (--calibrate), or accept less (--budget)."
        )
    return Quantised(write(made, output, budget=budget), made.agreements, LEVELS[made.level], made.calibrated, footage)


def prepare(
    weights: Path, *, engine: str, footage: Footage, budget: float = BUDGET, tell: Callable[[str], object] = lambda _: None
) -> Candidate:
    """The fastest int8 form that keeps `budget` where it is chosen, or the one that comes nearest, compared where nothing was chosen.

    Args and errors as of `quantize`, apart from the refusal.
    """
    if kind_of(weights) != "onnx":
        raise WeightsMismatch(f"{weights.name} is not ONNX: run `sightline export {weights} --output W.onnx`, and quantise that.")
    if int8_in(weights) is not None:
        raise WeightsMismatch(f"{weights.name} is quantised already; give the file in f32 that it was made from.")
    trial = Trial.of(weights, engine)
    takes = spread(footage.calibrate, 2 * TAKES)
    ranging, deciding = (takes[::2], takes[1::2]) if len(takes) >= ENOUGH else (takes, takes)
    ranging = [*ranging, *footage.drawn]
    seen = looks(trial.exact, ranging, each=-(-CROPS // len(ranging)))
    choosing = looks(trial.exact, deciding, each=CHOSEN_EACH, seed=2)
    held_out = looks(trial.exact, spread(footage.check, TAKES), each=CHECKED_EACH, seed=1)
    samples = [arrays for several in seen.values() for arrays in several]
    form = chosen(trial, samples, choosing, least=budget + MARGIN, tell=tell)
    found = trial.agreements(form.model, held_out)
    note = {
        "engine": engine,
        "source_sha256": sha256_of(weights),
        "calibration": {"from": footage.told, "sequences": len(seen), "crops": len(samples), "sha256": digest(seen)},
        "f32": LEVELS[form.level],
        "way": form.way,
        "choice": _told(form.agreements),
        "agreement": _told(found),
        OBJECTS_KEY: footage.objects,
        "versions": {"sightline": __version__, MADE_BY[engine]: version(MADE_BY[engine])},
    }
    return Candidate(form.model, weights, note, found, form.level, len(samples), spec_to_json(trial.exact.spec))


def write(made: Candidate, output: Path, *, budget: float) -> tuple[Path, ...]:
    """Write what was prepared, whole; the network's file comes first."""
    content = files(made.model, {SPEC_KEY: made.spec, INT8_KEY: json.dumps({**made.note, "budget": budget})}, made.weights, output)
    write_whole(content)
    return tuple(content)


def _told(agreements: Agreements) -> dict[str, dict[str, object]]:
    """Agreements as they stand in a file."""
    return {precision: _rounded(found) for precision, found in agreements.items()}


def _rounded(found: Agreement) -> dict[str, object]:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(found).items()}
