"""A weights file in f32 to one in int8, or a refusal."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias

import onnx

from sightline import __version__
from sightline.engines import Array, open_session
from sightline.errors import EngineError, WeightsMismatch
from sightline.quantize.agreement import Agreement, agreement
from sightline.quantize.crops import digest, looks
from sightline.quantize.footage import Footage, spread
from sightline.spec import spec_to_json
from sightline.weights import INT8_KEY, SPEC_KEY, init_path, int8_in, kind_of, sha256_of, write_whole

__all__ = ["BUDGET", "RECIPES", "Quantised", "quantize"]

Quantise: TypeAlias = Callable[[Path, Sequence[Mapping[str, Array]]], onnx.ModelProto]

BUDGET = 0.95  # mean overlap with f32: variants above it kept their overlap with the truth within .01, those at .90 had lost .05
RECIPES = {"openvino": "sightline.quantize.openvino", "onnxruntime": "sightline.quantize.onnx"}
MADE_BY = {"openvino": "nncf", "onnxruntime": "onnxruntime"}
TAKES, CROPS = 64, 192  # sequences to calibrate on, and crops of all of them
CHECKED, CHECKED_EACH = 64, 12


@dataclass(frozen=True, slots=True)
class Quantised:
    """What came of it.

    Attributes:
        files: that were written, the network's first.
        agreement: with f32, on sequences that nothing was calibrated on.
        calibrated: crops that it was calibrated on.
        source: where they are from.
    """

    files: tuple[Path, ...]
    agreement: Agreement
    calibrated: int
    source: str


def quantize(weights: Path, output: Path, *, engine: str, footage: Footage, budget: float = BUDGET) -> Quantised:
    """Write the int8 form of an exported network for one engine, with its template's graph beside it as it was.

    Args:
        weights: ONNX of Sightline's, in f32.
        output: file to write; replaced where it is there.
        engine: key of `RECIPES`.
        footage: to calibrate and to check on.
        budget: the least mean overlap of boxes (IoU, 0..1) with those of f32 in the same crops.

    Raises:
        EngineError: it loses more than that (nothing is written), or is no network that can be quantised.
        WeightsMismatch: `weights` is not ONNX, or quantised already.
    """
    if kind_of(weights) != "onnx":
        raise WeightsMismatch(f"{weights.name} is not ONNX: run `sightline export {weights} --output W.onnx`, and quantise that.")
    if int8_in(weights) is not None:
        raise WeightsMismatch(f"{weights.name} is quantised already; give the file in f32 that it was made from.")
    exact = open_session(weights, engine="onnxruntime", threads=1)
    takes = spread(footage.calibrate, TAKES)
    seen = looks(exact, takes, each=-(-CROPS // len(takes)))
    held_out = looks(exact, spread(footage.check, CHECKED), each=CHECKED_EACH, seed=1)
    recipe: Quantise = import_module(RECIPES[engine]).quantize
    samples = [arrays for several in seen.values() for arrays in several]
    model = recipe(weights, samples)
    note = {
        "engine": engine,
        "source_sha256": sha256_of(weights),
        "calibration": {"from": footage.told, "sequences": len(seen), "crops": len(samples), "sha256": digest(seen)},
        "versions": {"sightline": __version__, MADE_BY[engine]: version(MADE_BY[engine])},
    }
    spec = spec_to_json(exact.spec)
    with tempfile.TemporaryDirectory() as folder:
        trial = _files(model, {SPEC_KEY: spec, INT8_KEY: json.dumps(note)}, weights, Path(folder, "trial.onnx"))
        write_whole(trial)
        found = agreement(exact, open_session(next(iter(trial)), engine=engine, threads=1), held_out)
    if not found.mean >= budget:
        raise EngineError(
            f"{exact.spec.name} in int8 on {engine} loses too much: {found}; the budget is {budget:.3f}, so nothing was written. "
            "Calibrate on more sequences (--calibrate), or accept less (--budget)."
        )
    checked = {"agreement": {name: round(v, 4) if isinstance(v, float) else v for name, v in asdict(found).items()}, "budget": budget}
    files = _files(model, {SPEC_KEY: spec, INT8_KEY: json.dumps(note | checked)}, weights, output)
    write_whole(files)
    return Quantised(tuple(files), found, len(samples), footage.told)


def _files(model: onnx.ModelProto, notes: Mapping[str, str], weights: Path, output: Path) -> dict[Path, bytes]:
    """The network with its notes, and the graph that reads templates where there is one."""
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, dict(notes))
    beside = init_path(weights)
    return {output: model.SerializeToString()} | ({init_path(output): beside.read_bytes()} if beside.is_file() else {})
