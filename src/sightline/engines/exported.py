"""What the engines that read exported ONNX have in common: which files belong together, and which tracker they are."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from sightline import zoo
from sightline.engines import Role
from sightline.errors import EngineError, WeightsMismatch, WeightsMissing
from sightline.spec import Spec
from sightline.weights import init_path, kind_of

__all__ = ["check_kind", "init_of", "role_of", "spec_of"]


def check_kind(path: Path, engine: str) -> None:
    """Make sure that a weights file is ONNX.

    Raises:
        EngineError: it is not.
    """
    if kind_of(path) != "onnx":
        raise EngineError(
            f"the {engine} engine reads ONNX, and {path.name} is not: run `sightline export {path} --output W.onnx`, or use engine torch."
        )


def spec_of(path: Path, text: str | None, given: Spec | None) -> Spec:
    """The spec that was given, else the one that the file carries as `text`.

    Raises:
        WeightsMismatch: there is neither.
        BadSpec: the text is no spec.
    """
    found = given or (zoo.read_spec(text) if text is not None else None)
    if found is None:
        raise WeightsMismatch(
            f"{path.name} carries no spec: it was not exported by Sightline. Convert and export the authors' file, or name the tracker with spec=."
        )
    return found


def role_of(outputs: Iterable[str]) -> Role:
    """The role of a graph with these outputs, of the file that is opened: "step", or "describe" where it says no box."""
    return "step" if "box" in outputs else "describe"


def init_of(path: Path, inputs: Collection[str], role: Role) -> Path | None:
    """The file of the graph that reads the template, beside the main graph; None where the main graph reads it, or none does.

    Args:
        path: file of the main graph.
        inputs: of the main graph, by name.
        role: of the main graph.

    Raises:
        WeightsMismatch: the main graph reads no search crop.
        WeightsMissing: the file is not there.
    """
    if "search" not in inputs:
        raise WeightsMismatch(
            f"{path.name} has the inputs {sorted(inputs)}, not a search crop; run `sightline convert` and `sightline export` on the authors' file."
        )
    if "template" in inputs or role == "describe":
        return None
    beside = init_path(path)
    if not beside.is_file():
        raise WeightsMissing(f"{path.name} needs {beside.name} in the same folder (it reads the template); copy or export both.")
    return beside
