"""Forms of a network in int8: made, run, compared with f32, and the fastest one chosen that keeps the boxes.

Forms differ in how much stays in f32 (`graph.LEVELS`) and, at each level, in the ways of an engine's recipe (`WAYS` of its module).
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

import onnx

from sightline.engines import COMPUTES, Array, Session, open_session
from sightline.errors import EngineError, first_line
from sightline.quantize.agreement import Agreement, agreement
from sightline.quantize.crops import Looks
from sightline.quantize.graph import LEVELS, folded, spared, whole
from sightline.spec import spec_to_json
from sightline.weights import SPEC_KEY, init_path, write_whole

__all__ = ["RECIPES", "Agreements", "Form", "Trial", "chosen", "files", "worst"]

Recipe: TypeAlias = Callable[[onnx.ModelProto, Sequence[Mapping[str, Array]], Sequence[str]], onnx.ModelProto]
Agreements: TypeAlias = Mapping[str, Agreement]  # by precision: "int8", and "int8+bf16" where that runs

RECIPES = {"openvino": "sightline.quantize.openvino", "onnxruntime": "sightline.quantize.onnx"}
PREPARED = {"openvino": whole, "onnxruntime": folded}  # the graph that a recipe is given


@dataclass(frozen=True, slots=True)
class Form:
    """A network in int8 that runs.

    Attributes:
        level: how much of it stays in f32, an index of `graph.LEVELS`.
        way: of its recipe, a key of the module's `WAYS`.
        model: its graph.
        agreements: with f32.
    """

    level: int
    way: str
    model: onnx.ModelProto
    agreements: Agreements


@dataclass(frozen=True, slots=True)
class Trial:
    """What forms are made of, and where they are compared.

    Attributes:
        weights: the network's file in f32.
        engine: key of `RECIPES`.
        ways: recipes by name.
        exact: the network in f32.
    """

    weights: Path
    engine: str
    ways: Mapping[str, Recipe]
    exact: Session

    @classmethod
    def of(cls, weights: Path, engine: str) -> Trial:
        """The trial of an exported network.

        Raises:
            ModuleNotFoundError: what the recipe is made with is not installed.
            EngineError, WeightsMismatch, WeightsMissing: as `open_session`.
        """
        return cls(weights, engine, import_module(RECIPES[engine]).WAYS, open_session(weights, engine="onnxruntime", threads=1))

    def agreements(self, model: onnx.ModelProto, given: Looks) -> dict[str, Agreement]:
        """How much a graph in int8 agrees with f32.

        Raises:
            EngineError: the engine cannot run it.
        """
        with tempfile.TemporaryDirectory() as folder:
            trial = files(model, {SPEC_KEY: spec_to_json(self.exact.spec)}, self.weights, Path(folder, "trial.onnx"))
            write_whole(trial)
            path = next(iter(trial))
            opened = {"int8": open_session(path, engine=self.engine, threads=1)}
            if "int8+bf16" in COMPUTES[self.engine]:
                with contextlib.suppress(EngineError):  # where the processor has no bf16
                    opened["int8+bf16"] = open_session(path, engine=self.engine, threads=1, precision="bf16")
            return {precision: agreement(self.exact, rough, given) for precision, rough in opened.items()}


def chosen(
    trial: Trial, samples: Sequence[Mapping[str, Array]], choosing: Looks, *, least: float, tell: Callable[[str], object] = lambda _: None
) -> Form:
    """The first form whose overlap reaches `least` in every precision, else the best of all that run.

    Args:
        trial: the network and the engine.
        samples: crops that ranges come from.
        choosing: crops in which forms are compared.
        least: mean overlap of boxes, 0..1.
        tell: called with a line about every form.

    Raises:
        EngineError: none of them runs.
    """
    tried: list[Form] = []
    problem: EngineError | None = None
    for form in _forms(trial, samples, choosing):
        if isinstance(form, EngineError):
            problem = form
            continue
        tried.append(form)
        precision, found = worst(form.agreements)
        what = LEVELS[form.level] + (f", {form.way}" if len(trial.ways) > 1 else "")
        tell(f"in f32 beside the decoder: {what}: mean IoU {found.mean:.3f} with f32 ({precision}, {found.crops} crops)")
        if found.mean >= least:
            return form
    if not tried:
        raise EngineError(f"no int8 form of {trial.exact.spec.name} runs on {trial.engine}: {problem}") from problem
    return max(tried, key=lambda form: worst(form.agreements)[1].mean)


def _forms(trial: Trial, samples: Sequence[Mapping[str, Array]], choosing: Looks) -> Iterator[Form | EngineError]:
    """All forms, the fastest first, each compared with f32; of one that does not run, the reason."""
    plain = PREPARED[trial.engine](trial.weights)
    kept: list[str] | None = None
    for level in range(len(LEVELS)):
        before, kept = kept, spared(plain.graph, level)
        if kept == before:  # the network has nothing of what this level adds
            continue
        for way, recipe in trial.ways.items():
            try:
                model = _quantised(recipe, plain, samples, kept, trial.exact.spec.name)
                yield Form(level, way, model, trial.agreements(model, choosing))
            except EngineError as error:
                yield error


def _quantised(
    recipe: Recipe, plain: onnx.ModelProto, samples: Sequence[Mapping[str, Array]], kept: Sequence[str], name: str
) -> onnx.ModelProto:
    model = onnx.ModelProto()
    model.CopyFrom(plain)  # recipes may write into it
    try:
        return recipe(model, samples, kept)
    except Exception as error:  # NNCF and onnxruntime raise whatever they meet
        raise EngineError(f"{name} cannot be quantised ({type(error).__name__}: {first_line(error)}).") from error


def worst(agreements: Agreements) -> tuple[str, Agreement]:
    """The precision that agrees least, and how much."""
    return min(agreements.items(), key=lambda item: item[1].mean)


def files(model: onnx.ModelProto, notes: Mapping[str, str], weights: Path, output: Path) -> dict[Path, bytes]:
    """What a network in int8 is written as: its graph with notes, and beside it the graph that reads templates, where there is one."""
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, dict(notes))
    beside = init_path(weights)
    return {output: model.SerializeToString()} | ({init_path(output): beside.read_bytes()} if beside.is_file() else {})
