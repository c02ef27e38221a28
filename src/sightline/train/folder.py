"""The folder of a run: what it was asked to do, and its log."""

from __future__ import annotations

import dataclasses
import json
import platform
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch

from sightline import __version__
from sightline.errors import BadData, WeightsMissing
from sightline.weights import write_whole

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["NOTES", "Report", "add_line", "append", "describe", "rewind"]

LOG, NOTES = "log.jsonl", "notes.txt"
NO_RESULT = ("workers", "threads", "save_every", "validation_pairs")  # fields that change no weights
Report: TypeAlias = Callable[[Mapping[str, float]], None]


def describe(out: Path, recipe: DataclassInstance, more: Mapping[str, str]) -> None:
    """Write run.json (recipe, versions, commit, and `more`), after making sure that no other run lives in the folder.

    Raises:
        BadData: one does.
    """
    described = json.loads(json.dumps(dataclasses.asdict(recipe), default=str))
    path = out / "run.json"
    if path.is_file():
        before = _recipe_in(path)
        fields = [field for field in dataclasses.fields(recipe) if field.name not in NO_RESULT]
        changed = sorted(field.name for field in fields if not _is_same(before, described, field, recipe))
        if changed:
            raise BadData(f"{out} holds a run with another recipe ({', '.join(changed)} differ); choose another --output.")
    versions = {"sightline": __version__, "torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()}
    content = {"recipe": described, "versions": versions, "commit": _commit(), **more}
    write_whole({path: json.dumps(content, indent=1).encode()})


def _recipe_in(path: Path) -> dict[str, Any]:
    try:
        recipe: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["recipe"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadData(f"{path} does not say which run is in its folder ({error!r}); choose another --output.") from error
    return recipe


def _is_same(before: Mapping[str, Any], described: Mapping[str, Any], field: dataclasses.Field[Any], holder: DataclassInstance) -> bool:
    """Whether a run that was begun, perhaps before there was this field, has the value that is asked for now."""
    value = getattr(holder, field.name)
    if field.name not in before:
        return bool(value == field.default)
    return _agrees(before[field.name], described[field.name], value)


def _agrees(before: Any, described: Any, value: object) -> bool:
    if dataclasses.is_dataclass(value) and not isinstance(value, type) and isinstance(before, dict):
        return all(_is_same(before, described, field, value) for field in dataclasses.fields(value))
    if isinstance(value, tuple) and isinstance(before, list) and len(before) == len(value):
        return all(_agrees(*three) for three in zip(before, described, value, strict=True))
    return bool(before == described)


def append(out: Path, line: Mapping[str, float], report: Report | None) -> None:
    """Append a line to log.jsonl, and report it; errors as `add_line`."""
    add_line(out / LOG, json.dumps({name: round(value, 6) for name, value in line.items()}))
    if report is not None:
        report(line)


def add_line(path: Path, text: str) -> None:
    """Append a line to a file.

    Raises:
        WeightsMissing: it cannot be written.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text + "\n")
    except OSError as error:
        raise WeightsMissing(
            f"cannot write {path} ({error.strerror}); make room, and the same command goes on from the last save."
        ) from error


def rewind(out: Path, step: int) -> set[str]:
    """Forget what was logged after a step, and lines that were not finished: a run that goes on from there writes them again.

    Returns:
        The lines of notes.txt.
    """
    _keep(out / LOG, lambda line: bool(json.loads(line)["step"] <= step))
    return set(_keep(out / NOTES, lambda _: True))


def _keep(path: Path, wanted: Callable[[str], bool]) -> list[str]:
    """Take all other lines out of a file; those that stay."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    kept = [line for line in text.split("\n")[:-1] if wanted(line)]
    whole = "".join(f"{line}\n" for line in kept)
    if whole != text:
        write_whole({path: whole.encode()})
    return kept


def _commit() -> str:
    """The commit of the code, with + where files differ from it; empty outside a repository."""
    here = Path(__file__).parent
    try:
        said = subprocess.run(["git", "describe", "--always", "--dirty=+"], cwd=here, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return said.stdout.strip()
