"""Attributes of sequences: what makes them hard, by their data sets' files or by the lists in the package."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sightline.errors import BadData
from sightline.evaluate.annotation import flags_from_file

__all__ = ["attributes_of"]


def attributes_of(benchmark: str, name: str, path: Path | None) -> frozenset[str]:
    """In words, as "fast motion".

    Args:
        benchmark: key of `attributes.json`, which has the codes, and the attributes of most sequences.
        name: of the sequence.
        path: file of the data set with one 0 or 1 for each code, in their order; where it is there, it counts.

    Raises:
        BadData: the file has another number of flags.
    """
    codes: Mapping[str, str] = _lists()[benchmark]["codes"]
    if path is None or not path.is_file():
        return frozenset(codes[code] for code in _lists()[benchmark]["sequences"].get(name, "").split())
    flags = flags_from_file(path)
    if len(flags) != len(codes):
        raise BadData(f"{path} has {len(flags)} numbers; expected one for each of the {len(codes)} attributes {', '.join(codes)}.")
    return frozenset(word for word, flag in zip(codes.values(), flags, strict=True) if flag)


@functools.cache
def _lists() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path(__file__).with_name("attributes.json").read_text(encoding="utf-8"))
    return content
