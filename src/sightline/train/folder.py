"""The folder of a run: what it was asked to do, and its log."""

from __future__ import annotations

import dataclasses
import json
import platform
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch

from sightline import __version__
from sightline.errors import BadData
from sightline.weights import write_whole

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["Report", "append", "describe"]

Report: TypeAlias = Callable[[Mapping[str, float]], None]


def describe(out: Path, recipe: DataclassInstance, more: Mapping[str, str]) -> None:
    """Write run.json (recipe, versions, commit, and `more`), after making sure that no other run lives in the folder.

    Raises:
        BadData: one does.
    """
    described = json.loads(json.dumps(dataclasses.asdict(recipe), default=str))
    path = out / "run.json"
    if path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))["recipe"]
        if before != described:
            changed = sorted(key for key in described if before.get(key) != described[key])
            raise BadData(f"{out} holds a run with another recipe ({', '.join(changed)} differ); choose another --output.")
    versions = {"sightline": __version__, "torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()}
    content = {"recipe": described, "versions": versions, "commit": _commit(), **more}
    write_whole({path: json.dumps(content, indent=1).encode()})


def append(out: Path, line: Mapping[str, float], report: Report | None) -> None:
    """Append a line to log.jsonl, and report it."""
    with (out / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({name: round(value, 6) for name, value in line.items()}) + "\n")
    if report is not None:
        report(line)


def _commit() -> str:
    """The commit of the code, with + where files differ from it; empty outside a repository."""
    here = Path(__file__).parent
    try:
        said = subprocess.run(["git", "describe", "--always", "--dirty=+"], cwd=here, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return said.stdout.strip()
