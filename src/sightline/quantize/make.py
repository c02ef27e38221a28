"""A weights file in f32 to one in int8, or a refusal.

Three sets of crops, of the same footage: ranges come from the first; how much of the network stays in f32 is chosen on the second, which
shows the same sequences or others of that half; what is said of the result, and whether it is refused, comes from the third, whose sequences
neither has seen.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias

import onnx

from sightline import __version__
from sightline.engines import COMPUTES, Array, Session, open_session
from sightline.errors import EngineError, WeightsMismatch
from sightline.quantize.agreement import Agreement, agreement
from sightline.quantize.crops import Looks, digest, looks
from sightline.quantize.footage import Footage, spread
from sightline.quantize.graph import LEVELS, folded, spared, whole
from sightline.spec import spec_to_json
from sightline.weights import INT8_KEY, OBJECTS_KEY, SPEC_KEY, init_path, int8_in, kind_of, sha256_of, write_whole

__all__ = ["BUDGET", "RECIPES", "Candidate", "Quantised", "prepare", "quantize", "write"]

Recipe: TypeAlias = Callable[[onnx.ModelProto, Sequence[Mapping[str, Array]], Sequence[str]], onnx.ModelProto]
Agreements: TypeAlias = Mapping[str, Agreement]  # by precision

BUDGET = 0.95  # mean overlap with f32; what it means for success AUC: `make precision`
MARGIN = 0.01  # above the budget, where the form is chosen: two sets of crops do not say the same
RECIPES = {"openvino": "sightline.quantize.openvino", "onnxruntime": "sightline.quantize.onnx"}
PREPARED = {"openvino": whole, "onnxruntime": folded}  # the graph that a recipe is given
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
        agreements: with f32, on sequences that it was neither calibrated nor chosen on, by precision: "int8", and "int8+bf16" where that runs.
        level: how much of it stays in f32, an index of `graph.LEVELS`.
        way: of its recipe, a key of the module's `WAYS`.
        calibrated: crops that it was calibrated on.
        spec: of the tracker, as JSON.
    """

    model: onnx.ModelProto
    weights: Path
    note: Mapping[str, object]
    agreements: Agreements
    level: int
    way: str
    calibrated: int
    spec: str

    @property
    def worst(self) -> tuple[str, Agreement]:
        """The precision that agrees least, and how much."""
        return _worst(self.agreements)


@dataclass(frozen=True, slots=True)
class Quantised:
    """What came of it.

    Attributes:
        files: that were written, the network's first.
        agreements: with f32, on sequences that nothing was calibrated or chosen on, by precision.
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
    weights: Path, output: Path, *, engine: str, footage: Footage, budget: float = BUDGET, tell: Callable[[str], object] | None = None
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
    precision, found = made.worst
    if not found.mean >= budget:
        raise EngineError(
            f"{weights.stem} in {precision} on {engine} loses too much: {found}; the budget is {budget:.3f}, so nothing was written. "
            "Calibrate on more sequences (--calibrate), or accept less (--budget)."
        )
    return Quantised(write(made, output, budget=budget), made.agreements, LEVELS[made.level], made.calibrated, footage)


def prepare(
    weights: Path, *, engine: str, footage: Footage, budget: float = BUDGET, tell: Callable[[str], object] | None = None
) -> Candidate:
    """The fastest int8 form that keeps `budget` where it is chosen, or the one that comes nearest, compared where nothing was chosen.

    Args and errors as of `quantize`, apart from the refusal.
    """
    if kind_of(weights) != "onnx":
        raise WeightsMismatch(f"{weights.name} is not ONNX: run `sightline export {weights} --output W.onnx`, and quantise that.")
    if int8_in(weights) is not None:
        raise WeightsMismatch(f"{weights.name} is quantised already; give the file in f32 that it was made from.")
    ways: Mapping[str, Recipe] = import_module(RECIPES[engine]).WAYS
    exact = open_session(weights, engine="onnxruntime", threads=1)
    takes = spread(footage.calibrate, 2 * TAKES)
    ranging, deciding = (takes[::2], takes[1::2]) if len(takes) >= ENOUGH else (takes, takes)
    ranging = [*ranging, *footage.drawn]
    seen = looks(exact, ranging, each=-(-CROPS // len(ranging)))
    choosing = looks(exact, deciding, each=CHOSEN_EACH, seed=2)
    held_out = looks(exact, spread(footage.check, TAKES), each=CHECKED_EACH, seed=1)
    bench = _Bench(weights, engine, exact)
    samples = [arrays for several in seen.values() for arrays in several]
    chosen = _chosen(ways, bench, samples, choosing, least=budget + MARGIN, tell=tell)
    found = bench.agreements(chosen.model, held_out)
    note = {
        "engine": engine,
        "source_sha256": sha256_of(weights),
        "calibration": {"from": footage.told, "sequences": len(seen), "crops": len(samples), "sha256": digest(seen)},
        "f32": LEVELS[chosen.level],
        "way": chosen.way,
        "choice": _told(chosen.agreements),
        "agreement": _told(found),
        OBJECTS_KEY: footage.objects,
        "versions": {"sightline": __version__, MADE_BY[engine]: version(MADE_BY[engine])},
    }
    return Candidate(chosen.model, weights, note, found, chosen.level, chosen.way, len(samples), bench.spec)


def write(made: Candidate, output: Path, *, budget: float) -> tuple[Path, ...]:
    """Write what was prepared, whole; the network's file comes first."""
    files = _files(made.model, {SPEC_KEY: made.spec, INT8_KEY: json.dumps({**made.note, "budget": budget})}, made.weights, output)
    write_whole(files)
    return tuple(files)


@dataclass(frozen=True, slots=True)
class _Bench:
    """Where forms of one network are compared with it."""

    weights: Path
    engine: str
    exact: Session

    @property
    def spec(self) -> str:
        return spec_to_json(self.exact.spec)

    def agreements(self, model: onnx.ModelProto, given: Looks) -> dict[str, Agreement]:
        with tempfile.TemporaryDirectory() as folder:
            trial = _files(model, {SPEC_KEY: self.spec}, self.weights, Path(folder, "trial.onnx"))
            write_whole(trial)
            path = next(iter(trial))
            opened = {"int8": open_session(path, engine=self.engine, threads=1)}
            if "int8+bf16" in COMPUTES[self.engine]:
                with contextlib.suppress(EngineError):  # where the processor has no bf16
                    opened["int8+bf16"] = open_session(path, engine=self.engine, threads=1, precision="bf16")
            return {precision: agreement(self.exact, rough, given) for precision, rough in opened.items()}


@dataclass(frozen=True, slots=True)
class _Form:
    """One that runs."""

    level: int
    way: str
    model: onnx.ModelProto
    agreements: Agreements


def _chosen(
    ways: Mapping[str, Recipe],
    bench: _Bench,
    samples: Sequence[Mapping[str, Array]],
    choosing: Looks,
    *,
    least: float,
    tell: Callable[[str], object] | None,
) -> _Form:
    """The first form that reaches `least`, else the best of all that run."""
    tried: list[_Form] = []
    problems: list[EngineError] = []
    for form in _forms(ways, bench, samples, choosing, problems):
        tried.append(form)
        precision, worst = _worst(form.agreements)
        if tell is not None:
            what = LEVELS[form.level] + (f", {form.way}" if len(ways) > 1 else "")
            tell(f"in f32 beside the decoder: {what}: mean IoU {worst.mean:.3f} with f32 ({precision}, {worst.crops} crops)")
        if worst.mean >= least:
            return form
    if not tried:
        raise EngineError(f"no int8 form of {bench.exact.spec.name} runs on {bench.engine}: {problems[-1]}") from problems[-1]
    return max(tried, key=lambda form: _worst(form.agreements)[1].mean)


def _forms(
    ways: Mapping[str, Recipe], bench: _Bench, samples: Sequence[Mapping[str, Array]], choosing: Looks, problems: list[EngineError]
) -> Iterator[_Form]:
    """All that run, the fastest first, each compared with f32; why others do not goes into `problems`."""
    plain = PREPARED[bench.engine](bench.weights)
    kept: list[str] | None = None
    for level in range(len(LEVELS)):
        before, kept = kept, spared(plain.graph, level)
        if kept == before:  # it has none of that
            continue
        for way, recipe in ways.items():
            try:
                model = _quantised(recipe, plain, samples, kept, bench.exact.spec.name)
                yield _Form(level, way, model, bench.agreements(model, choosing))
            except EngineError as error:
                problems.append(error)


def _quantised(
    recipe: Recipe, plain: onnx.ModelProto, samples: Sequence[Mapping[str, Array]], kept: Sequence[str], name: str
) -> onnx.ModelProto:
    model = onnx.ModelProto()
    model.CopyFrom(plain)  # recipes may write into it
    try:
        return recipe(model, samples, kept)
    except Exception as error:  # NNCF and onnxruntime raise whatever they meet
        told = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise EngineError(f"{name} cannot be quantised ({type(error).__name__}: {told}).") from error


def _worst(agreements: Agreements) -> tuple[str, Agreement]:
    return min(agreements.items(), key=lambda item: item[1].mean)


def _told(agreements: Agreements) -> dict[str, dict[str, object]]:
    return {
        precision: {name: round(v, 4) if isinstance(v, float) else v for name, v in asdict(found).items()}
        for precision, found in agreements.items()
    }


def _files(model: onnx.ModelProto, notes: Mapping[str, str], weights: Path, output: Path) -> dict[Path, bytes]:
    """The network with its notes, and the graph that reads templates where there is one."""
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, dict(notes))
    beside = init_path(weights)
    return {output: model.SerializeToString()} | ({init_path(output): beside.read_bytes()} if beside.is_file() else {})
